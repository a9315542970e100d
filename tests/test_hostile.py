"""Sixty hostile inputs through the real command line: each ends in a clear error with the right exit code, and leaves nothing partial."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from synth.cli import cli
from synth.content.shelves import Shelves

BASE = "languages: [en]\nfamilies: [burial_day_taken_back]\n"
SMALL = BASE + "quota: {records: 12}\n"
BOMB = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10))]
)


@dataclass(frozen=True)
class Case:
    """A recipe (and files beside it), what the error must say, and its exit code."""

    recipe: str
    says: str
    code: int = 2
    files: dict[str, str] = field(default_factory=dict)


def phrasing(change: Callable[[str], str]) -> dict[str, str]:
    """An overlay that replaces a phrasing file by a changed one."""
    name = "templates/phrasings/en/burial_day_taken_back.yaml"
    return {f"over/{name}": change(Shelves().file(name).text())}


def over(*overrides: str) -> str:
    listed = f"overrides: [{', '.join(overrides)}]\n" if overrides else ""
    return SMALL + "overlays: [over]\n" + listed


PHRASING = over("templates/phrasings/en/burial_day_taken_back.yaml")
PROMPT = "---\nprogram: write\nversion: 1\nrole: writer\ninputs: []\noutput: scene/1\nchanged: x\n---\n"
WRITE = over("templates/prompts/write.md")
DUBLIN = Shelves().file("personas/cultures/en-IE-dublin.yaml").text()

RECIPES = {
    # YAML
    "not YAML": Case("languages: [en\nquota: 3\n", r"r.yaml:\d+:\d+: not YAML"),
    "a tab": Case("languages:\n\t- en\n", r"r.yaml:2:1"),
    "a duplicate key": Case(SMALL + "seed: 1\nseed: 2\n", r"r.yaml:5:1: .*duplicate key"),
    "an alias bomb": Case(BOMB, "more than 32 aliases"),
    "a python tag": Case("languages: !!python/name:os.system\n", r"r.yaml:1"),
    "a NUL": Case(SMALL + "recipe: a\x00b\n", r"r.yaml:4:1: holds a NUL"),
    "deep nesting": Case("a: " + "[" * 3000 + "]" * 3000, "nested more than 32 deep"),
    "an empty file": Case("", "a recipe is a map"),
    "a list": Case("- en\n- es\n", "a recipe is a map"),
    "a bare word": Case("en\n", "a recipe is a map"),
    "two documents": Case(SMALL + "---\n" + SMALL, "r.yaml"),
    "not a number": Case(SMALL + "seed: .nan\n", "not finite"),
    # recipe values
    "an unknown key": Case(SMALL + "qouta: {records: 3}\n", r"unknown key 'qouta'\n  did you mean 'quota'"),
    "a missing quota": Case("languages: [en]\n", "quota is missing"),
    "no languages": Case("languages: []\nquota: {records: 3}\n", "languages"),
    "an unknown language": Case(
        "languages: [xx]\nquota: {records: 3}\n", "no phrasings in 'xx'|no family has phrasings"
    ),
    "a language that nobody wrote": Case(
        "languages: [fi]\nfamilies: [burial_day_taken_back]\nquota: {records: 3}\n", "no phrasings in 'fi'"
    ),
    "a language twice": Case("languages: [en, en]\nquota: {records: 3}\n", "listed twice"),
    "an unknown family": Case(
        "languages: [en]\nfamilies: [burial_day]\nquota: {records: 3}\n",
        r"there is no 'burial_day'\n  did you mean 'burial_day_taken_back'",
    ),
    "an unknown profile": Case(SMALL + "profiles: [en-IE-dubling]\n", "did you mean 'en-IE-dublin'"),
    "a profile that the writer cannot speak": Case(
        "languages: [ar]\nprofiles: [ar-JO-amman]\nquota: {records: 3}\n", "no ar-JO phrasings"
    ),
    "a profile of another language": Case(SMALL + "profiles: [ja-JP-osaka]\n", "none of en is left"),
    "a quota of nothing": Case(BASE + "quota: {records: 0}\n", "greater than or equal to 1"),
    "a negative quota": Case(BASE + "quota: {records: -5}\n", "quota.records"),
    "a quota of words": Case(BASE + "quota: {records: many}\n", "quota.records"),
    "an impossible quota": Case(BASE + "quota: {records: 99999999999}\n", "less than or equal to 100000000"),
    "a negative seed": Case(SMALL + "seed: -1\n", "seed"),
    "a factor that is none": Case(SMALL + "cross: [language, colour]\n", r"did you mean|valid:"),
    "a cross without language": Case(SMALL + "cross: [family]\n", "cross names language"),
    "a form that is none": Case(SMALL + "forms: [sideways]\n", "valid: "),
    "forms that no family has": Case(SMALL + "forms: [split]\n", "no stratum that the content can fill"),
    "a model that is no name": Case(SMALL + "models: {writer: gpt}\n", "models.writer"),
    "a URL for a model": Case(SMALL + "models: {writer: 'https://evil.example/v1'}\n", "models.writer"),
    "an endpoint that is not set": Case(SMALL + "models: {writer: mine/llama}\n", r"endpoint 'mine', which is not set"),
    "a key in a recipe": Case(SMALL + "api_key: sk-1234567890abcdef\n", "unknown key 'api_key'"),
    "a split for two": Case(SMALL + "splits: {test: [a], validation: [a]}\n", "held out for validation and for test"),
    "a suite that is none": Case(SMALL + "suite: defalt\n", "did you mean 'default.yaml'"),
    "no tries": Case(SMALL + "tries: 0\n", "tries"),
    "a recipe name with a path": Case(SMALL + "recipe: ../../etc/passwd\n", "recipe"),
    # overlays and paths
    "an overlay that leads out": Case(SMALL + "overlays: [../other]\n", "leads out of"),
    "an absolute overlay": Case(SMALL + "overlays: [/etc]\n", "leads out of"),
    "an overlay that is not there": Case(SMALL + "overlays: [nothing]\n", "no such overlay folder"),
    "an overlay with Python": Case(over(), "an overlay holds content only", files={"over/filters/x.py": "print(1)"}),
    "an overlay that replaces in silence": Case(
        over(), "would replace the built-in", files={"over/templates/prompts/write.md": PROMPT}
    ),
    "an override that nobody holds": Case(
        over("templates/prompts/write.md"), "no overlay holds", files={"over/x/y.md": "x"}
    ),
    # content
    "a phrasing whose marks nest": Case(
        PHRASING,
        r"burial_day_taken_back.yaml:\d+:\d+: marks do not nest",
        files=phrasing(lambda text: text.replace("[undo|", "[undo|x [undo|", 1)),
    ),
    "a phrasing of another family": Case(
        PHRASING,
        "lies elsewhere",
        files=phrasing(lambda t: t.replace("family: burial_day_taken_back", "family: told_to_be_over_it", 1)),
    ),
    "a phrasing with an unknown key": Case(
        PHRASING, "unknown key 'wolds'", files=phrasing(lambda t: t.replace("\nworlds:", "\nwolds:", 1))
    ),
    "a translated phrasing": Case(
        PHRASING, "origin", files=phrasing(lambda t: t.replace("origin: authored", "origin: translated", 1))
    ),
    "a failure that is none": Case(
        PHRASING, "names no mechanism", files=phrasing(lambda t: t.replace("\n  avoidance:", "\n  avoidanse:", 1))
    ),
    "a template that calls": Case(
        WRITE,
        r"write.md:\d+:1: Call is not allowed",
        files={"over/templates/prompts/write.md": PROMPT + "{{ self() }}"},
    ),
    "a template that reaches": Case(
        WRITE, "not allowed in a template", files={"over/templates/prompts/write.md": PROMPT + "{{ x.__class__ }}"}
    ),
    "a template that computes for ever": Case(
        WRITE, "not allowed in a template", files={"over/templates/prompts/write.md": PROMPT + "{{ 9**9**9**9 }}"}
    ),
    "a prompt without front matter": Case(
        WRITE, "begins with front matter", files={"over/templates/prompts/write.md": "hello"}
    ),
    "a profile of an unknown locale system": Case(
        over(),
        "address.system",
        files={
            "over/personas/cultures/en-IE-cork.yaml": DUBLIN.replace(
                "profile: en-IE-dublin", "profile: en-IE-cork"
            ).replace("system: none", "system: klingon")
        },
    ),
    "a profile under a false name": Case(
        over(), "says it is en-IE-dublin, but lies elsewhere", files={"over/personas/cultures/en-IE-cork.yaml": DUBLIN}
    ),
    "a suite with a filter that is none": Case(
        SMALL + "suite: mine\noverlays: [over]\n",
        "there is no filter 'fom'",
        files={
            "over/filters/suites/mine.yaml": "suite: mine\nversion: 1\nfilters: [{filter: fom, parameters: {}, evidence: x}]\n"
        },
    ),
    "a suite with a parameter that is none": Case(
        SMALL + "suite: mine\noverlays: [over]\n",
        "has no parameter 'treshold'",
        files={
            "over/filters/suites/mine.yaml": "suite: mine\nversion: 1\nfilters: [{filter: duplicates, parameters: {treshold: 0.6}, evidence: x}]\n"
        },
    ),
    "a plug-in that is not installed": Case(
        SMALL + "suite: mine\noverlays: [over]\n",
        "is not installed",
        files={
            "over/filters/suites/mine.yaml": "suite: mine\nversion: 1\nfilters: [{filter: 'evil-dist:steal', parameters: {}, evidence: x}]\n"
        },
    ),
}


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


def said(result: Result) -> str:
    text = result.output + (result.stderr if result.stderr not in result.output else "")
    assert "Traceback" not in text
    return text


def lay(folder: Path, case: Case) -> Path:
    for name, text in case.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    recipe = folder / "r.yaml"
    recipe.write_text(case.recipe, encoding="utf-8")
    return recipe


@pytest.mark.parametrize("name", RECIPES)
def test_a_hostile_recipe_ends_in_a_clear_error(name: str, tmp_path: Path) -> None:
    case = RECIPES[name]
    result = run("build", lay(tmp_path, case), "-o", tmp_path / "out", "--workers", "1")
    assert result.exit_code == case.code, result.output
    import re

    assert re.search(case.says, said(result)), said(result)
    assert "sk-1234567890abcdef" not in said(result)
    assert not list((tmp_path / "out").rglob("*.parquet")) if (tmp_path / "out").exists() else True


def test_there_are_sixty() -> None:
    assert len(RECIPES) + 11 >= 60  # the folders and disks below are eleven more


# -- folders, paths and disks


def test_a_recipe_that_is_not_there(tmp_path: Path) -> None:
    result = run("build", tmp_path / "none.yaml")
    assert result.exit_code == 2
    assert "quickstart" in said(result)


def test_a_recipe_that_is_no_utf8(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_bytes(b"languages: [en]\n\xff\xfe")
    result = run("build", tmp_path / "r.yaml")
    assert result.exit_code == 2
    assert "not UTF-8" in said(result)


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    result = run("build", lay(tmp_path, Case(SMALL, "")), "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert "is no folder" in said(result)
    assert (tmp_path / "out").read_text() == "mine"


def test_a_folder_of_somebody_elses_files(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.doc").write_text("mine")
    result = run("build", lay(tmp_path, Case(SMALL, "")), "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert "thesis.doc" in said(result)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.doc"]


@pytest.mark.parametrize("name", ["[a-b]", "a b'c", "日本 [1]", "100%", "x#y?z"])
def test_brackets_and_letters_in_a_folders_name_work(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name / "out"
    result = run("build", lay(tmp_path, Case(SMALL, "")), "-o", folder, "--workers", "1")
    assert result.exit_code == 0, said(result)
    assert run("verify", folder).exit_code == 0
    import synth

    assert len(synth.load(folder).dataset()["train"]) == 12


def test_a_folder_that_another_user_owns(tmp_path: Path) -> None:
    """Somebody else's folder, without the right to write there."""
    out = tmp_path / "theirs"
    out.mkdir(mode=0o755)
    recipe = lay(tmp_path, Case(SMALL, ""))
    command = [sys.executable, "-m", "synth", "build", str(recipe), "-o", str(out / "build"), "--workers", "1"]
    if os.geteuid() == 0:
        # root without the right to pass over permissions is a user like any other
        setpriv = shutil.which("setpriv")
        assert setpriv, "util-linux is missing"
        os.chown(out, 65534, 65534)
        command = [setpriv, "--bounding-set=-dac_override,-dac_read_search,-fowner", *command]
    else:
        out.chmod(0o555)
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1])
    assert done.returncode == 74, done.stderr
    assert "cannot be used: Permission denied" in done.stderr
    assert list(out.iterdir()) == []


