"""Count the content, lint it, and measure what it must not give away.

Usage: python benchmarks/content.py [--records 288] [--cells 20000] [--language en ...]. Prints one JSON line; 1 where the lint finds a fault or a
column is associated with another above its permutation limit.

- `counts`: profiles, relationships, families, phrasing files and authored lines by language and tier (CATALOGUE section 1).
- `lint`: faults of `synth templates check` by language, and how many settings it rendered to find them.
- `association`: bias-corrected Cramer's V of planned events - family, emotion and regulation by the speaker's profile, role by gender - with the 95th
  percentile of 200 shufflings. Shuffled is within a language, for a profile belongs to one.
- `artifacts`: by language, the AUC of a classifier that sees the reply only, and of the reply's length alone: faithful against failure, and
  faithful against crossed (a sibling's faithful reply). Logistic regression on words, five folds by family; 0.5 is chance.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

import synth
from synth.content.personas import CULTURES as PROFILES
from synth.content.phrasings import FOLDER as PHRASINGS
from synth.content.phrasings import read_phrasing
from synth.content.scenarios import read_family
from synth.content.shelves import Shelves
from synth.offline.check import check_language
from synth.offline.settings import scenes
from synth.offline.words import words_of
from synth.planning.coverage import plan_slots
from synth.planning.events import make_events
from synth.planning.inventory import take_stock
from synth.planning.strata import strata_of
from synth.recipe import Recipe
from synth.records.cells import Cell
from synth.statistics import auc, cramers_v, crosstab

TIERS = {
    "A": ("en", "es", "fr", "de", "hi", "ja", "ko"),
    "B": ("ar", "zh", "pt", "ru", "bn", "id", "tr"),
    "C": ("sw", "am"),
}
SEEDS = (1, 2, 3)
FOLDS = 5
WIDTH = 2**14


def tier_of(language: str) -> str:
    """Give a language's tier in the catalogue."""
    return next((tier for tier, languages in TIERS.items() if language in languages), "-")


def phrased(shelves: Shelves) -> dict[str, list[str]]:
    """Give the families that each language has phrasings of."""
    found: dict[str, list[str]] = defaultdict(list)
    for file in shelves.files(PHRASINGS):
        found[file.path.parent.name].append(file.path.stem)
    return dict(sorted(found.items()))


def count(shelves: Shelves, files: dict[str, list[str]]) -> dict[str, Any]:
    """Give the counts of all tables."""
    profiles = Counter(file.path.stem.partition("-")[0] for file in shelves.files(PROFILES))
    lines = {
        language: sum(1 for family in families for _ in _lines(shelves, language, family))
        for language, families in files.items()
    }
    by_language = {
        language: {
            "tier": tier_of(language),
            "profiles": profiles[language],
            "families": len(families),
            "lines": lines[language],
        }
        for language, families in files.items()
    }
    return {
        "profiles": profiles.total(),
        "relationships": len(shelves.files("personas/relationships")),
        "families": len(shelves.files("templates/scenarios")),
        "phrasing_files": sum(map(len, files.values())),
        "lines": sum(lines.values()),
        "lexicons": len([file for file in shelves.files("filters/lexicons") if file.path.stem != "any"]),
        "languages": by_language,
    }


def _lines(shelves: Shelves, language: str, family: str) -> Iterator[str]:
    from ruamel.yaml import YAML

    stack = [YAML(typ="safe").load(shelves.file(f"{PHRASINGS}/{language}/{family}.yaml").text())]
    while stack:
        value = stack.pop()
        if isinstance(value, str) and len(value) > 12:
            yield value
        elif isinstance(value, dict | list):
            stack.extend(value.values() if isinstance(value, dict) else value)


def lint(shelves: Shelves, files: dict[str, list[str]]) -> dict[str, dict[str, int]]:
    """Give the faults of each language, and the settings that were rendered."""
    found = {}
    for language, families in files.items():
        rendered = 0
        for name in families:
            family = read_family(shelves, name)
            rendered += sum(1 for _ in scenes(read_phrasing(shelves, language, name), family, all_genders=True))
        found[language] = {"faults": len(check_language(shelves, language)), "settings": rendered}
    return found


