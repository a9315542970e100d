"""The pages that show what the project really prints: read their blocks, and write them anew (`python tests/pages.py`)."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
ROWS = {"en": ("told_to_be_over_it", "up", "masked"), "es": ("laughing_it_off", "level", "high")}
"""Which row the README shows in each language: family, form and level of the first event of the quickstart."""
_ROW = re.compile(r"(<!-- row: (\w+) -->\n```text\n)(.*?)(```\n)", re.DOTALL)
_FENCE = re.compile(r"(?P<before>[^\n]*)\n```(?P<language>\w+)\n(?P<body>.*?)\n```", re.DOTALL)


def blocks(page: str, language: str) -> list[tuple[str, str]]:
    """Give (the line before, the body) of every fenced block of a language."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [(match["before"], match["body"]) for match in _FENCE.finditer(text) if match["language"] == language]


def shown_rows() -> dict[str, str]:
    """Give the rows that the README shows, by language."""
    return {match[2]: match[3] for match in _ROW.finditer(README.read_text(encoding="utf-8"))}


def printed_row(build: Path, language: str) -> str:
    """Give what `synth inspect` prints of the row that the README shows in a language."""
    import synth

    family, form, level = ROWS[language]
    regulations = {"masked": ("masked", "neutralised", "deamplified"), "high": ("none",)}[level]
    felt = 3
    fitting = [
        one.scenario.scenario_id
        for one in synth.load(build).records(language=language)
        if (one.scenario.family, one.scenario.power_form, one.scenario.felt) == (family, form, felt)
        and one.scenario.regulation in regulations
    ]
    command = [sys.executable, "-m", "synth", "inspect", str(build), fitting[0]]
    done = subprocess.run(command, capture_output=True, text=True, check=True, encoding="utf-8", cwd=ROOT)
    return "\n".join(line.rstrip() for line in done.stdout.strip().splitlines()) + "\n"


def main() -> None:
    """Build the quickstart and write the README's rows as they are now."""
    import synth
    from synth.content.shelves import Shelves

    with tempfile.TemporaryDirectory() as folder:
        build = Path(folder) / "quickstart"
        synth.build(Shelves().file("templates/recipes/quickstart.yaml").path, build)
        text = README.read_text(encoding="utf-8")
        README.write_text(_ROW.sub(lambda m: m[1] + printed_row(build, m[2]) + m[4], text), encoding="utf-8")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
