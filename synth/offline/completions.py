"""One question answered as a provider would: forms refused, faults of questions and answers met, time taken, tokens charged, everything counted.

Nothing here knows HTTP: faults of the transport stand in `transport`, which sends what is made here.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from synth.errors import AttemptError
from synth.models.base import Request, Response, Usage
from synth.models.tokens import estimate_prompt
from synth.offline import refusals
from synth.offline.conduct import Conduct
from synth.offline.corruption import corrupted
from synth.offline.counts import Counts
from synth.offline.faults import ANSWER, QUESTION, Draws
from synth.offline.foreign import in_another_language
from synth.offline.questions import Question, chat_question
from synth.offline.refusals import MalformedError, RefusedError
from synth.records.labels import Outcome
from synth.records.schema import Message

Answer = Callable[[Request], Response]
"""What a server asks: the `answer` of a pure model."""

FINISH: Final = {Outcome.OK: "stop", Outcome.TRUNCATED: "length", Outcome.REFUSED: "content_filter"}
REFUSAL: Final = "refused (a fault on request)"
"""What message.refusal holds."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it goes out: the model's own, or what a fault made of it."""

    question: Question
    response: Response
    text: str
    outcome: Outcome
    usage: Usage
    refusal: str | None = None
    fault: str = ""
    """What was made of its text, or nothing."""

    @property
    def id(self) -> str:
        """What names it: equal questions have equal answers."""
        return self.question.digest.hex()

    @property
    def model(self) -> str:
        """The model as it reports itself."""
        return self.response.model_reported or self.question.request.model


