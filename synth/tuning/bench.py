"""The bench: a case's answer under an instruction, and its score. All is asked through the line's own programs: a tuned prompt is tried as a build asks it.

What comes before the tuned program (the event, the scene that is edited or answered) is asked once, by the prompts that stand, and is the same for every
instruction; what comes after it is measured.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from pydantic import BaseModel

from synth.ask import Asker, Parsed
from synth.content.prompts import Prompt
from synth.errors import UsageError
from synth.line.checks import Failed, check_event, check_reply, check_scene, mendable
from synth.line.evidence import normal
from synth.programs.contracts import EventAnswer, SceneAnswer
from synth.programs.event import tell_event
from synth.programs.questions import Desk
from synth.programs.reply import write_reply
from synth.programs.write import write_scene
from synth.tuning.cases import Case
from synth.tuning.scoring import SHARD, Asked, Before, Tongue, Trial, TunedDesk, score

A = TypeVar("A", bound=BaseModel)
T = TypeVar("T")

JUDGED: Final = frozenset({"reply", "contrast"})
"""The programs whose texts are judged; the others' scenes are verified."""


class UnusableError(Exception):
    """What comes before the tuned program got no answer that can be used, so the case says nothing of any instruction."""


class Bench:
    """Answers and scores cases of one program."""

    def __init__(self, program: str, asker: Asker, tongues: Mapping[str, Tongue]) -> None:
        """Keep who asks; `tongues` by language."""
        self._program = program
        self._asker = asker
        self._tongues = tongues
        self._standing = {name: self._desk(tongue) for name, tongue in tongues.items()}
        self._before: dict[str, Before] = {}

    def _desk(self, tongue: Tongue) -> Desk:
        return Desk(self._asker, tongue.shelves, tongue.language, tongue.native, tongue.seats)

    async def prepare(self, cases: Sequence[Case]) -> frozenset[str]:
        """Ask what comes before the tuned program for every case; give the names of those that cannot be used."""
        ready = await all_of([self._prepared(case) for case in cases])
        return frozenset(case.name for case, usable in zip(cases, ready, strict=True) if not usable)

    async def _prepared(self, case: Case) -> bool:
        try:
            self._before[case.name] = await self._ask_before(case)
        except UnusableError:
            return False
        return True

    async def attempt(self, case: Case, prompt: Prompt) -> Trial:
        """Give what comes of a prepared case under a prompt of the tuned program.

        Raises:
            SynthError: as `Asker.ask` does.
        """
        standing = self._standing[case.event.language]
        tuned = TunedDesk(
            self._asker,
            standing.shelves,
            standing.language,
            standing.native,
            standing.seats,
            {**standing.prompts, self._program: prompt},
        )
        asked = Asked(case, self._tongues[case.event.language], standing, tuned)
        found, answer = await score(self._program, asked, self._before[case.name])
        return Trial(found, tuned.brief, answer)

    # -- before the tuned program

    async def _ask_before(self, case: Case) -> Before:
        if self._program == "event":
            return Before()
        asked = _Standing(self._standing[case.event.language], self._tongues[case.event.language], case)
        event = await asked.event()
        if self._program == "write":
            return Before(event)
        scene = await asked.scene(event)
        if self._program != "contrast":
            return Before(event, scene)
        return Before(event, scene, await asked.beats(event, scene))


@dataclass(frozen=True, slots=True)
class _Standing:
    """What comes before the tuned program, asked as the line asks it: by the prompts that stand, and once more where a check says what to mend."""

    desk: Desk
    tongue: Tongue
    case: Case

    async def event(self) -> EventAnswer:
        case = self.case
        return await _mended(
            lambda again: tell_event(self.desk, case.event, case.family, SHARD, again),
            lambda event: check_event(event, case.family),
        )

    async def scene(self, event: EventAnswer) -> SceneAnswer:
        case, cell = self.case, self.case.base or self.case.cell
        return await _mended(
            lambda again: write_scene(self.desk, case.event, cell, case.family, event, SHARD, again),
            lambda scene: check_scene(scene, cell, case.family, event, self.tongue.lexicon),
        )

    async def beats(self, event: EventAnswer, scene: SceneAnswer) -> dict[str, str]:
        case, frame = self.case, self.tongue.reasoning
        about = (case.event, case.cell, case.family, event, scene, SHARD)
        reply = await _mended(
            lambda again: write_reply(self.desk, *about, reasoning=frame, again=again),
            lambda answer: check_reply(answer, case.family),
        )
        return {beat.beat: normal(beat.text) for beat in reply.beats}


async def _mended(
    ask: Callable[[Sequence[str]], Coroutine[Any, Any, Parsed[A]]], check: Callable[[A], list[Failed]]
) -> A:
    """Give an answer that passes its checks, asked a second time where they say what is wrong.

    Raises:
        UnusableError: there is none.
    """
    answer = (await ask(())).value
    if answer is not None and (again := mendable(check(answer))):
        answer = (await ask(again)).value
    if answer is None or check(answer):
        raise UnusableError
    return answer


async def all_of(asked: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Wait for all, and raise the first fault only when nothing is in flight any more."""
    found = await asyncio.gather(*asked, return_exceptions=True)
    for one in found:
        if isinstance(one, BaseException):
            raise one
    return [one for one in found if not isinstance(one, BaseException)]


def questions_of(program: str, tongue: Tongue) -> int:
    """Give how many questions one score asks, and one more for a repair."""
    reads = len(tongue.judges) if program in JUDGED else 2 * len(tongue.verifiers)
    return 2 + (program == "event") + reads


def check_measured(program: str, tongue: Tongue) -> None:
    """Raise UsageError where nobody but rules would measure a program."""
    if program in JUDGED and not tongue.judges:
        raise UsageError(
            f"nobody judges what {program} writes: the recipe names no judge that is a model",
            hint="models: {judges: [ALIAS/MODEL]}; the embedded model is none",
        )
    if program not in JUDGED and not tongue.verifiers:
        raise UsageError(
            f"nobody verifies what {program} writes: the recipe names no verifier that is a model",
            hint="models: {verifiers: [ALIAS/MODEL]} (or annotators); the embedded model is none",
        )
