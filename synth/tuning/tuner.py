"""Tune the instruction of one program: measure it on held-out cells, search on the others, measure what was found, and keep it only if it is better.

The budget is the purse's. What the measure after the search can cost is set aside before the search begins, so that a search that is stopped by its budget
still ends in a comparison. Every answer is in the overlay's ledger: the same tuning run again pays nothing twice, and goes on where it stopped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any, Final, TypeVar

from synth.ask import Answer, Asker
from synth.content.lexicons import read_languages, read_lexicon
from synth.content.prompts import read_prompt
from synth.errors import AttemptError, IncompleteError, ProviderError, SynthError, UsageError
from synth.line.checks import Failed
from synth.models.base import LaterModel
from synth.models.ledger import Ledger
from synth.models.ledger_statistics import spent_before, statistics
from synth.models.prices import dollars
from synth.models.purse import Limits, Purse
from synth.models.tokens import DEFAULT_MAX_TOKENS
from synth.planning.inventory import OFFLINE
from synth.records.schema import Message
from synth.tuning.bench import JUDGED, Bench, all_of, check_measured, questions_of
from synth.tuning.cases import Case, Cases, draw_cases
from synth.tuning.engine import REFLECTION
from synth.tuning.figures import figure, gain
from synth.tuning.instructions import Instruction, read_instruction
from synth.tuning.jobs import REFLECTOR, Job, Measured, Outcome
from synth.tuning.measure import Score, naming, values_of
from synth.tuning.optimizers import Search, check_optimizer, optimize
from synth.tuning.provenance import add_tuning, digest_of, entry_of, locked_overlay, write_prompt
from synth.tuning.scoring import SHARD, Tongue, Trial

T = TypeVar("T")

_GUIDANCE: Final = "tune"
"""The prompt file that tells the reflecting model what an instruction has to keep."""

_STOPPED: Final = "the search was stopped"
_A_LONG_PROMPT: Final = 8_000
"""Tokens that a question may have, for what is set aside."""

_NOTHING: Final = "nothing was compared: the run was stopped before that, so no prompt was written"


def tune(job: Job, *, stop: Callable[[], str], tell: Callable[[str], None]) -> Outcome:
    """Tune a program's instruction into an overlay folder.

    Must be called outside a running event loop. `stop` gives why to stop, or nothing; `tell` is given a line at each step.

    A budget that is reached, or a stop that is wanted, ends the search; `Outcome.stopped` says so, and what was answered is kept.

    Raises:
        UsageError: the program is none that is tuned, nobody measures what it writes, or too few events can be used.
        ProviderError: an endpoint ended the run, or nobody gave an answer that measures a held-out cell.
    """
    check_optimizer(job.optimizer)
    instruction = _instruction(job)
    tongues = {language: _tongue(job, language) for language in job.inventory.recipe.languages}
    _check_lanes(job)
    for tongue in tongues.values():
        check_measured(job.program, tongue)
    cases = draw_cases(job.inventory, job.program, job.events, job.seed)
    with locked_overlay(job.overlay):
        return asyncio.run(_tuned(job, instruction, tongues, cases, stop, tell))


def _instruction(job: Job) -> Instruction:
    """Give the instruction that the recipe's prompts have for the program."""
    recipe, shelves = job.inventory.recipe, job.inventory.shelves
    languages = recipe.languages if recipe.prompts == "native" else ("",)
    found = {language: read_instruction(shelves, job.program, language) for language in languages}
    if recipe.models.writer == OFFLINE:
        raise UsageError(
            "the writer is the embedded model, which reads no instruction",
            hint="name a model in the recipe: models: {writer: ALIAS/MODEL}; to rehearse, serve --heeds under an alias of its own",
        )
    if len({one.prompt.file.name for one in found.values()}) > 1:
        raise UsageError(
            f"the recipe's native prompts are {len(found)} files, and one instruction is tuned at a time",
            hint=f"name one language: --language {recipe.languages[0]}",
        )
    return next(iter(found.values()))


