"""Count the content, lint it, and measure what it must not give away.

Usage: python benchmarks/content.py [--records 288] [--cells 20000] [--language en ...]. Prints one JSON line; 1 where the lint finds a fault or a
column is associated with another above its permutation limit.

- `counts`: profiles, relationships, families, phrasing files and authored lines by language and tier (CATALOGUE section 1).
- `lint`: faults of `synth templates check` by language, and how many settings it rendered to find them.
- `association`: bias-corrected Cramer's V of planned events - family, emotion and regulation by the speaker's profile, role by gender - with the 95th
  percentile of 200 shufflings. Shuffled is within a language, for a profile belongs to one.
- `artifacts`: by language, the artifact gate (`synth.audit.artifacts`) over an embedded build: the AUC of what sees replies only, by words and by
  surface, over all pairs, failure pairs and crossed pairs (`synth.audit.pairs`), held out by family; 0.5 is chance. And the share of longer failures.
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
from synth.audit.artifacts import artifact_gate
from synth.audit.pairs import pairs
from synth.content.lexicons import read_lexicon
from synth.content.personas import CULTURES as PROFILES
from synth.content.phrasings import FOLDER as PHRASINGS
from synth.content.phrasings import read_phrasing
from synth.content.scenarios import read_family
from synth.content.shelves import Shelves
from synth.offline.check import check_language
from synth.offline.settings import scenes
from synth.planning.coverage import plan_slots
from synth.planning.events import make_events
from synth.planning.inventory import take_stock
from synth.planning.strata import strata_of
from synth.recipe import Recipe
from synth.records.cells import Cell
from synth.statistics import cramers_v, crosstab

TIERS = {
    "A": ("en", "es", "fr", "de", "hi", "ja", "ko"),
    "B": ("ar", "zh", "pt", "ru", "bn", "id", "tr"),
    "C": ("sw", "am"),
}
SEEDS = (1, 2, 3)


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


def artifacts(shelves: Shelves, language: str, families: Sequence[str], records: int, scratch: Path) -> dict[str, Any]:
    """Give what a reply alone gives away, in an embedded build of one language."""
    recipe = {"languages": [language], "families": list(families), "quota": {"records": records}}
    build = synth.build(recipe, scratch / language)
    found = list(build.records())
    replies = [reply for record in found for reply in record.replies]
    gate = artifact_gate(
        pairs([record.scenario for record in found], replies), {language: read_lexicon(shelves, language)}
    )
    figures: dict[str, Any] = {"records": len(found), "passes": str(gate.passes)}
    for one in gate.separability:
        if one.mechanism is None and one.auc is not None:
            figures.setdefault(str(one.population), {"pairs": one.pairs})[one.features] = round(one.auc.value, 3)
    longer = {str(one.mechanism): round(one.longer.value, 3) for one in gate.lengths if one.longer is not None}
    return figures | {"longer": longer}


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
            language: artifacts(shelves, language, families, given.records, Path(scratch))
            for language, families in files.items()
        }
    found["cpu_seconds"] = round(time.process_time() - began, 1)
    print(json.dumps(found))
    sound = not any(one["faults"] for one in found["lint"].values())
    return 0 if sound and all(one["v"] <= one["limit"] for one in found["association"].values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
