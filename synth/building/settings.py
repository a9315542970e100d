"""Run settings: how a build is run, and where models are. They are the person's own; a recipe names no URL and no key.

No error quotes what was written as a URL or a key variable: it may be a key in the wrong place.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from synth.building.money import micro_units
from synth.content.reading import Written, check, parse, place_of
from synth.errors import Place, UsageError, nearest
from synth.models.base import OFFLINE, Endpoint, is_plain_url
from synth.models.prices import Price

_ALIAS: Final = re.compile(r"[a-z0-9][a-z0-9_-]*")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_STATED: Final = r"^[^\x00-\x1f\x7f]{0,200}$"
_NEEDS: Final = {"wire": "url", "responses": "url", "batch": "url", "router": "provider", "local": "folder"}
"""The lanes of ours, and what an endpoint has to say for each."""
_REHEARSED: Final = ("wire", "responses", "batch")
"""The lanes over which `synth serve` can be asked."""
_FORMS: Final = ("schema", "json", "plain")
_FORM: Final = "write alias=URL, such as mine=http://127.0.0.1:8000/v1, or alias=URL,KEY_VARIABLE"


_Amount = Annotated[int, BeforeValidator(micro_units)]
"""US dollars for a million tokens as written, micro-units as read."""


class _Price(Written):
    """What a million tokens cost: read, written, and read from the provider's prompt cache."""

    read: _Amount
    written: _Amount
    cached: _Amount | None = None

    def price(self) -> Price:
        """Give it as the purse counts it."""
        return Price(self.read, self.written, self.cached)


class _Endpoint(Written):
    """Where a model is, and what the person states of it: rows carry terms and licence, annotations the family."""

    lane: str = "wire"
    url: str | None = None
    provider: str = Field(default="", pattern=_STATED)
    folder: str = Field(default="", pattern=_STATED)
    form: str = ""
    prices: dict[str, _Price] = {}
    revision: str = Field(default="", max_length=200)
    key: str | None = None
    timeout: float = Field(default=120.0, gt=0, le=3600)
    terms: str = Field(default="", pattern=_STATED)
    licence: str = Field(default="", pattern=_STATED)
    family: str = Field(default="", pattern=_STATED)

    @field_validator("revision", "terms", "licence", "family", "lane", "provider", "folder", mode="before")
    @classmethod
    def _quoted(cls, value: object) -> object:
        if not isinstance(value, str):
            raise ValueError("is text; where it reads like a number or a date, write it in quotes")  # noqa: TRY004
        return value

    @field_validator("lane")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in (known := _lanes()):
            raise ValueError(f"is no lane; {nearest(value, known)}")
        return value

    @field_validator("form")
    @classmethod
    def _one_of(cls, value: str) -> str:
        if value not in {"", *_FORMS}:
            raise ValueError(f"is no form of answers; {nearest(value, _FORMS)}; leave it out and it is learned")
        return value

    @field_validator("url")
    @classmethod
    def _plain(cls, value: str | None) -> str | None:
        if value is None:
            return None
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

    @model_validator(mode="after")
    def _fits_its_lane(self) -> _Endpoint:
        if (needed := _NEEDS.get(self.lane)) and not getattr(self, needed):
            raise ValueError(f"{needed} is missing: the lane {self.lane} needs it{self._other_lane()}")
        if self.folder and self.lane in _NEEDS and self.lane != "local":
            raise ValueError(f"folder is for the lane local, and the lane here is {self.lane}")
        if self.lane == "local" and (self.url or self.key):
            raise ValueError("the lane local reads files: url and key are not for it")
        return self

    def _other_lane(self) -> str:
        """Give the lane that was meant where what another one needs is there."""
        meant = next((lane for lane in ("router", "local") if getattr(self, _NEEDS[lane])), "")
        return f"; or write lane: {meant}" if meant and meant != self.lane else ""


class _Settings(Written):
    endpoints: dict[str, _Endpoint] = {}


def _lanes() -> list[str]:
    """Give the lanes that an endpoint may name: ours, and those that are installed beside them."""
    installed = {point.name for point in importlib.metadata.entry_points(group="synth.models")}
    return sorted({*_NEEDS, *installed} - {OFFLINE})


@dataclass(frozen=True, slots=True)
class Reach:
    """Where a person's models are and what they cost: endpoints by alias, and their own prices by alias and model (`*`: every other)."""

    endpoints: Mapping[str, Endpoint]
    prices: Mapping[str, Mapping[str, Price]]


@dataclass(frozen=True, slots=True)
class RunSettings:
    """How to run: processes for CPU work, requests in flight, limits, endpoints and the person's own prices by alias.

    `max_cost` is what the build may cost over all its runs, `max_run_cost` what this run may, both in micro-units; `deadline` is in seconds.
    With `allow_unpriced` a model without a known price counts as free, and the report names it. With `wait` a run that has only answers due from
    providers left asks for them until the deadline, instead of ending.
    """

    workers: int = 1
    max_in_flight: int = 32
    deadline: float | None = None
    max_calls: int | None = None
    max_tokens: int | None = None
    give_up: bool = False
    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)
    prices: Mapping[str, Mapping[str, Price]] = field(default_factory=dict)
    max_cost: int | None = None
    max_run_cost: int | None = None
    allow_unpriced: bool = False
    wait: bool = False


