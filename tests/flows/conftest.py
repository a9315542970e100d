from __future__ import annotations

import hashlib
import os
import shutil
from collections import Counter
from pathlib import Path

import pytest

import synth
from synth.content.shelves import Shelves
from synth.offline.embedded import OfflineModel, find_brief
from synth.offline.serve import Server

JUDGED = ("parts", "annotations", "verdicts", "plan")


class Counting:
    """The embedded model, and how often it was asked each question."""

    pure = True
    name = "offline"

    def __init__(self, shelves=None):
        self.model = OfflineModel(shelves or Shelves())
        self.asked = Counter()
        self.programs = Counter()

    def answer(self, request):
        self.asked[request.messages] += 1
        self.programs[find_brief(request.messages)["program"]] += 1
        return self.model.answer(request)

    async def attempt(self, request):
        return self.answer(request)

    async def close(self):
        return None


@pytest.fixture(autouse=True)
def no_settings_of_the_person(monkeypatch):
    monkeypatch.setenv("SYNTH_SETTINGS", os.devnull)


@pytest.fixture(scope="session")
def recipe():
    """A small recipe that makes four partitions in two languages."""
    return {
        "languages": ["en", "ja"],
        "families": ["burial_day_taken_back", "two_crowds_one_square"],
        "quota": {"records": 24},
        "partition": 6,
    }


@pytest.fixture(scope="session")
def english(recipe):
    """The same in one language, so that worker processes have less to read."""
    return recipe | {"languages": ["en"], "quota": {"records": 12}, "partition": 3}


@pytest.fixture(scope="session")
def prints():
    """A function that gives the SHA-256 of every file of a build whose bytes are promised."""

    def of(folder):
        files = [path for name in JUDGED for path in Path(folder, name).rglob("*") if path.is_file()]
        files.append(Path(folder, "select.parquet"))
        return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    return of


@pytest.fixture(scope="session")
def plain(tmp_path_factory, recipe):
    """The folder of an undisturbed build by one process; tests only read it."""
    folder = tmp_path_factory.mktemp("plain") / "build"
    synth.build(recipe, folder)
    return folder


@pytest.fixture(scope="session")
def plain_english(tmp_path_factory, english):
    """The folder of an undisturbed build in English; tests only read it."""
    folder = tmp_path_factory.mktemp("english") / "build"
    synth.build(english, folder)
    return folder


@pytest.fixture
def copy(plain, tmp_path):
    """A copy of the undisturbed build, to be changed."""
    return Path(shutil.copytree(plain, tmp_path / "copy"))


@pytest.fixture
def counting():
    return Counting()


@pytest.fixture
def server(counting):
    with Server(counting) as running:
        yield running


@pytest.fixture(scope="session")
def served(tmp_path_factory, recipe):
    """A build over HTTP with its ledger, and the questions that it asked; tests only read it."""
    folder = tmp_path_factory.mktemp("served") / "build"
    model = Counting()
    with Server(model) as running:
        synth.build(recipe, folder, endpoints={"offline": running.url})
    return folder, model
