"""The optimizers: dspy's GEPA and MIPROv2 search for an instruction; what an instruction is worth they are told by the bench.

A candidate is one instruction in a dspy module whose answer the bench gives, so every question to the writer is put as a build puts it. dspy itself asks only
the reflecting model, through `ask` (engine.py). The search is over when the optimizer's own count of trials is, or when `stopped` says so.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any, Final

from synth.errors import UsageError
from synth.tuning.engine import Reflect, open_lm
from synth.tuning.scoring import Trial

NAMES: Final = ("gepa", "mipro")
PROPOSALS: Final = 12
"""For how many accepted proposals GEPA's count of trials has room; MIPROv2 makes half as many and tries as many combinations."""

_MINIBATCH: Final = 3
_THREADS: Final = 8


@dataclass(slots=True)
class Search:
    """One search: how a case is tried under an instruction (from any thread; it waits), whom to ask, when to stop, and what was found.

    `began` is called when an instruction is tried for the first time.

    Raises of `attempt` count as a score of nothing; whoever gives it keeps what went wrong.
    """

    base: str
    attempt: Callable[[str, str], Trial]
    reflect: Reflect
    stopped: Callable[[], bool]
    guidance: str = ""
    began: Callable[[], None] = lambda: None
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def tried(self, instruction: str, case: str) -> Trial:
        """Try a case and keep its score."""
        with self.lock:
            is_new = instruction not in self.scores
            known = self.scores.setdefault(instruction, {})
        if is_new:
            self.began()
        found = self.attempt(instruction, case)
        known[case] = found.score.value
        return found

    def best(self, chosen_by: Sequence[str]) -> str:
        """Give the instruction with the best mean over the cases to choose by, of those tried on all of them; the base where none is better."""
        whole = [text for text, known in self.scores.items() if all(case in known for case in chosen_by)]
        means = {text: fmean(self.scores[text][case] for case in chosen_by) for text in whole}
        least = means.get(self.base, -1.0)
        better = {text: mean for text, mean in means.items() if mean > least and text != self.base}
        # of equals the shorter one, and of those the first in the alphabet, so that no order of trials decides
        return min(better, key=lambda text: (-better[text], len(text), text), default=self.base)

    def perfect(self, cases: Sequence[str]) -> bool:
        """Say whether an instruction has every point on all of these cases, so that nothing is left to look for."""
        return any(all(known.get(case, 0.0) >= 1.0 for case in cases) for known in self.scores.values())

    @property
    def proposals(self) -> int:
        """How many instructions other than the base were tried."""
        return len(set(self.scores) - {self.base})


def check_optimizer(name: str) -> None:
    """Raise UsageError where an optimizer needs a library that is not installed."""
    if name == "mipro" and importlib.util.find_spec("optuna") is None:
        raise UsageError(
            "MIPROv2 needs optuna, which is not installed",
            hint="pip install 'dspy[optuna]', or tune with --optimizer gepa",
        )


def versions(name: str) -> dict[str, str]:
    """Give the versions of what searches: dspy, and the package that the optimizer comes from or needs."""
    return {
        package: importlib.metadata.version(package) for package in ("dspy", "gepa" if name == "gepa" else "optuna")
    }


def optimize(name: str, search: Search, reflected: Sequence[str], chosen: Sequence[str], seed: int) -> None:
    """Search with an optimizer; what is found stands in `search.scores`.

    Args:
        name: gepa or mipro.
        search: What to search with.
        reflected: The names of the cases on whose answers proposals are made.
        chosen: The names of the cases by which candidates are chosen.
        seed: Of the optimizer's own draws.
    """
    import dspy

    run = _gepa if name == "gepa" else _mipro
    with (
        _quiet(),
        dspy.context(adapter=dspy.JSONAdapter(), disable_history=True, num_threads=_THREADS, track_usage=False),
    ):
        run(search, [_example(one) for one in reflected], [_example(one) for one in chosen], seed)


def _example(case: str) -> Any:
    import dspy

    return dspy.Example(case=case).with_inputs("case")


def _student(search: Search) -> Any:
    """Give the dspy module of a candidate: its one predictor carries the instruction, and the bench answers in its place."""
    import dspy

    class Instructed(dspy.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.step = dspy.Predict(dspy.Signature("brief -> answer", search.base))

        def forward(self, case: str) -> Any:
            found = search.tried(self.step.signature.instructions.strip(), case)
            given = dspy.Prediction(
                answer=found.answer, score=found.score.value, told=json.dumps(found.score.told(), ensure_ascii=False)
            )
            if dspy.settings.trace is not None:
                dspy.settings.trace.append((self.step, {"brief": found.brief}, dspy.Prediction(answer=found.answer)))
            return given

    return Instructed()


def _metric(_gold: Any, given: Any, _trace: Any = None, name: str | None = None, _named: Any = None) -> Any:
    """Give the score of a prediction, with what was wrong where an optimizer asks for one predictor's."""
    import dspy

    score = float(given.get("score", 0.0) if hasattr(given, "get") else 0.0)
    return score if name is None else dspy.Prediction(score=score, feedback=str(given.told))


def _gepa(search: Search, reflected: Sequence[Any], chosen: Sequence[Any], seed: int) -> None:
    import dspy
    from dspy.teleprompt.gepa import InstructionProposer

    every = [example.case for example in (*reflected, *chosen)]
    optimizer = dspy.GEPA(
        metric=_metric,
        max_metric_calls=len(chosen) + PROPOSALS * (2 * _MINIBATCH + len(chosen)),
        reflection_minibatch_size=min(_MINIBATCH, len(reflected)),
        reflection_lm=open_lm(search.reflect),
        instruction_proposer=InstructionProposer(additional_instructions=search.guidance or None),
        use_merge=False,  # one instruction: there is nothing to put together
        num_threads=_THREADS,
        seed=seed,
        gepa_kwargs={"stop_callbacks": [lambda _state: search.stopped() or search.perfect(every)]},
    )
    optimizer.compile(_student(search), trainset=list(reflected), valset=list(chosen))


def _mipro(search: Search, reflected: Sequence[Any], chosen: Sequence[Any], seed: int) -> None:
    import dspy

    model = open_lm(search.reflect)
    optimizer = dspy.MIPROv2(
        metric=_metric,
        prompt_model=model,
        task_model=model,
        max_bootstrapped_demos=0,
        max_labeled_demos=0,
        auto=None,
        num_candidates=PROPOSALS // 2,
        num_threads=_THREADS,
        max_errors=10_000,
        seed=seed,
    )
    try:
        optimizer.compile(
            _student(search),
            trainset=list(reflected),
            valset=list(chosen),
            num_trials=PROPOSALS,
            minibatch=False,
            program_aware_proposer=False,
            data_aware_proposer=False,
            fewshot_aware_proposer=False,
        )
    except Exception:
        # it knows no stop: what it makes of refused questions is no fault of ours, and what was tried is kept
        if not search.stopped():
            raise


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep dspy's progress bars and log lines off the terminal: results go to stdout, and progress is ours to tell."""
    import dspy

    dspy.disable_logging()
    try:
        with (
            Path(os.devnull).open("w", encoding="utf-8") as nowhere,
            contextlib.redirect_stdout(nowhere),
            contextlib.redirect_stderr(nowhere),
        ):
            yield
    finally:
        dspy.enable_logging()
