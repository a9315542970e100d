"""What stands in a build folder, in figures: read from its plan, parts, select.parquet, runs and ledger; nothing is written."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from synth.cli.accounts import Account, read_account
from synth.cli.refusals import Refusals, read_refusals
from synth.errors import StorageError

if TYPE_CHECKING:
    import pyarrow as pa

_RUN: Final = ("calls", "tokens_in", "tokens_out", "seconds")


@dataclass(frozen=True, slots=True)
class LanguageRow:
    """Kept scenarios and replies, and scenarios that were not kept, of one language in one script."""

    language: str
    script: str
    scenarios: int
    replies: int
    dropped: int


@dataclass(frozen=True, slots=True)
class Overview:
    """A build in figures. `kept` counts scenarios and replies by kind; `undecided` scenarios wait for `synth close`.

    `controls` are scenarios without personas: they count for no quota, and are neither kept nor dropped.
    `complete` says that nothing more is due; `met` whether the quota is met: of `wanted` scenarios `missing` are not kept.
    """

    folder: str
    recipe: str
    complete: bool
    reason: str
    wanted: int
    met: bool
    missing: int
    rounds: int
    sealed: int
    open: Sequence[str]
    kept: Mapping[str, int]
    dropped: int
    undecided: int
    controls: int
    languages: Sequence[LanguageRow]
    splits: Mapping[str, int]
    reasons: Mapping[str, int]
    outcomes: Mapping[str, int]
    runs: int
    calls: int
    tokens_in: int
    tokens_out: int
    seconds: float
    last_seconds: float
    ledger: Mapping[str, Any]
    account: Account
    refusals: Refusals

    def as_values(self) -> dict[str, Any]:
        """Give plain values, ready for JSON."""
        return asdict(self) | {"account": self.account.as_values(), "refusals": self.refusals.as_values()}


def read_overview(folder: Path) -> Overview:
    """Give the figures of a build.

    Raises:
        UsageError: there is no build.
        StorageError: something of it cannot be read.
    """
    from synth.building.api import load
    from synth.models.ledger_statistics import statistics
    from synth.planning.rounds import read_rounds
    from synth.records.parts import commits

    build = load(folder)
    rounds = read_rounds(folder)
    done = {commit.partition for commit in commits(folder)}
    left = [planned.name for made in rounds for planned in made.partitions if planned.name not in done]
    runs = list(_runs(folder))
    complete = _complete(folder) and not left
    figures = _figures(folder, sorted(done))
    recipe = build.recipe
    ledger = statistics(folder)
    missing = max(0, recipe.quota.records - figures["kept"].get("scenario", 0))
    return Overview(
        folder=str(folder),
        recipe=recipe.recipe,
        complete=complete,
        reason="" if complete else _why(runs, left),
        wanted=recipe.quota.records,
        met=not missing,
        missing=missing,
        rounds=len(rounds),
        sealed=len(done),
        open=left,
        runs=len(runs),
        last_seconds=runs[-1]["seconds"] if runs else 0.0,
        ledger=ledger,
        account=read_account(ledger, runs),
        refusals=read_refusals(_files(folder, sorted(done), "scenarios")),
        **_asked(runs, ledger),
        **figures,
    )


def _asked(runs: Sequence[Mapping[str, Any]], ledger: Mapping[str, Any]) -> dict[str, Any]:
    """Give calls, tokens and seconds: what the runs report, or what the ledger knows, for a run that was killed reports nothing."""
    reported = {name: round(sum(run[name] for run in runs), 3) for name in _RUN}
    kept = sum(ledger[name] for name in ("answers", "interrupted", "in_flight", "jobs")) + sum(
        ledger["errors"].values()
    )
    if not kept:
        return reported  # the embedded model is in no ledger
    return reported | {"calls": kept, "tokens_in": ledger["tokens_in"], "tokens_out": ledger["tokens_out"]}


def _runs(folder: Path) -> Iterator[Mapping[str, Any]]:
    """Give the reports of the runs in order; a run that was killed left none."""
    from synth.records.durable import read_json

    where = folder / "runs"
    for path in sorted(where.glob("*.json")) if where.is_dir() else ():
        yield read_json(path)["report"]


def _complete(folder: Path) -> bool:
    from synth.records.manifest import read_manifest

    try:
        return bool(read_manifest(folder)["complete"])
    except StorageError:
        return False  # a run that was killed before its end wrote none


def _why(runs: Sequence[Mapping[str, Any]], left: Sequence[str]) -> str:
    if runs and runs[-1]["reason"]:
        return str(runs[-1]["reason"])
    return "a run was cut off" if left or not runs else "more is due"


# -- what select.parquet says, beside the rows it speaks of


def _figures(folder: Path, partitions: Sequence[str]) -> dict[str, Any]:
    from synth.records.cells import is_control

    scenarios = _columns(folder, partitions, "scenarios", ("scenario_id", "language", "script", "outcome", "split"))
    select = _selection(folder)
    chosen = _chosen(select)
    languages: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    splits: Counter[str] = Counter()
    kept_replies = _replies_kept(chosen)
    rows = scenarios.to_pylist()
    asked = [row for row in rows if not is_control(row["scenario_id"])]
    for row in asked:
        decided = chosen.get(row["scenario_id"])
        entry = languages[row["language"], row["script"] or "-"]
        entry["undecided" if decided is None else "scenarios" if decided else "dropped"] += 1
        entry["replies"] += kept_replies[row["scenario_id"]]
        splits[row["split"]] += bool(decided)
    total = sum(languages.values(), Counter[str]())
    return {
        "kept": _kinds(select),
        "dropped": total["dropped"],
        "undecided": total["undecided"],
        "controls": len(rows) - len(asked),
        "languages": [
            LanguageRow(language, script, n["scenarios"], n["replies"], n["dropped"])
            for (language, script), n in sorted(languages.items())
        ],
        "splits": {name: number for name, number in sorted(splits.items()) if number},
        "reasons": _reasons(select),
        "outcomes": dict(sorted(Counter(row["outcome"] for row in rows).items())),
    }


def _columns(folder: Path, partitions: Sequence[str], name: str, columns: Sequence[str]) -> pa.Table:
    """Give a few columns of one table of every part."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = [_read(pq, path, columns) for path in _files(folder, partitions, name)]
    empty = pa.table({column: pa.array([], pa.string()) for column in columns})
    return pa.concat_tables([empty, *tables])


