"""A build folder: its lock, its identity, and what it says of itself.

A folder is bound to (seed, line digest of each language, schema major). Another line stops the build and names what changed; `--fork` goes on in a new folder
with the answers that are already paid.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from synth.building.lines import line_parts
from synth.content.shelves import Shelves
from synth.errors import IdentityError, LockedError, StorageError, UsageError
from synth.line.line import digest_parts
from synth.models.base import Endpoint
from synth.planning.inventory import Inventory
from synth.planning.rounds import Round
from synth.programs.own import Program
from synth.recipe import Recipe
from synth.records.durable import TEMPORARY, read_json, replacing, sweep, write_bytes, write_json
from synth.records.ledger_files import LEDGER, is_shard, shard_beside
from synth.records.schema import SCHEMA_VERSION

IDENTITY: Final = "plan/identity.json"
RECIPE: Final = "recipe.yaml"
LOCK: Final = ".lock"
_OURS: Final = frozenset(
    {"recipe.yaml", "plan", "ledger", "parts", "annotations", "verdicts", "reviews", "runs"}
    | {"select.parquet", "manifest.json", "report.html", LOCK}
)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a build folder for this process; make it where it is missing.

    Raises:
        LockedError: another process works in it.
        UsageError: it holds other things than a build.
        StorageError: it cannot be made or written.
    """
    from filelock import FileLock, Timeout

    _prepare(folder)
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise LockedError(
            f"another process works in {folder}", hint="wait for it, or name another folder with -o"
        ) from None
    except OSError as error:
        raise _unusable(folder, error) from None
    try:
        sweep(folder)
        yield
    finally:
        lock.release()


def _prepare(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        strange = sorted(p.name for p in folder.iterdir() if p.name.removesuffix(TEMPORARY) not in _OURS)
    except (NotADirectoryError, FileExistsError):
        raise UsageError(f"{folder} is no folder", hint="name a folder with -o") from None
    except OSError as error:
        raise _unusable(folder, error) from None
    if strange and not (folder / IDENTITY).exists():
        raise UsageError(
            f"{folder} holds {strange[0]!r}, which is not part of a build", hint="name an empty or a new folder with -o"
        )


def _unusable(folder: Path, error: OSError) -> StorageError:
    return StorageError(f"{folder} cannot be used: {error.strerror}", hint="name a folder that you may write, with -o")


def write_recipe(folder: Path, recipe: Recipe) -> None:
    """Write the effective recipe: every setting, defaults too."""
    from ruamel.yaml import YAML

    sink = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.dump(recipe.model_dump(mode="json"), sink)
    write_bytes(folder / RECIPE, sink.getvalue().encode())


def read_identity(folder: Path) -> dict[str, Any] | None:
    """Give what a folder is bound to, None where it is new."""
    return read_json(folder / IDENTITY) if (folder / IDENTITY).exists() else None


def check_pinned(folder: Path, shelves: Shelves, rounds: Sequence[Round]) -> None:
    """Raise IdentityError where content that a folder was planned from is gone; must stand before it is read."""
    gone = [name for made in rounds for name in made.content if not shelves.has(name)]
    if gone:
        raise _otherwise(folder, [f"{name} is gone" for name in sorted(set(gone))])


def bind(
    folder: Path,
    inventories: Sequence[Inventory],
    endpoints: Mapping[str, Endpoint],
    rounds: Sequence[Round],
    programs: Sequence[Program] = (),
) -> None:
    """Bind a folder to this line, or check that it is bound to it: by the recipe's inventory and those of open rounds.

    Raises:
        IdentityError: the folder belongs to another seed, schema, line or content; names each thing that changed.
    """
    recipe, shelves = inventories[0].recipe, inventories[0].shelves
    lines = {
        language: line_parts(inventory, language, endpoints, programs)
        for inventory in inventories
        for language in inventory.recipe.languages
    }
    known = read_identity(folder)
    if known is None:
        known = {"seed": recipe.seed, "schema_major": SCHEMA_VERSION.partition(".")[0], "lines": {}}
    changed = _changes(known, recipe, lines) + _content_changes(shelves, rounds)
    if changed:
        raise _otherwise(folder, changed)
    merged = known["lines"] | {language: _line(parts) for language, parts in lines.items()}
    if merged != known["lines"] or not (folder / IDENTITY).exists():
        write_json(folder / IDENTITY, known | {"lines": merged})


def _otherwise(folder: Path, changed: Sequence[str]) -> IdentityError:
    named = dict.fromkeys(changed)
    more = f"; and {len(named) - 8} more" if len(named) > 8 else ""
    return IdentityError(
        f"{folder} was built otherwise: {'; '.join([*named][:8])}{more}",
        hint="put it back as it was, or go on in a new folder with --fork NEW (paid answers are taken along)",
    )


def _line(parts: Mapping[str, Any]) -> dict[str, Any]:
    return {"digest": digest_parts(parts), "parts": dict(parts)}


def _changes(known: Mapping[str, Any], recipe: Recipe, lines: Mapping[str, Mapping[str, Any]]) -> list[str]:
    found = []
    if known["seed"] != recipe.seed:
        found.append(f"seed was {known['seed']} and is {recipe.seed}")
    if known["schema_major"] != SCHEMA_VERSION.partition(".")[0]:
        found.append(f"schema was {known['schema_major']} and is {SCHEMA_VERSION}")
    for language, parts in lines.items():
        before = known["lines"].get(language)
        if before is None:
            continue
        names = sorted({*before["parts"], *parts})
        found += [f"{name} changed ({language})" for name in names if before["parts"].get(name) != parts.get(name)]
    return found


def _content_changes(shelves: Shelves, rounds: Sequence[Round]) -> list[str]:
    pinned: dict[str, str] = {}
    for made in rounds:
        pinned |= made.content
    return [f"{name} changed" for name, digest in sorted(pinned.items()) if shelves.file(name).digest != digest]


def fork(old: Path, new: Path) -> None:
    """Begin a new folder with the answers of an old one; nothing else is taken along.

    Raises:
        UsageError: the old folder is no build, or the new one is not empty or lies within the old one.
        LockedError: another process works in the old folder.
    """
    if read_identity(old) is None:
        raise UsageError(f"{old} holds no build", hint="name the folder of the build to go on from")
    if new.resolve().is_relative_to(old.resolve()):
        raise UsageError(f"{new} lies within {old}", hint="name a new folder beside it after --fork")
    if new.exists() and any(new.iterdir()):
        raise UsageError(f"{new} is not empty", hint="name a new folder after --fork")
    with locked(old):
        for path in sorted((old / LEDGER).glob("*")):
            # SQLite makes the -shm file anew; a file that is none of the ledger's stays behind
            if is_shard(path.name) or (shard_beside(path.name) and not path.name.endswith("-shm")):
                _copy(path, new / LEDGER / path.name)
    new.mkdir(parents=True, exist_ok=True)


def _copy(path: Path, to: Path) -> None:
    with replacing(to) as sink, path.open("rb") as source:
        shutil.copyfileobj(source, sink)