def planned(shelves: Shelves, language: str, families: Sequence[str], cells: int) -> list[Cell]:
    """Give planned cells of one language, over a few seeds: one form of each event, for the forms of one event share their people."""
    found = []
    for seed in SEEDS:
        quota = {"records": -(-cells // len(SEEDS))}
        recipe = Recipe.of({"languages": [language], "families": list(families), "quota": quota, "seed": seed})
        stock = take_stock(recipe, shelves)
        strata = strata_of(stock)
        found += [event.cells[0] for event in make_events(stock, strata, list(plan_slots(stock, strata)))]
    return found


def codes(values: Sequence[str]) -> Any:
    """Give integer codes of labels."""
    return np.unique(np.asarray(values), return_inverse=True)[1]


def columns(made: Sequence[Cell]) -> dict[str, tuple[Any, Any]]:
    """Give the pairs of columns that must not know each other, as codes; a scene's profile is its speaker's."""
    profile = codes([cell.people[0].profile_id for cell in made])
    people = [person for cell in made for person in cell.people]
    return {
        "family_profile": (codes([cell.family for cell in made]), profile),
        "emotion_profile": (codes([str(cell.emotion) for cell in made]), profile),
        "regulation_profile": (codes([str(cell.regulation) for cell in made]), profile),
        "role_gender": (codes([person.role for person in people]), codes([person.gender for person in people])),
    }


def associate(shelves: Shelves, files: dict[str, list[str]], cells: int) -> dict[str, dict[str, Any]]:
    """Give the association of each pair of columns: the root mean square of V over the languages, and what chance alone reaches.

    The limit is the 95th percentile of 200 shufflings within each language: one test for each pair, however many languages there are.
    """
    random, found = np.random.default_rng(1), {}
    by_language = [columns(planned(shelves, language, families, cells)) for language, families in files.items()]
    for name in by_language[0]:
        pairs = [one[name] for one in by_language]
        shuffled = [[(left, random.permutation(right)) for left, right in pairs] for _ in range(200)]
        limit = float(np.percentile([_mean_v(one) for one in shuffled], 95))
        sizes = sum(len(left) for left, _ in pairs)
        found[name] = {"v": round(_mean_v(pairs), 4), "limit": round(limit, 4), "n": sizes}
    return found


def _mean_v(pairs: Sequence[tuple[Any, Any]]) -> float:
    return float(np.sqrt(np.mean([cramers_v(crosstab(left, right)) ** 2 for left, right in pairs])))


def features(texts: Sequence[str], language: str) -> Any:
    """Give a row of word counts (hashed, length one) for each text."""
    import zlib

    table = np.zeros((len(texts), WIDTH), dtype=np.float32)
    for row, text in enumerate(texts):
        for word in words_of(text, language):
            table[row, zlib.crc32(word.casefold().encode()) % WIDTH] += 1
    return table / np.maximum(1.0, np.linalg.norm(table, axis=1, keepdims=True))


def learned(table: Any, positive: Any, steps: int = 150) -> Any:
    """Give the weights of a logistic regression with balanced classes and a small ridge, by full gradient steps."""
    share = np.where(positive, 0.5 / max(1, positive.sum()), 0.5 / max(1, (~positive).sum())).astype(np.float32)
    weights, bias = np.zeros(table.shape[1], dtype=np.float32), 0.0
    for _ in range(steps):
        error = share * (1 / (1 + np.exp(-(table @ weights + bias))) - positive)
        weights -= 40.0 * (table.T @ error + 1e-4 * weights)
        bias -= 4.0 * float(error.sum())
    return weights


def reply_only(replies: Sequence[tuple[str, bool, str]], language: str) -> dict[str, float]:
    """Give the AUC of words and of length alone, over folds of whole families; a reply is (text, is faithful, family)."""
    texts = [text for text, _, _ in replies]
    table, is_positive = features(texts, language), np.asarray([own for _, own, _ in replies])
    names = sorted({family for _, _, family in replies})
    fold = np.asarray([names.index(family) % FOLDS for _, _, family in replies])
    scores = np.zeros(len(texts))
    for held in sorted(set(fold.tolist())):
        weights = learned(table[fold != held], is_positive[fold != held])
        scores[fold == held] = table[fold == held] @ weights
    lengths = auc([len(text) for text in texts], is_positive)
    return {"words": round(auc(scores, is_positive), 3), "length": round(max(lengths, 1 - lengths), 3)}


def artifacts(language: str, families: Sequence[str], records: int, scratch: Path) -> dict[str, Any]:
    """Give what a reply alone gives away, in an embedded build of one language."""
    recipe = {"languages": [language], "families": list(families), "quota": {"records": records}}
    build = synth.build(recipe, scratch / language)
    found = list(build.records())
    pairs: list[tuple[str, bool, str]] = []
    faithful: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for record in found:
        for reply in record.replies:
            if reply.kind in {"faithful", "failure"}:
                pairs.append((reply.text, reply.kind == "faithful", record.scenario.family))
            if reply.kind == "faithful":
                faithful[record.scenario.family].append((record.scenario.event_key, reply.text))
    crossed = [(text, is_own, family) for family, own in faithful.items() for text, is_own in _crossed(own)]
    return {
        "records": len(found),
        "pairs": sum(not own for _, own, _ in pairs),
        "all": reply_only(pairs, language),
        "crossed": reply_only(crossed, language),
    }


def _crossed(own: Sequence[tuple[str, str]]) -> Iterator[tuple[str, bool]]:
    """Give each faithful reply, and as its rival the next one in the family that another event wrote."""
    for index, (event, text) in enumerate(own):
        yield text, True
        rival = next((t for e, t in (*own[index + 1 :], *own[:index]) if e != event and t != text), None)
        if rival is not None:
            yield rival, False


def main() -> int:
    """Measure as the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--records", type=int, default=288)
    parser.add_argument("--cells", type=int, default=20_000)
    parser.add_argument("--language", action="append", default=[])
    given = parser.parse_args()
    began, shelves = time.process_time(), Shelves()
    files = {name: some for name, some in phrased(shelves).items() if not given.language or name in given.language}
    found: dict[str, Any] = {"counts": count(shelves, files), "lint": lint(shelves, files)}
    found["association"] = associate(shelves, files, given.cells)
    with tempfile.TemporaryDirectory(prefix="synth-content-") as scratch:
        found["artifacts"] = {
            language: artifacts(language, families, given.records, Path(scratch))
            for language, families in files.items()
        }
    found["cpu_seconds"] = round(time.process_time() - began, 1)
    print(json.dumps(found))
    sound = not any(one["faults"] for one in found["lint"].values())
    return 0 if sound and all(one["v"] <= one["limit"] for one in found["association"].values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
