"""The Files and Batches routes of the loopback server: a provider's batches, rehearsed for nothing.

Nothing here knows a clock. A batch moves on when it is asked after: each look answers a further part of its lines, and
the last one ends it. What goes wrong is set, and drawn by digests, so that a rehearsal goes the same way each time.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from aiohttp import web

AnswerOne = Callable[[dict[str, Any]], Awaitable[tuple[int, dict[str, Any]]]]
"""What answers one line: the body of a chat completion's question -> status and body."""

_MAX_FILE: Final = 200 * 1024 * 1024
_MAX_LINES: Final = 50_000
_CHUNK: Final = 65_536
_FIRST: Final = 1_700_000_000
_URL: Final = "/v1/chat/completions"
_SHARE: Final = 2**64


@dataclass(frozen=True, slots=True)
class Batching:
    """How batches go on this server.

    `after_polls`: a batch has ended at this look. `expires_at`: it expires at this look, with the lines answered by then.
    `failing`: the share of lines whose request fails with `failing_status`, drawn by `seed`, custom_id and how often the
    line was asked before. `rejected`: every batch fails as a whole. `unlisted`: batches cannot be listed. `write_only`:
    an input file is not given back.
    """

    after_polls: int = 1
    expires_at: int | None = None
    failing: float = 0.0
    failing_status: int = 500
    rejected: bool = False
    unlisted: bool = False
    write_only: bool = False
    seed: int = 0


@dataclass(slots=True)
class _File:
    id: str
    name: str
    purpose: str
    created: int
    content: bytes

    def shown(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "file",
            "bytes": len(self.content),
            "created_at": self.created,
            "filename": self.name,
            "purpose": self.purpose,
            "status": "processed",
        }


@dataclass(slots=True)
class _Batch:
    id: str
    created: int
    input_file: str
    metadata: dict[str, str]
    lines: list[dict[str, Any]]
    errors: list[dict[str, Any]]
    status: str
    polls: int = 0
    done: int = 0
    failed: int = 0
    output: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)

    def shown(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "batch",
            "endpoint": _URL,
            "errors": {"object": "list", "data": self.errors} if self.errors else None,
            "input_file_id": self.input_file,
            "completion_window": "24h",
            "status": self.status,
            "output_file_id": self.files.get("output"),
            "error_file_id": self.files.get("error"),
            "created_at": self.created,
            "request_counts": {
                "total": len(self.lines),
                "completed": self.done - self.failed,
                "failed": self.failed,
            },
            "metadata": self.metadata,
        }


def add_routes(
    app: web.Application,
    answer_one: AnswerOne,
    *,
    batching: Batching | None = None,
    counts: MutableMapping[str, int] | None = None,
) -> None:
    """Add the routes of Files and Batches to a server.

    Args:
        app: The server.
        answer_one: What answers each line.
        batching: How batches go; without it, each has ended at the first look.
        counts: Where `files`, `batches`, `batch_polls` and `batch_lines` (asked of `answer_one`) are counted.
    """
    routes = _Routes(answer_one, batching or Batching(), Counter() if counts is None else counts)
    app.router.add_post("/v1/files", routes.upload)
    app.router.add_get("/v1/files", routes.list_files)
    app.router.add_get("/v1/files/{id}", routes.show_file)
    app.router.add_get("/v1/files/{id}/content", routes.give_file)
    app.router.add_delete("/v1/files/{id}", routes.delete_file)
    app.router.add_post("/v1/batches", routes.create)
    app.router.add_get("/v1/batches", routes.list_batches)
    app.router.add_get("/v1/batches/{id}", routes.look)
    app.router.add_post("/v1/batches/{id}/cancel", routes.cancel)


