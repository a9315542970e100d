"""A disk that does not take the bytes: a plain error, nothing partial, and the same call succeeds afterwards."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from synth.errors import StorageError
from synth.records.arrow import table_of
from synth.records.durable import disk_error
from synth.records.schema import Reply, Scenario
from synth.records.shards import commits, encode, seal, write_bytes

SEAL = """
import pathlib, sys
from synth.errors import StorageError
from synth.records.durable import write_bytes
from synth.records.parts import commits
build = pathlib.Path(sys.argv[1])
if sys.argv[2] == "limit":
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
write_bytes(build / "select.parquet", b"old")
try:
    write_bytes(build / "parts" / "p" / "scenarios.parquet", b"x" * 90_000)
    write_bytes(build / "select.parquet", b"y" * 400_000)
    write_bytes(build / "parts" / "p" / "commit.json", b"never")
except StorageError as error:
    print(error.exit_code, error)
assert commits(build) == []
assert (build / "select.parquet").read_bytes() == b"old"
print(sorted(path.name for path in build.rglob("*") if path.is_file()))
"""


def python(*arguments: str, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    command = [*before, sys.executable, "-c", SEAL, *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2], timeout=120
    )


@pytest.mark.skipif(sys.platform == "win32", reason="no RLIMIT_FSIZE")
def test_a_file_that_may_not_grow_gives_a_storage_error(tmp_path: Path) -> None:
    done = python(str(tmp_path / "build"), "limit")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("74 cannot write ")
    assert "EFBIG" in done.stdout
    assert "ulimit -f" in done.stdout
    assert done.stdout.endswith("['scenarios.parquet', 'select.parquet']\n")


MOUNT = ("unshare", "-Urm", "sh", "-c", 'mount -t tmpfs -o size=256k tmpfs "$0" && exec "$@"')


def may_mount(folder: Path) -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*MOUNT, str(folder), "true"], capture_output=True, check=False, timeout=60).returncode == 0


def test_a_full_disk_gives_a_storage_error(tmp_path: Path) -> None:
    if not may_mount(tmp_path):
        pytest.skip("this machine lets nobody mount a small disk")
    done = python(str(tmp_path / "build"), "full", before=(*MOUNT, str(tmp_path)))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("74 cannot write ")
    assert "No space left on device (ENOSPC)" in done.stdout
    assert "free space on that disk" in done.stdout
    assert done.stdout.endswith("['scenarios.parquet', 'select.parquet']\n")


def test_a_folder_that_is_a_file_gives_a_storage_error_and_sealing_later_works(tmp_path: Path, rows: Any) -> None:
    tables = {"scenarios": table_of([rows.scenario()], Scenario), "replies": table_of(rows.replies(), Reply)}
    (tmp_path / "parts").write_bytes(b"in the way")
    with pytest.raises(StorageError, match=r"cannot (clear|write) "):
        seal(tmp_path, "p", tables, line_digest="")
    assert commits(tmp_path) == []
    (tmp_path / "parts").unlink()
    (tmp_path / "parts" / "p" / "commit.json.tmp").mkdir(parents=True)
    with pytest.raises(StorageError, match="cannot clear"):
        seal(tmp_path, "p", tables, line_digest="")
    assert commits(tmp_path) == []
    (tmp_path / "parts" / "p" / "commit.json.tmp").rmdir()
    assert commits(tmp_path) == [] != [seal(tmp_path, "p", tables, line_digest="")] == commits(tmp_path)


def test_an_error_without_a_known_code_still_says_what_to_do() -> None:
    text = str(disk_error("write", Path("a"), OSError("odd")))
    assert text.startswith("cannot write a: odd (no code)\n  check that disk")


def test_what_stood_there_stays_until_the_new_bytes_are_whole(tmp_path: Path) -> None:
    path = tmp_path / "select.parquet"
    write_bytes(path, b"old")
    (tmp_path / "select.parquet.tmp").mkdir()
    with pytest.raises(StorageError):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    (tmp_path / "select.parquet.tmp").rmdir()
    write_bytes(path, encode(table_of([], Reply)))
    assert path.read_bytes().startswith(b"PAR1")
