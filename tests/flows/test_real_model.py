"""A small real model for real garbage, in every program: whole builds with a GGUF file, every bad answer typed. Opt-in: docs/development.md says how.

As a writer the model hardly ever gets past an event's particulars, so the first build alone would ask the later programs of nobody. In the other builds it
sits behind a relay: it answers the programs that a build is named for, and the embedded model all others, so that there is something to vary, spoil and read.
"""

from __future__ import annotations

import asyncio
import functools
import importlib.util
import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from synth.building.lines import PROGRAMS
from synth.cli import cli
from synth.content.shelves import Shelves
from synth.line.checks import NAMES
from synth.models.base import Contract, Endpoint
from synth.models.local import open_model
from synth.offline.embedded import OfflineModel, find_brief
from synth.offline.serve import Server
from synth.programs.contracts import CLOSED
from synth.records.labels import Outcome

ROOT = Path(__file__).resolve().parents[2]
FILE = Path(os.environ.get("SYNTH_REAL_MODEL") or "none.gguf").resolve()
RECORDS = int(os.environ.get("SYNTH_REAL_RECORDS", "30"))
TYPED = {str(outcome) for outcome in Outcome}
ANSWERS = {"ok", "refused", "truncated"}

pytestmark = [
    pytest.mark.real_model,
    pytest.mark.skipif(not os.environ.get("SYNTH_REAL_MODEL"), reason="SYNTH_REAL_MODEL names no GGUF file"),
    pytest.mark.skipif(importlib.util.find_spec("xllamacpp") is None, reason="xllamacpp is not installed"),
]

PRICES = {"*": {"read": 1, "written": 2}}
"""In US dollars for a million tokens, so that a token read costs one micro-unit and a token written two, and every sum is exact."""

STATED = {"timeout": 600, "licence": "apache-2.0", "family": "smollm2", "prices": PRICES}

SHOWN = 150
"""How many of the last code points of a message the model behind a relay is shown: on a processor, reading a whole question takes ten seconds."""


# -- what the small model is shown, and the form that its answers are held to


def named(brief):
    """Give the program of a brief; another reply than the first is one of its own here."""
    return "alternative" if brief.get("style") == "alternative" else brief["program"]


def shape(**members):
    return {"type": "object", "properties": members, "required": list(members), "additionalProperties": False}


def each(members):
    """Give the schema of a list that has each of these members once."""
    return {"type": "array", "prefixItems": members, "minItems": len(members), "maxItems": len(members)}


def words(most):
    return {"type": "string", "minLength": 1, "maxLength": most}


def shape_of(brief, mends):
    """Give a schema of the names and lists that an answer has; what it says is the model's own. `mends` says that it is asked to mend an answer."""
    match named(brief):
        case "write" | "vary":
            facts = each([shape(id={"enum": [*brief["facts"]]}, quote=words(16))])
            turn = shape(by={"const": "S"}, to={"const": ["A"]}, text=words(40), facts=facts, cues={"const": []})
            return shape(setting=words(16), request={"const": ""}, turns=each([turn]))
        case "annotate":
            felt = shape(field={"const": "emotion"}, value={"enum": [*CLOSED["emotion"]]}, quote=words(16))
            rest = [shape(field={"const": one}, value={"enum": [*CLOSED[one]]}) for one in ("goal", "power_form")]
            return shape(labels=each([felt, *rest]))
        case "verify":
            answers = {"enum": ["clearly", "plausibly", "hardly", "no"]}
            return shape(claims=each([shape(id={"const": one["id"]}, answer=answers) for one in brief["claims"]]))
        case "judge":
            answers = {"enum": ["yes", "weaker", "no"]}
            probes = [shape(id={"const": one["id"]}, answer=answers) for one in brief["probes"]]
            # two of them first, which is not whole: that is sent back once
            return shape(probes=each(probes if mends else probes[:2]))
        case "alternative":
            return shape(beats=each([shape(beat={"const": name}, text=words(16)) for name in brief["beats"]]))
        case "contrast":
            beat = shape(beat={"enum": [*brief["reply"]]}, text=words(48))
            return shape(beats=each([beat]), kept={"const": []})
    return None


