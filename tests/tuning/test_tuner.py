"""Tuning over real HTTP: it finds what can be found, compares on cells it never saw, stops at its budget, and pays nothing twice."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from zlib import crc32

import pytest

import synth
from synth.content.prompts import read_prompt
from synth.content.reading import parse
from synth.content.shelves import Shelves
from synth.errors import AuthFailed, BreakerOpen, LockedError, ProviderError, UsageError
from synth.models.base import Request
from synth.models.prices import Price
from synth.offline.heeding import HEEDED
from synth.offline.serve import Server
from synth.tuning.provenance import locked_overlay

PROMPT = "templates/prompts/write.md"


def scene_of(question):
    """Give what a verifier is shown, without what is claimed of it."""
    brief = json.loads(question.partition("```brief\n")[2].rpartition("\n```")[0])
    return json.dumps({name: value for name, value in brief.items() if name != "claims"}).encode()


def entries(folder):
    return parse((folder / "tuning.yaml").read_text(encoding="utf-8"), "tuning.yaml")["tunings"]


def test_it_gets_better_on_cells_it_never_saw(rehearsed):
    outcome, told, model, folder = rehearsed
    assert outcome.kept
    assert outcome.says.startswith("kept: ")
    assert outcome.after.figure.mean > outcome.before.figure.mean
    assert outcome.gain.low > 0
    assert (outcome.before.figure.n, outcome.before.parts["checks"], outcome.after.parts["checks"]) == (4, 0.5, 1.0)
    assert outcome.calls == model.asked.total() > 40
    assert model.asked["annotate"] == 0  # recovery by blind readers is no part of it
    text = (folder / "overlay" / PROMPT).read_text(encoding="utf-8")
    assert HEEDED in text.casefold()
    assert "{% for label, says in levels %}" in text
    assert any("searching with gepa" in line for line in told)


def test_where_it_comes_from_stands_beside_it(rehearsed):
    overlay = rehearsed[3] / "overlay"
    (entry,) = entries(overlay)
    file = Shelves([overlay], [PROMPT]).file(PROMPT)
    assert entry["to"] == {"version": entry["from"]["version"] + 1, "digest": file.digest}
    assert entry["from"]["digest"] == Shelves().file(PROMPT).digest
    assert (entry["prompt"], entry["kept"], entry["stopped"]) == (PROMPT, True, "")
    made_by = entry["optimizer"]
    assert (made_by["name"], made_by["seed"], made_by["synth"]) == ("gepa", 1, synth.__version__)
    assert made_by["dspy"]
    assert made_by["gepa"]
    played = {name: one["model"] for name, one in entry["models"].items()}
    assert played == {"writer": "mine/w", "annotator-1": "mine/a", "reflector": "mine/r"}
    cells = entry["cells"]
    assert not set(cells["held_out"]) & {*cells["reflected_on"], *cells["chosen_by"]}
    assert len(cells["held_out"]) == entry["held_out"]["before"]["n"] == 4
    assert entry["held_out"]["after"]["mean"] > entry["held_out"]["before"]["mean"]
    assert entry["held_out"]["after"]["naming"]["held"] is True
    assert entry["spent"]["answers"] > 40
    assert entry["spent"]["cost"] > "$0.00"
    assert "127.0.0.1" not in (overlay / "tuning.yaml").read_text(encoding="utf-8")


def test_the_overlay_is_used_by_a_build(rehearsed, proposing, recipe, tmp_path, monkeypatch):
    shutil.copytree(rehearsed[3] / "overlay", tmp_path / "overlay")
    model = proposing()
    given = recipe | {
        "overlays": ["overlay"],
        "overrides": [PROMPT],
        "quota": {"records": 3},
        "families": ["file_lost_again"],
    }
    del given["models"]["judges"]
    monkeypatch.chdir(tmp_path)
    with Server(model) as server:
        build = synth.build(given, tmp_path / "build", endpoints={"mine": server.url})
    assert {record.scenario.outcome for record in build.records(kept=False)} == {"ok"}
    assert model.asked["write"] > 0
    shelves = Shelves([tmp_path / "overlay"], [PROMPT])
    assert "tuned with gepa" in read_prompt(shelves, "write").front.changed
    assert read_prompt(shelves, "write").front.inputs == read_prompt(Shelves(), "write").front.inputs


@pytest.mark.parametrize("program", ["event", "vary", "reply", "contrast"])
def test_every_program_that_writes_can_be_tuned(tuned, proposing, program, tmp_path):
    outcome, _ = tuned(proposing(), program)
    assert outcome.kept
    assert (tmp_path / f"overlay/templates/prompts/{program}.md").is_file()


def test_the_same_tuning_again_pays_nothing_and_says_the_same(rehearsed, tuned, proposing, tmp_path):
    shutil.copytree(rehearsed[3] / "overlay", tmp_path / "overlay")
    before = {p: p.read_bytes() for p in (tmp_path / "overlay").rglob("*.[my]*")}
    model = proposing()
    outcome, _ = tuned(model, max_calls=1)  # what is known is given beyond any limit
    assert (model.asked.total(), outcome.calls, outcome.stopped) == (0, 0, "")
    assert {p: p.read_bytes() for p in (tmp_path / "overlay").rglob("*.[my]*")} == before
    assert set(map(Path.name.fget, before)) == {"write.md", "tuning.yaml"}


@pytest.mark.parametrize("most", [14, 30, 42])
def test_it_stops_at_its_budget_and_goes_on_where_it_stopped(rehearsed, tuned, proposing, tmp_path, most):
    first = proposing()
    outcome, _ = tuned(first, max_calls=most)
    assert outcome.stopped
    assert not outcome.kept
    assert first.asked.total() == outcome.calls <= most
    assert not (tmp_path / "overlay" / PROMPT).exists()
    assert entries(tmp_path / "overlay")[-1]["stopped"] == outcome.stopped
    whole, _ = tuned(proposing())
    assert whole.kept
    assert outcome.calls + whole.calls == rehearsed[0].calls
    assert [one["kept"] for one in entries(tmp_path / "overlay")] == [False, True]


def test_a_search_that_its_budget_stops_still_compares_what_it_found(tuned, proposing, tmp_path):
    """A first instruction that helps is found, and then the money for searching is used up by proposals that do not help."""

    class Doubting(type(proposing())):
        """Its verifier is never sure, so that the search always has something left to look for."""

        def answer(self, request: Request):
            response = super().answer(request)
            return replace(response, text=response.text.replace('"clearly"', '"plausibly"'))

    turns = iter(range(1000))
    model = Doubting(lambda proposal: proposal if (turn := next(turns)) == 0 else f"{proposal}\n\nTry {turn}.")
    outcome, _ = tuned(model, max_calls=90)
    assert "max_calls" in outcome.stopped
    assert outcome.calls == model.asked.total() <= 90
    assert outcome.proposals > 1
    assert outcome.kept
    assert (tmp_path / "overlay" / PROMPT).exists()
    assert entries(tmp_path / "overlay")[-1]["stopped"] == outcome.stopped


def test_who_stops_it_loses_nothing(rehearsed, tuned, proposing, tmp_path):
    model = proposing()
    outcome, _ = tuned(model, stop=lambda: "interrupted" if model.asked.total() > 30 else "")
    assert "interrupted" in outcome.stopped
    assert "nothing was compared" in outcome.says or "nothing better" in outcome.says
    assert not (tmp_path / "overlay" / PROMPT).exists()
    again, _ = tuned(proposing())
    assert again.kept
    assert outcome.calls + again.calls == rehearsed[0].calls


def test_money_is_a_limit_over_all_runs(tuned, proposing, tmp_path):
    price = Price(150_000, 600_000)
    outcome, _ = tuned(proposing(), price=price, max_cost=12_000)
    assert "set aside to measure what it finds" in outcome.stopped
    assert "max_cost = $0.0" in outcome.stopped
    assert 0 < outcome.micro_units <= 12_000
    more, _ = tuned(proposing(), price=price, max_cost=30_000)
    assert more.stopped
    assert outcome.micro_units + more.micro_units <= 30_000
    assert tuned(proposing(), price=price, max_cost=100_000)[0].kept


HOSTILE = {
    "template syntax": lambda proposal: proposal + "{% for a in b %}{% endfor %}",
    "a code fence": lambda proposal: proposal + "\n```brief\n{}\n```",
    "a megabyte": lambda proposal: proposal + " more" * 200_000,
    "nothing": lambda proposal: "",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_proposal_is_refused_and_costs_no_answer(tuned, proposing, tmp_path, name):
    model = proposing(HOSTILE[name])
    outcome, _ = tuned(model)
    assert not outcome.kept
    assert "nothing better than the prompt that stands" in outcome.says
    assert not (tmp_path / "overlay/templates").exists()
    assert model.asked["reflected"] > 0
    assert model.asked["write"] <= 8
    (entry,) = entries(tmp_path / "overlay")
    assert len(outcome.refused) == len(entry["proposals"]["refused"]) == (0 if name == "nothing" else 1)
    assert (tmp_path / "overlay/tuning.yaml").stat().st_size < 10_000


def test_an_instruction_that_names_feelings_is_not_kept(tuned, proposing, tmp_path):
    """What heeds and names is no better than what stands: naming counts for nothing."""

    class Naming(type(proposing())):
        def answer(self, request: Request):
            response = super().answer(request)
            brief = request.messages[0].content.partition("```brief\n")[2]
            if '"program": "write"' not in brief or HEEDED not in request.messages[0].content.casefold():
                return response
            said = json.loads(response.text)
            emotion = brief.partition('"emotion": "')[2].partition('"')[0]
            lexicon = Shelves().file("filters/lexicons/en.yaml").text()
            words = parse(lexicon, "en")["feelings"][emotion][0].strip("*")
            said["turns"][-1]["text"] += f" I feel {words}."
            return replace(response, text=json.dumps(said, ensure_ascii=False))

    outcome, _ = tuned(Naming())
    assert not outcome.kept
    assert outcome.proposals > 0
    assert outcome.after is None or not outcome.after.naming.held
    assert not (tmp_path / "overlay/templates").exists()


def test_a_key_that_is_refused_ends_it(tuned, proposing, monkeypatch, tmp_path):
    monkeypatch.setenv("MADE_UP_KEY", "not-a-key-0123456789")
    with pytest.raises((AuthFailed, BreakerOpen)):
        tuned(proposing(), conduct={"key_variable": "MADE_UP_KEY"})
    assert not any(b"not-a-key" in p.read_bytes() for p in (tmp_path / "overlay").rglob("*") if p.is_file())


def test_faults_that_pass_change_nothing(tuned, proposing, tmp_path):
    from synth.offline.faults import Faults

    plain, _ = tuned(proposing(), overlay=tmp_path / "plain")
    rough, _ = tuned(proposing(), conduct={"faults": Faults.parse(["server-error=0.1"]), "retry_after": 0.01})
    assert rough.after == plain.after
    texts = [(tmp_path / name / PROMPT).read_bytes() for name in ("plain", "overlay")]
    assert texts[0] == texts[1]


def test_nobody_tunes_what_nobody_measures(tuned, proposing, recipe):
    for program, role in (("write", "annotators"), ("reply", "judges")):
        less = recipe | {"models": recipe["models"] | {role: ["offline"]}}
        with pytest.raises(UsageError, match=f"nobody (verifies|judges) what {program} writes"):
            tuned(proposing(), program, recipe=less)


class TestSilence:
    """Those who measure answer nothing that can be used: what they did not say must not raise a score."""

    @staticmethod
    def silent(proposing, program, unless=lambda text: False):
        class Silent(type(proposing())):
            def answer(self, request: Request):
                text = request.messages[0].content
                response = super().answer(request)
                asked = f'"program": "{program}"' in text.partition("```brief\n")[2]
                return replace(response, text="nothing") if asked and not unless(text) else response

        return Silent()

    @pytest.mark.parametrize(
        ("program", "measures", "who"),
        [
            ("write", "verify", r"annotator-1 \(mine/a\)"),
            ("event", "verify", r"annotator-1 \(mine/a\)"),
            ("reply", "judge", r"judge-1 \(mine/j\)"),
            ("contrast", "judge", r"judge-1 \(mine/j\)"),
            ("write", "write", r"writer \(mine/w\)"),
        ],
    )
    def test_where_nobody_answers_at_all_it_ends_and_writes_nothing(
        self, tuned, proposing, tmp_path, program, measures, who
    ):
        with pytest.raises(ProviderError, match=f"^{who} gave no answer that can be used on any of 4 held-out cells"):
            tuned(self.silent(proposing, measures), program)
        assert {path.name for path in (tmp_path / "overlay").iterdir()} == {".lock", "ledger"}

    def test_what_nobody_says_of_a_text_counts_nothing(self, tuned, proposing):
        """A verifier who has nothing to say of some scenes: they are worth their checks and words over three parts, not over two."""
        known = self.silent(proposing, "verify", unless=lambda text: crc32(scene_of(text)) % 2)
        outcome, _ = tuned(known)
        assert 0.0 < outcome.before.parts["plausibility"] < 1.0
        assert outcome.before.figure.mean == pytest.approx(fmean(outcome.before.parts.values()))


def test_the_embedded_writer_reads_no_instruction(tuned, proposing, recipe):
    with pytest.raises(UsageError, match="reads no instruction"):
        tuned(proposing(), recipe=recipe | {"models": recipe["models"] | {"writer": "offline"}})


def test_a_native_prompt_is_tuned_where_it_lies(tuned, proposing, recipe, tmp_path):
    own = tmp_path / "own/templates/prompts/en/write.md"
    own.parent.mkdir(parents=True)
    own.write_bytes(Shelves().file(PROMPT).path.read_bytes())
    overrides = (
        {"overrides": ["templates/prompts/en/write.md"]} if Shelves().has("templates/prompts/en/write.md") else {}
    )
    outcome, _ = tuned(proposing(), recipe=recipe | {"prompts": "native", "overlays": ["own"]} | overrides)
    assert outcome.kept
    assert outcome.file == tmp_path / "overlay/templates/prompts/en/write.md"


def test_two_at_once_do_not_tune_into_one_overlay(tuned, proposing, tmp_path):
    with locked_overlay(tmp_path / "overlay"), pytest.raises(LockedError, match="another process tunes into"):
        tuned(proposing())


def test_an_overlay_is_no_build(tuned, proposing, tmp_path):
    (tmp_path / "overlay/plan").mkdir(parents=True)
    with pytest.raises(UsageError, match="holds a build, not an overlay"):
        tuned(proposing())


def test_mipro_says_what_it_needs(tuned, proposing, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="needs optuna") as caught:
        tuned(proposing(), optimizer="mipro")
    assert "pip install 'dspy[optuna]'" in str(caught.value)


@pytest.mark.filterwarnings("ignore")  # optuna calls its own sampler experimental
def test_mipro_finds_it_too(tuned, proposing):
    pytest.importorskip("optuna")
    outcome, _ = tuned(proposing(), optimizer="mipro")
    assert outcome.kept
    assert outcome.proposals > 0


def test_dspy_writes_nothing_of_its_own(tuned, proposing, tmp_path, monkeypatch):
    monkeypatch.setenv("DSPY_CACHEDIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    tuned(proposing())
    assert sorted(os.listdir(tmp_path)) == ["overlay"]  # noqa: PTH208
    kept = {p.relative_to(tmp_path / "overlay").parts[0] for p in (tmp_path / "overlay").rglob("*")}
    assert kept == {".lock", "ledger", "templates", "tuning.yaml"}
