"""An endpoint's key: read from the environment for each attempt, and struck out of whatever comes back or is logged."""

from __future__ import annotations

import functools
import logging
import os
import re
from typing import Final

from synth.errors import AuthFailed
from synth.models.base import Endpoint

SECRET_LENGTH: Final = 16
"""The shortest text that is taken for a secret; a shorter "key" is a local server's placeholder, such as EMPTY, and may
be a word of an answer."""

_TALKATIVE: Final = frozenset({"aiohttp", "asyncio", "httpcore", "httpx", "litellm", "openai"})
"""Whose loggers say, to whoever debugs, what an endpoint said: its headers, its reason phrase, its errors."""

_STRUCK: Final = b"[key]"
_PLAIN: Final = re.compile(r"[A-Za-z0-9._~+=-]+")
_ESCAPED_LETTER: Final = re.compile(rb"\\[uU]00[2-7]")


def key_of(endpoint: Endpoint) -> str:
    """Give the endpoint's key from its variable; nothing where it names no variable.

    Raises:
        AuthFailed: The variable is not set, is empty, or holds what cannot stand in a header.
    """
    variable = endpoint.key_variable
    if variable is None:
        return ""
    key = os.environ.get(variable, "").strip()
    if not key or not key.isascii() or not key.isprintable():
        state = "holds what cannot be a key" if key else "is empty or not set"
        raise AuthFailed(
            f"endpoint {endpoint.alias!r}: the environment variable {variable} {state}", hint=f"export {variable}=..."
        )
    return key


def without_key(body: bytes, key: str) -> bytes:
    r"""Give what an endpoint sent without the key, so that one that echoes it cannot bring it into a ledger or message.

    JSON may spell it with escapes (`\"`, `\/`, `\u0073`), which a search for the key itself does not find.
    """
    if len(key) < SECRET_LENGTH:
        return body
    body = body.replace(key.encode("ascii"), _STRUCK)
    if b"\\" not in body or (_PLAIN.fullmatch(key) and not _ESCAPED_LETTER.search(body)):
        return body
    return _spellings(key).sub(_STRUCK, body)


@functools.lru_cache(maxsize=64)
def _spellings(key: str) -> re.Pattern[bytes]:
    """Give the pattern of a key as JSON, or a text quoted in a text, may spell it."""
    return re.compile(b"".join(map(_spelling, key)))


def _spelling(letter: str) -> bytes:
    plain, number = re.escape(letter.encode("ascii")), f"{ord(letter):02x}".encode("ascii")
    escaped = rb"\\+[uU]00(?i:%s)" % number
    if letter == "\\":
        return rb"(?:%s|\\+)" % escaped
    return rb"(?:%s|%s%s)" % (escaped, b"" if letter.isalnum() else rb"\\*", plain)


def keep_from_logs(key: str) -> None:
    """Have the key struck out of what client libraries log from now on; cheap to say again."""
    if len(key) < SECRET_LENGTH:
        return
    _KEYLESS.keys.add(key)
    known = logging.root.manager.loggerDict
    if len(known) != _KEYLESS.attached:
        _KEYLESS.attached = len(known)
        for name in [name for name in known if name.partition(".")[0].lower() in _TALKATIVE]:
            logging.getLogger(name).addFilter(_KEYLESS)


class _Keyless(logging.Filter):
    """Strikes keys out of records; errors that they carry become text, for an error's own words may hold a key."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: set[str] = set()
        self.attached = -1

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, without keys."""
        said = record.getMessage()
        if (struck := self._struck(said)) != said:
            record.msg, record.args = struck, None
        if record.exc_info:
            record.exc_text = self._struck(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        return True

    def _struck(self, text: str) -> str:
        body = text.encode("utf-8", "surrogatepass")
        for key in self.keys:
            body = without_key(body, key)
        return body.decode("utf-8", "surrogatepass")


_KEYLESS: Final = _Keyless()