def _files(folder: Path, partitions: Sequence[str], name: str) -> list[Path]:
    """Give the files of one table of every part; an empty partition has none."""
    from synth.records.parts import part_folder

    paths = (part_folder(folder, partition) / f"{name}.parquet" for partition in partitions)
    return [path for path in paths if path.exists()]


def _read(pq: Any, path: Path, columns: Sequence[str]) -> Any:
    import pyarrow as pa

    try:
        table = pq.read_table(path, columns=list(columns), partitioning=None)
    except pa.ArrowException as error:
        raise StorageError(f"{path} cannot be read: {error}", hint="synth verify says what is wrong") from None
    return table.cast(pa.schema([(column, pa.string()) for column in columns]))


def _selection(folder: Path) -> pa.Table:
    from synth.building.close import SELECT
    from synth.records.arrow import schema_of
    from synth.records.parquet import read_sidecar
    from synth.records.schema import Selection

    path = folder / SELECT
    return read_sidecar(path, Selection) if path.exists() else schema_of(Selection).empty_table()


def _chosen(select: pa.Table) -> dict[str, bool]:
    """Give whether each target of select.parquet is kept."""
    return dict(zip(select.column("target_id").to_pylist(), select.column("kept").to_pylist(), strict=True))


def _replies_kept(chosen: Mapping[str, bool]) -> Counter[str]:
    """Give the kept replies of each scenario: a reply's id is its scenario's, then a name of its own."""
    return Counter(".".join(name.split(".")[:2]) for name, kept in chosen.items() if kept and name.count(".") > 1)


def _kinds(select: pa.Table) -> dict[str, int]:
    import pyarrow.compute as pc

    kinds = select.filter(pc.field("kept")).column("kind").to_pylist()
    return dict(sorted(Counter(kinds).items()))


def _reasons(select: pa.Table) -> dict[str, int]:
    import pyarrow.compute as pc

    from synth.building.judging import cause_of
    from synth.records.cells import is_control

    lost = select.filter((pc.field("kind") == "scenario") & ~pc.field("kept")).select(["target_id", "reasons"])
    found = Counter(
        cause_of(reason)
        for row in lost.to_pylist()
        if not is_control(row["target_id"])
        for reason in row["reasons"] or ()
    )
    return dict(found.most_common())
