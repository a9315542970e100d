"""The label sets, each with its source. A label is a plain string on disk and a member of one of these enums in Python.

Sources: the four failures and three dimensions are those of arXiv 2604.10557. Power bases: French and Raven (1959), Raven (1965).
Imposition and distance: Brown and Levinson (1987), as strata only. Regulation: display-rule modes of Ekman and Friesen (1969), Matsumoto (1990).
Acts: the eight support strategies of ESConv (Liu et al. 2021) with challenge, boundary and phatic.
Goals and emotions are this project's own closed sets (SPEC section 2); other schemes are lossy projections of them.
"""

from __future__ import annotations

from enum import StrEnum, unique
from typing import Final


@unique
class Dimension(StrEnum):
    COGNITIVE = "cognitive"
    CULTURAL = "cultural"
    RELATIONAL = "relational"


@unique
class Mechanism(StrEnum):
    """The four failures of arXiv 2604.10557, and room for what does not fit."""

    ATTENUATION = "attenuation"
    GRANULARITY = "granularity"
    AVOIDANCE = "avoidance"
    DISTANCING = "distancing"
    OTHER = "other"


@unique
class Direction(StrEnum):
    UNDER = "under"
    OVER = "over"


@unique
class ReplyKind(StrEnum):
    FAITHFUL = "faithful"
    ALTERNATIVE = "alternative"
    FAILURE = "failure"
    CROSSED = "crossed"
    OBSERVED = "observed"


@unique
class Outcome(StrEnum):
    OK = "ok"
    REFUSED = "refused"
    TRUNCATED = "truncated"
    UNPARSABLE = "unparsable"
    MISMATCHED = "mismatched"
    ABANDONED = "abandoned"


@unique
class Split(StrEnum):
    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


@unique
class Domain(StrEnum):
    NEWS = "news"
    LITERATURE = "literature"
    EDUCATION = "education"
    COUNSELLING = "counselling"
    WORKPLACE = "workplace"
    HEALTHCARE = "healthcare"
    FAMILY = "family"
    CIVIC = "civic"
    SERVICE = "service"


@unique
class Task(StrEnum):
    RESPOND = "respond"
    ADVISE = "advise"
    MEDIATE = "mediate"
    TRANSLATE = "translate"
    SUMMARISE = "summarise"
    REPORT = "report"
    REWRITE = "rewrite"
    DRAFT_FOR = "draft_for"


@unique
class Stance(StrEnum):
    """Who replies: the person addressed, a helper, the speaker's own hand, or an editor."""

    IN_RELATION = "in_relation"
    CONFIDANT = "confidant"
    ON_BEHALF = "on_behalf"
    CARRY_OVER = "carry_over"


@unique
class PowerForm(StrEnum):
    UP = "up"
    LEVEL = "level"
    DOWN = "down"
    SPLIT = "split"


@unique
class PowerBase(StrEnum):
    LEGITIMATE = "legitimate"
    REWARD = "reward"
    COERCIVE = "coercive"
    EXPERT = "expert"
    REFERENT = "referent"
    INFORMATIONAL = "informational"


@unique
class Tie(StrEnum):
    WARM = "warm"
    NEUTRAL = "neutral"
    STRAINED = "strained"


@unique
class Valence(StrEnum):
    NEG = "neg"
    MIXED = "mixed"
    POS = "pos"


@unique
class Regulation(StrEnum):
    NONE = "none"
    DEAMPLIFIED = "deamplified"
    NEUTRALISED = "neutralised"
    MASKED = "masked"
    QUALIFIED = "qualified"
    AMPLIFIED = "amplified"
    SIMULATED = "simulated"


@unique
class Explicitness(StrEnum):
    NAMED = "named"
    DESCRIBED = "described"
    IMPLIED = "implied"
    MASKED = "masked"


@unique
class Cue(StrEnum):
    """What lets a hidden feeling be seen (SPEC section 3)."""

    DENIAL = "denial"
    RESIDUE = "residue"
    PROCEDURE = "procedure"
    WITHDRAWAL = "withdrawal"
    BUSYNESS = "busyness"
    JOKE = "joke"
    MINIMISING = "minimising"
    SILENCE = "silence"
    TOPIC_SHIFT = "topic_shift"
    REGISTER_SHIFT = "register_shift"
    CODE_SWITCH = "code_switch"
    CONTRADICTION = "contradiction"
    BODY = "body"
    HISTORY = "history"
    ROLE = "role"


@unique
class Must(StrEnum):
    PRESERVE = "preserve"
    ACKNOWLEDGE = "acknowledge"
    AVOID = "avoid"


@unique
class Premise(StrEnum):
    SHARED = "shared"
    UNVERIFIED = "unverified"
    FALSE = "false"


