"""The embedded model: answers every program from authored phrasings, a pure function of the brief that ends the prompt.

It reads the brief out of the messages like any model, so it gives the same answers in process and behind `synth serve`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from synth.content.lexicons import Lexicon, read_lexicon
from synth.content.phrasings import FOLDER, Phrasing, read_phrasing
from synth.content.scenarios import read_family
from synth.content.shelves import Shelves
from synth.errors import BadRequest, ContentError, UsageError
from synth.models.base import Endpoint, Request, Response, Usage
from synth.models.tokens import estimate_prompt, estimate_tokens
from synth.offline import compose
from synth.offline.annotate import Reader
from synth.offline.claims import kept
from synth.offline.compose import Beat, Scene, Speaker, UnphrasedError
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
        self._lexicons: dict[str, Lexicon | None] = {}
        self._digests: dict[str, str] = {}
        self._programs: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "event": self._event,
            "write": self._scene,
            "vary": self._scene,
            "reply": self._reply,
            "contrast": self._contrast,
            "annotate": self._annotate,
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
        phrasing = self._phrasing(brief)
        draw = brief["draw"]
        world, telling = compose.choose_world(
            phrasing, brief["level"], brief["variety"], int(draw["seed"]), int(draw["sequence"])
        )
        scene = self._staged(brief, world.name, telling, form=next(iter(phrasing.turn["open"].branches)))
        told = compose.tell(scene)
        facts = {mark.name: told.text[mark.start : mark.end] for mark in told.marks}
        return {"particulars": told.text, "facts": facts, "world": world.name, "telling": telling}

    def _scene(self, brief: dict[str, Any]) -> dict[str, Any]:
        scene = self._scene_of(brief)
        text, marks = compose.join(compose.turn(scene), scene.phrasing.joiner)
        facts, cues = [], []
        for mark in marks:
            quote = text[mark.start : mark.end]
            quoted = {"quote": quote, "nth": _places(text, quote).index(mark.start)}
            if mark.name.startswith("~"):
                cues.append({"kind": mark.name[1:], **quoted})
            else:
                facts.append({"id": mark.name, **quoted})
        out, back = scene.addresses()
        to = ["R"] if brief["stance"] == "on_behalf" else ["A"]
        return {
            "setting": compose.setting(scene),
            "request": compose.request(scene),
            "turns": [{"by": "S", "to": to, "text": text, "facts": facts, "cues": cues}],
            "address": {"out": out, "back": back},
        }

    def _reply(self, brief: dict[str, Any]) -> dict[str, Any]:
        scene = self._scene_of(brief)
        beats, style = compose.faithful(scene), "faithful"
        if brief["style"] == "alternative":
            beats, style = beats | compose.alternative(scene), scene.phrasing.style or "alternative"
        return {"style": style, "beats": _beats(beats)}

    def _contrast(self, brief: dict[str, Any]) -> dict[str, Any]:
        scene = self._scene_of(brief)
        key = f"{brief['mechanism']}.{brief['variant']}" if brief["variant"] else str(brief["mechanism"])
        if key not in scene.phrasing.fails:
            raise UnphrasedError(f"{scene.phrasing.file.name}: no {key}")
        failure = scene.phrasing.fails[key]
        replaced = compose.failing(scene, failure, int(brief["severity"]))
        faithful = compose.faithful(scene)
        lexicon = self._lexicon(scene.phrasing.language)
        family = read_family(self.shelves, scene.phrasing.family)
        held = kept(faithful, faithful | replaced, family, lexicon, scene.phrasing.joiner)
        changed = {name: beat for name, beat in replaced.items() if beat.text != faithful[name].text}
        return {"beats": _beats(changed), "kept": sorted(held & set(failure.keeps))}

    def _annotate(self, brief: dict[str, Any]) -> dict[str, Any]:
        language = str(brief["language"])
        if language not in self._readers:
            self._readers[language] = Reader(self.shelves, language)
        return {"labels": self._readers[language].labels(str(brief["scene"]["turns"][-1]["text"]))}

    # -- staging

    def _lexicon(self, language: str) -> Lexicon | None:
        if language not in self._lexicons:
            self._lexicons[language] = read_lexicon(self.shelves, language)
        return self._lexicons[language]

    def _phrasing(self, brief: dict[str, Any]) -> Phrasing:
        return read_phrasing(self.shelves, str(brief["language"]), str(brief["family"]))

    def _scene_of(self, brief: dict[str, Any]) -> Scene:
        event = brief["event"]
        return self._staged(brief, event["world"], int(event["telling"]), form=str(brief["form"]))

    def _staged(self, brief: dict[str, Any], world: str, telling: int, *, form: str) -> Scene:
        phrasing = self._phrasing(brief)
        if world not in phrasing.worlds:
            raise UnphrasedError(f"{phrasing.file.name}: no world {world!r}")
        speakers = {
            pid: Speaker(one["name"], one["gender"], one["variety"], one["calls"])
            for pid, one in brief["people"].items()
        }
        address = brief.get("address", {"out": "", "back": ""})
        return Scene(
            phrasing=phrasing,
            stance=str(brief["stance"]),
            beats=_beat_names(self.shelves, phrasing.family),
            form=form,
            level=str(brief["level"]),
            emotion=str(brief["emotion"]),
            explicitness=str(brief["explicitness"]),
            variety=str(brief["variety"]),
            people=speakers,
            address_out=str(address["out"]),
            address_back=str(address["back"]),
            world=phrasing.worlds[world],
            telling=telling,
            seed=int(brief["draw"]["seed"]),
            rank=compose.rank_of(str(brief["level"]), int(brief["draw"]["sequence"])),
        )


@lru_cache(maxsize=256)
def _beat_names(shelves: Shelves, family: str) -> tuple[str, ...]:
    return tuple(read_family(shelves, family).reply.beats)


def _beats(beats: Mapping[str, Beat]) -> list[dict[str, str]]:
    return [{"beat": name, "text": beat.text} for name, beat in beats.items()]


def _places(text: str, words: str) -> list[int]:
    found, at = [], text.find(words)
    while at >= 0:
        found.append(at)
        at = text.find(words, at + 1)
    return found