def test_a_full_disk(tmp_path: Path) -> None:
    """A 700 kB disk of its own, in a mount namespace of its own."""
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-rm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no mount namespaces here")
    disk = tmp_path / "disk"
    disk.mkdir()
    recipe = lay(tmp_path, Case("languages: [en, es]\nquota: {records: 288}\npartition: 48\n", ""))
    keep = tmp_path / "kept"
    script = (
        f"mount -t tmpfs -o size=300k none {disk} && {sys.executable} -m synth build {recipe} -o {disk}/out --workers 1; code=$?; "
        f"cp -r {disk}/out {keep}; exit $code"
    )
    done = subprocess.run(
        [unshare, "-rm", "sh", "-c", script], capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1]
    )
    assert done.returncode == 74, done.stderr
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    from synth.records.parts import commits, read_table
    from synth.records.schema import Scenario

    for commit in commits(keep):
        assert read_table(keep, commit.partition, "scenarios", Scenario).num_rows == commit.files["scenarios"].rows
    shutil.rmtree(keep / "ledger", ignore_errors=True)
    again = run("build", recipe, "-o", keep, "--workers", "1")
    assert again.exit_code == 0, said(again)
    assert run("verify", keep).exit_code == 0


def test_a_lock_that_is_held(tmp_path: Path) -> None:
    from synth.building.folder import locked

    recipe = lay(tmp_path, Case(SMALL, ""))
    with locked(tmp_path / "out"):
        result = run("build", recipe, "-o", tmp_path / "out")
    assert result.exit_code == 75
    assert "another process works in" in said(result)


def test_commands_on_what_is_no_build(tmp_path: Path) -> None:
    for words in (("inspect",), ("status",), ("close",), ("verify",)):
        result = run(*words, tmp_path / "nothing")
        assert result.exit_code in (1, 2), (words, result.output)
        assert said(result).strip()


def test_a_word_that_is_no_command() -> None:
    result = run("bild", "quickstart")
    assert result.exit_code == 2
    assert "did you mean 'build'" in said(result)
