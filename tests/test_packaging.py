"""What is shipped: one wheel with one import package, the content inside it, and pins that name no index."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
CONTENT = ("personas", "templates", "filters")


def run(*command: str | Path, cwd: Path) -> str:
    """Run a program that must succeed; give what it prints."""
    done = subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def content_files() -> set[str]:
    """Give the content files of the checkout, by their names on the shelves."""
    found = (path for folder in CONTENT for path in (ROOT / folder).rglob("*") if path.is_file())
    return {path.relative_to(ROOT).as_posix() for path in found if not path.name.startswith(".")}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


# -- the wheel


def test_the_wheel_has_one_top_level_package(names):
    assert {name.partition("/")[0] for name in names} == {"synth", "humane_synth-0.1.0.dist-info"}


def test_the_wheel_carries_every_content_file_and_nothing_beside_them(names):
    shipped = {name.removeprefix("synth/_data/") for name in names if name.startswith("synth/_data/")}
    assert shipped == content_files()
    assert {name.partition("/")[0] for name in shipped} == set(CONTENT)


def test_the_wheel_carries_every_module_its_types_and_its_licences(names):
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "synth").rglob("*.py")}
    assert modules | {"synth/py.typed"} <= names
    assert {name.rpartition("/")[2] for name in names if "/licenses/" in name} == {"LICENSE", "LICENSE-CONTENT"}


def test_check_wheel_contents_has_nothing_to_say(wheel):
    program = "from check_wheel_contents.__main__ import main; main()"
    assert ": OK" in run(sys.executable, "-c", program, wheel, cwd=wheel.parent)


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory) -> Path:
    """Give the interpreter of a fresh environment with the wheel, and this environment's libraries behind it."""
    home = tmp_path_factory.mktemp("fresh") / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", home, cwd=wheel.parent)
    found = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    run(
        sys.executable,
        "-m",
        "pip",
        "--python",
        found,
        "install",
        "-q",
        "--no-deps",
        "--no-index",
        wheel,
        cwd=wheel.parent,
    )
    libraries = run(found, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=wheel.parent).strip()
    (Path(libraries) / "behind.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return found


def test_an_installed_wheel_reads_its_own_content(python, tmp_path):
    program = (
        "import json, synth; from synth.content.shelves import FOLDERS, Shelves; shelves = Shelves(); "
        "files = [f for folder in FOLDERS for s in ('.yaml', '.md', '.jsonl', '.j2', '.html') for f in shelves.files(folder, s)]; "
        "print(json.dumps([synth.__file__, {f.name: [str(f.path), f.digest] for f in files}]))"
    )
    home, files = json.loads(run(python, "-I", "-c", program, cwd=tmp_path))
    environment = python.parents[1]
    assert Path(home).is_relative_to(environment)
    assert set(files) == content_files()
    assert all(Path(path).is_relative_to(environment) for path, _ in files.values())


def test_an_installed_wheel_knows_its_command_and_its_lanes(python, tmp_path):
    program = (
        "import json; from importlib.metadata import distribution; "
        "print(json.dumps([[e.group, e.name] for e in distribution('humane-synth').entry_points]))"
    )
    points = json.loads(run(python, "-I", "-c", program, cwd=tmp_path))
    assert ["console_scripts", "synth"] in points
    assert {name for group, name in points if group == "synth.models"} >= {"offline", "wire"}
    assert (python.parent / ("synth.exe" if os.name == "nt" else "synth")).exists()


# -- the pins


def pins(file: str) -> dict[str, Requirement]:
    """Give the pinned requirements of a file by name and marker, without hashes and comments."""
    text = re.sub(r"\\\n", " ", (ROOT / file).read_text(encoding="utf-8"))
    lines = [
        re.split(r"\s--hash|\s#", line)[0].strip() for line in text.splitlines() if not line.startswith((" ", "#"))
    ]
    found = [Requirement(line) for line in lines if line]
    return {f"{one.name};{one.marker}": one for one in found}


@pytest.mark.parametrize("file", ["constraints.txt", "requirements.lock"])
def test_pins_name_no_address(file):
    text = (ROOT / file).read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^\s*(-i|-f|--(extra-)?index-url|--find-links|--trusted-host)\b", text, re.MULTILINE)


@pytest.mark.parametrize("file", ["constraints.txt", "requirements.lock"])
def test_pins_are_exact(file):
    found = pins(file).values()
    assert len(found) > 50
    assert [str(one) for one in found if [s.operator for s in one.specifier] != ["=="] or one.extras] == []


def test_constraints_have_no_hashes_and_the_lock_has_nothing_without():
    assert "--hash" not in (ROOT / "constraints.txt").read_text(encoding="utf-8")
    text = re.sub(r"\\\n", " ", (ROOT / "requirements.lock").read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    assert all("--hash=sha256:" in line for line in lines)


def test_the_lock_agrees_with_the_constraints():
    constraints = {f"{one.name}{one.specifier}" for one in pins("constraints.txt").values()}
    lock = {f"{one.name}{one.specifier}" for one in pins("requirements.lock").values()}
    assert lock <= constraints


@pytest.mark.parametrize("file", ["constraints.txt", "requirements.lock"])
def test_pins_were_made_by_the_documented_command(file):
    command = (ROOT / file).read_text(encoding="utf-8").splitlines()[1].lstrip("# ")
    page = (ROOT / "docs/development.md").read_text(encoding="utf-8")
    assert command.endswith(f"-o {file}")
    assert command in page.replace("--upgrade ", "").splitlines()


def test_pins_cover_what_the_project_declares():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    runtime = {Requirement(text).name.replace(".", "-").lower() for text in project["dependencies"]}
    tests = {Requirement(text).name.replace(".", "-").lower() for text in project["optional-dependencies"]["test"]}
    assert runtime <= {one.name.lower() for one in pins("requirements.lock").values()}
    assert runtime | tests <= {one.name.lower() for one in pins("constraints.txt").values()}


# -- the version and the licences


def test_the_version_is_the_same_everywhere():
    import synth

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == synth.__version__
    assert re.search(
        rf"^## \[{re.escape(synth.__version__)}\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )


def test_the_licences_are_whole():
    code = (ROOT / "LICENSE").read_text(encoding="utf-8")
    content = (ROOT / "LICENSE-CONTENT").read_text(encoding="utf-8")
    assert "Apache License" in code
    assert "END OF TERMS AND CONDITIONS" in code
    assert "Section 1 -- Definitions." in content
    assert "Section 8 -- Interpretation." in content
