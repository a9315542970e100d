"""Opening suites, plug-ins, running stages, and what verdicts do."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest
from pydantic import BaseModel

from synth.content.shelves import Shelves
from synth.content.suites import read_suite
from synth.errors import ContentError, DamagedError, UsageError
from synth.filters.base import (
    Opened,
    OpenSuite,
    Parameters,
    SetSieve,
    Stage,
    admit,
    check_use,
    decide,
    filter,  # noqa: A004
    open_suite,
    run_stage,
)
from synth.records.labels import Action, ReplyKind
from synth.records.schema import Verdict


def suite_of(folder, filters):
    path = folder / "filters" / "suites" / "mine.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "suite: mine\nversion: 1\nfilters:\n" + textwrap.indent(textwrap.dedent(filters), "  "), encoding="utf-8"
    )
    return read_suite(Shelves([folder]), "mine")


def verdict(target, action, reason="x", target_id="r", advisory=False):
    return Verdict(target_id, target, "f", 1, action, None, reason, advisory)


def test_the_default_suite_opens_and_runs_its_stages(shelves, resources_of, make):
    suite = open_suite(read_suite(shelves, "default"))
    assert [f.name for f, _ in suite.at(Stage.SCENARIO)] == ["form", "language"]
    assert [f.name for f, _ in suite.at(Stage.REPLIES)] == ["form", "language"]
    assert all(isinstance(sieve, SetSieve) for sieve in suite.set_sieves(resources_of))
    candidate = make.candidate("", "They took the day back.", replies=[make.reply(""), make.reply("You had it.", "r2")])
    scene = run_stage(suite, Stage.SCENARIO, candidate, resources_of("en"))
    replies = run_stage(suite, Stage.REPLIES, candidate, resources_of("en"))
    assert [(v.target, v.filter, v.reason) for v in scene] == [("turn:0", "form", "empty")]
    assert [(v.target, v.target_id, v.reason) for v in replies] == [("reply", "r1", "empty")]
    assert run_stage(suite, Stage.RECORD, candidate, resources_of("en")) == []


@pytest.mark.parametrize(
    ("filters", "says"),
    [
        ("- {filter: langauge, evidence: e}", ["mine.yaml:4", "did you mean 'language'"]),
        (
            "- {filter: duplicates, parameters: {treshold: 0.6}, evidence: e}",
            ["mine.yaml:4", "did you mean 'threshold'"],
        ),
        ("- {filter: duplicates, parameters: {threshold: 6}, evidence: e}", ["mine.yaml:4", "threshold"]),
        ("- {filter: 'no-such-dist:rude', evidence: e}", ["not installed"]),
        ("- {filter: 'pytest:rude', evidence: e}", ["offers no filter 'rude'"]),
    ],
)
def test_faults_of_a_suite_are_told_with_their_place(tmp_path, filters, says):
    suite = suite_of(tmp_path, filters)
    for check in (open_suite, lambda suite: check_use(suite, 0, suite.uses[0])):
        with pytest.raises(ContentError) as fault:
            check(suite)
        assert all(part in str(fault.value) for part in says)


def test_the_digest_of_an_opened_suite_knows_defaults_but_not_order_of_keys(tmp_path):
    one = suite_of(tmp_path / "a", "- {filter: duplicates, parameters: {threshold: 0.6, bucket_cap: 200}, evidence: e}")
    two = suite_of(tmp_path / "b", "- {filter: duplicates, parameters: {bucket_cap: 200, threshold: 0.6}, evidence: e}")
    other = suite_of(
        tmp_path / "c", "- {filter: duplicates, parameters: {bucket_cap: 200, threshold: 0.7}, evidence: e}"
    )
    digests = [open_suite(suite).digest_of(["en"]) for suite in (one, two, other)]
    assert digests[0] == digests[1] != digests[2]


PLUG_IN = """
from pydantic import BaseModel, ConfigDict
from synth.filters.base import Parameters, Stage, filter
from synth.records.labels import Action

class Rude(Parameters):
    word: str

