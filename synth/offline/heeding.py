"""A rehearsal for `synth tune`: an embedded model whose answers depend on its instruction in one known way, and that proposes what helps.

Without the words `HEEDED` above the brief the writer leaves something out of each first answer; with them, or told what to mend, it is the embedded model.
Asked without a brief, by dspy's proposer, it gives back the instruction that it is shown with these words at the end. So tuning can be seen to find what
can be found, to compare it on cells that it never saw, and to stop at its budget. It says nothing about real models: this one was made to be improved by
one sentence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from synth.errors import BadRequest
from synth.models.base import Request, Response, Usage
from synth.models.tokens import estimate_prompt, estimate_tokens
from synth.offline.embedded import find_brief
from synth.records.labels import Outcome
from synth.records.schema import Message

HEEDED: Final = "leave nothing out"
"""What an instruction has to say, in any case of letters (docs/tuning.md tells it)."""

Answering = Callable[[Request], Response]

_FENCE: Final = "```brief\n"
_SHOWN: Final = re.compile(r"\[\[ ## (?:current_instruction|basic_instruction) ## \]\]\n(.*?)\n\n\[\[ ## ", re.DOTALL)
_WANTED: Final = ("new_instruction", "proposed_instruction")
"""The members in which dspy's two proposers, of GEPA and of MIPROv2, want the instruction."""


def heeding(answer: Answering) -> Answering:
    """Give the `answer` of a model that heeds its instruction; questions that are neither ours nor dspy's are refused as before."""

    def answering(request: Request) -> Response:
        if any(_FENCE in message.content for message in request.messages):
            response = answer(request)
            return response if _heeds(request.messages) else _lacking(find_brief(request.messages), response)
        return _proposed(request)

    return answering


def _heeds(messages: tuple[Message, ...]) -> bool:
    return any(HEEDED in message.content.partition(_FENCE)[0].casefold() for message in messages)


# -- the writer


def _lacking(brief: Mapping[str, Any], response: Response) -> Response:
    """Give an answer with something left out, of programs that write."""
    spoil = _SPOILS.get(str(brief.get("program")))
    if spoil is None or brief.get("again"):
        return response
    return replace(response, text=json.dumps(spoil(brief, json.loads(response.text)), ensure_ascii=False))


def _without_fact(_brief: Mapping[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """Leave the words of the last fact out of an event."""
    return said | {"facts": dict(list(said["facts"].items())[:-1])}


def _without_mark(brief: Mapping[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """Leave the last fact that has to be said out of a scene: its quotation, and its words where nothing else is quoted."""
    needed = [name for name, fact in brief["facts"].items() if fact["must"] == "preserve"]
    turns = [dict(turn) for turn in said["turns"]]
    for turn in reversed(turns):
        left_out = next((fact for fact in reversed(turn["facts"]) if fact["id"] in needed), None)
        if left_out is not None:
            rest = [fact for fact in turn["facts"] if fact is not left_out]
            cut = turn["text"].replace(left_out["quote"], "", 1)
            whole = all(one["quote"] in cut and not one.get("nth") for one in (*rest, *turn["cues"]))
            turn |= {"facts": rest, "text": cut if whole and cut.strip() else turn["text"]}
            return said | {"turns": turns}
    return said


def _without_beat(_brief: Mapping[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """Leave the last beat out of a reply."""
    return said | {"beats": said["beats"][:-1] or said["beats"]}


def _unchanged(brief: Mapping[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """Leave the failure out: the beats are those of the good reply."""
    return said | {"beats": [{"beat": beat["beat"], "text": brief["reply"][beat["beat"]]} for beat in said["beats"]]}


_SPOILS: Final[Mapping[str, Callable[[Mapping[str, Any], dict[str, Any]], dict[str, Any]]]] = {
    "event": _without_fact,
    "write": _without_mark,
    "vary": _without_mark,
    "reply": _without_beat,
    "contrast": _unchanged,
}


# -- the reflecting model


def _proposed(request: Request) -> Response:
    """Give the instruction that a proposer shows, with the words that help."""
    text = "\n\n".join(message.content for message in request.messages)
    shown = _SHOWN.findall(text)
    wanted = next((name for name in _WANTED if f"`{name}`" in text), "")
    if not shown or not wanted:
        raise BadRequest("asked without a brief, a heeding server answers dspy's proposers only")
    said = json.dumps({wanted: f"{shown[-1].strip()}\n\n{HEEDED.capitalize()}."}, ensure_ascii=False)
    usage = Usage(estimate_prompt(request.messages), estimate_tokens(said))
    return Response(said, Outcome.OK, request.model, None, None, usage)
