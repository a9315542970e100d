"""Run settings: how a build is run, and where models are. They are the person's own; a recipe names no URL and no key.

No error quotes what was written as a URL or a key variable: it may be a key in the wrong place.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from pydantic import Field, ValidationError, field_validator

from synth.content.reading import Written, check, parse, place_of
from synth.errors import Place, UsageError, nearest
from synth.models.base import Endpoint, is_plain_url

_ALIAS: Final = re.compile(r"[a-z0-9][a-z0-9_-]*")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_STATED: Final = r"^[^\x00-\x1f\x7f]{0,200}$"
_FORM: Final = "write alias=URL, such as mine=http://127.0.0.1:8000/v1, or alias=URL,KEY_VARIABLE"


class _Endpoint(Written):
    """Where a model is, and what the person states of it: rows carry terms and licence, annotations the family."""

    url: str
    revision: str = Field(default="", max_length=200)
    key: str | None = None
    timeout: float = Field(default=120.0, gt=0, le=3600)
    terms: str = Field(default="", pattern=_STATED)
    licence: str = Field(default="", pattern=_STATED)
    family: str = Field(default="", pattern=_STATED)

    @field_validator("revision", "terms", "licence", "family", mode="before")
    @classmethod
    def _quoted(cls, value: object) -> object:
        if not isinstance(value, str):
            raise ValueError("is text; where it reads like a number or a date, write it in quotes")  # noqa: TRY004
        return value

    @field_validator("url")
    @classmethod
    def _plain(cls, value: str) -> str:
        if not is_plain_url(value):
            raise ValueError(
                "is not a plain http or https address; write https://host/v1, without name, password or query"
            )
        return value.rstrip("/")

    @field_validator("key")
    @classmethod
    def _variable(cls, value: str | None) -> str | None:
        if value is not None and not _VARIABLE.fullmatch(value):
            raise ValueError(
                "is the name of the environment variable that holds the key, such as MY_KEY, never the key"
            )
        return value


class _Settings(Written):
    endpoints: dict[str, _Endpoint] = {}


@dataclass(frozen=True, slots=True)
class RunSettings:
    """How to run: processes for CPU work, requests in flight, limits of this run, endpoints by alias."""

    workers: int = 1
    max_in_flight: int = 32
    deadline: float | None = None
    max_calls: int | None = None
    max_tokens: int | None = None
    give_up: bool = False
    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)


def settings_file() -> Path:
    """Give where a person's endpoints stand: $SYNTH_SETTINGS, or settings.yaml in the user's configuration folder."""
    if named := os.environ.get("SYNTH_SETTINGS"):
        return Path(named)
    home = os.environ.get("XDG_CONFIG_HOME") or os.environ.get("APPDATA") or str(Path.home() / ".config")
    return Path(home) / "humane-synth" / "settings.yaml"


def read_endpoints(given: Sequence[str] = ()) -> dict[str, Endpoint]:
    """Give the endpoints of the person's settings file, with those `given` as alias=URL or alias=URL,KEY_VARIABLE on top.

    What is given takes the place of an alias's address and key variable; what the file states of its model stays.

    Raises:
        UsageError: the file cannot be read or breaks a rule (file:line:column), or a given endpoint is none.
    """
    file = settings_file()
    text = _text(file)
    written = check(_Settings, parse(text, str(file), UsageError) or {}, text, str(file), UsageError)
    found = {}
    for alias, one in written.endpoints.items():
        if not _ALIAS.fullmatch(alias):
            hint = "lower-case letters, digits, - and _"
            raise UsageError(f"{alias!r} is no alias", place=place_of(text, str(file), ("endpoints", alias)), hint=hint)
        found[alias] = _endpoint(alias, one)
    for word in given:
        new = _given(word)
        found[new.alias] = replace(found.get(new.alias, new), url=new.url, key_variable=new.key_variable)
    return found


def _text(file: Path) -> str:
    """Give the text of the settings file; none where no file was named and none stands in the usual place."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except (FileNotFoundError, NotADirectoryError) as error:
        if not os.environ.get("SYNTH_SETTINGS"):
            return ""
        hint = "SYNTH_SETTINGS names the file of your endpoints; unset it, or make that file"
        raise UsageError(f"there is no such file: {error.strerror}", place=Place(str(file)), hint=hint) from None
    except UnicodeDecodeError:
        raise UsageError("not UTF-8", place=Place(str(file)), hint="save the file as UTF-8") from None
    except OSError as error:
        hint = "it is the file of your endpoints; let this user read it, or name another in SYNTH_SETTINGS"
        raise UsageError(f"cannot be read: {error.strerror}", place=Place(str(file)), hint=hint) from None


def _endpoint(alias: str, one: _Endpoint) -> Endpoint:
    return Endpoint(alias, one.url, one.revision, one.key, one.timeout, one.terms, one.licence, one.family)


def _given(word: str) -> Endpoint:
    """Give the endpoint of alias=URL[,KEY_VARIABLE]; the error quotes the alias only."""
    alias, equals, rest = word.partition("=")
    if not equals or not _ALIAS.fullmatch(alias):
        raise UsageError("an endpoint begins with an alias (lower-case letters, digits, - and _) and =", hint=_FORM)
    url, _, key = rest.partition(",")
    try:
        return _endpoint(alias, _Endpoint(url=url, key=key or None))
    except ValidationError as faults:
        first = faults.errors(include_url=False, include_input=False, include_context=False)[0]
        message = f"the {first['loc'][0]} of endpoint {alias!r} {first['msg'].removeprefix('Value error, ')}"
        raise UsageError(message, hint=_FORM) from None


def check_aliases(models: Sequence[str], endpoints: Mapping[str, Endpoint]) -> None:
    """Raise UsageError where a recipe names an endpoint that the person has not set."""
    for name in models:
        alias = name.partition("/")[0]
        if alias != "offline" and alias not in endpoints:
            raise UsageError(
                f"the recipe names the endpoint {alias!r}, which is not set",
                hint=f"{nearest(alias, endpoints)}; set it in {settings_file()} or with --endpoint {alias}=URL",
            )