def _check_lanes(job: Job) -> None:
    """Raise UsageError where a model answers later: a search asks again and again, and each answer decides the next question."""
    later = sorted({role.model.name for role in job.roles.values() if isinstance(role.model, LaterModel)})
    if later:
        raise UsageError(
            f"{later[0]} answers later, by a provider's batch", hint="tune over an endpoint that answers at once"
        )


def _tongue(job: Job, language: str) -> Tongue:
    inventory, recipe = job.inventory, job.inventory.recipe
    models = recipe.models
    facts = read_languages(inventory.shelves).of(language)
    joiner = next((p.joiner for (spoken, _), p in inventory.phrasings.items() if spoken == language), None)
    return Tongue(
        shelves=inventory.shelves,
        language=language,
        native=recipe.prompts == "native",
        seats=job.seats[language],
        lexicon=read_lexicon(inventory.shelves, language),
        joiner=joiner if joiner is not None else (" " if facts is None or facts.spaced else ""),
        verifiers=tuple(role for role, name in models.verifier_roles().items() if name != OFFLINE),
        judges=tuple(role for role, name in models.judge_roles().items() if name != OFFLINE),
        reasoning="" if recipe.reasoning == "none" else recipe.reasoning,
    )


async def _tuned(
    job: Job,
    instruction: Instruction,
    tongues: Mapping[str, Tongue],
    cases: Cases,
    stop: Callable[[], str],
    tell: Callable[[str], None],
) -> Outcome:
    ledger = Ledger(job.overlay, "tune")
    purse = Purse(job.limits, before=spent_before(statistics(job.overlay)) if job.limits.max_cost is not None else 0)
    asker = Asker(job.roles, ledger=ledger, purse=purse, stop=stop, max_in_flight=job.max_in_flight)
    tuning = _Tuning(job, instruction, tongues, cases, asker, purse, tell)
    try:
        return await tuning.run()
    finally:
        await asker.close()
        ledger.close()


