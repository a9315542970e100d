"""What a tuning leaves in its overlay: the prompt, if it is better, and `tuning.yaml`, which says where it comes from."""

from __future__ import annotations

import hashlib
import io
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from synth.content.prompts import Prompt
from synth.content.reading import parse
from synth.errors import LockedError, StorageError, UsageError
from synth.models.ledger_statistics import statistics
from synth.models.prices import dollars
from synth.records.durable import write_bytes
from synth.tuning.cases import Cases
from synth.tuning.jobs import REFLECTOR, Job, Outcome
from synth.tuning.optimizers import versions

TUNING: Final = "tuning.yaml"
LOCK: Final = ".lock"
_HEAD: Final = "# Written by `synth tune`: one entry a tuning. A prompt that lies here comes from the last entry of its name that is kept.\n"


@contextmanager
def locked_overlay(folder: Path) -> Iterator[None]:
    """Hold an overlay folder for this process; make it where it is missing.

    The lock is SQLite's own on a file of its own: it ends with the process, however that ends.

    Raises:
        LockedError: another process tunes into it.
        UsageError: it is no folder, or holds a build.
        StorageError: it cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / "plan").exists() or (folder / "manifest.json").exists():
            raise UsageError(f"{folder} holds a build, not an overlay", hint="name another folder with -o")
        held = sqlite3.connect(folder / LOCK, timeout=0, isolation_level=None)
    except (NotADirectoryError, FileExistsError):
        raise UsageError(f"{folder} is no folder", hint="name a folder with -o") from None
    except (OSError, sqlite3.Error) as error:
        raise StorageError(f"{folder} cannot be used: {error}", hint="name a folder that you may write") from None
    try:
        _take(held, folder)
        yield
    finally:
        held.close()


def _take(held: sqlite3.Connection, folder: Path) -> None:
    try:
        held.execute("begin exclusive")
    except sqlite3.Error:
        raise LockedError(f"another process tunes into {folder}", hint="wait for it, or name another folder") from None


def read_tunings(folder: Path) -> list[dict[str, Any]]:
    """Give what stands in an overlay's tuning.yaml, nothing where there is none.

    Raises:
        ContentError: it is not YAML, with line and column.
    """
    path = folder / TUNING
    if not path.is_file():
        return []
    value = parse(path.read_text(encoding="utf-8"), str(path))
    found = value.get("tunings") if isinstance(value, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def add_tuning(folder: Path, entry: Mapping[str, Any]) -> None:
    """Put one tuning at the end of tuning.yaml; the same tuning run again changes nothing."""
    from ruamel.yaml import YAML

    before = read_tunings(folder)
    if before and before[-1] == entry:
        return
    sink = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    yaml.width = 140
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.dump({"tunings": [*before, dict(entry)]}, sink)
    write_bytes(folder / TUNING, (_HEAD + sink.getvalue()).encode())


def write_prompt(folder: Path, name: str, text: str) -> Path:
    """Write a prompt file into an overlay, durably, and give its path; `name` is that of the shelves (`templates/prompts/write.md`)."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, text.encode())
    return path


def digest_of(text: str) -> str:
    """Give the digest of a text: 32 hex digits, for a prompt file the same that the shelves give it."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def entry_of(
    job: Job,
    prompt: Prompt,
    cases: Cases,
    measuring: Sequence[str],
    unusable: frozenset[str],
    outcome: Outcome,
    text: str,
) -> dict[str, Any]:
    """Give what tuning.yaml says of a tuning; what was spent is the ledger's, over all runs, so that the same tuning run again says the same.

    Args:
        job: What was asked.
        prompt: The prompt that stood.
        cases: The cells that were used.
        measuring: The roles that measured.
        unusable: The cells that were not used.
        outcome: What came of it.
        text: The prompt file that was written, or nothing.
    """
    recipe, version = job.inventory.recipe, prompt.front.version
    return {
        "prompt": prompt.file.name,
        "program": job.program,
        "kept": outcome.kept,
        "says": outcome.says,
        "from": {"version": version, "digest": prompt.file.digest},
        "to": {"version": version + 1, "digest": digest_of(text)} if text else None,
        "optimizer": {"name": job.optimizer, "seed": job.seed, "synth": job.version, **versions(job.optimizer)},
        "models": _models(job, measuring),
        "recipe": {"name": recipe.recipe, "digest": recipe.digest},
        "cells": {
            "reflected_on": [case.name for case in cases.reflected],
            "chosen_by": [case.name for case in cases.chosen],
            "held_out": [case.name for case in cases.held_out],
            "unusable": sorted(unusable),
        },
        "held_out": {
            "before": outcome.before.plain() if outcome.before else None,
            "after": outcome.after.plain() if outcome.after else None,
            "gain": outcome.gain.values() if outcome.gain else None,
        },
        "proposals": {"tried": outcome.proposals, "refused": dict(sorted(outcome.refused.items()))},
        "spent": _spent(job.overlay),
        "stopped": outcome.stopped,
    }


def _models(job: Job, measuring: Sequence[str]) -> dict[str, dict[str, str]]:
    """Give who had a part, by role: the model's name and its stated revision."""
    seats = job.seats[job.inventory.recipe.languages[0]]
    roles = {name: job.roles[seats[name]] for name in ("writer", *measuring)} | {REFLECTOR: job.roles[REFLECTOR]}
    return {name: {"model": role.model.name, "revision": role.identity.revision} for name, role in roles.items()}


def _spent(folder: Path) -> dict[str, Any]:
    found = statistics(folder)
    tokens = {name: found[name] for name in ("tokens_in", "tokens_out")}
    errors = sum(found["errors"].values())
    return {"answers": found["answers"], "failed": errors, **tokens, "cost": dollars(found["micro_units"])}
