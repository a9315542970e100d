"""A small real model for real garbage: a whole build by a GGUF file, every bad answer typed. Opt-in: docs/development.md says how."""

from __future__ import annotations

import importlib.util
import json
import os
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from synth.records.labels import Outcome

ROOT = Path(__file__).resolve().parents[2]
RECORDS = int(os.environ.get("SYNTH_REAL_RECORDS", "30"))
TYPED = {str(outcome) for outcome in Outcome}
ANSWERS = {"ok", "refused", "truncated"}

pytestmark = [
    pytest.mark.real_model,
    pytest.mark.skipif(not os.environ.get("SYNTH_REAL_MODEL"), reason="SYNTH_REAL_MODEL names no GGUF file"),
    pytest.mark.skipif(importlib.util.find_spec("xllamacpp") is None, reason="xllamacpp is not installed"),
]


def synth(*words, folder):
    """Run the command as a person does, with warnings as errors."""
    found = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"SYNTH_SETTINGS": str(folder / "settings.yaml"), "PYTHONPATH": os.pathsep.join(found)}
    command = [sys.executable, "-W", "error", "-m", "synth", *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, encoding="utf-8", check=False)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """What `synth build` said, and the folder that holds `build`."""
    folder = tmp_path_factory.mktemp("real")
    file = Path(os.environ["SYNTH_REAL_MODEL"]).resolve()
    # asked for no form, a small model says what no parser can read
    small = {
        "lane": "local",
        "folder": str(file.parent),
        "timeout": 600,
        "form": "plain",
        "licence": "apache-2.0",
        "family": "smollm2",
    }
    (folder / "settings.yaml").write_text(json.dumps({"endpoints": {"small": small}}))
    name = f"small/{file.name}"
    sampling = {"max_tokens": 128, "temperature": 0.8}
    recipe = {
        "recipe": "real",
        "languages": ["en"],
        "quota": {"records": RECORDS},
        "tries": 1,
        "models": {"writer": name, "annotators": [name]},
        "sampling": {"writer": sampling, "annotator-1": sampling},
    }
    (folder / "recipe.yaml").write_text(json.dumps(recipe))
    done = synth("build", "recipe.yaml", "-o", "build", folder=folder)
    print(done.stdout, done.stderr)
    return done, folder


def rows(folder, table):
    files = sorted((folder / "build" / "parts").glob(f"*/{table}.parquet"))
    return [row for file in files for row in pq.read_table(file).to_pylist()]


def ledger(folder, statement):
    found = []
    for shard in sorted((folder / "build" / "ledger").glob("*.sqlite")):
        connection = sqlite3.connect(f"file:{shard}?mode=ro", uri=True)
        try:
            found += connection.execute(statement).fetchall()
        finally:
            connection.close()
    return found


def test_the_build_ends_as_a_build_does(built):
    done, _ = built
    said = done.stdout + done.stderr
    assert done.returncode in {0, 3}, said
    assert "Traceback" not in said
    assert "Warning" not in said


def test_every_record_is_sealed_with_its_outcome(built):
    _, folder = built
    planned = [pq.read_table(file) for file in sorted((folder / "build" / "plan").glob("round-*.parquet"))]
    scenarios = rows(folder, "scenarios")
    assert len(scenarios) >= RECORDS
    assert sum(len(one) for one in planned) <= len(scenarios)
    assert {row["outcome"] for row in scenarios} <= TYPED
    # what is asked of an event once stands in the row of its first form
    assert {row["event_key"] for row in scenarios if row["calls"]} == {row["event_key"] for row in scenarios}
    assert not list((folder / "build").rglob("*.tmp"))
    print(Counter(row["outcome"] for row in scenarios))


def test_every_call_in_the_ledger_has_its_outcome(built):
    _, folder = built
    answers = ledger(folder, "select program, outcome from answers")
    assert answers
    assert {outcome for _, outcome in answers} <= ANSWERS
    assert ledger(folder, "select count(*) from sent") == [(0,)] * len(ledger(folder, "select count(*) from sent"))
    assert {kind for (kind,) in ledger(folder, "select kind from journal")} <= {"BadRequest", "Transient"}
    print(Counter(answers), Counter(ledger(folder, "select kind, detail from journal")))


def test_a_bad_answer_is_asked_to_be_mended_once_at_most(built):
    _, folder = built
    for row in rows(folder, "scenarios"):
        made = Counter((call["about"], call["draw"], call["program"]) for call in row["calls"])
        mended = {key: count for key, count in made.items() if key[2].endswith(".repair")}
        assert all(
            count <= made[about, draw, program.removesuffix(".repair")]
            for (about, draw, program), count in mended.items()
        )
        assert not [program for _, _, program in mended if program.endswith(".repair.repair")]


def test_the_build_is_sound(built):
    _, folder = built
    done = synth("verify", "build", folder=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads((folder / "build" / "runs" / "0001.json").read_text())
    print(json.dumps(told["report"]))
    assert told["report"]["complete"]
