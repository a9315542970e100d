"""Put one question of a program to a role and give its parsed answer, with at most one repair question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel

from synth.ask import Asker, Parsed
from synth.content.definitions import Definitions, read_definitions
from synth.content.prompts import Prompt, read_prompt
from synth.content.shelves import Shelves
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

    def prompt(self, program: str) -> Prompt:
        """Give the prompt of a program for this language."""
        if program not in self.prompts:
            self.prompts[program] = read_prompt(self.shelves, program, self.language if self.native else "")
        return self.prompts[program]

    def definitions(self) -> Definitions:
        """Give what each label means, in the language of the prompts."""
        return read_definitions(self.shelves, self.language if self.native else "en")

    async def ask(
        self,
        role: str,
        brief: Mapping[str, Any],
        contract: Contract,
        answer: type[A],
        *,
        partition: str,
        inputs: Mapping[str, object] | None = None,
        draw: int = 0,
    ) -> Parsed[A]:
        """Give the answer of a role to the program that the brief names.

        Raises:
            SynthError: as `Asker.ask` does.
        """
        program = str(brief["program"])
        text = self.prompt(program).fill(inputs or {}, brief)
        question = (Message("user", text),)

        def repair(bad: str, problem: str) -> tuple[Message, ...]:
            mend = self.prompt("repair").template.render(problem=problem, answer=bad)
            return (*question, Message("assistant", bad), Message("user", mend))

        return await self.asker.ask_parsed(
            self.seats.get(role, role),
            program=program,
            contract=contract,
            messages=question,
            partition=partition,
            validate=answer.model_validate,
            repair=repair,
            draw=draw,
        )
