"""Gold over real HTTP: what honest readers confirm, what yes-sayers cannot, what nobody recovers, and what is rejected before it is paid for further.

The embedded model plays everybody, behind servers under aliases of their own, so that its rows count as a model's.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import synth
from synth.audit.build import audit_build
from synth.audit.figures import Ruling
from synth.cli import cli
from synth.cli.summary import told
from synth.content.shelves import Shelves
from synth.events import RoundClosed
from synth.offline.embedded import OfflineModel, find_brief
from synth.offline.faults import Faults
from synth.offline.serve import Server
from synth.planning.rounds import read_rounds
from synth.records.labels import Explicitness, PowerForm

RECIPE = {
    "recipe": "gold",
    "languages": ["en"],
    "families": ["told_to_be_over_it", "laughing_it_off", "file_lost_again", "burial_day_taken_back"],
    "quota": {"records": 24},
    "seed": 2,  # with it three of the eight events are masked
    "models": {"writer": "w/m", "annotators": ["a/m"], "verifiers": ["v/m"]},
}
STATUSES = ("gold_intent", "gold_affect", "gold_context")
SCATTERED = {"goal": ("help", "vent"), "emotion": ("joy", "pride"), "power_form": ("up", "down")}


@dataclass
class Blind:
    """The embedded model; where it `denies`, it finds nothing of what a masked scene is said to hold, and reads no two labels there alike."""

    denies: bool = False
    masked: set[str] = field(default_factory=set)
    asked: Counter[str] = field(default_factory=Counter)
    answered: list[str] = field(default_factory=list)
    model: OfflineModel = field(default_factory=lambda: OfflineModel(Shelves()))

    pure = True
    name = "offline"

    def answer(self, request):
        """Answer, and count by program; a masked scene is known by the cues that verifiers are asked about."""
        brief, given = find_brief(request.messages), self.model.answer(request)
        program = brief["program"]
        self.asked[program] += 1
        if program in ("reply", "contrast"):
            self.answered.append(json.dumps(brief, ensure_ascii=False))
        scene = json.dumps(brief.get("scene"), ensure_ascii=False, sort_keys=True)
        if program == "verify" and self.denies and any(claim["field"] == "cue" for claim in brief["claims"]):
            self.masked.add(scene)
            claims = [{"id": claim["id"], "answer": "no", "quote": ""} for claim in brief["claims"]]
            return replace(given, text=json.dumps({"claims": claims}))
        if program == "annotate" and self.denies and scene in self.masked:
            labels = [{"field": f, "value": v, "share": 0.5} for f, values in SCATTERED.items() for v in values]
            return replace(given, text=json.dumps({"labels": labels}))
        return given


def made(folder, *, writer=None, reader=None, annotator=None, verifier=None, on_event=None, **recipe):
    """Build with the writer, the annotator and the verifier behind a server each; gives the build."""
    os.environ["SYNTH_SETTINGS"] = os.devnull
    plain = OfflineModel(Shelves())
    with ExitStack() as stack:
        servers = {
            "w": Server(writer or plain),
            "a": Server(reader or plain, faults=annotator or Faults(), seed=1),
            "v": Server(reader or plain, faults=verifier or Faults(), seed=2),
        }
        urls = {alias: stack.enter_context(server).url for alias, server in servers.items()}
        return synth.build(RECIPE | recipe, folder, endpoints=urls, allow_unpriced=True, on_event=on_event)


@pytest.fixture(scope="module", autouse=True)
def no_settings():
    """Hold the settings of the person out of builds that a module shares, and put them back."""
    before = os.environ.get("SYNTH_SETTINGS")
    yield
    os.environ.pop("SYNTH_SETTINGS", None)
    if before is not None:
        os.environ["SYNTH_SETTINGS"] = before


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    return made(tmp_path_factory.mktemp("gold") / "honest")


def rows(build):
    return build.table("scenarios", kept=False).to_pylist()


def audited(folder, *more):
    return CliRunner().invoke(cli, ["audit", str(folder), *more], prog_name="synth")


def test_honest_readers_confirm_everything(honest):
    found = rows(honest)
    assert len(found) == 24
    assert {row[name] for row in found for name in STATUSES} == {"confirmed"}
    assert {(row["is_kept"], row["recoverability"]) for row in found} == {(True, 1.0)}
    assert {row["outcome"] for row in found} == {"ok"}
    assert not any(row["failed_checks"] for row in found)
    shown = audited(honest.folder)
    assert shown.exit_code == 0, shown.output
    assert "gates: survival too few to say; artifacts too few to say" in shown.stdout
    assert "models wrote 24 scenes, 24 are kept; 24 were verified, 24 of them stand" in shown.stdout
    found = audit_build(honest.folder, with_pairs=False)
    assert {(one.true.value, one.decoy.value) for one in found.verification} == {(1.0, 0.0)}
    assert {one.verifiable for one in found.verification} == {Ruling.YES}


def test_closing_again_gives_the_same_bytes(honest):
    names = ("select.parquet", "manifest.json")
    before = [Path(honest.folder, name).read_bytes() for name in names]
    again = CliRunner().invoke(cli, ["close", str(honest.folder)], prog_name="synth")
    assert again.exit_code == 0, again.output
    assert [Path(honest.folder, name).read_bytes() for name in names] == before


def test_who_says_yes_to_everything_verifies_nothing(tmp_path):
    build = made(tmp_path / "yes", verifier=Faults(yes_saying=1.0))
    found = audit_build(build.folder, with_pairs=False)
    assert {one.field: one.verifiable for one in found.verification} == dict.fromkeys(
        ("goal", "emotion", "power_form"), Ruling.NO
    )
    assert {row[name] for row in rows(build) for name in STATUSES} == {"specified"}
    assert (build.report.kept, build.report.dropped) == (24, 0)


def test_what_nobody_recovers_is_covert_and_kept(tmp_path):
    build = made(tmp_path / "covert", annotator=Faults(wrong_label=1.0))
    found = rows(build)
    assert {row["gold_context"] for row in found} == {"covert"}
    # a label that is not the plan's may still be as good
    assert {row[name] for row in found for name in STATUSES} <= {"covert", "confirmed"}
    assert all(row["is_kept"] and row["recoverability"] < 0.7 for row in found)
    assert sum(row[name] == "covert" for row in found for name in STATUSES) > 60
    by = {(one.dimension, one.group): (one.survived, one.attempted) for one in _survival(build)}
    for group in (("explicitness", Explicitness.MASKED), ("power_form", PowerForm.UP)):
        survived, attempted = by[group[0], str(group[1])]
        assert survived == attempted > 0


def _survival(build):
    return audit_build(build.folder, with_pairs=False).attrition.overall


@pytest.fixture(scope="module")
def denied(tmp_path_factory):
    """A build whose readers deny every masked scene of the first round, and who was asked for replies."""
    writer, reader = Blind(), Blind(denies=True)

    def see(event):
        reader.denies = reader.denies and not isinstance(event, RoundClosed)

    folder = tmp_path_factory.mktemp("gold") / "denied"
    build = made(folder, writer=writer, reader=reader, on_event=see, tries=2)
    return build, writer, reader


def test_a_masked_scene_that_does_not_hold_is_broken_before_replies_are_paid(denied):
    build, writer, reader = denied
    found = rows(build)
    lost = [row for row in found if not row["is_kept"]]
    assert lost
    assert {row["explicitness"] for row in lost} == {"masked"}
    assert {row["gold_affect"] for row in lost} == {"broken"}
    assert all("gold:emotion:broken" in row["reasons"] for row in lost)
    assert {row["is_kept"] for row in found if row["explicitness"] != "masked"} == {True}
    assert len(reader.masked) == len(lost), "each was asked about, and read blind once its label was in doubt"
    assert {call["program"] for row in lost for call in row["calls"]} <= {
        "event",
        "write",
        "vary",
        "verify",
        "annotate",
    }
    texts = [row["turns"][-1]["text"] for row in lost]
    assert writer.answered
    assert not [
        text for text in texts if any(json.dumps(text, ensure_ascii=False) in asked for asked in writer.answered)
    ]


def test_what_is_broken_is_made_again_in_the_next_round(denied):
    build, _, _ = denied
    assert build.report.rounds == len(read_rounds(build.folder)) == 2
    found = rows(build)
    lost = [row for row in found if not row["is_kept"]]
    again = _ids_of_round(build, 2)
    later = [row for row in found if row["scenario_id"] in again]
    assert not again & {row["scenario_id"] for row in lost}
    assert len(later) == len(lost)
    assert {(row["explicitness"], row["is_kept"]) for row in later} == {("masked", True)}
    assert (build.report.kept, build.report.missing, build.report.dropped) == (24, 0, len(lost))
    assert build.report.by_reason["gold:emotion:broken"] == len(lost)
    assert "9  gold: emotion is not in the scene (broken)" in _said("status", build)
    shown = audit_build(build.folder, with_pairs=False).attrition
    assert (shown.attempted, shown.kept, shown.verified, shown.stood) == (33, 24, 33, 24)


def _said(verb, build):
    return CliRunner().invoke(cli, [verb, str(build.folder)], prog_name="synth").stdout


def _ids_of_round(build, number):
    paths = Path(build.folder, "parts").glob(f"p-*-r{number:04d}-*/scenarios.parquet")
    tables = [pq.read_table(path, columns=["scenario_id"], partitioning=None) for path in paths]
    return {name for table in tables for name in table.column("scenario_id").to_pylist()}


@pytest.fixture(scope="module")
def controlled(tmp_path_factory):
    return made(tmp_path_factory.mktemp("gold") / "controlled", quota={"records": 12}, default_persona=True)


def test_controls_count_for_nothing_but_themselves(controlled):
    found = rows(controlled)
    controls = [row for row in found if row["form_key"].endswith(".default")]
    assert len(controls) == len({row["event_key"] for row in found}) == 4
    assert {(row["is_kept"], row["lane"], row["outcome"]) for row in controls} == {(False, "control", "ok")}
    report = controlled.report
    assert (report.kept, report.dropped, report.missing, dict(report.by_reason)) == (12, 0, 0, {})
    audit = audit_build(controlled.folder)
    assert (audit.scenes, audit.kept, audit.attrition.attempted, audit.weights.rows) == (12, 12, 12, 12)
    assert (audit.artifact_gate.events, audit.artifact_gate.applied) == (4, True)
    for verb in ("status", "close"):
        said = _said(verb, controlled)
        assert "4 controls without personas beside them, which count for no quota" in said
        assert "not kept" not in said
    value = json.loads(CliRunner().invoke(cli, ["status", str(controlled.folder), "--json"]).stdout)
    assert (value["controls"], value["dropped"], value["reasons"]) == (4, 0, {})


def test_weights_stand_for_all_attempts_with_a_mean_of_one(denied, honest):
    for build in (denied[0], honest):
        weights = {row["is_kept"]: [] for row in rows(build)}
        for row in rows(build):
            weights[row["is_kept"]].append(row["w_survival"])
        assert sum(weights[True]) / len(weights[True]) == pytest.approx(1.0, abs=1e-5)
        assert set(weights.get(False, [])) <= {None}


def test_what_gold_rejects_is_told_in_words():
    assert told("gold:power_form:relabelled") == "gold: power form reads as another label (relabelled)"
    for reason in ("duplicates:near_duplicate_of", "gold:goal:odd", "unasked"):
        assert told(reason) == reason