def settings_file() -> Path:
    """Give where a person's endpoints stand: $SYNTH_SETTINGS, or settings.yaml in the user's configuration folder."""
    if named := os.environ.get("SYNTH_SETTINGS"):
        return Path(named)
    home = os.environ.get("XDG_CONFIG_HOME") or os.environ.get("APPDATA") or str(Path.home() / ".config")
    return Path(home) / "humane-synth" / "settings.yaml"


def read_endpoints(given: Sequence[str] = ()) -> dict[str, Endpoint]:
    """Give the endpoints of `read_reach` alone; raises as it does."""
    return dict(read_reach(given).endpoints)


def read_reach(given: Sequence[str] = ()) -> Reach:
    """Give the endpoints and prices of the person's settings file, with endpoints `given` as alias=URL or alias=URL,KEY_VARIABLE on top.

    What is given takes the place of an alias's address and key variable; what the file states of its model, and its prices, stay.

    Raises:
        UsageError: the file cannot be read or breaks a rule (file:line:column), or a given endpoint is none.
    """
    file = settings_file()
    text = _text(file)
    written = check(_Settings, parse(text, str(file), UsageError) or {}, text, str(file), UsageError)
    found = {}
    for alias, one in written.endpoints.items():
        _check_alias(alias, one, place_of(text, str(file), ("endpoints", alias)))
        found[alias] = _endpoint(alias, one, file.parent)
    for word in given:
        new = _given(word)
        found[new.alias] = _moved(found.get(new.alias), new)
    prices = {alias: {model: one.price() for model, one in e.prices.items()} for alias, e in written.endpoints.items()}
    return Reach(found, {alias: own for alias, own in prices.items() if own})


def _check_alias(alias: str, one: _Endpoint, place: Place) -> None:
    if not _ALIAS.fullmatch(alias):
        raise UsageError(f"{alias!r} is no alias", place=place, hint="lower-case letters, digits, - and _")
    if alias == OFFLINE and one.lane not in _REHEARSED:
        hint = f"the embedded model is served over {', '.join(_REHEARSED)}; give another model another alias"
        raise UsageError(
            f"the alias {OFFLINE} is that of the embedded model, which no lane {one.lane!r} reaches",
            place=place,
            hint=hint,
        )


def _moved(stated: Endpoint | None, new: Endpoint) -> Endpoint:
    """Give an endpoint with another address and key."""
    if stated is None:
        return new
    if stated.lane == "local":
        raise UsageError(f"the endpoint {stated.alias!r} is of the lane local, which has no URL", hint=_FORM)
    return replace(stated, url=new.url, key_variable=new.key_variable)


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


def _endpoint(alias: str, one: _Endpoint, home: Path) -> Endpoint:
    """Give an endpoint as lanes take it; its folder is resolved against the settings file's own, `home`."""
    return Endpoint(
        alias,
        one.url,
        one.revision,
        one.key,
        one.timeout,
        one.terms,
        one.licence,
        one.family,
        lane=one.lane,
        provider=one.provider,
        folder=str((home / Path(one.folder).expanduser()).resolve()) if one.folder else "",
        form=one.form,
    )


def _given(word: str) -> Endpoint:
    """Give the endpoint of alias=URL[,KEY_VARIABLE]; the error quotes the alias only."""
    alias, equals, rest = word.partition("=")
    if not equals or not _ALIAS.fullmatch(alias):
        raise UsageError("an endpoint begins with an alias (lower-case letters, digits, - and _) and =", hint=_FORM)
    url, _, key = rest.partition(",")
    try:
        return _endpoint(alias, _Endpoint(url=url, key=key or None), Path())
    except ValidationError as faults:
        first = faults.errors(include_url=False, include_input=False, include_context=False)[0]
        message = f"the {first['loc'][0]} of endpoint {alias!r} {first['msg'].removeprefix('Value error, ')}"
        raise UsageError(message, hint=_FORM) from None


def check_aliases(models: Sequence[str], endpoints: Mapping[str, Endpoint]) -> None:
    """Raise UsageError where a recipe names an endpoint that the person has not set, or that says too little for its lane."""
    for name in models:
        alias = name.partition("/")[0]
        if alias == OFFLINE:
            continue
        endpoint = endpoints.get(alias)
        if endpoint is None:
            raise UsageError(
                f"the recipe names the endpoint {alias!r}, which is not set",
                hint=f"{nearest(alias, endpoints)}; set it in {settings_file()} or with --endpoint {alias}=URL",
            )
        needed = _NEEDS.get(endpoint.lane)
        if needed and not getattr(endpoint, needed):
            hint = f"set it in {settings_file()}" + (f" or with --endpoint {alias}=URL" if needed == "url" else "")
            raise UsageError(f"the endpoint {alias!r} has no {needed}, which the lane {endpoint.lane} needs", hint=hint)
