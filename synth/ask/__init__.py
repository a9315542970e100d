"""Ask: the one way from a program to a model.

find -> (pace, purse, claim, attempt, settle), again where the transport failed -> parse -> at most one repair question. A
pure model answers at once: it is not ledgered, costs nothing and never waits. What jitter and waiting change is time, never
an answer. Once a stop is wanted, what the ledger knows is still given and nothing more is asked.
"""

from synth.ask.asker import Asker, Repair
from synth.ask.attempts import Retry
from synth.ask.roles import Answer, Parsed, PendingError, Role, open_role
from synth.models.answers import Unparsable, parse_json

__all__ = [
    "Answer",
    "Asker",
    "Parsed",
    "PendingError",
    "Repair",
    "Retry",
    "Role",
    "Unparsable",
    "open_role",
    "parse_json",
]
