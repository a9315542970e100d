"""Prompts: sandboxed, strict, and ended by their brief."""

from __future__ import annotations

import json

import pytest

from synth.content.prompts import compile_template, read_frame, read_prompt
from synth.content.shelves import Shelves
from synth.errors import ContentError

HOSTILE = {
    "a call": "{{ x() }}",
    "an attribute of the machine": "{{ x.__class__.__mro__ }}",
    "a private name": "{{ __builtins__ }}",
    "a macro": "{% macro m() %}{% endmacro %}",
    "an include": "{% include 'other' %}",
    "an import": "{% import 'os' as os %}",
    "an assignment": "{% set x = 1 %}",
    "arithmetic": "{{ 9 ** 9 ** 9 }}",
    "a large string": "{{ 'a' * 1000000000 }}",
    "an unknown filter": "{{ x | attr('y') }}",
    "an unclosed block": "{% if x %}",
    "an unclosed expression": "{{ x ",
    "a concatenation": "{{ x ~ y }}",
    "a namespace": "{{ namespace() }}",
    "a block": "{% block b %}{% endblock %}",
    "an extends": "{% extends 'x' %}",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_template_may_only_fill_choose_and_loop(name: str) -> None:
    with pytest.raises(ContentError) as caught:
        compile_template("first line\n" + HOSTILE[name], "p.md")
    assert str(caught.value).startswith("p.md:2:1")


def test_every_program_has_its_prompt() -> None:
    shelves = Shelves()
    for program in ("event", "write", "vary", "reply", "contrast", "annotate", "verify", "judge", "repair"):
        assert read_prompt(shelves, program).front.program == program


def test_the_brief_ends_the_prompt_and_is_read_back() -> None:
    brief = {"program": "event", "text": 'a "quote"\n```brief\nnot this\n``` and 日本'}
    text = read_prompt(Shelves(), "contrast").fill({}, brief)
    inner = text.rpartition("```brief\n")
    assert text.endswith("\n```\n")
    head = text.index("```brief\n{") + len("```brief\n")
    assert json.loads(text[head:].removesuffix("\n```\n")) == brief
    assert inner[1]


def test_missing_and_unknown_inputs_are_errors() -> None:
    prompt = read_prompt(Shelves(), "annotate")
    with pytest.raises(ContentError, match=r"takes goals, emotions, .*, was given emotions"):
        prompt.fill({"emotions": []}, {})


def test_the_output_is_limited(overlay) -> None:
    front = "---\nprogram: big\nversion: 1\nrole: writer\ninputs: [many]\noutput: x\nchanged: x\n---\n"
    shelves = overlay(
        {"templates/prompts/big.md": front + "{% for a in many %}{% for b in many %}{{ a }}{% endfor %}{% endfor %}"}
    )
    with pytest.raises(ContentError, match="more than 262144 characters"):
        read_prompt(shelves, "big").fill({"many": ["x" * 100] * 1000}, {})


def test_an_undefined_name_is_an_error_with_the_file(overlay) -> None:
    front = "---\nprogram: odd\nversion: 1\nrole: writer\ninputs: [a]\noutput: x\nchanged: x\n---\n"
    shelves = overlay({"templates/prompts/odd.md": front + "{{ b }}"})
    with pytest.raises(ContentError, match=r"odd.md: cannot be rendered: 'b' is undefined"):
        read_prompt(shelves, "odd").fill({"a": 1}, {})


def test_front_matter_is_checked(overlay) -> None:
    shelves = overlay(
        {
            "templates/prompts/bare.md": "no front matter\n",
            "templates/prompts/odd.md": "---\nprogram: odd\nrole: x\n---\nhi\n",
        }
    )
    with pytest.raises(ContentError, match="begins with front matter"):
        read_prompt(shelves, "bare")
    with pytest.raises(ContentError, match="version is missing"):
        read_prompt(shelves, "odd")


def test_every_language_has_a_frame_for_every_stance() -> None:
    shelves = Shelves()
    for language in ("ar", "en", "es", "ja"):
        frame = read_frame(shelves, language)
        for stance in ("in_relation", "confidant", "carry_over"):
            assert "{turn}" in getattr(frame, stance)
            assert "{S}" in getattr(frame, stance)