@filter(name="acme-sieves:{name}", stage=Stage.{stage}, needs="{needs}", parameters=Rude, api={api})
def rude(candidate, resources, parameters):
    if parameters.word in candidate.scenario.turns[0].text:
        yield rude.verdict("turn:0", candidate.scenario.scenario_id, Action.HOLD, "rude")
"""


@pytest.fixture
def plug_in(tmp_path, monkeypatch):
    def install(module, **given):
        info = tmp_path / "site" / "acme_sieves-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-sieves\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[synth.filters]\nrude = {module}:rude\n")
        (tmp_path / "site" / f"{module}.py").write_text(
            PLUG_IN.format(**{"name": "rude", "stage": "SCENARIO", "needs": "none", "api": 1, **given})
        )
        monkeypatch.syspath_prepend(tmp_path / "site")
        return suite_of(tmp_path, "- {filter: 'acme-sieves:rude', parameters: {word: damn}, evidence: e}")

    return install


def test_a_plug_in_is_loaded_when_a_suite_names_it(plug_in, make, resources_of):
    suite = open_suite(plug_in("acme_rude_one"))
    found = run_stage(suite, Stage.SCENARIO, make.candidate("damn it"), resources_of("en"))
    assert [(v.filter, v.action, v.reason) for v in found] == [("acme-sieves:rude", Action.HOLD, "rude")]
    assert decide(found).held


@pytest.mark.parametrize(
    ("module", "given", "says"),
    [
        ("acme_rude_two", {"api": 2}, "states filter API 2"),
        ("acme_rude_three", {"api": None}, "states filter API None"),
        ("acme_rude_four", {"name": "form"}, "calls itself"),
    ],
)
def test_a_plug_in_of_another_contract_is_refused(plug_in, module, given, says):
    with pytest.raises(ContentError, match=says):
        open_suite(plug_in(module, **given))


@pytest.mark.parametrize(
    ("module", "given", "says"),
    [
        ("acme_rude_five", {"stage": "GOLD"}, "filters at stage gold are not run by this version yet"),
        ("acme_rude_six", {"needs": "ask"}, "filters that ask models are not run by this version yet"),
    ],
)
def test_a_filter_that_would_never_run_is_refused(plug_in, module, given, says):
    suite = plug_in(module, **given)
    with pytest.raises(ContentError, match=f"mine.yaml:4.*{says}"):
        open_suite(suite)


# -- what a filter may say


def suite_with(shelves, judge, stage=Stage.RECORD):
    """Give an opened suite of one filter that says what `judge` gives."""
    one = filter(name="word", version=3, stage=stage)(judge)
    return OpenSuite(read_suite(shelves, "default"), (Opened((one,), Parameters()),))


def say(target="record", target_id="0" * 16 + ".up", name="word", version=3):
    return Verdict(target_id, target, name, version, Action.DROP, None, "x", advisory=False)


@pytest.fixture
def answered(make):
    return make.candidate("You took it.", "I did.", replies=[make.reply("It was yours.", "r1")])


@pytest.mark.parametrize(
    "given",
    [say(), say("scenario"), say("turn:0"), say("turn:1"), say("reply", "r1")],
    ids=lambda verdict: verdict.target,
)
def test_a_filter_speaks_of_its_record_and_of_its_replies(shelves, resources_of, answered, given):
    suite = suite_with(shelves, lambda *_: [given])
    assert run_stage(suite, Stage.RECORD, answered, resources_of("en")) == [given]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (say(target_id="1" * 16 + ".up"), "'1111111111111111.up' is not the id of the scenario"),
        (say("reply"), "'0000000000000000.up' is no reply of it"),
        (say("reply", "r2"), "'r2' is no reply of it"),
        (say("turn:0", "r1"), "'r1' is not the id of the scenario"),
        (say("turn:2"), "there is no target 'turn:2'"),
        (say("turn:x"), "there is no target 'turn:x'"),
        (say("text"), "there is no target 'text'"),
        (say(name="form"), "in the name of form (version 3)"),
        (say(version=1), "in the name of word (version 1)"),
        ("drop", "gave str, not a Verdict"),
    ],
)
def test_a_word_about_anything_else_is_an_error_that_names_filter_and_record(
    shelves, resources_of, answered, given, says
):
    suite = suite_with(shelves, lambda *_: [given])
    with pytest.raises(UsageError) as caught:
        run_stage(suite, Stage.RECORD, answered, resources_of("en"))
    assert caught.value.exit_code == 2
    assert caught.value.message.startswith("filter word (version 3) at record 0000000000000000.up: ")
    assert says in caught.value.message


def test_a_filter_that_raises_is_named_with_its_record(shelves, resources_of, answered):
    def judge(*_):
        yield say()
        raise KeyError("colour")

    with pytest.raises(
        UsageError, match=r"filter word \(version 3\) failed at record 0+\.up: KeyError: 'colour'"
    ) as caught:
        run_stage(suite_with(shelves, judge), Stage.RECORD, answered, resources_of("en"))
    assert isinstance(caught.value.__cause__, KeyError)
    forgot = suite_with(shelves, lambda *_: None)
    with pytest.raises(UsageError, match="TypeError"):
        run_stage(forgot, Stage.RECORD, answered, resources_of("en"))


def test_what_synth_itself_raises_goes_through(shelves, resources_of, answered):
    def judge(*_):
        raise DamagedError("signatures of another version")

    with pytest.raises(DamagedError, match="another version"):
        run_stage(suite_with(shelves, judge), Stage.RECORD, answered, resources_of("en"))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (lambda _: [say(target_id="2" * 16 + ".up")], "at record one of 2 records: '2222222222222222.up'"),
        (lambda _: 1 / 0, "failed at records 0000000000000000.up to 1111111111111111.up: ZeroDivisionError"),
    ],
)
def test_a_set_sieve_is_held_to_the_same(make, given, says):
    class Sieve:
        admit = staticmethod(given)

    one = filter(name="word", version=3, stage=Stage.SET)(lambda *_: Sieve())
    batch = [make.candidate("a"), make.candidate("b", event="1" * 16)]
    with pytest.raises(UsageError) as caught:
        admit(one, Sieve(), batch)
    assert says in caught.value.message


def test_a_parameter_model_must_forbid_extras():
    class Loose(BaseModel):
        word: str = ""

    with pytest.raises(TypeError, match="forbid extra keys"):
        filter(name="loose", stage=Stage.SCENARIO, parameters=Loose)(lambda *_: [])


@pytest.mark.parametrize(
    ("verdicts", "dropped", "held"),
    [
        ([], False, False),
        ([verdict("turn:0", Action.NOTE)], False, False),
        ([verdict("record", Action.HOLD)], False, True),
        ([verdict("turn:2", Action.DROP)], True, False),
        ([verdict("scenario", Action.DROP, advisory=True)], False, False),
        ([verdict("reply", Action.DROP)], False, False),
    ],
)
def test_what_verdicts_do(verdicts, dropped, held):
    decision = decide(verdicts)
    assert (decision.dropped, decision.held) == (dropped, held)


def test_a_dropped_reply_leaves_the_record_while_a_faithful_one_and_a_failure_remain(make):
    replies = [
        make.reply("a", "r1"),
        make.reply("b", "r2", ReplyKind.FAILURE),
        make.reply("c", "r3", ReplyKind.FAILURE),
    ]
    one = decide([verdict("reply", Action.DROP, target_id="r2")], replies)
    assert not one.dropped
    assert one.dropped_replies == {"r2"}
    both = decide([verdict("reply", Action.DROP, target_id=i) for i in ("r2", "r3")], replies)
    assert both.dropped
    assert both.reasons == ("too_few_replies",)
    assert decide([verdict("reply", Action.DROP, target_id="r1")], replies).dropped


def test_opening_the_contract_loads_no_detector():
    code = (
        "import sys; import synth.filters, synth.filters.base, synth.filters.form, synth.filters.language;"
        "print(sorted(m for m in ('py3langid', 'langdetect', 'pyarrow') if m in sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