class _Tuning:
    """One tuning at work."""

    def __init__(
        self,
        job: Job,
        instruction: Instruction,
        tongues: Mapping[str, Tongue],
        cases: Cases,
        asker: Asker,
        purse: Purse,
        tell: Callable[[str], None],
    ) -> None:
        self.job = job
        self.instruction = instruction
        self.tongues = tongues
        self.cases = cases
        self.asker = asker
        self.purse = purse
        self.tell = tell
        self.bench = Bench(job.program, asker, tongues)
        self.outcome = Outcome()
        self.unusable: frozenset[str] = frozenset()
        self.failure: SynthError | None = None
        self.best = instruction.text
        self.aside = ""
        self.by_name = {case.name: case for case in cases.all()}

    async def run(self) -> Outcome:
        """Measure, search, measure again, and write down what came of it."""
        try:
            await self._steps()
        except (IncompleteError, AttemptError) as error:
            # a call that got no answer stops it as a limit does: what was answered is kept, and the same command goes on
            self.outcome.stopped = error.message
            self.outcome.says = _NOTHING
        self._write()
        return self.outcome

    async def _steps(self) -> None:
        outcome = self.outcome
        self.tell(f"asking what comes before {self.job.program} in {len(self.cases.all())} cells")
        self.unusable = await self.bench.prepare(self.cases.all())
        self.cases = cases = self.cases.without(self.unusable)
        if self.unusable:
            self.tell(f"{len(self.unusable)} cells are left out: what comes before got no answer that can be used")
        if not (cases.reflected and cases.chosen and cases.held_out):
            raise UsageError(
                f"{len(self.unusable)} cells got no answer to tune on, and too few are left", hint="--events N"
            )
        outcome.before, spent = await self._measured(self.instruction.text)
        self.tell(f"held-out cells before: {outcome.before.figure.text()}")
        await self._search(spent)
        if self.best == self.instruction.text:
            outcome.says = (
                "not kept: the search found nothing better than the prompt that stands, so no prompt was written"
            )
            return
        self.tell("measuring the best of what was found on the held-out cells")
        outcome.after, _ = await self._measured(self.best)
        outcome.gain = gain(outcome.before.values, outcome.after.values, self.job.seed)
        self._decide()

    # -- measuring

    async def _measured(self, text: str) -> tuple[Measured, int]:
        """Measure an instruction on the held-out cells; give what it cost too, known answers counted as if they were asked now."""
        prompt = self.instruction.prompt_with(text)
        held = self.cases.held_out
        trials = await all_of([self.bench.attempt(case, prompt) for case in held])
        pairs = [(case, trial.score) for case, trial in zip(held, trials, strict=True)]
        self._check_heard([score.heard for _, score in pairs])
        values = values_of(pairs)
        measured = Measured(tuple(values), figure(values, self.job.seed), _parts([s for _, s in pairs]), naming(pairs))
        return measured, sum(self._cost(case, score) for case, score in pairs)

    def _check_heard(self, heard: Sequence[bool | None]) -> None:
        """Raise ProviderError where nobody measured a single held-out cell: what was tried is then neither better nor worse."""
        if any(heard) or (self.outcome.before is not None and False not in heard):
            return  # a proposal that the writer cannot answer is worth 0
        asked = self._measuring() if False in heard else ("writer",)
        played = self.job.inventory.recipe.models.roles()
        who = ", ".join(f"{role} ({played[role]})" for role in asked)
        raise ProviderError(
            f"{who} gave no answer that can be used on any of {len(heard)} held-out cells, so nothing is measured and no prompt is written",
            hint="ask that model by hand what it answers, or name another one in the recipe: models",
        )

    def _measuring(self) -> tuple[str, ...]:
        """Give the roles that measure."""
        tongue = next(iter(self.tongues.values()))
        return tongue.judges if self.job.program in JUDGED else tongue.verifiers

    def _cost(self, case: Case, score: Score) -> int:
        """Give at most what a score's calls cost: the dearest of its roles' prices."""
        roles = [self.job.roles[name] for name in self.job.seats[case.event.language].values()]
        return sum(max(role.price.most(call.tokens_in, call.tokens_out) for role in roles) for call in score.calls)

    # -- searching

    async def _search(self, spent: int) -> None:
        """Search within the budget less what the measure after it may need."""
        whole = self.purse.limits
        self.purse.limits = self._less(whole, spent)
        loop = asyncio.get_running_loop()
        search = Search(
            base=self.instruction.text,
            attempt=lambda text, name: self._attempt(loop, text, name),
            reflect=lambda messages, draw: self._reflect(loop, messages, draw),
            stopped=lambda: bool(self.outcome.stopped or self.failure),
            guidance=self._guidance(),
            began=lambda: self.tell(f"trying another instruction; {self.purse.run.calls:,} calls so far"),
        )
        chosen = [case.name for case in self.cases.chosen]
        reflected = [case.name for case in self.cases.reflected]
        self.tell(f"searching with {self.job.optimizer} on {len(reflected)} cells, choosing by {len(chosen)} others")
        try:
            await asyncio.to_thread(optimize, self.job.optimizer, search, reflected, chosen, self.job.seed)
        finally:
            self.purse.limits = whole
            self.outcome.proposals = search.proposals
        self.best = search.best(chosen)
        if self.failure is not None:
            raise self.failure

    def _less(self, limits: Limits, spent: int) -> Limits:
        """Give the limits of the search: what measuring again may need is set aside. What the ledger knows is given beyond any limit."""
        run = self.purse.run
        tongues = [self.tongues[case.event.language] for case in self.cases.held_out]
        calls = sum(questions_of(self.job.program, tongue) for tongue in tongues)
        # one question's worst case on top: the purse lets nobody begin who might pass the limit
        roles = self.job.roles.values()
        one = max(role.price.most(_A_LONG_PROMPT, role.parameters.max_tokens or DEFAULT_MAX_TOKENS) for role in roles)
        money = 2 * spent + one
        self.aside = f"up to {calls} calls and {dollars(money)} are set aside to measure what it finds"
        paid = self.purse.before + run.micro_units
        return replace(
            limits,
            max_calls=None if limits.max_calls is None else max(run.calls, limits.max_calls - calls),
            max_cost=None if limits.max_cost is None else max(paid, limits.max_cost - money),
        )

    def _attempt(self, loop: asyncio.AbstractEventLoop, text: str, name: str) -> Trial:
        """Try a case under an instruction; called from the optimizer's threads."""
        try:
            prompt = self.instruction.prompt_with(text)
        except ValueError as fault:
            self.outcome.refused[digest_of(text)] = str(fault)
            return Trial(Score(0.0, failed=(Failed("instruction", str(fault)),)))
        return self._waited(loop, self.bench.attempt(self.by_name[name], prompt))

    def _reflect(self, loop: asyncio.AbstractEventLoop, messages: tuple[Message, ...], draw: int) -> Answer:
        """Ask the reflecting model; called from the optimizer's threads."""
        asked = self.asker.ask(
            REFLECTOR, program=_GUIDANCE, contract=REFLECTION, messages=messages, partition=SHARD, draw=draw
        )
        return self._waited(loop, asked)

    def _waited(self, loop: asyncio.AbstractEventLoop, asked: Coroutine[Any, Any, T]) -> T:
        """Wait for the loop in another thread, and keep what ends the search."""
        try:
            return asyncio.run_coroutine_threadsafe(asked, loop).result()
        except IncompleteError as error:
            self.outcome.stopped = self.outcome.stopped or f"{_STOPPED} ({self.aside}): {error.message}"
            raise
        except AttemptError:
            raise  # one answer is missing, and what it was for counts as not tried
        except SynthError as error:
            self.failure = self.failure or error
            raise

    def _guidance(self) -> str:
        """Give what the reflecting model is told that an instruction has to keep."""
        return read_prompt(self.job.inventory.shelves, _GUIDANCE).render({"marks": list(self.instruction.marks)})

    # -- deciding

    def _decide(self) -> None:
        """Keep what was found if the held-out cells say that it is better."""
        outcome = self.outcome
        before, after = outcome.before, outcome.after
        assert before is not None
        assert after is not None
        figures = f"{before.figure.text()} before, {after.figure.text()} after, on held-out cells"
        if after.figure.mean > before.figure.mean:
            outcome.kept = True
            outcome.says = f"kept: {figures}"
        elif not after.naming.held:
            outcome.says = (
                f"not kept: its texts name the feeling more often than planned ({figures}), so no prompt was written"
            )
        else:
            outcome.says = f"not kept: {figures}, which is no better, so no prompt was written"

    def _write(self) -> None:
        """Write the prompt that is kept, and where it comes from."""
        job, outcome, run = self.job, self.outcome, self.purse.run
        outcome.calls, outcome.tokens, outcome.micro_units = run.calls, run.tokens, run.micro_units
        text = ""
        if outcome.kept:
            changed = f"tuned with {job.optimizer}, seed {job.seed}: {outcome.says.removeprefix('kept: ')}"
            text = self.instruction.file_with(self.best, changed)
            outcome.file = write_prompt(job.overlay, self.instruction.prompt.file.name, text)
        entry = entry_of(job, self.instruction.prompt, self.cases, self._measuring(), self.unusable, outcome, text)
        add_tuning(job.overlay, entry)


def _parts(scores: Sequence[Score]) -> dict[str, float]:
    """Give the mean of each part over the cells that have it."""
    names = dict.fromkeys(name for score in scores for name in score.parts)
    return {name: fmean(score.parts[name] for score in scores if name in score.parts) for name in names}
