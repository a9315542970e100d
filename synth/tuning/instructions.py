"""Instructions: what tuning may rewrite of a prompt, and what a rewritten one must hold to.

A prompt's body is plain text with parts that the framework fills in (definitions of labels). Each such part stands in an instruction as a mark,
`[[keep:levels]]`, which a proposal has to keep, so that definitions stay ours and a proposal is plain text. A proposal comes from a model: it is
refused where it holds template syntax, a code fence (it would swallow the brief), control or invisible characters, or where it is too long.
"""

from __future__ import annotations

import inspect
import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from synth.content.prompts import Prompt, compile_template, read_prompt
from synth.content.shelves import ShelfFile, Shelves
from synth.errors import ContentError, UsageError, nearest

TUNABLE: Final = ("event", "write", "vary", "reply", "contrast")
"""The programs whose instruction can be tuned: those that write."""

MEASURING: Final = ("annotate", "verify", "judge", "repair")
"""The programs that measure or mend: tuning them would move the rule instead of what it measures."""

_HEAD: Final = "---\n"
_TAG: Final = re.compile(r"\{\{.*?\}\}|\{#.*?#\}|\{%-?\s*(?P<word>\w+).*?%\}", re.DOTALL)
_FILLED: Final = re.compile(r"\{%-?\s*for\b.*?\bin\s+(\w+)|\{%-?\s*if\s+(?:not\s+)?(\w+)|\{\{-?\s*(\w+)", re.DOTALL)
_SYNTAX: Final = re.compile(r"\{[{%#]|\{(?=\[\[keep:)")  # a brace before a mark would open what stands behind it
_MARK: Final = re.compile(r"\[\[keep:[^\]]*\]\]")
_FENCES: Final = ("```", "~~~")
_JOINERS: Final = frozenset("\u200c\u200d")
"""Invisible characters that letters of Arabic and Indic scripts need between them."""


def check_program(program: str) -> None:
    """Raise UsageError where a program has no instruction that may be tuned."""
    if program in MEASURING:
        raise UsageError(
            f"{program} is not tuned: it measures or mends what is written, and a tuned measure would only say what one likes to hear",
            hint=f"tune one of {', '.join(TUNABLE)}",
        )
    if program not in TUNABLE:
        raise UsageError(f"there is no program {program!r} to tune", hint=nearest(program, TUNABLE))


@dataclass(frozen=True, slots=True)
class Instruction:
    """The instruction of a prompt: its text with marks, and what stands behind each mark."""

    prompt: Prompt
    text: str
    marks: Mapping[str, str]

    @property
    def longest(self) -> int:
        """The most characters that a proposal may have: three times as many, and 2,000 more."""
        return 3 * len(self.text) + 2_000

    def fault(self, proposed: str) -> str:
        """Give why a proposal is refused, nothing where it can be used."""
        if not proposed.strip():
            return "it is empty"
        if len(proposed) > self.longest:
            return f"it is longer than {self.longest:,} characters"
        if _SYNTAX.search(proposed):
            return "it holds template syntax"
        if any(fence in proposed for fence in _FENCES):
            return "it holds a code fence"
        if any(_is_control(character) for character in proposed):
            return "it holds a control or invisible character"
        return self._mark_fault(proposed)

    def _mark_fault(self, proposed: str) -> str:
        found = _MARK.findall(proposed)
        for mark in self.marks:
            if found.count(mark) != 1:
                return f"the mark {mark} stands {found.count(mark)} times in it, not once"
        unknown = next((mark for mark in found if mark not in self.marks), "")
        return "it holds a mark that is none" if unknown else ""

    def body(self, proposed: str) -> str:
        """Give the body of a prompt file: the proposal with what stands behind its marks.

        Raises:
            ValueError: the proposal is refused; says why.
        """
        if fault := self.fault(proposed):
            raise ValueError(fault)
        return _MARK.sub(lambda found: self.marks[found[0]], proposed.strip()) + "\n"

    def prompt_with(self, proposed: str) -> Prompt:
        """Give the prompt that a proposal makes; the one that stands where nothing was changed.

        Raises:
            ValueError: as `body` does.
        """
        if proposed.strip() == self.text:
            return self.prompt
        try:
            template = compile_template(self.body(proposed), self.prompt.file.name)
        except ContentError as fault:
            raise ValueError(f"it makes no prompt: {fault.message}") from None
        return Prompt(self.prompt.file, self.prompt.front, template)

    def file_with(self, proposed: str, changed: str) -> str:
        """Give the whole prompt file of a proposal: front matter one version up, `changed` said in one line.

        Raises:
            ValueError: as `body` does.
        """
        front = self.prompt.front
        lines = {
            "program": front.program,
            "version": front.version + 1,
            "role": front.role,
            "inputs": list(front.inputs),
            "output": front.output,
            "changed": " ".join(changed.split()),
        }
        head = "".join(f"{name}: {json.dumps(value, ensure_ascii=False)}\n" for name, value in lines.items())
        return f"{_HEAD}{head}{_HEAD}{self.body(proposed)}"


def _is_control(character: str) -> bool:
    """Say whether a person does not see a character, or sees others in another order by it: controls, formats such as tags, private use."""
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co") and character not in {"\n", "\t", *_JOINERS}


def read_instruction(shelves: Shelves, program: str, language: str = "") -> Instruction:
    """Give the instruction of a program's prompt, the native variant of a language where it is asked for and there is one.

    Raises:
        UsageError: the program is none that is tuned.
        ContentError: as `read_prompt` does.
    """
    check_program(program)
    prompt = read_prompt(shelves, program, language)
    text, marks = _marked(_body_of(prompt.file))
    # what dspy makes of an instruction: the same text has to come back as the same instruction
    return Instruction(prompt, inspect.cleandoc(text).strip(), marks)


def _body_of(file: ShelfFile) -> str:
    return file.text().removeprefix(_HEAD).partition("\n" + _HEAD)[2]


def _marked(body: str) -> tuple[str, dict[str, str]]:
    """Give a body with a mark in the place of each part that is filled in, and what stands behind each mark."""
    pieces: list[str] = []
    marks: dict[str, str] = {}
    depth = start = last = 0
    for tag in _TAG.finditer(body):
        word = tag["word"] or ""
        if depth == 0:
            start = tag.start()
        depth += (word in ("for", "if")) - (word in ("endfor", "endif"))
        if depth == 0:
            mark = _mark_of(body[start : tag.end()], marks)
            marks[mark] = body[start : tag.end()]
            pieces += [body[last:start], mark]
            last = tag.end()
    return "".join([*pieces, body[last:]]), marks


def _mark_of(filled: str, taken: Mapping[str, str]) -> str:
    """Give a mark that is not taken, named after what fills the part."""
    found = _FILLED.search(filled)
    name = next(filter(None, found.groups()), "part") if found else "part"
    number = 1 + sum(mark.startswith(f"[[keep:{name}") for mark in taken)
    return f"[[keep:{name}]]" if number == 1 else f"[[keep:{name}-{number}]]"
