"""Prompts and frames: sandboxed, strict Jinja with front matter, and the way a prompt is put together in a language.

A template may only fill, choose and loop: every other node is refused, so that a stranger's template can neither call nor reach anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from pydantic import Field

from synth.content.reading import Written, check, load, parse
from synth.content.shelves import ShelfFile, Shelves
from synth.errors import ContentError, Place

PROMPTS: Final = "templates/prompts"
FRAMES: Final = "templates/frames"
_OUTPUT_LIMIT: Final = 256 * 1024
_MARK: Final = "---\n"
_ALLOWED: Final = frozenset(
    {"Template", "Output", "TemplateData", "Name", "Const", "If", "For", "Getattr", "Getitem", "Filter", "Compare"}
    | {"Operand", "Test", "Not", "And", "Or", "List", "Tuple"}
)
_FILTERS: Final = frozenset({"join", "length", "lower", "upper", "default", "trim"})


class FrontMatter(Written):
    """What a prompt file says of itself."""

    program: str
    version: int = Field(ge=1)
    role: str
    inputs: tuple[str, ...]
    output: str
    changed: str


class Frame(Written):
    """How setting, turn and request become the text a model is given, by stance.

    `said` is one turn of several, by `{name}` and `{text}`; `listens` are what one says while another speaks, in every address: the embedded
    model's own, for it has no other words to put between two turns.
    """

    language: str
    in_relation: str
    confidant: str
    on_behalf: str
    carry_over: str
    said: str = "{name}: {text}"
    listens: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prompt:
    """A question to a model: front matter, compiled text, digest of the file."""

    file: ShelfFile
    front: FrontMatter
    template: Any

    def render(self, inputs: Mapping[str, object]) -> str:
        """Give what stands before the brief: the same for all questions that share their inputs, so that providers keep it cached.

        Raises:
            ContentError: an input is missing or unknown, or the text outgrows its limit.
        """
        if set(inputs) != set(self.front.inputs):
            raise ContentError(
                f"takes {', '.join(self.front.inputs) or 'no inputs'}, was given {', '.join(sorted(inputs)) or 'none'}",
                place=Place(self.file.name),
            )
        return _rendered(self.template, inputs, self.file.name)

    def fill(self, inputs: Mapping[str, object], brief: Mapping[str, object]) -> str:
        """Give the prompt's text, ended by its fenced brief; raises as `render` does."""
        return with_brief(self.render(inputs), brief)


def with_brief(body: str, brief: Mapping[str, object]) -> str:
    """Give a prompt's text ended by its fenced brief.

    The brief is YAML 1.2 in its JSON form: models read it as well, and a reader parses it a hundred times faster.
    """
    # one item a line and no indentation: readable, and the fast encoder's work (a quarter of a build's time otherwise)
    written = json.dumps(brief, ensure_ascii=False, separators=(",\n", ": "))
    return f"{body.rstrip()}\n\n```brief\n{written}\n```\n"


def _rendered(template: Any, inputs: Mapping[str, object], name: str) -> str:
    from jinja2 import TemplateError

    size, parts = 0, []
    try:
        for part in template.generate(dict(inputs)):
            size += len(part)
            if size > _OUTPUT_LIMIT:
                raise ContentError(f"renders to more than {_OUTPUT_LIMIT} characters", place=Place(name))
            parts.append(part)
    except TemplateError as fault:
        raise ContentError(f"cannot be rendered: {fault.message}", place=Place(name)) from None
    except (TypeError, ValueError, ArithmeticError, RecursionError, AttributeError) as fault:
        raise ContentError(f"cannot be rendered: {fault}", place=Place(name)) from None
    return "".join(parts)


@lru_cache(maxsize=1)
def _environment() -> Any:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
    environment.filters = {name: environment.filters[name] for name in _FILTERS}
    environment.globals = {}
    return environment


def compile_template(text: str, name: str, first_line: int = 1) -> Any:
    """Give a sandboxed template.

    Raises:
        ContentError: with the line, where the text is no template or does more than fill, choose and loop.
    """
    from jinja2 import TemplateSyntaxError, nodes

    environment = _environment()
    try:
        tree = environment.parse(text)
        for node in tree.find_all(nodes.Node):
            kind = type(node).__name__
            if kind not in _ALLOWED or (
                kind in ("Getattr", "Name")
                and str(getattr(node, "attr", node.name if kind == "Name" else "")).startswith("_")
            ):
                raise ContentError(
                    f"{kind} is not allowed in a template",
                    place=Place(name, first_line + (node.lineno or 1) - 1, 1),
                    hint="a template fills {{ names }}, chooses with if and loops with for; nothing else",
                )
        return environment.from_string(tree)
    except TemplateSyntaxError as fault:
        place = Place(name, first_line + (fault.lineno or 1) - 1, 1)
        raise ContentError(f"no valid template: {fault.message}", place=place) from None
    except RecursionError:
        raise ContentError("nested too deep", place=Place(name)) from None


def read_prompt(shelves: Shelves, program: str, language: str = "") -> Prompt:
    """Give the prompt of a program, the native variant of a language where it is asked for and there is one.

    Raises:
        ContentError: there is none, or it breaks the format; with file and line.
    """
    native = f"{PROMPTS}/{language}/{program}.md"
    file = shelves.file(native if language and shelves.has(native) else f"{PROMPTS}/{program}.md")
    return _prompt(file, file.digest)


@lru_cache(maxsize=256)
def _prompt(file: ShelfFile, digest: str) -> Prompt:
    del digest  # part of the key: an edited file is read again
    text = file.text()
    head, mark, body = text.removeprefix(_MARK).partition("\n" + _MARK)
    if not text.startswith(_MARK) or not mark:
        raise ContentError("a prompt begins with front matter between two lines of ---", place=Place(file.name, 1, 1))
    front = check(FrontMatter, parse(head, file.name), head, file.name)
    return Prompt(file, front, compile_template(body, file.name, head.count("\n") + 4))


def read_frame(shelves: Shelves, language: str) -> Frame:
    """Give the frame of a language; raise ContentError with file, line and column."""
    return load(Frame, shelves.file(f"{FRAMES}/{language}.yaml"))
