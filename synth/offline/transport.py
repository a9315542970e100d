"""How an answer goes over the wire, whole or with a fault of the transport: reset, dropped, stalled, cut."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from aiohttp import web

_GLANCE: Final = 0.1
"""A stalled answer looks this often, in seconds, whether its client is gone."""
_AT_ONCE: Final = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
"""SO_LINGER: closing sends a reset, not an end."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An answer to send: JSON in one part, or the events of a stream."""

    parts: Sequence[bytes]
    headers: Mapping[str, str]
    content_type: str = "application/json"

    @property
    def streamed(self) -> bool:
        """Whether it goes out in events, without a length."""
        return self.content_type != "application/json"


def json_answer(body: Mapping[str, Any], headers: Mapping[str, str]) -> Outgoing:
    """Give a JSON answer to send."""
    return Outgoing([json.dumps(body).encode("ascii")], headers)


def event_stream(chunks: Sequence[Mapping[str, Any]], headers: Mapping[str, str]) -> Outgoing:
    """Give chunks as server-sent events, [DONE] last."""
    events = [f"data: {json.dumps(chunk)}\n\n".encode("ascii") for chunk in chunks]
    return Outgoing([*events, b"data: [DONE]\n\n"], headers, "text/event-stream")


def plain(body: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Give a JSON answer that no fault touches."""
    from aiohttp import web

    return web.json_response(body, status=status, headers=headers)


async def send(http: web.Request, answer: Outgoing, fault: str, stopping: asyncio.Event) -> web.StreamResponse:
    """Send an answer: whole, or half of it where a fault of the body is met.

    Args:
        http: The request.
        answer: What to send.
        fault: stalled-body, cut-body or nothing.
        stopping: Set where the server stops, which ends what is stalled.
    """
    from aiohttp import web

    if not fault and not answer.streamed:
        return web.Response(body=answer.parts[0], content_type=answer.content_type, headers=answer.headers)
    response = await _begun(http, answer)
    for part in _half(answer) if fault else answer.parts:
        await response.write(part)
    if fault == "stalled-body":
        await _stall(http, stopping)
    if fault and http.transport is not None:
        http.transport.close()
    return response


async def _begun(http: web.Request, answer: Outgoing) -> web.StreamResponse:
    from aiohttp import web

    response = web.StreamResponse(headers=answer.headers)
    response.content_type = answer.content_type
    if not answer.streamed:
        response.content_length = len(answer.parts[0])
    await response.prepare(http)
    return response


def _half(answer: Outgoing) -> Sequence[bytes]:
    if answer.streamed:
        return answer.parts[: len(answer.parts) // 2]
    return [answer.parts[0][: len(answer.parts[0]) // 2]]


async def _stall(http: web.Request, stopping: asyncio.Event) -> None:
    while not stopping.is_set() and http.transport is not None and not http.transport.is_closing():
        try:
            await asyncio.wait_for(stopping.wait(), _GLANCE)
        except TimeoutError:
            continue


def reset(http: web.Request) -> web.Response:
    """Reset the connection before any byte is sent."""
    from aiohttp import web

    if http.transport is not None:
        channel = http.transport.get_extra_info("socket")
        if channel is not None:
            channel.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        http.transport.abort()
    return web.Response()


def drop(http: web.Request) -> web.Response:
    """Close the connection without an answer."""
    from aiohttp import web

    if http.transport is not None:
        http.transport.close()
    return web.Response()
