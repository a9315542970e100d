"""Submitting batches, and finding again what was submitted: a question stands in one batch at a time.

A batch may be created by a process that is killed before anything of that is journalled. So nothing is submitted before
the endpoint's own list was looked at: a question that stands in a batch which may still answer it, or has, is not
submitted again. The list is looked at once in a process, and again where a submission failed without saying how it
ended. Time decides only when questions are sent.
"""

from __future__ import annotations

import asyncio
import copy
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from weakref import WeakKeyDictionary

from synth.errors import AttemptError, ProviderError, SynthError, Transient
from synth.models.base import Contract, Request
from synth.models.batch_lines import URL, is_answer, read_line, write_line
from synth.models.direct import Provider, refused
from synth.models.envelope import read_body, short_name
from synth.models.forms import LIMITS, RESPONSES, Form, Forms, body_of

MARK: Final = "humane-synth"
"""The name in a batch's metadata under which its questions' digest stands: by it a batch is known to be ours."""

ENDED: Final = frozenset({"completed", "expired", "cancelled"})
"""The states of a batch that has given all the answers that it will ever give."""

_MOST_PAGES: Final = 200
_UPLOAD_SECONDS: Final = 900.0
_THIRTY_DAYS: Final = 30 * 86_400
_UNLISTED: Final = frozenset({404, 405, 501})
_NO_CONTRACT: Final = Contract("", 0, dict)


@dataclass(frozen=True, slots=True)
class Size:
    """When a batch is submitted: `gather` seconds after the last question was added, or when it holds `most` (questions, bytes)."""

    gather: float = 2.0
    most: int = 10_000
    most_bytes: int = 100_000_000


@dataclass(slots=True)
class _Gathered:
    """The questions of the next batch, put in one form: for each key its line, and who waits for the job."""

    form: Form
    size: int = 0
    lines: dict[str, bytes] = field(default_factory=dict)
    waiting: list[tuple[str, asyncio.Future[str]]] = field(default_factory=list)

    def add(self, key: str, line: bytes) -> asyncio.Future[str]:
        """Take a question; gives what its job will be."""
        if key not in self.lines:
            self.size += len(line)
            self.lines[key] = line
        waiting: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.waiting.append((key, waiting))
        return waiting

    def wanted(self) -> dict[str, bytes]:
        """Give the lines of the questions that somebody still waits for, in the order of their keys."""
        return {key: self.lines[key] for key in sorted({key for key, waiting in self.waiting if not waiting.done()})}

    def told(self, job: str) -> None:
        """Give everybody who waits the job."""
        for _, waiting in self.waiting:
            if not waiting.done():
                waiting.set_result(job)

    def failed(self, fault: SynthError) -> None:
        """Give everybody who still waits an error of their own."""
        for _, waiting in self.waiting:
            if not waiting.done():
                waiting.set_exception(copy.copy(fault))


@dataclass(slots=True)
class _Desk:
    """What belongs to one running loop."""

    gathered: _Gathered | None = None
    timer: asyncio.TimerHandle | None = None
    submitting: set[asyncio.Task[None]] = field(default_factory=set)
    looking: asyncio.Task[None] | None = None