class Small:
    """The small model, in a thread of its own: `with Small(form) as small: small.answer(request)`."""

    def __init__(self, form):
        there = Endpoint("small", None, "", None, 600.0, lane="local", folder=str(FILE.parent), form=form)
        self.model = open_model(f"small/{FILE.name}", {"small": there})
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self._run(self.model.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def answer(self, request):
        return self._run(self.model.attempt(request))

    def _run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()


class Relay:
    """The embedded model, and under the name `relay` the small one for the questions that it plays."""

    pure = True
    name = "relay"

    def __init__(self, small, plays, shown):
        self.small, self.plays, self.shown = small, plays, shown
        self.embedded = OfflineModel(Shelves())

    def answer(self, request):
        brief = find_brief(request.messages)
        if request.model != "relay" or not self.plays(brief):
            return self.embedded.answer(request)
        shown = tuple(replace(one, content=one.content[-self.shown :]) for one in request.messages)
        wanted = shape_of(brief, len(request.messages) > 1)
        contract = Contract(brief["program"], 1, (lambda: wanted) if wanted else None)
        return self.small.answer(replace(request, messages=shown, contract=contract))


# -- the builds


@dataclass(frozen=True)
class Relayed:
    """A build behind a relay: which questions the small model answers, in which form and how long, and what else its recipe says."""

    plays: object
    form: str
    max_tokens: int
    recipe: dict
    shown: int = SHOWN


def playing(*programs):
    return lambda brief: named(brief) in programs


def writing(brief):
    """Say whether a brief is for an edit, or for the first form of an event: of the other forms one has to stand, so that there is something to edit."""
    return named(brief) == "vary" or (named(brief) == "write" and brief["form"] == "up")


FEW = {"families": ["burial_day_taken_back"], "quota": {"records": 3}}
BARE, ONE = {"replies": {"alternative": False, "under": 0, "over": 0}}, {"replies": {"under": 1, "over": 0}}
RELAYED = {
    "write, vary": Relayed(writing, "schema", 160, FEW | BARE),
    "reply": Relayed(playing("reply"), "plain", 112, FEW, shown=600),
    "alternative, contrast": Relayed(playing("alternative", "contrast"), "schema", 160, FEW | ONE),
    # every scene is judged, whatever its verifiers made of it
    "annotate, verify, judge": Relayed(
        playing("annotate", "verify", "judge"), "schema", 240, FEW | BARE | {"stop_early": False}
    ),
}
ALONE = "all"
"""The build in which the small model plays everybody, asked as it is."""

every = pytest.mark.parametrize("name", [ALONE, *RELAYED])

SCENARIOS, LABELS = "parts/*/scenarios.parquet", "annotations/*/*.parquet"


@dataclass(frozen=True)
class Built:
    code: int
    said: str
    folder: Path


def played(model, other, sampling):
    """Give the part of a recipe in which one model has every role but that of the second verifier."""
    roles = ("writer", "annotator-1", "verifier-1", "verifier-2", "judge-1")
    # two verifiers, each with a half of the claims: so no two questions are about the same
    models = {"writer": model, "annotators": [model], "verifiers": [model, other], "judges": [model]}
    return {"languages": ["en"], "tries": 1, "models": models, "sampling": dict.fromkeys(roles, sampling)}


def written(folder, endpoint, recipe):
    folder.mkdir()
    (folder / "settings.yaml").write_text(json.dumps({"endpoints": {"small": STATED | endpoint}}))
    (folder / "recipe.yaml").write_text(json.dumps({"recipe": "real"} | recipe))


def invoke(*said, folder):
    """Run the command in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SYNTH_SETTINGS", str(folder / "settings.yaml"))
        return CliRunner().invoke(cli, [str(word) for word in said], prog_name="synth")


def build_alone(folder):
    """Build as a person does, in a process of its own with warnings as errors."""
    # asked for no form, a small model says what no parser can read
    sampling = {"max_tokens": 128, "temperature": 0.8}
    recipe = {"quota": {"records": RECORDS}} | played(*[f"small/{FILE.name}"] * 2, sampling)
    written(folder, {"lane": "local", "folder": str(FILE.parent), "form": "plain"}, recipe)
    found = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"SYNTH_SETTINGS": str(folder / "settings.yaml"), "PYTHONPATH": os.pathsep.join(found)}
    command = [sys.executable, "-W", "error", "-m", "synth", "build", "recipe.yaml", "-o", "build"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, encoding="utf-8", check=False)
    return Built(done.returncode, done.stdout + done.stderr, folder / "build")


def build_relayed(folder, relayed):
    sampling = {"max_tokens": relayed.max_tokens, "temperature": 0.8}
    with Small(relayed.form) as small, Server(Relay(small, relayed.plays, relayed.shown)) as server:
        written(folder, {"url": server.url}, played("small/relay", "small/embedded", sampling) | relayed.recipe)
        done = invoke("build", folder / "recipe.yaml", "-o", folder / "build", folder=folder)
    return Built(done.exit_code, done.output, folder / "build")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A function that gives a build by its name, made once."""

    @functools.cache
    def build(name):
        folder, since, used = tmp_path_factory.mktemp("real") / "home", time.monotonic(), os.times()
        made = build_alone(folder) if name == ALONE else build_relayed(folder, RELAYED[name])
        spent = sum(os.times()[:4]) - sum(used[:4])
        print(f"\n{name}: exit {made.code}, {time.monotonic() - since:.0f} s, {spent:.0f} s of processors")
        return made

    return build


def rows(one, pattern):
    files = sorted(one.folder.glob(pattern))
    return [row for file in files for row in pq.read_table(file).to_pylist()]


def ledger(one, statement):
    found = []
    for shard in sorted((one.folder / "ledger").glob("*.sqlite")):
        connection = sqlite3.connect(f"file:{shard}?mode=ro", uri=True)
        try:
            found += connection.execute(statement).fetchall()
        finally:
            connection.close()
    return found


def by_small(reported):
    """Say whether the small model gave an answer: the embedded one reports a name of its own."""
    return reported == FILE.name


def events_of(one):
    """Give the rows of each event: what is asked of an event once stands in the row of its first form."""
    found = defaultdict(list)
    for row in rows(one, SCENARIOS):
        found[row["event_key"]].append(row)
    return list(found.values())


def every_one(event, column):
    return [item for row in event for item in row[column]]


@every
def test_the_build_ends_as_a_build_does(built, name):
    one = built(name)
    assert one.code in {0, 3}, one.said
    assert "Traceback" not in one.said
    assert "Warning" not in one.said


@every
def test_every_record_is_sealed_with_its_outcome(built, name):
    one = built(name)
    planned = sum(len(pq.read_table(file)) for file in one.folder.glob("plan/round-*.parquet"))
    scenarios = rows(one, SCENARIOS)
    wanted = RELAYED[name].recipe["quota"]["records"] if name in RELAYED else RECORDS
    assert wanted <= len(scenarios)
    assert planned <= len(scenarios)
    assert {row["outcome"] for row in scenarios} <= TYPED
    assert all(every_one(event, "calls") for event in events_of(one))
    assert not list(one.folder.rglob("*.tmp"))
    print(name, Counter(row["outcome"] for row in scenarios))


@every
def test_what_was_wrong_stands_in_the_record(built, name):
    counted = Counter()
    for event in events_of(built(name)):
        calls, failed = every_one(event, "calls"), every_one(event, "failed_checks")
        assert {one["check"] for one in failed} <= set(NAMES)
        assert {(one["about"], one["draw"]) for one in failed} <= {(call["about"], call["draw"]) for call in calls}
        for outcome in {row["outcome"] for row in event} - {"ok"}:
            mended = any(call["program"].endswith(".repair") for call in calls)
            cause = {"mismatched": bool(failed), "unparsable": mended}
            assert cause.get(outcome, outcome in {call["outcome"] for call in calls}), outcome
        counted.update(one["check"] for one in failed)
    print(name, counted)


@every
def test_every_call_in_the_ledger_has_its_outcome(built, name):
    one = built(name)
    answers = ledger(one, "select program, outcome, model_reported from answers")
    assert answers
    assert {outcome for _, outcome, _ in answers} <= ANSWERS
    assert {count for (count,) in ledger(one, "select count(*) from sent")} == {0}
    assert {kind for (kind,) in ledger(one, "select kind from journal")} <= {"BadRequest", "Transient"}
    told = Counter((program, outcome) for program, outcome, reported in answers if by_small(reported))
    print(name, told, "journal:", Counter(ledger(one, "select kind, detail from journal")))


@every
def test_nothing_is_asked_more_than_twice_or_mended_more_than_once(built, name):
    for row in rows(built(name), SCENARIOS):
        made = Counter((call["about"], call["draw"], call["program"]) for call in row["calls"])
        assert set(made.values()) <= {1}
        assert {draw for _, draw, _ in made} <= {0, 1}
        mended = [key for key in made if key[2].endswith(".repair")]
        assert all((about, draw, program.removesuffix(".repair")) in made for about, draw, program in mended)
        assert not [program for _, _, program in mended if program.endswith(".repair.repair")]


@every
def test_every_answer_is_counted_with_its_cost(built, name):
    one = built(name)
    answers = ledger(one, "select lower(hex(key)), tokens_in, tokens_out, micro_units from answers")
    assert all(cost == read + 2 * wrote > 0 for _, read, wrote, cost in answers)
    calls = [call for event in events_of(one) for call in every_one(event, "calls")]
    paid = {call["key"]: (call["tokens_in"], call["tokens_out"]) for call in calls if call["tokens_in"]}
    assert paid == {key: (read, wrote) for key, read, wrote, _ in answers}
    spent = sum(cost for *_, cost in answers)
    report = json.loads((one.folder / "runs" / "0001.json").read_text())["report"]
    status = json.loads(invoke("status", one.folder, "--json", folder=one.folder.parent).stdout)
    assert spent == report["micro_units"] == status["account"]["spent_micro_units"]
    assert (report["calls"], status["account"]["unpriced"]) == (len(answers), [])
    print(name, f"{len(answers)} answers, {spent} micro-units", json.dumps(report))


@every
def test_who_reads_is_a_model(built, name):
    labels = rows(built(name), LABELS)
    assert {row["annotator_kind"] for row in labels} <= {"model"}
    read = Counter((row["view"], row["field"].partition(".")[0]) for row in labels if by_small(row["annotator"]))
    if name in RELAYED and RELAYED[name].plays({"program": "annotate"}):
        assert {("scene", "goal"), ("sighted", "goal"), ("sighted", "probe")} <= set(read)
    print(name, read)


@every
def test_the_build_is_sound(built, name):
    one = built(name)
    done = invoke("verify", one.folder, folder=one.folder.parent)
    assert done.exit_code == 0, done.output
    assert json.loads((one.folder / "runs" / "0001.json").read_text())["report"]["complete"]


def test_the_builds_ask_every_program_of_the_small_model(built):
    asked, small = set(), set()
    for name in (ALONE, *RELAYED):
        for event in events_of(built(name)):
            for call in every_one(event, "calls"):
                is_other = (call["about"] or "").endswith(".alternative")
                program = call["program"].replace("reply", "alternative") if is_other else call["program"]
                asked.add(program)
                if by_small(call["model_reported"]):
                    small.add(program)
    programs = {*PROGRAMS, "alternative"}
    assert {one.removesuffix(".repair") for one in asked} == programs
    assert programs <= small
    assert [one for one in small if one.endswith(".repair")]
    print("asked of the small model:", ", ".join(sorted(small)))
