"""Put one question of a program to a role and give its parsed answer, with at most one repair question."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel

from synth.ask import Asker, Parsed
from synth.content.definitions import Definitions, read_definitions
from synth.content.prompts import Prompt, read_prompt, with_brief
from synth.content.shelves import Shelves
from synth.content.thinking import read_arcs, read_frames
from synth.models.base import Contract
from synth.records.schema import Message

A = TypeVar("A", bound=BaseModel)


@dataclass(slots=True)
class Desk:
    """Where programs ask: the asker, and the prompts of one language, read once; `seats` names a role's seat at the asker."""

    asker: Asker
    shelves: Shelves
    language: str
    native: bool
    seats: Mapping[str, str] = field(default_factory=dict)
    prompts: dict[str, Prompt] = field(default_factory=dict)
    bodies: dict[tuple[str, tuple[str, ...], str], str] = field(default_factory=dict)

    @property
    def spoken(self) -> str:
        """The language of the prompts."""
        return self.language if self.native else "en"

    def prompt(self, program: str) -> Prompt:
        """Give the prompt of a program for this language."""
        if program not in self.prompts:
            self.prompts[program] = read_prompt(self.shelves, program, self.language if self.native else "")
        return self.prompts[program]

    def definitions(self) -> Definitions:
        """Give what each label means, in the language of the prompts."""
        return read_definitions(self.shelves, self.spoken)

    def body(self, program: str, shows: tuple[str, ...], frame: str) -> str:
        """Give what stands before the brief: the prompt with the label sets that it shows and its frame of thought, rendered once."""
        key = program, shows, frame
        if key not in self.bodies:
            definitions, prompt = self.definitions(), self.prompt(program)
            inputs: dict[str, object] = {name: definitions.said(name) for name in shows}
            if "frame" in prompt.front.inputs:
                name, steps = self.thinking(frame)
                inputs |= {"frame": name, "steps": steps}
            self.bodies[key] = prompt.render(inputs)
        return self.bodies[key]

    def thinking(self, frame: str) -> tuple[str, tuple[str, ...]]:
        """Give the name and the steps of a reasoning frame; neither where none is asked for."""
        if not frame:
            return "", ()
        found = read_frames(self.shelves, self.spoken).frames[frame]  # type: ignore[index]
        return found.name, found.steps

    def arc(self, name: str) -> str:
        """Give what an arc of several turns is, nothing for a single turn."""
        return read_arcs(self.shelves).arcs[name] if name else ""

    async def ask(
        self,
        role: str,
        brief: Mapping[str, Any],
        contract: Contract,
        answer: type[A],
        *,
        partition: str,
        shows: tuple[str, ...] = (),
        frame: str = "",
        draw: int = 0,
        check: Callable[[A], None] | None = None,
    ) -> Parsed[A]:
        """Give the answer of a role to the program that the brief names.

        `shows` are the label sets whose definitions the prompt shows, `frame` a frame to think in. `check` raises ValueError where an answer of the right form
        is not whole; its words go into the one repair question.

        Raises:
            SynthError: as `Asker.ask` does.
        """
        program = str(brief["program"])
        question = (Message("user", with_brief(self.body(program, shows, frame), brief)),)

        def repair(bad: str, problem: str) -> tuple[Message, ...]:
            mend = self.prompt("repair").template.render(problem=problem, answer=bad)
            return (*question, Message("assistant", bad), Message("user", mend))

        def validate(value: dict[str, Any]) -> A:
            made = answer.model_validate(value)
            if check is not None:
                check(made)
            return made

        return await self.asker.ask_parsed(
            self.seats.get(role, role),
            program=program,
            contract=contract,
            messages=question,
            partition=partition,
            validate=validate,
            repair=repair,
            draw=draw,
        )