@unique
class Act(StrEnum):
    QUESTION = "question"
    RESTATEMENT = "restatement"
    REFLECTION = "reflection"
    SELF_DISCLOSURE = "self_disclosure"
    AFFIRMATION = "affirmation"
    SUGGESTION = "suggestion"
    INFORMATION = "information"
    OTHER = "other"
    CHALLENGE = "challenge"
    BOUNDARY = "boundary"
    PHATIC = "phatic"


@unique
class GoldStatus(StrEnum):
    CONFIRMED = "confirmed"
    COVERT = "covert"
    RELABELLED = "relabelled"
    CONTESTED = "contested"
    ADJUDICATED = "adjudicated"
    AUTHORED = "authored"
    SPECIFIED = "specified"
    BROKEN = "broken"


@unique
class Action(StrEnum):
    """What a verdict does to its target; `hold` waits for a person."""

    KEEP = "keep"
    DROP = "drop"
    HOLD = "hold"
    NOTE = "note"


@unique
class AnnotatorKind(StrEnum):
    MODEL = "model"
    PERSON = "person"
    LOOKUP = "lookup"


@unique
class Origin(StrEnum):
    AUTHORED = "authored"
    TRANSCREATED = "transcreated"
    TRANSLATED = "translated"


@unique
class ProfileStatus(StrEnum):
    DRAFT = "draft"
    REVIEWED = "reviewed"


@unique
class CrisisKind(StrEnum):
    SELF_HARM = "self_harm"
    VIOLENCE = "violence"
    ABUSE = "abuse"
    MEDICAL = "medical"


@unique
class Emotion(StrEnum):
    JOY = "joy"
    PRIDE = "pride"
    RELIEF = "relief"
    GRATITUDE = "gratitude"
    TENDERNESS = "tenderness"
    HOPE = "hope"
    SURPRISE = "surprise"
    LONGING = "longing"
    SADNESS = "sadness"
    GRIEF = "grief"
    DISAPPOINTMENT = "disappointment"
    LONELINESS = "loneliness"
    FEAR = "fear"
    WORRY = "worry"
    ANGER = "anger"
    RESENTMENT = "resentment"
    CONTEMPT = "contempt"
    DISGUST = "disgust"
    ENVY = "envy"
    SHAME = "shame"
    GUILT = "guilt"
    EMBARRASSMENT = "embarrassment"
    HURT = "hurt"
    HELPLESSNESS = "helplessness"


@unique
class Goal(StrEnum):
    VENT = "vent"
    BE_UNDERSTOOD = "be_understood"
    DISCLOSE = "disclose"
    SHARE_JOY = "share_joy"
    REASSURANCE = "reassurance"
    INFORMATION = "information"
    ADVICE = "advice"
    HELP = "help"
    PERMISSION = "permission"
    REQUEST = "request"
    PERSUADE = "persuade"
    NEGOTIATE = "negotiate"
    REFUSE = "refuse"
    SET_BOUNDARY = "set_boundary"
    WITHDRAW = "withdraw"
    COMPLAIN = "complain"
    CONFRONT = "confront"
    CRITICISE = "criticise"
    REPORT_HARM = "report_harm"
    APOLOGISE = "apologise"
    REPAIR = "repair"
    COMFORT = "comfort"
    APPRECIATE = "appreciate"
    TELL_HARD_NEWS = "tell_hard_news"


@unique
class GoalGroup(StrEnum):
    HOLD = "hold"
    SEEK = "seek"
    MOVE = "move"
    STAND = "stand"
    MEND = "mend"
    GIVE = "give"
    TELL = "tell"


_GROUPS: Final = {
    GoalGroup.HOLD: (Goal.VENT, Goal.BE_UNDERSTOOD, Goal.DISCLOSE, Goal.SHARE_JOY),
    GoalGroup.SEEK: (Goal.REASSURANCE, Goal.INFORMATION, Goal.ADVICE, Goal.HELP, Goal.PERMISSION),
    GoalGroup.MOVE: (Goal.REQUEST, Goal.PERSUADE, Goal.NEGOTIATE),
    GoalGroup.STAND: (
        Goal.REFUSE,
        Goal.SET_BOUNDARY,
        Goal.WITHDRAW,
        Goal.COMPLAIN,
        Goal.CONFRONT,
        Goal.CRITICISE,
        Goal.REPORT_HARM,
    ),
    GoalGroup.MEND: (Goal.APOLOGISE, Goal.REPAIR),
    GoalGroup.GIVE: (Goal.COMFORT, Goal.APPRECIATE),
    GoalGroup.TELL: (Goal.TELL_HARD_NEWS,),
}

GROUP_OF: Final = {goal: group for group, goals in _GROUPS.items() for goal in goals}
"""The group of each of the 24 goals; agreement is measured on the group."""

OVER_VARIANTS: Final = {
    "amplified": Mechanism.ATTENUATION,
    "detail": Mechanism.GRANULARITY,
    "harsh": Mechanism.AVOIDANCE,
    "enmeshed": Mechanism.DISTANCING,
}
"""The variant of each mechanism that gives too much."""