class Completions:
    """Answers questions under one conduct, and counts."""

    def __init__(self, answer: Answer, conduct: Conduct) -> None:
        """Keep who answers; nothing is counted yet."""
        self.conduct = conduct
        self.counts = Counts(conduct.price)
        self.draws = Draws(conduct.faults, conduct.seed)
        self._answer = answer
        self._prefixes: set[bytes] = set()

    def reset(self) -> None:
        """Count from zero, and forget what the prompt cache holds."""
        self.counts.reset()
        self._prefixes.clear()

    async def answer_one(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Give status and body of one chat completion as a line of a batch has it: no faults of the transport, no limits."""
        try:
            asked = chat_question(body)
            self.counts.asked(asked.digest)
            reply = await self.reply(asked)
        except RefusedError as error:
            return error.status, self.refused(error).body
        except Exception as error:  # noqa: BLE001 (a line that fails does not fail its batch)
            return 500, self.failed(error)
        self.counts.answered(asked.digest, reply.outcome, reply.fault)
        return 200, completion(reply)

    async def reply(self, asked: Question) -> Reply:
        """Give the answer after its time, charged.

        Raises:
            RefusedError: The question is refused: by its form, by the model, or by a fault.
        """
        self._refuse_form(asked)
        self._refuse_question(asked)
        made = self._made(asked)
        await self._wait(asked)
        self.counts.charged(made.usage)
        return made

    def refused(self, error: RefusedError) -> RefusedError:
        """Count a refusal, and give it back."""
        if isinstance(error, MalformedError):
            self.counts.plain["malformed"] += 1
        else:
            self.counts.faults[error.fault] += 1
        return error

    def failed(self, error: Exception) -> dict[str, Any]:
        """Count a failure of the model, and give its body: what went wrong inside is not told."""
        self.counts.plain["failed"] += 1
        return refusals.error_body(f"the model failed ({type(error).__name__})", "server_error")

    # -- refusals

    def _refuse_form(self, asked: Question) -> None:
        conduct, body = self.conduct, asked.body
        if asked.form == "json_schema" and not conduct.schema:
            raise refusals.form_refused(asked.form_name, asked.form, "no-schema")
        if asked.form == "json_object" and not conduct.json_mode:
            raise refusals.form_refused(asked.form_name, asked.form, "no-json-mode")
        if conduct.reasoning and body.get("max_tokens") is not None:
            message = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
            raise refusals.unsupported("max_tokens", message, "reasoning")

    def _refuse_question(self, asked: Question) -> None:
        fault = self.draws.met(QUESTION, asked.digest)
        if fault == "content-filter":
            raise refusals.content_filtered()
        if fault == "bad-parameter":
            raise refusals.bad_parameter(asked.body)

    # -- answers

    def _made(self, asked: Question) -> Reply:
        try:
            response = self._answer(asked.request)
        except AttemptError as error:
            raise MalformedError(str(error)) from error
        usage = self._cached(asked.request.messages, response.usage)
        plain = Reply(asked, response, response.text, response.outcome, usage)
        fault = self.draws.met(ANSWER, asked.digest) if response.outcome == Outcome.OK else ""
        return self._spoiled(plain, fault) if fault else plain

    def _spoiled(self, plain: Reply, fault: str) -> Reply:
        text = self._corrupted(fault, plain)
        if text is None:
            return plain
        self.counts.faults[fault] += 1
        outcome = {"refusal": Outcome.REFUSED, "truncated": Outcome.TRUNCATED}.get(fault, Outcome.OK)
        refusal = REFUSAL if fault == "refusal" else None
        return Reply(plain.question, plain.response, text, outcome, plain.usage, refusal, fault)

    def _corrupted(self, fault: str, plain: Reply) -> str | None:
        share = self.draws.share(f"{fault} share", plain.question.digest)
        if fault == "wrong-language":
            return in_another_language(plain.question.request.messages, plain.text, share)
        return corrupted(fault, plain.text, share)

    async def _wait(self, asked: Question) -> None:
        conduct = self.conduct
        if conduct.latency:
            swing = conduct.jitter * (2 * self.draws.share("jitter", asked.digest) - 1)
            await asyncio.sleep(conduct.latency * (1 + swing))

    def _cached(self, messages: tuple[Message, ...], usage: Usage) -> Usage:
        """Give the usage with what a prompt cache would have held: the longest run of first messages that came before."""
        if not self.conduct.prompt_cache:
            return usage
        digest, known = hashlib.blake2b(digest_size=16), 0
        for number, message in enumerate(messages, 1):
            digest.update(
                f"{len(message.role)} {len(message.content)} {message.role}{message.content}".encode(
                    "utf-8", "surrogatepass"
                )
            )
            if digest.digest() in self._prefixes:
                known = number
            self._prefixes.add(digest.digest())
        cached = min(estimate_prompt(messages[:known]), usage.tokens_in)
        return Usage(usage.tokens_in, usage.tokens_out, cached)


def completion(reply: Reply) -> dict[str, Any]:
    """Give the body of a chat completion."""
    said = {"role": "assistant", "content": reply.text, "refusal": None}
    finish = FINISH[reply.outcome]
    if reply.refusal is not None:
        said |= {"content": None, "refusal": reply.refusal}
        finish = "stop"
    return {
        "id": f"chatcmpl-{reply.id}",
        "object": "chat.completion",
        "created": 0,
        "model": reply.model,
        "system_fingerprint": reply.response.fingerprint,
        "choices": [{"index": 0, "message": said, "logprobs": None, "finish_reason": finish}],
        "usage": chat_usage(reply.usage),
    }


def chat_usage(usage: Usage) -> dict[str, Any]:
    """Give what a chat completion says of its tokens."""
    told: dict[str, Any] = {
        "prompt_tokens": usage.tokens_in,
        "completion_tokens": usage.tokens_out,
        "total_tokens": usage.tokens_in + usage.tokens_out,
    }
    if usage.tokens_cached:
        told["prompt_tokens_details"] = {"cached_tokens": usage.tokens_cached}
    return told


def chunks(reply: Reply, size: int = 48) -> list[dict[str, Any]]:
    """Give a chat completion as the chunks of a stream, `size` code points each; the usage comes last where it was asked for."""
    whole = completion(reply)
    choice = whole["choices"][0]
    head = {key: whole[key] for key in ("id", "created", "model", "system_fingerprint")} | {
        "object": "chat.completion.chunk"
    }
    said = choice["message"]
    pieces = [said["content"][at : at + size] for at in range(0, len(said["content"] or ""), size)]
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}, *({"content": piece} for piece in pieces)]
    if said["refusal"]:
        deltas.append({"refusal": said["refusal"]})
    made = [head | {"choices": [_streamed(delta, None)]} for delta in deltas]
    made.append(head | {"choices": [_streamed({}, choice["finish_reason"])]})
    if reply.question.with_usage:
        made.append(head | {"choices": [], "usage": whole["usage"]})
    return made


def _streamed(delta: dict[str, Any], finish: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
