"""How the loopback server says no: every error in OpenAI's shape, with the headers that real providers send."""

from __future__ import annotations

import email.utils
import math
import time
from collections.abc import Mapping
from typing import Any, Final

LONG_WAIT: Final = 180
"""Seconds that the fault rate-limit-long asks to wait: more than any client should sleep without a word."""

SHORT_WAIT_MS: Final = 250
"""What the fault rate-limit-ms asks for in retry-after-ms."""

INVALID: Final = "invalid_request_error"
_SERVER_ERRORS: Final = (500, 502, 503, 529)
_SAMPLING: Final = ("temperature", "top_p", "seed")


class RefusedError(Exception):
    """A question gets an error and no answer; `fault` is the fault or option that is why, empty where the question is."""

    def __init__(
        self,
        status: int,
        message: str,
        kind: str = INVALID,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
        fault: str = "",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})
        self.fault = fault
        self.body: dict[str, Any] = error_body(message, kind, param, code)


class MalformedError(RefusedError):
    """A body that is no question; its words go to the client."""

    def __init__(self, message: str) -> None:
        super().__init__(400, message)


def error_body(message: str, kind: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """Give an error in OpenAI's shape."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def transport_refusal(fault: str, share: float, retry_after: float, key: str) -> RefusedError:
    """Give the error of a fault of the transport.

    Args:
        fault: One of `faults.TRANSPORT`, without reset.
        share: The question's draw in [0, 1): which server error it is.
        retry_after: Seconds that rate-limit and rate-limit-date ask to wait.
        key: The key that was sent, of which a refusal quotes a part.
    """
    if fault == "unauthorised":
        return unauthorised(key, fault)
    if fault == "server-error":
        status = _SERVER_ERRORS[int(share * len(_SERVER_ERRORS))]
        return RefusedError(status, "the server had an error (a fault on request)", "server_error", fault=fault)
    return rate_limited("requests", _wait_headers(fault, retry_after), fault)


def _wait_headers(fault: str, retry_after: float) -> dict[str, str]:
    if fault == "rate-limit-date":
        # a date has whole seconds: rounded up, so that who waits for it has waited long enough
        return {"Retry-After": email.utils.formatdate(math.ceil(time.time() + retry_after), usegmt=True)}
    if fault == "rate-limit-ms":
        return {"retry-after-ms": str(SHORT_WAIT_MS)}
    return {"Retry-After": f"{LONG_WAIT if fault == 'rate-limit-long' else retry_after:g}"}


def rate_limited(kind: str, headers: Mapping[str, str], fault: str) -> RefusedError:
    """Give the 429 of a limit of `requests` or `tokens`."""
    message = f"Rate limit reached on {kind} per minute"
    return RefusedError(429, message, kind, code="rate_limit_exceeded", headers=headers, fault=fault)


def unauthorised(key: str, fault: str) -> RefusedError:
    """Give the 401, which quotes the ends of the key that was sent, as real providers do."""
    quoted = f"{key[:8]}{'*' * 8}{key[-4:]}" if len(key) > 12 else key
    said = f"Incorrect API key provided: {quoted}." if key else "No API key was provided."
    return RefusedError(401, said, INVALID, code="invalid_api_key", fault=fault)


def content_filtered() -> RefusedError:
    """Give the 400 of a provider's moderation."""
    message = "The response was filtered due to the prompt triggering the content management policy."
    return RefusedError(400, message, INVALID, param="prompt", code="content_filter", fault="content-filter")


def bad_parameter(body: Mapping[str, Any]) -> RefusedError:
    """Give the 400 of a parameter that the model does not take: the first sampling parameter of the question."""
    param = next((name for name in _SAMPLING if body.get(name) is not None), _SAMPLING[0])
    return unsupported(param, f"Unsupported parameter: '{param}' is not supported with this model.", "bad-parameter")


def unsupported(param: str, message: str, fault: str) -> RefusedError:
    """Give the 400 of a parameter that the model does not take."""
    return RefusedError(400, message, INVALID, param=param, code="unsupported_parameter", fault=fault)


def form_refused(param: str, form: str, fault: str) -> RefusedError:
    """Give the 400 of a response format that the model does not take."""
    message = f"Invalid parameter: '{param}' of type '{form}' is not supported with this model."
    return RefusedError(400, message, INVALID, param=param, fault=fault)
