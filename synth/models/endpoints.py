"""A person's endpoint behind a model's name, and its address: looked up and checked alike by every lane."""

from __future__ import annotations

from collections.abc import Mapping

from synth.errors import UsageError, nearest
from synth.models.base import Endpoint, identity_of, is_plain_url


def endpoint_of(name: str, endpoints: Mapping[str, Endpoint]) -> Endpoint:
    """Give the endpoint of a model's name, with a URL or without; raises UsageError where none has its alias."""
    alias = identity_of(name, endpoints).endpoint_alias
    if (endpoint := endpoints.get(alias)) is None:
        raise _unknown("no endpoint", alias, name, endpoints)
    return endpoint


def served_endpoint_of(name: str, endpoints: Mapping[str, Endpoint]) -> Endpoint:
    """Give the endpoint of a model's name; raises UsageError where none has its alias and a URL."""
    alias = identity_of(name, endpoints).endpoint_alias
    if (endpoint := endpoints.get(alias)) is None or endpoint.url is None:
        raise _unknown("no endpoint with a URL", alias, name, endpoints)
    return endpoint


def address_of(endpoint: Endpoint) -> str:
    """Give an endpoint's URL without a slash at its end.

    Raises:
        UsageError: It is not a plain http or https address.
    """
    url = endpoint.url or ""
    if not is_plain_url(url):
        # the address is not quoted: it may hold a password
        raise UsageError(
            f"the URL of endpoint {endpoint.alias!r} is not a plain http or https address",
            hint="write it as https://host/v1, without name, password or query; the key comes from the key variable",
        )
    return url.rstrip("/")


def _unknown(what: str, alias: str, name: str, endpoints: Mapping[str, Endpoint]) -> UsageError:
    return UsageError(f"{what} has the alias {alias!r} (model {name!r})", hint=nearest(alias, endpoints))
