"""What the command line says of a build folder: status, inspect, verify, close, ledger."""

from __future__ import annotations

import json
import shutil

import pytest
import regex

import synth as library


@pytest.fixture
def copy(tiny, tmp_path):
    """A copy of the tiny build that a test may damage."""
    return shutil.copytree(tiny, tmp_path / "copy")


def test_status_says_that_it_is_complete(invoke, tiny):
    shown = invoke("status", tiny).stdout
    assert shown.startswith("tiny: complete\n")
    assert "2 partitions sealed" in shown
    value = json.loads(invoke("status", tiny, "--json").stdout)
    assert (value["complete"], value["sealed"], value["open"], value["undecided"]) == (True, 2, [], 0)
    (row,) = value["languages"]
    assert row["replies"] == sum(number for kind, number in value["kept"].items() if kind != "scenario")


def test_status_of_a_build_that_was_killed_says_what_is_open_and_undecided(invoke, copy):
    for name in ("select.parquet", "manifest.json"):
        (copy / name).unlink()
    shutil.rmtree(copy / "parts" / "p-en-r0001-b00001")
    shown = invoke("status", copy).stdout
    assert "not complete" in shown
    assert "1 partition sealed, 1 open" in shown
    assert f"12 sealed scenarios wait for a decision: synth close {copy}" in shown
    assert invoke("inspect", copy).exit_code == 74


def test_close_writes_anew_what_was_lost(invoke, copy):
    before = (copy / "select.parquet").read_bytes()
    (copy / "select.parquet").unlink()
    assert invoke("close", copy).exit_code == 0
    assert (copy / "select.parquet").read_bytes() == before
    assert library.load(copy).complete
    assert invoke("verify", copy).exit_code == 0


def test_close_without_the_manifest_leaves_completeness_to_the_next_build(invoke, copy, tiny_recipe):
    (copy / "manifest.json").unlink()
    assert invoke("close", copy).exit_code == 0
    assert not library.load(copy).complete
    assert invoke("build", tiny_recipe, "-o", copy).exit_code == 0
    assert library.load(copy).complete


def test_verify_counts_what_is_sound(invoke, tiny):
    answer = invoke("verify", tiny)
    assert answer.exit_code == 0
    replies = sum(len(record.replies) for record in library.load(tiny).records(kept=False))
    assert answer.stdout == f"sound: {len(list_durable(tiny))} files, {24 + replies} rows\n"


def list_durable(folder):
    from synth.records.manifest import MANIFEST, durable_files

    return {name for name in durable_files(folder) if name != MANIFEST and not name.startswith("runs/")}


def test_verify_finds_one_flipped_bit(invoke, copy):
    victim = copy / "parts" / "p-en-r0001-b00000" / "replies.parquet"
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.write_bytes(data)
    answer = invoke("verify", copy)
    assert answer.exit_code == 1
    assert "parts/p-en-r0001-b00000/replies.parquet: the file is not the one that was written" in answer.stdout
    assert "delete the folder of this part" in answer.stdout
    assert answer.stderr == f"error: 1 fault in {copy}\n"


def test_inspect_lists_records_and_shows_one(invoke, tiny):
    listed = invoke("inspect", tiny, "-n", 3).stdout
    ids = regex.findall(r"^[0-9a-f]{16}\.\w+", listed, regex.MULTILINE)
    assert len(ids) == 3
    record = next(r for r in library.load(tiny).records() if r.scenario.scenario_id == ids[0])
    shown = invoke("inspect", tiny, ids[0]).stdout
    assert shown == invoke("inspect", tiny, ids[0][:-1]).stdout, "a beginning that only one id has is enough"
    scenario = record.scenario
    names = {person.pid: person.name for person in scenario.participants}
    assert f"{names['S']} (" in shown
    assert f"speaks to {names['A']} (" in shown
    lines = shown.splitlines()
    for text in (scenario.setting, scenario.turns[-1].text, *(r.text for r in record.replies if r.kind != "failure")):
        assert text in lines
    for reply in record.replies:
        for edit in reply.edits:
            assert reply.text[edit.new_start : edit.new_end] in lines
    for fact in scenario.facts:
        for span in fact.spans:
            assert scenario.turns[span.turn].text[span.start : span.end] in lines


def test_inspect_says_which_ids_begin_so_and_which_do_not(invoke, tiny):
    many = invoke("inspect", tiny, "")
    assert many.exit_code == 2
    assert "24 ids begin with ''" in many.stderr
    none = invoke("inspect", tiny, "zz")
    assert none.exit_code == 2
    assert "no record has the id 'zz'" in none.stderr
    assert "valid: en" in invoke("inspect", tiny, "--language", "ja").stderr


def test_text_of_any_script_stands_whole_on_a_line_of_its_own(invoke, tmp_path):
    folder = tmp_path / "two"
    recipe = tmp_path / "two.yaml"
    recipe.write_text("languages: [ar, ja]\nfamilies: [file_lost_again]\nquota: {records: 6}\n")
    assert invoke("build", recipe, "-o", folder, "--workers", 1).exit_code == 0
    for record in library.load(folder).records():
        lines = invoke("inspect", folder, record.scenario.scenario_id).stdout.splitlines()
        assert record.scenario.turns[-1].text in lines
        assert all(reply.text in lines for reply in record.replies if reply.kind != "failure")
    shown = invoke("inspect", folder, "--language", "ar").stdout
    assert "  ar  " in shown
    assert "  ja  " not in shown


def test_colour_only_on_a_terminal_and_not_with_no_color(tiny, monkeypatch):
    from rich.console import Console

    from synth.cli.record import marked

    record = next(r for r in library.load(tiny).records() if any(fact.spans for fact in r.scenario.facts))
    text = marked(record.scenario, record.scenario.turns[0], 0)
    assert text.plain == record.scenario.turns[0].text
    import io

    monkeypatch.delenv("NO_COLOR", raising=False)
    shown = {}
    for name, value in (("colour", None), ("none", "1")):
        if value:
            monkeypatch.setenv("NO_COLOR", value)
        sink = io.StringIO()
        Console(file=sink, force_terminal=True, color_system="standard").print(text, soft_wrap=True)
        shown[name] = sink.getvalue()
    assert "\x1b[4;36m" in shown["colour"]
    assert "36m" not in shown["none"]


def test_an_excerpt_is_cut_between_the_characters_that_people_see():
    from synth.cli.record import excerpt

    assert excerpt("short") == "short"
    family = "👩‍👩‍👧"
    assert excerpt(family * 5, 3) == family * 3 + "…"
    assert excerpt("e\u0301" * 4, 2) == "e\u0301" * 2 + "…"


def test_the_ledger_of_the_embedded_model_is_empty(invoke, tiny):
    assert invoke("ledger", tiny, "stats").stdout.startswith("0 answers")
    assert invoke("ledger", tiny, "prune").exit_code == 2