class _MissingError(ValueError):
    """What was asked for is not here, or not in the right form; its words go to the client with its status."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class _Routes:
    """The state behind the routes: files and batches by id, oldest first."""

    def __init__(self, answer_one: AnswerOne, batching: Batching, counts: MutableMapping[str, int]) -> None:
        self._answer_one = answer_one
        self._batching = batching
        self._counts = counts
        for what in ("files", "batches", "batch_polls", "batch_lines"):
            counts.setdefault(what, 0)
        self._files: dict[str, _File] = {}
        self._batches: dict[str, _Batch] = {}
        self._asked: Counter[str] = Counter()
        self._made = 0
        self._lock = asyncio.Lock()

    # -- files

    async def upload(self, http: web.Request) -> web.Response:
        try:
            fields = await _fields(http)
        except ValueError as error:
            return _fault(error)
        name, content = fields.get("file", ("", b""))
        purpose = fields.get("purpose", ("", b""))[1].decode("utf-8", "replace")
        if "file" not in fields or not purpose:
            return _fault(_MissingError("`file` and `purpose` must be given"))
        self._counts["files"] += 1
        return _json(self._keep(name, purpose, content).shown())

    async def list_files(self, http: web.Request) -> web.Response:
        purpose = http.query.get("purpose")
        shown = [one.shown() for one in self._files.values() if purpose in {None, one.purpose}]
        return _page(http, shown)

    async def show_file(self, http: web.Request) -> web.Response:
        file = self._files.get(http.match_info["id"])
        return _json(file.shown()) if file else _fault(_MissingError("no such file", 404))

    async def give_file(self, http: web.Request) -> web.Response:
        from aiohttp import web

        file = self._files.get(http.match_info["id"])
        if file is None:
            return _fault(_MissingError("no such file", 404))
        if self._batching.write_only and file.purpose == "batch":
            return _fault(_MissingError("files of this purpose are not given back"))
        return web.Response(body=file.content, content_type="application/octet-stream")

    async def delete_file(self, http: web.Request) -> web.Response:
        file = self._files.pop(http.match_info["id"], None)
        if file is None:
            return _fault(_MissingError("no such file", 404))
        return _json({"id": file.id, "object": "file", "deleted": True})

    def _keep(self, name: str, purpose: str, content: bytes) -> _File:
        digest, created = self._next(content)
        file = self._files[f"file-{digest}"] = _File(f"file-{digest}", name, purpose, created, content)
        return file

    def _next(self, content: bytes) -> tuple[str, int]:
        """Give an id that no other thing of this server or of one before it has, and a time that only counts."""
        self._made += 1
        digest = hashlib.blake2b(content, digest_size=12, salt=self._made.to_bytes(8, "big")).hexdigest()
        return digest, _FIRST + self._made

    # -- batches

    async def create(self, http: web.Request) -> web.Response:
        try:
            body = json.loads(await http.read())
            input_file, metadata = self._described(body)
        except (ValueError, RecursionError) as error:
            return _fault(error)
        lines, errors = read_input(input_file.content)
        if self._batching.rejected:
            errors = [
                {"code": "rejected", "message": "the server was told to fail batches", "line": None, "param": None}
            ]
        digest, created = self._next(input_file.id.encode("ascii"))
        status = "failed" if errors else "validating"
        batch = _Batch(f"batch_{digest}", created, input_file.id, metadata, lines, errors, status)
        self._batches[batch.id] = batch
        self._counts["batches"] += 1
        return _json(batch.shown() | {"status": "validating", "errors": None})

    async def list_batches(self, http: web.Request) -> web.Response:
        if self._batching.unlisted:
            return _fault(_MissingError("batches are not listed", 404))
        return _page(http, [one.shown() for one in self._batches.values()])

    async def look(self, http: web.Request) -> web.Response:
        batch = self._batches.get(http.match_info["id"])
        if batch is None:
            return _fault(_MissingError("no such batch", 404))
        self._counts["batch_polls"] += 1
        async with self._lock:
            await self._move(batch)
        return _json(batch.shown())

    async def cancel(self, http: web.Request) -> web.Response:
        batch = self._batches.get(http.match_info["id"])
        if batch is None:
            return _fault(_MissingError("no such batch", 404))
        if batch.status not in {"validating", "in_progress"}:
            return _fault(_MissingError(f"the batch is {batch.status}", 409))
        batch.status = "cancelling"
        return _json(batch.shown())

    def _described(self, body: Any) -> tuple[_File, dict[str, str]]:
        if not isinstance(body, dict) or body.get("endpoint") != _URL or body.get("completion_window") != "24h":
            raise _MissingError(f"`endpoint` must be {_URL} and `completion_window` 24h")
        file = self._files.get(str(body.get("input_file_id")))
        if file is None or file.purpose != "batch":
            raise _MissingError("`input_file_id` must name a file whose purpose is batch")
        metadata = body.get("metadata") or {}
        if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
            raise _MissingError("`metadata` must be texts by name")
        return file, metadata

    async def _move(self, batch: _Batch) -> None:
        if batch.status == "cancelling":
            self._end(batch, "cancelled")
        if batch.status not in {"validating", "in_progress"}:
            return
        batch.polls += 1
        batch.status = "in_progress"
        due = len(batch.lines) * batch.polls // max(1, self._batching.after_polls)
        await self._answer(batch, min(due, len(batch.lines)))
        if batch.polls >= self._batching.after_polls:
            self._end(batch, "completed")
        elif self._batching.expires_at is not None and batch.polls >= self._batching.expires_at:
            self._end(batch, "expired")

    async def _answer(self, batch: _Batch, due: int) -> None:
        lines = batch.lines[batch.done : due]
        answers = await asyncio.gather(*(self._answered(line) for line in lines))
        for line, (status, body) in zip(lines, answers, strict=True):
            response = {"status_code": status, "request_id": f"req-{line['custom_id']}", "body": body}
            told = json.dumps({"id": f"{batch.id}-{batch.done}", "custom_id": line["custom_id"], "response": response})
            (batch.output if status == 200 else batch.faults).append(told)
            batch.failed += status != 200
            batch.done += 1

    async def _answered(self, line: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        key = line["custom_id"]
        drawn = hashlib.blake2b(f"{self._batching.seed} {key} {self._asked[key]}".encode(), digest_size=8).digest()
        self._asked[key] += 1
        if int.from_bytes(drawn, "big") < self._batching.failing * _SHARE:
            message = "the server was told to fail this line"
            return self._batching.failing_status, {"error": {"message": message, "code": None, "type": "told"}}
        self._counts["batch_lines"] += 1
        return await self._answer_one(line["body"])

    def _end(self, batch: _Batch, status: str) -> None:
        batch.status = status
        if status != "completed":
            for line in batch.lines[batch.done :]:
                error = {"code": f"batch_{status}", "message": f"the batch {status} before this line was answered"}
                batch.faults.append(json.dumps({"custom_id": line["custom_id"], "response": None, "error": error}))
        for what, told in (("output", batch.output), ("error", batch.faults)):
            if told:
                content = "".join(f"{line}\n" for line in told).encode("ascii")
                batch.files[what] = self._keep(f"{batch.id}_{what}.jsonl", "batch_output", content).id


def read_input(content: bytes) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Give the lines of a batch's input file, and what is wrong with them as a provider's list of errors."""
    lines: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    seen: set[str] = set()
    for number, line in enumerate(content.splitlines(), 1):
        stated, problem = _read_line(line)
        if stated is not None and stated["custom_id"] in seen:
            problem = "custom_id is not unique"
        if stated is None or problem:
            errors.append({"code": "invalid_json_line", "message": problem, "line": number, "param": None})
            continue
        seen.add(stated["custom_id"])
        lines.append(stated)
    if not content.strip() or len(lines) > _MAX_LINES:
        message = f"a batch holds between 1 and {_MAX_LINES} lines"
        errors.append({"code": "invalid_file", "message": message, "line": None, "param": None})
    return lines, errors


