"""The lane `batch`: questions are gathered into a provider's batches, and their answers are fetched once those ended.

A provider asks less for what it may answer within a day. A question that it leaves unanswered - the batch expired, was
cancelled, or the line holds a fault of the provider's - was never paid for, and is asked anew (JobLost).
"""

from __future__ import annotations

import asyncio
import copy
import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from weakref import WeakKeyDictionary

from synth.errors import BadRequest, JobLost, SynthError, Transient
from synth.models.base import Endpoint, Pending, Request, Response, identity_of
from synth.models.batch_lines import Results, complaint_of, is_answer, outcome_of
from synth.models.batch_submission import ENDED, Size, Submissions, form_of
from synth.models.direct import Provider, Said, refused
from synth.models.endpoints import served_endpoint_of
from synth.models.envelope import Complaint, read_body, short_name
from synth.models.forms import TEACHING, Form, Forms

_MOST_BYTES: Final = 1024 * 1024 * 1024
"""How much of the results is held, of one batch and of all; no provider's file is so long."""

_GONE: Final = frozenset({404, 410})


def open_model(name: str, endpoints: Mapping[str, Endpoint]) -> BatchModel:
    """Give the model of that name behind its endpoint's batches.

    Raises:
        UsageError: The endpoint is unknown, or its URL is not a plain http or https address.
    """
    return BatchModel(name, served_endpoint_of(name, endpoints))


@dataclass(slots=True)
class _Job:
    """What is known of one batch: `results` once it has ended, of which `left` were not taken yet, or its failure."""

    asked_at: float = -math.inf
    form: Form | None = None
    results: Results | None = None
    left: set[str] = field(default_factory=set)
    failure: SynthError | None = None


