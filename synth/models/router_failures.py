"""What is known of a question that litellm could not get answered, and the error that it means.

litellm tells failures apart by searching the texts that providers write. Here the status of the provider's own answer
decides, which the chain of errors behind litellm's holds; litellm's word counts where nothing was answered. What it says
may quote the key, which is struck out here; its errors are not chained to ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from synth.errors import AttemptError, BadRequest, ProviderError, Transient
from synth.models.envelope import Complaint, read_complaint, short_name
from synth.models.keys import without_key
from synth.models.statuses import Learn, error_of, refused_form, refused_key

_UNSENT: Final = frozenset({"ConnectError", "ConnectTimeout", "ClientConnectorError", "PoolTimeout"})


@dataclass(frozen=True, slots=True)
class Failure:
    """What is known of a failed attempt.

    `status` is zero where there was no answer that can be understood, `kind` the innermost error, `told` says that the
    provider itself answered, `unsent` that the question never left, `missing` that litellm could not import a package.
    """

    status: int
    kind: str
    complaint: Complaint
    told: bool = False
    filtered: bool = False
    unsent: bool = False
    missing: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    request_id: str | None = None


def failure_of(error: BaseException, key: str) -> Failure:
    """Give what an error of litellm's says, without the key: from the provider's answer where the chain of errors holds it."""
    if isinstance(error, TimeoutError):
        return Failure(0, "out of time", Complaint("", ()))
    chain = list(_chain(error))
    kinds = [type(one).__name__ for one in chain]
    policy = "ContentPolicyViolationError" in kinds
    answer = next((found for one in reversed(chain) if (found := _provider_answer(one)) is not None), None)
    if answer is None:
        complaint = read_complaint(_clear(getattr(error, "message", "") or error, key).encode("utf-8"))
        unsent, missing = not _UNSENT.isdisjoint(kinds), isinstance(error, ImportError)
        return Failure(_status(error), kinds[-1], complaint, filtered=policy, unsent=unsent, missing=missing)
    complaint = read_complaint(without_key(_body(answer), key))
    complaint = replace(complaint, message=_clear(complaint.message, key))
    filtered = answer.status_code == 400 and (policy or complaint.filtered)
    request_id = short_name(_clear(answer.headers.get("x-request-id") or answer.headers.get("request-id") or "", key))
    return Failure(
        answer.status_code, kinds[-1], complaint, True, filtered, headers=answer.headers, request_id=request_id
    )


def refused(where: str, failure: Failure, learn: Learn) -> AttemptError | ProviderError:
    """Give the error that a failure means; what the provider's own status means is judged by `synth.models.statuses`."""
    status, complaint = failure.status, failure.complaint
    if not status:
        return Transient(f"{where} gave no valid answer ({failure.kind})", may_be_paid=not failure.unsent)
    if failure.told:
        return error_of(where, status, failure.headers, complaint, learn)
    if status in {401, 403}:
        return refused_key(where, status)
    said = f"{where}: litellm does not put the question to it: {complaint.quote()}"
    return refused_form(said, status, complaint, learn) or BadRequest(said)


def cleared(value: Any, key: str) -> Any:
    """Give a tree of plain values with the key struck out of its texts."""
    if isinstance(value, str):
        return _clear(value, key) if key and key in value else value
    if isinstance(value, dict):
        return {name: cleared(inner, key) for name, inner in value.items()}
    return [cleared(inner, key) for inner in value] if isinstance(value, list) else value


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _provider_answer(error: BaseException) -> Any:
    """Give the HTTP answer that an error of openai's or httpx's holds; those that litellm's errors hold are made up."""
    if type(error).__module__.startswith("litellm"):
        return None
    answer: Any = getattr(error, "response", None)
    status = getattr(answer, "status_code", None)
    return answer if isinstance(status, int) and status >= 300 and hasattr(answer, "headers") else None


def _status(error: BaseException) -> int:
    """Give the status that litellm gives an error without an answer; zero where it only stands for what is not known."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if isinstance(error, TimeoutError) or kinds & {"APIConnectionError", "Timeout"}:
        return 0
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) and 300 <= status < 500 else 0


def _body(answer: Any) -> bytes:
    try:
        return bytes(answer.content)
    except Exception:  # noqa: BLE001 (a body that was never read is no body)
        return b""


def _clear(text: Any, key: str) -> str:
    return without_key(str(text).encode("utf-8", "replace"), key).decode("utf-8")
