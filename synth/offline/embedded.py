"""The embedded model: answers every program from authored phrasings, a pure function of the brief that ends the prompt.

It reads the brief out of the messages like any model, so it gives the same answers in process and behind `synth serve`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from synth.content.lexicons import Lexicon, read_lexicon
from synth.content.phrasings import FOLDER
from synth.content.prompts import read_frame
from synth.content.scenarios import read_family
from synth.content.shelves import Shelves
from synth.errors import BadRequest, ContentError, UsageError
from synth.models.base import Endpoint, Request, Response, Usage
from synth.models.tokens import estimate_prompt, estimate_tokens
from synth.offline import compose
from synth.offline.annotate import Reader
from synth.offline.claims import kept
from synth.offline.compose import Beat, UnphrasedError
from synth.offline.probes import Judge
from synth.offline.spoiling import failed
from synth.offline.staging import event_of, scene_of
from synth.offline.turns import told_turns
from synth.offline.verify import verified
from synth.records.labels import Outcome
from synth.records.schema import Message

COMPOSER_VERSION: Final = 1
"""Raised by hand when the same brief and phrasings would give other words."""

_FENCE: Final = "```brief\n"


def open_model(name: str, endpoints: Mapping[str, Endpoint], shelves: Shelves | None = None) -> OfflineModel:
    """Give the embedded model; it has one name and no endpoint of its own."""
    if name != "offline" or (endpoints.get("offline") and endpoints["offline"].url):
        raise UsageError(f"{name!r} is not the embedded model", hint="its name is offline, and it has no URL")
    return OfflineModel(shelves or Shelves())


def find_brief(messages: tuple[Message, ...]) -> dict[str, Any]:
    """Give the brief that ends the last message that has one.

    Raises:
        BadRequest: no message ends in a fenced brief, or it is no map.
    """
    for message in reversed(messages):
        _, fence, rest = message.content.rpartition(_FENCE)
        if fence:
            text = rest.partition("\n```")[0]
            try:
                brief = json.loads(text)
            except ValueError:
                brief = _yaml(text)
            if isinstance(brief, dict):
                return brief
    raise BadRequest("the offline model answers prompts that end in a fenced brief block, and found none")


def _yaml(text: str) -> Any:
    from synth.content.reading import parse

    try:
        return parse(text, "the brief")
    except ContentError as error:
        raise BadRequest(f"the brief is no YAML: {error}") from error


class OfflineModel:
    """Answers from the phrasing files of its shelves."""

    pure = True
    name = "offline"

    def __init__(self, shelves: Shelves) -> None:
        self.shelves = shelves
        self._readers: dict[str, Reader] = {}
        self._judges: dict[str, Judge] = {}
        self._lexicons: dict[str, Lexicon | None] = {}
        self._digests: dict[str, str] = {}
        self._programs: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "event": self._event,
            "write": self._scene,
            "vary": self._scene,
            "reply": self._reply,
            "contrast": self._contrast,
            "annotate": self._annotate,
            "verify": self._verify,
            "judge": self._judge,
        }

    def identity(self, language: str) -> str:
        """Give `offline@<digest>`: the composer's version and every phrasing of the language."""
        if language not in self._digests:
            files = [file.digest for file in self.shelves.files(f"{FOLDER}/{language}")]
            text = json.dumps([COMPOSER_VERSION, language, files])
            self._digests[language] = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
        return f"offline@{self._digests[language]}"

    def answer(self, request: Request) -> Response:
        """Give the answer to a prompt; raise BadRequest where it has no brief of ours or no words for it."""
        brief = find_brief(request.messages)
        program = str(brief.get("program"))
        if program not in self._programs:
            raise BadRequest(f"the offline model has no program {program!r}; it has {', '.join(self._programs)}")
        try:
            said = self._programs[program](brief)
        except (UnphrasedError, ContentError) as fault:
            raise BadRequest(f"the offline model has no words for this: {fault.args[0]}") from fault
        except (KeyError, TypeError, ValueError, AttributeError) as fault:
            raise BadRequest(f"the brief of {program} is not complete: {fault!r}") from fault
        text = json.dumps(said, ensure_ascii=False)
        usage = Usage(estimate_prompt(request.messages), estimate_tokens(text))
        return Response(text, Outcome.OK, self.identity(str(brief["language"])), None, None, usage)

    async def attempt(self, request: Request) -> Response:
        """Give the answer; the embedded model never waits."""
        return self.answer(request)

    async def close(self) -> None:
        """Nothing to give back."""

    # -- programs

    def _event(self, brief: dict[str, Any]) -> dict[str, Any]:
        scene = event_of(self.shelves, brief)
        told = compose.tell(scene)
        facts = {mark.name: told.text[mark.start : mark.end] for mark in told.marks}
        return {"particulars": told.text, "facts": facts, "world": scene.world.name, "telling": scene.telling}

    def _scene(self, brief: dict[str, Any]) -> dict[str, Any]:
        scene = scene_of(self.shelves, brief)
        count = int(brief.get("turns", 1))
        listens = read_frame(self.shelves, scene.phrasing.language).listens if count > 1 else ()
        out, back = scene.addresses()
        return {
            "setting": compose.setting(scene),
            "request": compose.request(scene),
            "turns": told_turns(scene, count, listens),
            "address": {"out": out, "back": back},
        }

    def _reply(self, brief: dict[str, Any]) -> dict[str, Any]:
        scene = scene_of(self.shelves, brief)
        beats, style = compose.faithful(scene), "faithful"
        if brief["style"] == "alternative":
            beats, style = beats | compose.alternative(scene), scene.phrasing.style or "alternative"
        answer = {"style": style, "beats": _beats(beats)}
        if brief.get("reasoning"):  # what is thought is what the family says of its beats: no frame has words of ours
            family = read_family(self.shelves, scene.phrasing.family)
            return {"reasoning": "; ".join(family.reply.beats[name].says for name in beats)} | answer
        return answer

    def _contrast(self, brief: dict[str, Any]) -> dict[str, Any]:
        scene = scene_of(self.shelves, brief)
        failure, replaced = failed(scene, brief)
        faithful = compose.faithful(scene)
        lexicon = self._lexicon(scene.phrasing.language)
        family = read_family(self.shelves, scene.phrasing.family)
        held = kept(faithful, faithful | replaced, family, lexicon, scene.phrasing.joiner)
        changed = {name: beat for name, beat in replaced.items() if beat.text != faithful[name].text}
        return {"beats": _beats(changed), "kept": sorted(held & set(failure.keeps))}

    def _annotate(self, brief: dict[str, Any]) -> dict[str, Any]:
        return {"labels": self._reader(str(brief["language"])).labels(brief["scene"])}

    def _verify(self, brief: dict[str, Any]) -> dict[str, Any]:
        return {"claims": verified(self._reader(str(brief["language"])), brief["scene"], brief["claims"])}

    def _judge(self, brief: dict[str, Any]) -> dict[str, Any]:
        language = str(brief["language"])
        if language not in self._judges:
            self._judges[language] = Judge(self.shelves, language)
        return {"probes": self._judges[language].answers(str(brief["reply"]), brief["probes"])}

    # -- what is read once

    def _reader(self, language: str) -> Reader:
        if language not in self._readers:
            self._readers[language] = Reader(self.shelves, language)
        return self._readers[language]

    def _lexicon(self, language: str) -> Lexicon | None:
        if language not in self._lexicons:
            self._lexicons[language] = read_lexicon(self.shelves, language)
        return self._lexicons[language]


def _beats(beats: Mapping[str, Beat]) -> list[dict[str, str]]:
    return [{"beat": name, "text": beat.text} for name, beat in beats.items()]
