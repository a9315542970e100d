"""Whether a person's endpoints can be reached: the key is there, the endpoint takes it and lists the model; one real question where it is wanted.

The one GET goes without redirects and without proxies, as the lanes go, and takes the key to the endpoint's own address only. Of what an endpoint says,
a finding holds its status and the numbers of models that it lists; a name of a model only if the recipe has it too.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from synth.building.findings import Finding, State
from synth.errors import AuthFailed, FormRefused, SynthError, UsageError
from synth.models.base import (
    Endpoint,
    LearningModel,
    Model,
    Parameters,
    Pending,
    Request,
    identity_of,
    is_plain_url,
    make_request,
    open_model,
)
from synth.models.keys import key_of

TIMEOUT: Final = 5.0
"""Seconds for one GET."""

ASKED_TOKENS: Final = 16
"""The longest answer that a probing question may have; some endpoints take no less."""

_MOST_BYTES: Final = 8 * 1024 * 1024
_AT_A_TIME: Final = 8
_MOST_FORMS: Final = 8
_WITHOUT_GET: Final = {"router": "litellm reaches it"}


@dataclass(frozen=True, slots=True)
class Listing:
    """What an endpoint answered to GET /models: the status, zero where none came; the models, None where it listed none; what went wrong."""

    status: int
    models: frozenset[str] | None = None
    fault: str = ""


def key_or_none(endpoint: Endpoint) -> str | None:
    """Give an endpoint's key: empty where it needs none, None where its variable holds nothing that can be a key."""
    try:
        return key_of(endpoint)
    except AuthFailed:
        return None


def probe(endpoints: Mapping[str, Endpoint], models: Sequence[str]) -> list[Finding]:
    """Give what is found of endpoints, and of the models (`alias/model`) that are wanted of them."""
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        found = pool.map(lambda one: _probe_one(one, models), endpoints.values())
        return [finding for findings in found for finding in findings]


def _probe_one(endpoint: Endpoint, models: Sequence[str]) -> list[Finding]:
    wanted = [name for name in models if name.partition("/")[0] == endpoint.alias]
    key = key_or_none(endpoint)
    found = [check_key(endpoint, present=key is not None)] if endpoint.key_variable else []
    if endpoint.lane == "local":
        return [*found, check_files(endpoint, wanted)]
    if endpoint.lane in _WITHOUT_GET or endpoint.url is None:
        seen = f"lane {endpoint.lane}, not probed: {_WITHOUT_GET.get(endpoint.lane, 'it has no URL')}"
        return [*found, Finding(f"endpoint {endpoint.alias}", State.OK, seen)]
    if key is None:
        return found
    listing = list_models(endpoint.url, key)
    reached = check_listing(endpoint, listing)
    listed = listing.models
    return [*found, reached, *(check_listed(name, listed) for name in wanted if listed is not None)]


def check_key(endpoint: Endpoint, *, present: bool) -> Finding:
    """Say whether the variable of an endpoint's key holds one; of the key itself nothing."""
    variable = endpoint.key_variable
    if present:
        return Finding(f"key of {endpoint.alias}", State.OK, f"{variable} is set")
    seen = f"{variable} is empty, not set, or holds what cannot be a key"
    return Finding(f"key of {endpoint.alias}", State.FAULT, seen, f"export {variable}=...")


def check_files(endpoint: Endpoint, models: Sequence[str]) -> Finding:
    """Say whether the folder of a `local` endpoint holds its models, and whether they could be opened; none is loaded."""
    check = f"endpoint {endpoint.alias}"
    if not Path(endpoint.folder).is_dir():
        return Finding(check, State.FAULT, f"there is no folder {endpoint.folder}", "correct `folder` in your settings")
    try:
        for name in models:
            open_model(name, {endpoint.alias: endpoint})
    except UsageError as error:
        return Finding(check, State.FAULT, error.message, error.hint)
    return Finding(check, State.OK, f"lane local, {endpoint.folder}")


def check_listing(endpoint: Endpoint, listing: Listing) -> Finding:
    """Say what an endpoint's answer to GET /models means."""
    check, where = f"endpoint {endpoint.alias}", f"lane {endpoint.lane}, {endpoint.url}"
    status = listing.status
    if listing.fault and not status:
        advice = "is it running, and is the address right?"
        return Finding(check, State.FAULT, f"{where}: unreachable, {listing.fault}", advice)
    if status in {401, 403}:
        advice = "check the key variable and what the key may do" if endpoint.key_variable else "set its key variable"
        return Finding(check, State.FAULT, f"{where}: refused the key (HTTP {status})", advice)
    if 300 <= status < 400:
        advice = "write the address that it leads to; a redirect is not followed, for the key would go with it"
        return Finding(check, State.FAULT, f"{where}: answers with a redirect (HTTP {status})", advice)
    if status >= 500:
        return Finding(check, State.FAULT, f"{where}: fails (HTTP {status})", "try again later")
    if listing.models is None:
        advice = "not every endpoint lists its models; --ask shows whether it answers"
        return Finding(check, State.WARNING, f"{where}: reachable, lists no models ({listing.fault})", advice)
    return Finding(check, State.OK, f"{where}: reachable, lists {len(listing.models):,}")


