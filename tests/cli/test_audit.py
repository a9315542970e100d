"""What `synth audit` says of builds of hand-made rows: figures, what was not run, and a gate that fails."""

from __future__ import annotations

import json

import pytest
from scenes import blind, built, scenario, sealed, sighted

from synth.records.labels import Explicitness

EN = "p-en-r0001-b00000"
YES = (sighted("goal", "help"), sighted("goal", "complain", "no"), blind("goal", "help"), blind("felt", "3"))


def build_of(folder, number, *, lost=0.0, generator="writer-1"):
    """Make a build in which every fourth scene is masked, and of these that share is broken."""
    rows = []
    for n in range(number):
        masked = n % 4 == 0
        kind = Explicitness.MASKED if masked else Explicitness.NAMED
        made = scenario(f"e{n}.up", explicitness=kind, cues=2, generator=generator)
        broken = masked and (n // 4) % 10 < lost * 10
        rows.append(sealed(made, sighted("emotion", "grief", "no") if broken else sighted("emotion", "grief"), *YES))
    built(folder, {EN: rows})
    (folder / "recipe.yaml").write_text("recipe: made\nlanguages: [en]\nquota: {records: 12}\n")
    return folder


def test_a_gate_that_fails_ends_with_exit_code_1_and_is_named(invoke, tmp_path):
    folder = build_of(tmp_path, 600, lost=0.5)
    shown = invoke("audit", folder)
    assert shown.exit_code == 1
    assert "error: 1 gate failed: attrition:explicitness:masked" in shown.stderr
    assert "600 scenes attempted, 525 kept" in shown.stdout
    (line,) = [one for one in shown.stdout.splitlines() if one.split()[:2] == ["explicitness", "masked"]]
    assert line.split()[2:4] == ["150", "0.50"]
    assert line.split()[-1] == "no"
    value = invoke("audit", folder, "--json")
    assert value.exit_code == 1
    found = json.loads(value.stdout)
    assert found["failed"] == ["attrition:explicitness:masked"]
    own = {(one["dimension"], one["group"]): one for one in found["attrition"]["overall"]}
    assert own["explicitness", "masked"]["ratio"]["upper"] < 0.8
    assert own["explicitness", "named"]["fair"] == "yes"
    assert found["weights"]["rows"] == 525


def test_no_gate_is_run_on_a_build_that_is_not_complete(invoke, tmp_path):
    folder = build_of(tmp_path, 600, lost=0.5)
    (folder / "manifest.json").unlink()
    shown = invoke("audit", folder)
    assert shown.exit_code == 0, shown.output
    assert "the build is not complete" in shown.stdout
    assert json.loads(invoke("audit", folder, "--json").stdout)["complete"] is False


def test_what_was_not_run_and_what_is_too_little_is_said_plainly(invoke, tmp_path):
    shown = invoke("audit", build_of(tmp_path, 40))
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.count("not run: ") == 3
    assert "gates: survival too few to say; artifacts not run" in shown.stdout
    assert "not run: no two models annotated one scene" in shown.stdout
    assert "not run: no kept reply has a failure or a sibling" in shown.stdout
    assert "not run: no person has annotated" in shown.stdout
    assert "too few to say" in shown.stdout
    found = json.loads(invoke("audit", tmp_path, "--json").stdout)
    assert (found["scenes"], found["agreement"]["validity"], found["failed"]) == (40, [], [])
    assert {one["fair"] for one in found["attrition"]["overall"]} == {"too few to say", "not run"}


def test_an_offline_build_has_nothing_to_test(invoke, tiny):
    shown = invoke("audit", tiny)
    assert shown.exit_code == 0, shown.output
    assert "not run: nobody was asked sighted questions" in shown.stdout
    assert "not run: no model wrote anything" in shown.stdout
    assert shown.stdout.count("not run: ") == 6
    found = json.loads(invoke("audit", tiny, "--json").stdout)
    assert {tuple(one["counts"]) for one in found["statuses"]} == {("authored",)}
    assert (found["verification"], found["intensity"], found["weights"]) == ([], [], None)


def test_the_artifact_gate_of_what_was_composed_offline_is_shown_and_not_applied(invoke, tiny):
    shown = invoke("audit", tiny)
    assert "gates: survival not run; artifacts reported, not applied" in shown.stdout
    assert "reported, not applied: what is composed offline says few lines again and again" in shown.stdout
    lines = [line.split() for line in shown.stdout.partition("artifact gate")[2].splitlines()]
    assert [line[0] for line in lines if line[1:2] == ["en"]] == ["all", "failure", "crossed"]
    assert {line[0] for line in lines if line} >= {"attenuation", "granularity", "avoidance", "distancing"}
    found = json.loads(invoke("audit", tiny, "--json").stdout)
    gate = found["artifact_gate"]
    assert (gate["applied"], found["failed"]) == (False, [])
    assert {(one["population"], one["features"]) for one in gate["gate"]["separability"]} == {
        (population, features) for population in ("all", "failure", "crossed") for features in ("words", "surface")
    }
    assert gate["counts"]["failure"] <= 2 * gate["counts"]["crossed"] < gate["failures"]


def test_without_pairs_the_artifact_gate_is_not_run(invoke, tiny):
    shown = invoke("audit", tiny, "--no-pairs")
    assert shown.exit_code == 0, shown.output
    assert "not run: --no-pairs" in shown.stdout
    assert json.loads(invoke("audit", tiny, "--no-pairs", "--json").stdout)["artifact_gate"] is None


@pytest.mark.parametrize(
    ("words", "says"), [(["nowhere"], "holds no build"), (["{}", "--language", "fr"], "has no 'fr'\n  valid: en")]
)
def test_usage(invoke, tiny, words, says):
    shown = invoke("audit", *(word.format(tiny) for word in words))
    assert shown.exit_code == 2
    assert says in shown.stderr


def test_verifiers_who_cannot_be_believed_are_named_first_with_what_their_word_cost(invoke, tmp_path):
    """A verifier who says no to true labels drops scenes: the rows stay dropped, and the audit says so before anything else."""
    rows = [
        sealed(
            scenario(f"e{n}.up"),
            sighted("goal", "help", "no" if n < 9 else "clearly"),
            sighted("goal", "complain", "no"),
            *(sighted("power_form", value) for value in ("up", "down")),
            *(sighted("emotion", value, "clearly" if value == "grief" else "no") for value in ("grief", "anger")),
            blind("felt", "3"),
        )
        for n in range(12)
    ]
    built(tmp_path, {EN: rows})
    (tmp_path / "recipe.yaml").write_text("recipe: made\nlanguages: [en]\nquota: {records: 12}\n")
    shown = invoke("audit", tmp_path)
    assert shown.exit_code == 0, shown.output
    lines = [line.strip() for line in shown.stdout.splitlines()]
    assert lines[0] == "12 scenes attempted, 3 kept"
    doubt = "cannot be believed: they do not tell true labels from decoys;"
    assert lines[1] == f"verifiers of en x goal {doubt} 9 scenes dropped on their word"
    assert lines[2] == f"verifiers of en x power form {doubt} nothing dropped on their word"
    assert "gold: {verify: false}" in lines[3]
    found = json.loads(invoke("audit", tmp_path, "--json").stdout)["disbelieved"]
    (pointer,) = [line for line in invoke("status", tmp_path).stdout.splitlines() if "can be believed" in line]
    assert pointer == f"  whether verifiers can be believed: synth audit {tmp_path}"
    assert found == [
        {"language": "en", "field": "goal", "dropped": 9},
        {"language": "en", "field": "power_form", "dropped": 0},
    ]


def test_verifiers_who_can_be_believed_are_not_named(invoke, tmp_path):
    assert "cannot be believed" not in invoke("audit", build_of(tmp_path, 40)).stdout
    assert "can be believed" not in invoke("status", tmp_path).stdout