def _read_line(line: bytes) -> tuple[dict[str, Any] | None, str]:
    try:
        stated = json.loads(line)
    except (ValueError, RecursionError):
        return None, "not JSON"
    if not isinstance(stated, dict) or not isinstance(stated.get("custom_id"), str) or not stated["custom_id"]:
        return None, "custom_id must be a text"
    if stated.get("method") != "POST" or stated.get("url") != _URL or not isinstance(stated.get("body"), dict):
        return None, f"method must be POST, url {_URL} and body an object"
    return stated, ""


async def _fields(http: web.Request) -> dict[str, tuple[str, bytes]]:
    """Give the parts of a form by name, each with its file's name; raises ValueError where it is none, or too long."""
    from aiohttp import BodyPartReader

    if not http.content_type.startswith("multipart/"):
        raise _MissingError("the body must be multipart/form-data")
    fields: dict[str, tuple[str, bytes]] = {}
    async for part in await http.multipart():
        if not isinstance(part, BodyPartReader):
            raise _MissingError("a part holds parts")
        content = bytearray()
        while chunk := await part.read_chunk(_CHUNK):
            content += chunk
            if len(content) > _MAX_FILE:
                raise _MissingError("the file is longer than 200 MB", 413)
        fields[part.name or ""] = (part.filename or "", bytes(content))
    return fields


def _page(http: web.Request, shown: list[dict[str, Any]]) -> web.Response:
    """Give one page of a list, newest first."""
    shown.reverse()
    after, limit = http.query.get("after"), http.query.get("limit", "20")
    start = next((index + 1 for index, one in enumerate(shown) if one["id"] == after), 0)
    stop = start + (min(100, max(1, int(limit))) if limit.isdecimal() else 20)
    page = shown[start:stop]
    first, last = (page[0]["id"], page[-1]["id"]) if page else (None, None)
    body = {"object": "list", "data": page, "first_id": first, "last_id": last, "has_more": stop < len(shown)}
    return _json(body)


def _json(body: Mapping[str, Any]) -> web.Response:
    from aiohttp import web

    return web.json_response(body)


def _fault(error: Exception) -> web.Response:
    from aiohttp import web

    words = str(error) if isinstance(error, _MissingError) else "the body could not be read"
    body = {"error": {"message": words, "type": "invalid_request_error", "param": None, "code": None}}
    return web.json_response(body, status=getattr(error, "status", 400))
