"""Plant every fault that a writer or reader of scenarios can have, and see which check catches it under its own name.

Usage: python benchmarks/writers.py [--records 1000] [--quick]. Prints one JSON line; exit 1 where a promise broke. Everything is asked over HTTP, of the
embedded model behind the loopback server under aliases of its own, so that it counts as a model that writes, annotates and verifies:

- `honest`: every cell gives a typed record, every true claim is accepted and no decoy, no check fails;
- `corrupted`: 10 % of the answers have wrong labels, 5 % each wrong spans, languages and lengths; each planted fault, which the server names, is joined by its
  request with what caught it: a failed check, a filter, a gold status, a judge, an outcome. `uncaught` counts those that nothing caught, `false_alarms` what
  was caught where nothing was planted;
- `yes_saying`: the verifier says yes to everything, and so to every decoy: no field counts as verifiable, nothing is confirmed;
- `no_cues`: the writer hides masked feelings so well that no cue is left: dropped as `cues`, and the attrition audit says so;
- `unseeing`: the annotators recover nothing of what is there: everything becomes covert and is kept, masked and deferential cells as often as the others;
- `savings`: calls a kept record where a share of the scenes is dropped, with the stage filters stopping early and without.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import sys
import tempfile
import urllib.request
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ["SYNTH_SETTINGS"] = os.devnull

import synth
from synth.content.shelves import Shelves
from synth.offline.embedded import OfflineModel
from synth.offline.faults import Faults
from synth.offline.serve import Server

LANGUAGES = ["ar", "de", "en", "es", "ja", "zh"]
FAMILIES = ["burial_day_taken_back", "told_to_be_over_it", "laughing_it_off", "file_lost_again"]
FAMILIES += ["complaint_kept_sharp", "two_crowds_one_square"]
MIXED = Faults(wrong_label=0.10, wrong_span=0.05, wrong_language=0.05, wrong_length=0.05)
MODELS = {"writer": "w/m", "annotators": ["a/one", "a/two"], "verifiers": ["v/m"]}
HALF = Faults(wrong_label=0.5)
DROPPING = Faults(wrong_language=0.4)


class Rehearsal:
    """One build over HTTP: the writer, the annotators and the verifier each behind a server with faults of its own."""

    def __init__(self, folder: Path, records: int) -> None:
        self.folder = folder
        self.records = records
        self.model = OfflineModel(Shelves())

    def run(
        self, name: str, writer: Faults, annotator: Faults, verifier: Faults, *, records: int = 0, **recipe: Any
    ) -> tuple[synth.Build, dict[str, str]]:
        """Give the build, and the planted faults by request id."""
        asked = {
            "recipe": name,
            "languages": LANGUAGES,
            "families": FAMILIES,
            "quota": {"records": records or self.records},
            "splits": {"validation": ["file_lost_again"], "test": ["two_crowds_one_square"]},
            "tries": 1,
            "models": MODELS,
        }
        with (
            Server(self.model, faults=writer) as w,
            Server(self.model, faults=annotator, seed=1) as a,
            Server(self.model, faults=verifier, seed=2) as v,
            Server(self.model) as j,
        ):
            build = synth.build(
                asked | recipe,
                self.folder / name,
                endpoints={"w": w.url, "a": a.url, "v": v.url, "j": j.url},
                allow_unpriced=True,
                max_in_flight=64,
            )
            planted = {key: fault for server in (w, a, v) for key, fault in met(server.url).items()}
        return build, planted


def met(url: str) -> dict[str, str]:
    """Give the faults that a server planted, by the id of the answer."""
    with urllib.request.urlopen(url.removesuffix("/v1") + "/met") as answer:
        return dict(json.load(answer))


def requests_of(folder: Path) -> dict[str, str]:
    """Give the request id of every call, by its key."""
    found = {}
    for shard in sorted((folder / "ledger").glob("*.sqlite")):
        with sqlite3.connect(f"file:{shard}?mode=ro", uri=True) as ledger:
            found |= {key.hex(): given for key, given in ledger.execute("select key, request_id from answers")}
    return found


# -- what caught it


class Caught:
    """Which check caught each planted fault, and what was caught where none was planted."""

    def __init__(self, build: synth.Build, folder: Path, planted: dict[str, str], honest: dict[str, Any]) -> None:
        requests = requests_of(folder)
        kept = kept_of(build)
        # what a claim says against the text is put right by the text: the row holds what it would hold of an honest answer
        self.righted = {reply for reply, aspects in kept.items() if honest.get(reply) == aspects}
        self.matrix: dict[str, Counter[str]] = defaultdict(Counter)
        self.false_alarms: Counter[str] = Counter()
        self.understated = {reply for reply, aspects in kept.items() if set(aspects) < set(honest.get(reply, ()))}
        self.doubted = doubted(build, kept)
        verdicts = dropped_by(build)
        rows = build.table("scenarios", kept=False).to_pylist()
        # an event's own answer stands with its first form, and all of its forms are written from it
        misled = {
            row["event_key"]
            for row in rows
            for call in row["calls"]
            if call["program"] in ("event", "write") and planted.get(requests.get(call["key"], ""))
        }
        for row in rows:
            found = [(call, planted.get(requests.get(call["key"], ""), "")) for call in row["calls"]]
            touched = {call["about"] for call, fault in found if fault}
            for call, fault in found:
                if fault:
                    self.matrix[f"{fault} of {call['program']}"][self._by_what(row, call, verdicts)] += 1
            # failures are held against the honest reply that they spoil
            spoilt = row["scenario_id"] if f"{row['scenario_id']}.faithful" in touched else " "
            for one in row["failed_checks"]:
                away = one["about"] not in touched and not one["about"].startswith(spoilt)
                if away and row["event_key"] not in misled:
                    self.false_alarms[one["check"]] += 1

    def _by_what(self, row: dict[str, Any], call: dict[str, Any], verdicts: dict[str, str]) -> str:
        found = by_what(row, call, verdicts)
        if found == "uncaught" and call["about"] in self.righted:
            return "put right by the text"
        if found == "uncaught" and call["about"] in self.understated:
            return "says less than it keeps"
        return "judge" if found == "uncaught" and call["about"] in self.doubted else found

    def told(self) -> dict[str, Any]:
        """Give the matrix, and how much nothing caught."""
        planted = sum(sum(row.values()) for row in self.matrix.values())
        missed = {name: row["uncaught"] for name, row in self.matrix.items() if row["uncaught"]}
        return {
            "matrix": {name: dict(row.most_common()) for name, row in sorted(self.matrix.items())},
            "planted": planted,
            "uncaught": dict(sorted(missed.items())),
            "caught": round(1 - sum(missed.values()) / max(1, planted), 4),
            "false_alarms": dict(self.false_alarms),
        }


def dropped_by(build: synth.Build) -> dict[str, str]:
    """Give the filter that dropped each scenario or reply, by its id."""
    import pyarrow.parquet as pq

    found: dict[str, str] = {}
    for file in sorted(Path(build.folder, "verdicts").glob("*/p-*.parquet")):
        for row in pq.read_table(file).to_pylist():
            if row["action"] == "drop":
                found.setdefault(row["target_id"], row["filter"])
    return found


def kept_of(build: synth.Build) -> dict[str, Any]:
    """Give what each failure keeps, by its id."""
    rows = build.table("replies", kept=False).to_pylist()
    return {row["reply_id"]: row["kept"] for row in rows if row["kind"] == "failure"}


def doubted(build: synth.Build, kept: dict[str, Any]) -> set[str]:
    """Give the failures that claim to keep what a judge does not find in them."""
    import pyarrow.parquet as pq

    found = set()
    for file in sorted(Path(build.folder, "annotations").glob("*/*.parquet")):
        for row in pq.read_table(file).to_pylist():
            probe = row["field"].removeprefix("probe.").partition(".")[0]
            aspect = "facts" if probe == "fact" else probe
            if row["field"].startswith("probe.") and row["value"] != "yes" and aspect in kept.get(row["target_id"], ()):
                found.add(row["target_id"])
    return found


def by_what(row: dict[str, Any], call: dict[str, Any], verdicts: dict[str, str]) -> str:
    """Give what caught a fault in the answer to one call: a check of that answer, a filter of what it became, the gold, or an outcome."""
    about, draw = call["about"], call["draw"]
    checks = [one["check"] for one in row["failed_checks"] if one["about"] == about and one["draw"] == draw]
    if checks:
        return f"check {checks[0]}"
    if call["program"] == "event":
        later = [one["check"] for one in row["failed_checks"] if one["about"] == "scene"]
        if later:
            return f"check {later[0]}"
    repaired = [one for one in row["calls"] if one["about"] == about and one["program"] == f"{call['program']}.repair"]
    if repaired:
        return "contract"
    target = row["scenario_id"] if about in ("scene", "event") else about
    if target in verdicts:
        return f"filter {verdicts[target]}"
    if call["program"] in ("annotate", "verify", "write", "vary"):
        statuses = {row[name] for name in ("gold_intent", "gold_affect", "gold_context")}
        if unsure := sorted(str(status) for status in statuses - {"confirmed"}):
            return f"gold {unsure[0]}"
        if call["program"] == "annotate" and (row["recoverability"] or 0.0) < 1:
            return "recoverability"
    if call["outcome"] != "ok" or row["outcome"] != "ok":
        return f"outcome {row['outcome'] if row['outcome'] != 'ok' else call['outcome']}"
    return "uncaught"


# -- what a build came to


def outcomes(build: synth.Build) -> dict[str, Any]:
    """Give outcomes, gold and failed checks of a build."""
    rows = build.table("scenarios", kept=False).to_pylist()
    gold = Counter(str(row[name]) for row in rows for name in ("gold_intent", "gold_affect", "gold_context"))
    checks = Counter(one["check"] for row in rows for one in row["failed_checks"])
    return {
        "cells": len(rows),
        "outcomes": dict(Counter(row["outcome"] for row in rows)),
        "kept": sum(row["is_kept"] for row in rows),
        "gold": dict(gold),
        "failed_checks": dict(checks),
        "calls": build.report.calls,
    }


def survival(build: synth.Build, name: str) -> dict[str, float]:
    """Give the share of records that are kept, by the values of a column."""
    made: Counter[str] = Counter()
    kept: Counter[str] = Counter()
    for row in build.table("scenarios", kept=False).to_pylist():
        made[str(row[name])] += 1
        kept[str(row[name])] += bool(row["is_kept"])
    return {value: round(kept[value] / made[value], 3) for value in sorted(made)}


def acceptance(build: synth.Build) -> dict[str, float]:
    """Give how often true claims and decoys were accepted."""
    from synth.gold import CUE, FIELDS, acceptable, accepts
    from synth.records.arrow import rows_of
    from synth.records.parquet import read_sidecar
    from synth.records.schema import Annotation

    scenarios = {record.scenario.scenario_id: record.scenario for record in build.records(kept=False)}
    said: dict[bool, list[bool]] = {True: [], False: []}
    for file in sorted(Path(build.folder, "annotations").glob("*/*.parquet")):
        for row in rows_of(read_sidecar(file, Annotation), Annotation):
            if row.view != "sighted" or row.share is None:
                continue
            scenario = scenarios[row.target_id]
            if row.field in FIELDS:
                true = row.value in acceptable(scenario, row.field)
            elif row.field == CUE:
                turn = scenario.turns[-1]
                true = any((str(cue.kind), cue.start) == (row.value, row.evidence[0].start) for cue in turn.cues)
            else:
                continue
            said[true].append(accepts(row.share))
    return {
        "true": round(sum(said[True]) / max(1, len(said[True])), 4),
        "decoy": round(sum(said[False]) / max(1, len(said[False])), 4),
        "claims": len(said[True]) + len(said[False]),
    }


def savings(rehearsal: Rehearsal, records: int) -> dict[str, float]:
    """Give calls a kept record with stage filters that stop early, and without."""
    found = {}
    for name, early in (("on", True), ("off", False)):
        build, _ = rehearsal.run(f"savings-{name}", DROPPING, HALF, HALF, records=records, stop_early=early)
        kept = sum(build.table("scenarios", kept=False).column("is_kept").to_pylist())
        found[name] = round(build.report.calls / max(1, kept), 3)
    return {**found, "saved": round(1 - found["on"] / found["off"], 3)}


def main() -> int:
    """Run every rehearsal and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=1000)
    parser.add_argument("--quick", action="store_true", help="72 records, under a minute")
    given = parser.parse_args()
    records = 72 if given.quick else given.records
    told: dict[str, Any] = {"records": records}
    with tempfile.TemporaryDirectory() as folder:
        rehearsal, none = Rehearsal(Path(folder), records), Faults()
        honest, _ = rehearsal.run("honest", none, none, none)
        told["honest"] = outcomes(honest) | {"acceptance": acceptance(honest)}
        judged = {**MODELS, "judges": ["j/m"]}
        mixed, planted = rehearsal.run("corrupted", MIXED, MIXED, MIXED, models=judged)
        told["corrupted"] = outcomes(mixed) | Caught(mixed, Path(folder, "corrupted"), planted, kept_of(honest)).told()
        small = max(72, records // 4)
        yes, _ = rehearsal.run("yes", none, none, Faults(yes_saying=1.0), records=small)
        told["yes_saying"] = outcomes(yes) | {"acceptance": acceptance(yes)}
        cues, _ = rehearsal.run("cues", Faults(no_cues=1.0), none, none, records=small)
        told["no_cues"] = outcomes(cues) | {"survival": survival(cues, "explicitness")}
        unseeing, _ = rehearsal.run("unseeing", none, Faults(wrong_label=1.0), none)
        told["unseeing"] = outcomes(unseeing) | {
            "explicitness": survival(unseeing, "explicitness"),
            "power_form": survival(unseeing, "power_form"),
        }
        told["savings"] = savings(rehearsal, small)
    told["broken"] = broken(told)
    print(json.dumps(told, ensure_ascii=False))
    return 1 if told["broken"] else 0


def broken(told: dict[str, Any]) -> list[str]:
    """Give the promises that did not hold."""
    honest, mixed = told["honest"], told["corrupted"]
    promises = {
        "an honest cell is a typed record": honest["outcomes"] == {"ok": honest["cells"]},
        "an honest verifier accepts every true claim and no decoy": honest["acceptance"]["true"] == 1.0
        and honest["acceptance"]["decoy"] == 0.0,
        "an honest answer fails no check": not honest["failed_checks"],
        "a clean answer raises no alarm": not mixed["false_alarms"],
        "99 of 100 planted faults are caught": mixed["caught"] >= 0.99,
        "a verifier who says yes confirms nothing": not told["yes_saying"]["gold"].get("confirmed"),
        "a masked scene without cues is not kept": told["no_cues"]["survival"]["masked"] == 0.0,
        "what nobody recovers is kept": told["unseeing"]["kept"] == honest["kept"],
    }
    return [name for name, held in promises.items() if not held]


if __name__ == "__main__":
    raise SystemExit(main())
