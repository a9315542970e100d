"""The rules of the house that neither ruff, mypy nor a reader would hold: floors, doors, bands, and no words in Python."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "synth").rglob("*.py"))
CONTENT = ("personas", "templates", "filters")
HEAVY = frozenset(
    {"aiohttp", "datasets", "dspy", "filelock", "json_repair", "langdetect", "litellm"}
    | {"openai", "pandas", "py3langid", "ray", "tenacity", "xllamacpp"}
)
ON_HELP = HEAVY | {"numpy", "pyarrow", "pydantic_core"}
"""What `synth --help` and `import synth` do not wait for."""
LONGEST = 400

named = pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.relative_to(ROOT).as_posix())


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run lint-imports as a person does, in the folder of a checkout."""
    program = "from importlinter.cli import lint_imports_command as run; run()"
    command = [sys.executable, "-c", program, "--no-cache"]
    environment = os.environ | {"PYTHONPATH": str(folder), "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, encoding="utf-8", check=False)


def contracts() -> list[dict[str, Any]]:
    """Give the import contracts of pyproject.toml."""
    found: list[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
    return found


# -- floors and doors


def test_every_import_contract_is_kept():
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout
    assert f"{len(contracts())} kept, 0 broken" in done.stdout


def test_every_import_contract_can_be_broken(tmp_path):
    """A contract that no import can break says nothing: in a copy, each door is opened in two wrong places, inside functions."""
    shutil.copytree(ROOT / "synth", tmp_path / "synth", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    doors = [contract["forbidden_modules"][0] for contract in contracts() if contract["type"] == "forbidden"]
    opened = "".join(f"def open_{door}():\n    from {door} import anything\n" for door in doors)
    (tmp_path / "synth/programs/planted.py").write_text(opened)
    (tmp_path / "synth/models/planted.py").write_text(opened)
    (tmp_path / "synth/content/planted.py").write_text("def climb():\n    from synth.models import base\n")
    done = lint_imports(tmp_path)
    assert done.returncode == 1, done.stdout
    assert f"0 kept, {len(contracts())} broken" in done.stdout
    for door in doors:
        assert f"synth.programs.planted -> {door} " in done.stdout
        assert f"synth.models.planted -> {door} " in done.stdout
    assert "synth.content.planted -> synth.models.base" in done.stdout


def test_a_new_room_must_be_given_its_floor(tmp_path):
    shutil.copytree(ROOT / "synth", tmp_path / "synth", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "synth/helpers.py").write_text("")
    done = lint_imports(tmp_path)
    assert done.returncode == 1
    assert "helpers" in done.stdout


def eager_imports(tree: ast.Module) -> Iterator[str]:
    """Give the top names of the modules that are imported when the module is: not in functions, not for type checkers."""
    pending: list[ast.AST] = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            pending.extend(node.orelse)
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        if isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module.partition(".")[0]
        pending.extend(ast.iter_child_nodes(node))


@named
def test_heavy_libraries_are_imported_inside_functions(path):
    assert HEAVY.isdisjoint(eager_imports(ast.parse(path.read_text(encoding="utf-8"))))


@pytest.mark.parametrize("module", ["synth", "synth.cli"])
def test_a_fresh_interpreter_imports_nothing_heavy(module):
    program = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert module in loaded
    assert ON_HELP.isdisjoint(loaded)


def test_the_filters_package_imports_nothing():
    tree = ast.parse((ROOT / "synth/filters/__init__.py").read_text(encoding="utf-8"))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]


# -- bands and docstrings


@named
def test_no_file_is_too_long(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST


def public_functions(body: list[ast.stmt]) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Give the functions and methods that other modules may call; of an overloaded one, what runs."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node.body)
        elif (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and not node.name.startswith("_")
            and not only_typed(node)
        ):
            yield node


def only_typed(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Say whether a function stands there for type checkers only."""
    return any(ast.unparse(one).rpartition(".")[2] == "overload" for one in function.decorator_list)


@named
def test_every_public_function_says_in_one_line_what_it_gives(path):
    functions = public_functions(ast.parse(path.read_text(encoding="utf-8")).body)
    silent = [one.name for one in functions if not (ast.get_docstring(one) or "").partition("\n")[0].strip()]
    assert not silent


# -- words


PROMPT = re.compile(
    r"\b(You are (a|an|the)\b|Your (task|job|role) is|Please |Respond (with|in|only)|(Answer|Reply) (with|in|only) |"
    r"Write (a|an|the|one|as) |Do not (say|mention|name|use) |Imagine |Act as )"
)
SENTENCES = re.compile(r"[a-z][.!?] +[A-Z][a-z]")
PHRASE = re.compile(r"[^\W\d_]*[^\x00-\x7f\W\d_][^\W\d_]*[ ,.!?\u3001\u3002]+[^\W\d_]+")


def texts(tree: ast.Module) -> Iterator[str]:
    """Give the string literals that are no docstrings and stand in no statement of their own, f-strings as one text."""
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone | parts:
            yield node.value


def worded(text: str) -> bool:
    """Say whether a literal reads like a prompt or a phrase: such words belong into the content folders."""
    long = len(text.split()) >= 20 and bool(SENTENCES.search(text))
    return long or bool(PROMPT.search(text)) or bool(PHRASE.search(text))


@pytest.mark.parametrize(
    "path", [path for path in SOURCES if path.parent.name != "cli"], ids=lambda p: p.relative_to(ROOT).as_posix()
)
def test_no_prompt_and_no_phrase_stands_in_python(path):
    """The command line is left out: it speaks to the person who runs it, never to a model or in a row."""
    found = [text for text in texts(ast.parse(path.read_text(encoding="utf-8"))) if worded(text)]
    assert not found


@pytest.mark.parametrize(
    "text",
    [
        "You are a careful writer.",
        f"Answer with {'JSON'} only",
        "The speaker told a friend what had happened at work. Give back the one feeling that the speaker shows the most there.",
        "Lo siento mucho, de verdad, señora López",
        "お疲れさま。ありがとう",
    ],
)
def test_the_look_for_words_finds_them(text):
    assert worded(text)


# -- content folders


@pytest.mark.parametrize("folder", CONTENT)
def test_content_folders_hold_no_python(folder):
    files = [path for path in (ROOT / folder).rglob("*") if path.is_file() and not path.name.startswith(".")]
    assert files
    assert {path.suffix for path in files} <= {".yaml", ".md", ".jsonl", ".j2", ".html"}


@pytest.mark.parametrize("folder", CONTENT)
def test_each_content_folder_tells_how_to_add_to_it(folder):
    readme = (ROOT / folder / "README.md").read_text(encoding="utf-8")
    assert "There is no Python here" in readme
    assert f"`synth {folder} check`" in readme
    shelves = sorted(path.name for path in (ROOT / folder).iterdir() if path.is_dir())
    assert [name for name in shelves if f"`{name}/" not in readme] == []