class Submissions:
    """The batches of one model: which question stands in which, and the next one that is gathered."""

    def __init__(self, provider: Provider, model: str, forms: Forms, size: Size) -> None:
        """Keep where to submit; nothing is known yet."""
        self._provider, self._forms, self._size = provider, forms, size
        self._alias = provider.endpoint.alias
        self._model = model[:200]
        self._desks: WeakKeyDictionary[asyncio.AbstractEventLoop, _Desk] = WeakKeyDictionary()
        self._looked = False
        self._found: dict[str, str] = {}
        self._unread: dict[str, str] = {}

    async def job_of(self, request: Request) -> str:
        """Give the batch in which a question stands, once it is submitted.

        Raises:
            RateLimited, Transient, BadRequest, AuthFailed: The list could not be read, or the submission failed.
        """
        desk = self._desks.setdefault(asyncio.get_running_loop(), _Desk())
        if not self._looked:
            await self._look(desk)
        job = self._found.get(request.key)
        return job if job is not None else await self._add(desk, request)

    def forget(self, key: str, job: str) -> None:
        """Take back that a batch answers a question: it ended without."""
        if self._found.get(key) == job:
            del self._found[key]
        self._unread = {digest: other for digest, other in self._unread.items() if other != job}

    async def close(self) -> None:
        """End what the running loop gathers and submits; who still waits gets Transient."""
        desk = self._desks.pop(asyncio.get_running_loop(), None)
        if desk is None:
            return
        if desk.timer is not None:
            desk.timer.cancel()
        tasks = [*desk.submitting, *([desk.looking] if desk.looking else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if desk.gathered is not None:
            desk.gathered.failed(Transient(f"endpoint {self._alias!r}: closed before a batch was submitted"))

    # -- submitting

    async def _add(self, desk: _Desk, request: Request) -> str:
        form = self._forms.form(_NO_CONTRACT)
        line = write_line(request.key, body_of(request, self._forms.form(request.contract)))
        gathered = desk.gathered
        if gathered is not None and (gathered.form != form or gathered.size + len(line) > self._size.most_bytes):
            self._flush(desk)
        if desk.gathered is None:
            desk.gathered = _Gathered(form)
        job = desk.gathered.add(request.key, line)
        if len(desk.gathered.lines) >= self._size.most:
            self._flush(desk)
        else:
            self._wind(desk)
        return await job

    def _wind(self, desk: _Desk) -> None:
        if desk.timer is not None:
            desk.timer.cancel()
        desk.timer = asyncio.get_running_loop().call_later(self._size.gather, self._flush, desk)

    def _flush(self, desk: _Desk) -> None:
        if desk.timer is not None:
            desk.timer.cancel()
        gathered, desk.gathered, desk.timer = desk.gathered, None, None
        if gathered is not None:
            task = asyncio.get_running_loop().create_task(self._submit(gathered))
            desk.submitting.add(task)
            task.add_done_callback(desk.submitting.discard)

    async def _submit(self, gathered: _Gathered) -> None:
        fault: SynthError = Transient(f"endpoint {self._alias!r}: closed while a batch was submitted", may_be_paid=True)
        try:
            lines = gathered.wanted()
            if lines:
                job = await self._create(lines, gathered.form)
                self._found.update(dict.fromkeys(lines, job))
                gathered.told(job)
        except (AttemptError, ProviderError) as error:
            fault = error
        finally:
            gathered.failed(fault)

    async def _create(self, lines: Mapping[str, bytes], form: Form) -> str:
        digest = hashlib.blake2b("".join(lines).encode("ascii"), digest_size=16).hexdigest()
        if (job := self._unread.get(digest)) is not None:
            return job
        uploaded = await self._provider.get(
            lambda client: client.files.with_streaming_response.create(
                file=(f"{digest}.jsonl", b"".join(lines.values()), "application/jsonl"), purpose="batch"
            ),
            seconds=max(_UPLOAD_SECONDS, self._provider.endpoint.timeout),
        )
        file, metadata = self._id(uploaded), {MARK: digest, "model": self._model, "form": _form_words(form)}
        try:
            created = await self._provider.get(
                lambda client: client.batches.with_streaming_response.create(
                    input_file_id=file, endpoint=URL, completion_window="24h", metadata=metadata
                )
            )
            return self._id(created)
        except (Transient, asyncio.CancelledError):
            # it may have been created all the same: the list knows
            self._looked = False
            raise

    def _id(self, stated: Mapping[str, Any]) -> str:
        found = short_name(stated.get("id"))
        if found is None:
            raise Transient(f"endpoint {self._alias!r} sent no valid answer: it holds no id", may_be_paid=True)
        return found

    # -- finding what earlier processes submitted

    async def _look(self, desk: _Desk) -> None:
        """Look at the endpoint's list; one look serves all who wait for it."""
        if desk.looking is None:
            desk.looking = asyncio.get_running_loop().create_task(self._find())
            desk.looking.add_done_callback(lambda task: _looked(desk, task))
        await asyncio.shield(desk.looking)

    async def _find(self) -> None:
        ours = [one for one in await self._listed() if self._may_answer(one)]
        # older ones have lost their files; their age is counted by the provider's own times, so that no clock is asked
        newest = max(map(_created, ours), default=0)
        for one in ours:
            if newest - _created(one) <= _THIRTY_DAYS:
                await self._read_keys(one)
        self._looked = True

    async def _listed(self) -> list[dict[str, Any]]:
        """Give the endpoint's batches as it lists them, newest first; none where it lists nothing."""
        listed: list[dict[str, Any]] = []
        after: str | None = None
        for _ in range(_MOST_PAGES):
            page = await self._page(after)
            stated = page.get("data")
            found = [one for one in stated if isinstance(one, dict)] if isinstance(stated, list) else []
            listed += found
            last = short_name(found[-1].get("id")) if found else None
            if page.get("has_more") is not True or last is None or last == after:
                break
            after = last
        return listed

    async def _page(self, after: str | None) -> dict[str, Any]:
        where: dict[str, Any] = {"limit": 100} if after is None else {"limit": 100, "after": after}
        said = await self._provider.call(lambda client: client.batches.with_streaming_response.list(**where))
        if said.status in _UNLISTED:
            return {}
        if said.status != 200:
            raise refused(self._alias, said)
        return read_body(said.body, self._alias)

    def _may_answer(self, batch: Mapping[str, Any]) -> bool:
        metadata, status = batch.get("metadata"), str(batch.get("status"))
        if not isinstance(metadata, dict) or MARK not in metadata or short_name(batch.get("id")) is None:
            return False
        useless = status == "failed" or (status in ENDED and not batch.get("output_file_id"))
        return metadata.get("model") == self._model and not useless

    async def _read_keys(self, batch: Mapping[str, Any]) -> None:
        """Remember which questions a batch answers: all it was asked while it runs, those with an answer once it has ended."""
        ended = str(batch.get("status")) in ENDED
        job, file = str(batch["id"]), short_name(batch.get("output_file_id" if ended else "input_file_id"))

        def take(line: bytes) -> None:
            stated = read_line(line)
            if stated is not None and (not ended or is_answer(stated)):
                self._found.setdefault(stated["custom_id"], job)

        if file is None or (await self._provider.lines(file, take)).status != 200:
            # some providers do not give back what was given to them; the digest still tells a whole batch
            self._unread.setdefault(str(batch["metadata"][MARK]), job)


def form_of(batch: Mapping[str, Any]) -> Form | None:
    """Give the form in which a batch's questions were put, as its metadata says."""
    metadata = batch.get("metadata")
    words = metadata.get("form") if isinstance(metadata, dict) else None
    match words.split() if isinstance(words, str) else []:
        case [response, limit, seed] if response in RESPONSES and limit in LIMITS:
            return Form(response, limit, seed == "seed")
        case _:
            return None


def _form_words(form: Form) -> str:
    return " ".join((form.response, form.limit, "seed" if form.seed else "none"))


def _looked(desk: _Desk, task: asyncio.Task[None]) -> None:
    desk.looking = None
    if not task.cancelled():
        task.exception()  # who waited may be gone


def _created(batch: Mapping[str, Any]) -> int:
    created = batch.get("created_at")
    return created if type(created) is int else 0