def check_listed(name: str, listed: frozenset[str]) -> Finding:
    """Say whether an endpoint lists a model (`alias/model`)."""
    check, model = f"model {name}", _model(name)
    if not listed.isdisjoint({model, f"models/{model}"}):
        return Finding(check, State.OK, "listed")
    near = _near(model, listed)
    seen = f"not among the {len(listed):,} that the endpoint lists"
    return Finding(check, State.WARNING, seen, f"did you mean {near!r}?" if near else "check the model's name")


def _model(name: str) -> str:
    return name.partition("/")[2] or name


def _near(model: str, listed: frozenset[str]) -> str:
    """Give the listed name that differs from the model's in capitals, or in what stands before its last slash, only."""
    short = model.rpartition("/")[2].lower()
    return next((name for name in sorted(listed) if name.rpartition("/")[2].lower() == short), "")


class _Unfollowed(urllib.request.HTTPRedirectHandler):
    """Takes a redirect for the answer."""

    def redirect_request(self, *_: Any) -> None:
        """Give no request to go on with."""


def list_models(url: str, key: str, timeout: float = TIMEOUT) -> Listing:
    """Give what an endpoint answers to GET {url}/models; raises nothing."""
    if not is_plain_url(url):
        return Listing(0, fault="the URL is not a plain http or https address")
    request = urllib.request.Request(f"{url.rstrip('/')}/models", headers={"Accept": "application/json"})  # noqa: S310
    if key:
        request.add_unredirected_header("Authorization", f"Bearer {key}")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Unfollowed)
    until = time.monotonic() + timeout
    try:
        with opener.open(request, timeout=timeout) as answer:
            return _listing(answer.status, _read(answer, until))
    except urllib.error.HTTPError as error:
        error.close()
        return Listing(error.code, fault=f"HTTP {error.code}")
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Listing(0, fault=_kind(error, timeout))


def _read(answer: Any, until: float) -> bytes:
    body = bytearray()
    while chunk := answer.read1(65_536):
        body += chunk
        if len(body) > _MOST_BYTES:
            return b""
        if time.monotonic() > until:
            raise TimeoutError
    return bytes(body)


def _kind(error: Exception, timeout: float) -> str:
    """Give what kind of failure it was; an error's own words may quote what an endpoint said."""
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, TimeoutError):
        return f"no answer within {timeout:g} s"
    number = getattr(reason, "errno", None)
    words = f" ({os.strerror(number)})" if isinstance(number, int) and number > 0 else ""
    return f"{type(reason).__name__}{words}"


def _listing(status: int, body: bytes) -> Listing:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return Listing(status, fault="the body is not JSON")
    data = parsed.get("data") if isinstance(parsed, dict) else parsed
    if not isinstance(data, list):
        return Listing(status, fault="the body holds no list")
    names = [one.get("id") for one in data if isinstance(one, dict)]
    return Listing(status, frozenset(name for name in names if isinstance(name, str)))


# -- one real question


def ask_each(models: Sequence[str], endpoints: Mapping[str, Endpoint], question: Request) -> list[Finding]:
    """Ask each model one real question with a short answer, which is paid for, and give how that went."""
    return [asyncio.run(_asked(name, endpoints, question)) for name in models]


async def _asked(name: str, endpoints: Mapping[str, Endpoint], question: Request) -> Finding:
    check = f"answer of {name}"
    endpoint = endpoints.get(name.partition("/")[0])
    if endpoint is not None and endpoint.lane == "batch":
        return Finding(check, State.OK, "not asked: a batch answers within hours")
    try:
        model = open_model(name, endpoints)
    except SynthError as error:
        return Finding(check, State.FAULT, error.message, error.hint)
    try:
        return await _answer(check, model, _short(name, endpoints, question))
    except SynthError as error:
        return Finding(check, State.FAULT, error.message, error.hint or "see what it says; the build would hear it too")
    finally:
        await model.close()


def _short(name: str, endpoints: Mapping[str, Endpoint], question: Request) -> Request:
    return make_request(
        identity_of(name, endpoints),
        program=question.program,
        contract=question.contract,
        messages=question.messages,
        parameters=Parameters(max_tokens=ASKED_TOKENS),
    )


async def _answer(check: str, model: Model, request: Request) -> Finding:
    """Ask until the lane has learned the form, which costs nothing: a refused form is no answer."""
    for _ in range(_MOST_FORMS):
        begun = time.monotonic()
        try:
            outcome = await model.attempt(request)
        except FormRefused:
            continue
        seconds = time.monotonic() - begun
        habits = model.habits() if isinstance(model, LearningModel) else {}
        form = "".join(f", {name} {value}" for name, value in sorted(habits.items())) or ", in the form it was asked"
        what = "comes later" if isinstance(outcome, Pending) else str(outcome.outcome)
        return Finding(check, State.OK, f"{what} after {seconds:.1f} s{form}")
    return Finding(check, State.FAULT, "took the question in no form", "state `form` in your settings")