class BatchModel:
    """A model behind a provider's batches: `attempt` gives a job, `fetch` its answer."""

    pure: Final = False

    def __init__(
        self,
        name: str,
        endpoint: Endpoint,
        *,
        gather: float = 2.0,
        most: int = 10_000,
        most_bytes: int = 100_000_000,
        poll: float = 30.0,
    ) -> None:
        """Keep where to ask; nothing is connected yet.

        Args:
            name: The model, `<alias>/<model>`.
            endpoint: Where it is.
            gather: A batch is submitted when nothing was added to it for so many seconds.
            most: A batch of so many questions is submitted at once.
            most_bytes: No batch's file is longer, unless one question is.
            poll: A batch is looked after once in so many seconds, however many questions ask for it.
        """
        self._name, self._alias, self._poll = name, endpoint.alias, poll
        self._provider = Provider(endpoint)
        self._forms = Forms(endpoint.form)
        model = identity_of(name, {endpoint.alias: endpoint}).model
        self._submissions = Submissions(self._provider, model, self._forms, Size(gather, most, most_bytes))
        self._jobs: dict[str, _Job] = {}
        self._locks: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, asyncio.Lock]] = WeakKeyDictionary()

    @property
    def name(self) -> str:
        """The name under which it was opened."""
        return self._name

    async def attempt(self, request: Request) -> Pending:
        """Put the question into a batch, unless it stands in one; gives the job once that is submitted.

        Raises:
            RateLimited, Transient, BadRequest, AuthFailed: The endpoint's batches could not be listed, or it took no batch.
        """
        return Pending(await self._submissions.job_of(request))

    async def fetch(self, request: Request, job: str) -> Response | Pending:
        """Give the answer under a job, or the job again while it is not there.

        Raises:
            JobLost: The batch ended without an answer to this question.
            BadRequest: The provider refused the question, or the whole batch.
            RateLimited, Transient, AuthFailed: The batch could not be looked after; the job stands.
        """
        known = await self._looked_after(job)
        try:
            return self._outcome(request, job, known)
        except JobLost:
            self._submissions.forget(request.key, job)
            raise

    def habits(self) -> Mapping[str, str]:
        """Give what was learned about the form of questions."""
        return self._forms.habits()

    def recall(self, habits: Mapping[str, str]) -> None:
        """Take what an earlier run learned."""
        self._forms.recall(habits)

    async def close(self) -> None:
        """End what the running loop gathers and submits, and close its client."""
        await self._submissions.close()
        await self._provider.close()

    async def _looked_after(self, job: str) -> _Job:
        """Give what is known of a batch, asked anew where the last time is long enough ago."""
        known = self._jobs.setdefault(job, _Job())
        locks = self._locks.setdefault(asyncio.get_running_loop(), {})
        async with locks.setdefault(job, asyncio.Lock()):
            now = time.monotonic()
            if known.results is None and known.failure is None and now - known.asked_at >= self._poll:
                known.asked_at = now
                await self._retrieve(job, known)
        return known

    async def _retrieve(self, job: str, known: _Job) -> None:
        said = await self._provider.call(lambda client: client.batches.with_streaming_response.retrieve(job))
        if said.status in _GONE:
            known.failure = JobLost(f"endpoint {self._alias!r} knows no batch {job}", may_be_paid=True)
            return
        if said.status != 200:
            raise self._not_given(said)
        batch = read_body(said.body, self._alias)
        known.form, status = form_of(batch), str(batch.get("status"))
        if status == "failed":
            known.failure = _failure(self._alias, job, batch.get("errors"))
        elif status in ENDED:
            known.results = await self._downloaded([batch.get("output_file_id"), batch.get("error_file_id")])
            known.left = set(known.results.keys())
            self._hold_few()

    async def _downloaded(self, files: Iterable[Any]) -> Results:
        results = Results(_MOST_BYTES)
        for file in files:
            name = short_name(file)
            said = await self._provider.lines(name, results.add) if name is not None else None
            if said is not None and said.status not in {200, *_GONE}:
                raise self._not_given(said)
        return results

    def _not_given(self, said: Said) -> SynthError:
        error = refused(self._alias, said)
        # that a batch could not be looked after refuses none of its questions
        return Transient(error.message) if isinstance(error, BadRequest) else error

    def _outcome(self, request: Request, job: str, known: _Job) -> Response | Pending:
        if known.failure is not None:
            raise copy.copy(known.failure)
        if known.results is None:
            return Pending(job)
        stated = known.results.get(request.key)
        if stated is None:
            raise JobLost(f"endpoint {self._alias!r} ended batch {job} without an answer to this question")
        known.left.discard(request.key)
        if not known.left:
            self._jobs.pop(job, None)
        self._learn(request, stated, known.form)
        return outcome_of(request, stated, self._alias)

    def _learn(self, request: Request, stated: Mapping[str, Any], form: Form | None) -> None:
        """Raise JobLost where a question was refused for its form: it is asked anew in another."""
        if form is None or is_answer(stated):
            return
        status, complaint = complaint_of(stated)
        if status not in TEACHING:
            return
        if form.response == "schema" and request.contract.schema is None:
            form = replace(form, response="json")
        if learned := self._forms.learn(request, form, complaint):
            raise JobLost(f"endpoint {self._alias!r} does not take {learned}: {complaint.quote()}")

    def _hold_few(self) -> None:
        """Drop the oldest results where all are more than memory should hold; they are read again when asked for."""
        held = [(job, known.results.size) for job, known in self._jobs.items() if known.results is not None]
        total = sum(size for _, size in held)
        for job, size in held[:-1]:
            if total <= _MOST_BYTES:
                return
            del self._jobs[job]
            total -= size


def _failure(alias: str, job: str, errors: Any) -> SynthError:
    """Give what a failed batch means: its questions are refused, or there was no room for them at the time."""
    stated = errors.get("data") if isinstance(errors, dict) else None
    first = next((one for one in stated if isinstance(one, dict)), {}) if isinstance(stated, list) else {}
    message = first.get("message")
    complaint = Complaint(message if isinstance(message, str) else "", ())
    words = f"endpoint {alias!r} failed batch {job}: {complaint.quote()}"
    return JobLost(words) if first.get("code") == "token_limit_exceeded" else BadRequest(words)
