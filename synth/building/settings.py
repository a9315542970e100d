"""Run settings: how a build is run. They are the person's own and never decide a row."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import Field

from synth.content.reading import Written, check, parse
from synth.errors import Place, UsageError, nearest
from synth.models.base import Endpoint

_ALIAS: Final = re.compile(r"^[a-z0-9][a-z0-9_-]*$")


class _Endpoint(Written):
    url: str = Field(pattern=r"^https?://")
    revision: str = ""
    key: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    timeout: float = Field(default=120.0, gt=0, le=3600)


class _Settings(Written):
    endpoints: dict[str, _Endpoint] = {}


@dataclass(frozen=True, slots=True)
class RunSettings:
    """How to run: processes for CPU work, requests in flight, limits of this run and in total, endpoints by alias."""

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

    Raises:
        UsageError: the file breaks a rule (file:line:column), or a given endpoint is none.
    """
    found = {}
    file = settings_file()
    if file.is_file():
        text = file.read_text(encoding="utf-8")
        written = check(_Settings, parse(text, str(file), UsageError) or {}, text, str(file), UsageError)
        for alias, one in written.endpoints.items():
            if not _ALIAS.match(alias):
                raise UsageError(
                    f"{alias!r} is no alias", place=Place(str(file)), hint="lower-case letters, digits, - and _"
                )
            found[alias] = Endpoint(alias, one.url, one.revision, one.key, one.timeout)
    for word in given:
        endpoint = _given(word)
        found[endpoint.alias] = endpoint
    return found


def _given(word: str) -> Endpoint:
    alias, equals, rest = word.partition("=")
    url, _, key = rest.partition(",")
    if not equals or not _ALIAS.match(alias) or not url.startswith(("http://", "https://")):
        raise UsageError(
            f"{word!r} is no endpoint",
            hint="write alias=URL, such as mine=http://127.0.0.1:8000/v1, or alias=URL,KEY_VARIABLE",
        )
    return Endpoint(alias, url.rstrip("/"), "", key or None)


def check_aliases(models: Sequence[str], endpoints: Mapping[str, Endpoint]) -> None:
    """Raise UsageError where a recipe names an endpoint that the person has not set."""
    for name in models:
        alias = name.partition("/")[0]
        if alias != "offline" and alias not in endpoints:
            raise UsageError(
                f"the recipe names the endpoint {alias!r}, which is not set",
                hint=f"{nearest(alias, endpoints)}; set it in {settings_file()} or with --endpoint {alias}=URL",
            )
