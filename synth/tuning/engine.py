"""dspy asks through `ask`: an engine whose every question is one of ours, so ledger, purse, retries and breaker are ours too.

dspy's engine contract (dspy/clients/engines/base.py, 3.4): one canonical request in, one response out, no retries, no cache.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final

from synth.ask import Answer
from synth.errors import SynthError
from synth.models.base import Contract
from synth.records.labels import Outcome
from synth.records.schema import Message

REFLECTION: Final = Contract("reflection", 1)
"""What a reflecting model answers: a JSON object that dspy's adapter reads. It has no schema of ours."""

_MODEL: Final = "humane-synth/reflector"
"""What dspy calls the model: no name of a real one, so that nothing in dspy decides anything by it."""

Reflect = Callable[[tuple[Message, ...], int], Answer]
"""(messages, how often these were asked before) -> answer; called from threads, it waits."""


class AskEngine:
    """Answers what dspy asks. The same question asked again in one run is a new draw, and in the next run the same draws are known."""

    def __init__(self, reflect: Reflect) -> None:
        """Keep whom to ask."""
        self._reflect = reflect
        self._asked: Counter[tuple[Message, ...]] = Counter()

    def __deepcopy__(self, _memo: object) -> AskEngine:
        return self  # dspy copies what it optimises; the one who asks stays one

    def complete(self, request: Any) -> Any:
        """Give the response to a canonical request.

        Raises:
            LM15Error: nothing was answered; what went wrong is kept by whoever asks.
        """
        from dspy.clients.engines.base import validate_request
        from dspy.lm15 import LM15Error
        from dspy.lm15 import Message as Said

        validate_request(request)
        messages = tuple(_messages(request))
        draw = self._asked[messages]
        self._asked[messages] += 1
        try:
            answer = self._reflect(messages, draw)
        except SynthError as error:
            raise LM15Error(str(error)) from error
        if answer.call.outcome is Outcome.REFUSED or not answer.text:
            raise LM15Error(f"the reflecting model gave no answer ({answer.call.outcome})")
        return self._response(request, Said.assistant(answer.text), answer)

    def _response(self, request: Any, said: Any, answer: Answer) -> Any:
        from dspy.lm15 import Response, Usage

        finish = "length" if answer.call.outcome is Outcome.TRUNCATED else "stop"
        usage = Usage(input_tokens=answer.call.tokens_in, output_tokens=answer.call.tokens_out)
        return Response(id=None, model=request.model, message=said, finish_reason=finish, usage=usage)

    def stream(self, request: Any) -> Iterator[Any]:
        """Give the response as events; it is whole before the first of them."""
        from dspy.lm15 import response_to_events

        yield from response_to_events(self.complete(request))

    def close(self) -> None:
        """Nothing to give back."""


def _messages(request: Any) -> Iterator[Message]:
    if request.system is not None:
        system = request.system
        yield Message("system", system if isinstance(system, str) else "".join(part.text for part in system))
    for message in request.messages:
        role = "system" if message.role == "developer" else message.role
        yield Message(role, message.text or "")


def open_lm(reflect: Reflect) -> Any:
    """Give dspy's language model over `ask`: no cache, no retries, no history of its own."""
    import dspy

    return dspy.LM(_MODEL, engine=AskEngine(reflect), cache=False, num_retries=0)
