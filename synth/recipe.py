"""The recipe: the one page that says what to build. Endpoints, keys, workers and budgets are not in it; they are the person's own."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from synth.content.reading import Written, check, parse
from synth.content.shelves import Shelves
from synth.errors import Place, RecipeError, nearest
from synth.records.labels import PowerForm

FACTORS: Final = ("language", "family", "felt_affect", "power_form", "profile", "explicitness")
_MODEL: Final = r"^(offline|[a-z0-9][a-z0-9_-]*/\S+)$"
_LARGEST: Final = 100_000_000
_PROGRAM: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*:[a-z][a-z0-9_]{0,63}")
RECIPES: Final = "templates/recipes"
_SHOWN: Final = 200

Factor = Literal["language", "family", "felt_affect", "power_form", "profile", "explicitness"]


class Quota(Written):
    """How many kept records to reach."""

    records: int = Field(ge=1, le=_LARGEST)


class Splits(Written):
    """Whole families held out, in all languages; every other family trains."""

    validation: tuple[str, ...] = ("marked_down_for_the_accent", "you_stayed_on_the_line")
    test: tuple[str, ...] = ("tell_me_i_am_right", "the_call_that_did_not_come", "eviction_morning", "the_formal_you")

    @model_validator(mode="after")
    def _apart(self) -> Splits:
        if both := set(self.validation) & set(self.test):
            raise ValueError(f"{min(both)} cannot be held out for validation and for test")
        return self


class Replies(Written):
    """Which replies each scenario gets beside the faithful one."""

    alternative: bool = True
    under: int = Field(default=4, ge=0, le=4)
    over: int = Field(default=1, ge=0, le=4)


class Models(Written):
    """Who writes, who annotates blind, who verifies sighted, and who judges: `offline`, or the alias of an endpoint and a model (`mine/llama-70b`).

    Where no verifiers are named the annotators verify too. Judges say of each reply what it still supports; without one nobody is asked.
    """

    writer: str = Field(default="offline", pattern=_MODEL)
    annotators: tuple[str, ...] = Field(default=("offline",), max_length=8)
    verifiers: tuple[str, ...] = Field(default=(), max_length=4)
    judges: tuple[str, ...] = Field(default=(), max_length=4)

    @field_validator("annotators", "verifiers", "judges")
    @classmethod
    def _names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if not re.match(_MODEL, name):
                raise ValueError(f"{name!r} is neither `offline` nor alias/model")
        return value

    def roles(self) -> dict[str, str]:
        """Give every role and the model that plays it: writer, annotator-1 ..., verifier-1 ..., judge-1 ..."""
        named = _numbered("verifier", self.verifiers) | _numbered("judge", self.judges)
        return {"writer": self.writer} | self.annotator_roles() | named

    def annotator_roles(self) -> dict[str, str]:
        """Give the roles of those who annotate."""
        return _numbered("annotator", self.annotators)

    def verifier_roles(self) -> dict[str, str]:
        """Give the roles of those who verify: the verifiers, or the annotators where none are named."""
        return _numbered("verifier", self.verifiers) or self.annotator_roles()

    def judge_roles(self) -> dict[str, str]:
        """Give the roles of those who judge."""
        return _numbered("judge", self.judges)


def _numbered(kind: str, names: Sequence[str]) -> dict[str, str]:
    return {f"{kind}-{n}": name for n, name in enumerate(names, 1)}


class Gold(Written):
    """How gold is tested: whether scenes are verified sighted, with decoys, before replies are paid.

    auto verifies where neither the writer nor a verifier is the embedded model, which could only look its own lines up.
    """

    verify: Literal["auto"] | bool = "auto"


class Sampling(Written):
    """How a model samples; null leaves it to the model."""

    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_tokens: int | None = Field(default=2048, ge=16, le=131072)


class Recipe(Written):
    """What to build. Every field has a default but languages and quota."""

    recipe: str = Field(default="unnamed", pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
    seed: int = Field(default=1, ge=0, le=2**63 - 1)
    languages: tuple[str, ...] = Field(min_length=1)
    profiles: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    forms: tuple[PowerForm, ...] = tuple(PowerForm)
    cross: tuple[Factor, ...] = ("language", "family", "felt_affect", "power_form")
    quota: Quota
    tries: int = Field(default=3, ge=1, le=9)
    splits: Splits = Splits()
    replies: Replies = Replies()
    suite: str = "default"
    models: Models = Models()
    sampling: dict[str, Sampling] = {}
    prompts: Literal["english", "native"] = "english"
    gold: Gold = Gold()
    stop_early: bool = True
    turns: dict[Literal[1, 3, 5], int] = {1: 1}
    reasoning: Literal["none", "cbt", "dbt", "pct", "rt", "ebg"] = "none"
    default_persona: bool = False
    partition: int = Field(default=1000, ge=3, le=100_000)
    programs: tuple[str, ...] = ()
    overlays: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()

    @field_validator("languages", "profiles", "families", "forms", "cross", "programs")
    @classmethod
    def _once_each(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            twice = next(item for item in value if value.count(item) > 1)
            raise ValueError(f"{twice} is listed twice")
        return value

    @field_validator("cross")
    @classmethod
    def _by_language(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if "language" not in value:
            raise ValueError("cross names language: every build is partitioned by it")
        return value

    @field_validator("programs")
    @classmethod
    def _of_packages(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if not _PROGRAM.fullmatch(name):
                raise ValueError(f"{name!r} is no program; name the package that brings it too: distribution:program")
        return value

    @field_validator("sampling")
    @classmethod
    def _of_roles(cls, value: dict[str, Sampling], info: ValidationInfo) -> dict[str, Sampling]:
        models: Models | None = info.data.get("models")
        if models is None:
            return value  # it has a fault of its own, which is told
        for role in value:
            if role not in (known := models.roles()):
                raise ValueError(f"{role!r} is no role of this recipe; {nearest(role, known)}")
        return value

    @field_validator("turns", mode="before")
    @classmethod
    def _numbered_turns(cls, value: object) -> object:
        # JSON, in which a recipe is kept and handed on, has no other keys than words
        if not isinstance(value, dict):
            return value
        return {int(key) if isinstance(key, str) and key.isdecimal() else key: one for key, one in value.items()}

    @field_validator("turns")
    @classmethod
    def _weighed(cls, value: dict[int, int]) -> dict[int, int]:
        if not all(0 <= weight <= 1000 for weight in value.values()) or not sum(value.values()):
            raise ValueError("turns: weights are 0 to 1000, and one of them is above 0; such as {1: 3, 3: 1}")
        return value

    @model_validator(mode="after")
    def _written_by_a_model(self) -> Recipe:
        if self.models.writer != "offline":
            return self
        asked = {
            "turns": any(weight for turns, weight in self.turns.items() if turns > 1),
            "reasoning": self.reasoning != "none",
            "default_persona": self.default_persona,
        }
        if wrong := [name for name, is_asked in asked.items() if is_asked]:
            raise ValueError(
                f"{wrong[0]}: the embedded writer cannot do this; name a model: models: {{writer: alias/model}}"
            )
        return self

    @property
    def verifies(self) -> bool:
        """Whether scenes are verified before replies are paid."""
        verifiers = set(self.models.verifier_roles().values())
        if self.gold.verify == "auto":
            return bool(verifiers) and "offline" not in {self.models.writer, *verifiers}
        return self.gold.verify and bool(verifiers)

    def asked(self) -> dict[str, str]:
        """Give the roles that are asked something, and so decide rows, with their models."""
        found = {"writer": self.models.writer} | self.models.annotator_roles()
        return found | (self.models.verifier_roles() if self.verifies else {}) | self.models.judge_roles()

    @property
    def digest(self) -> str:
        """32 hex digits of what the recipe asks, whatever its layout."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    @classmethod
    def read(cls, path: str | Path) -> Recipe:
        """Give the recipe of a YAML file.

        Raises:
            RecipeError: with file, line, column and the valid values.
        """
        file = Path(path)
        try:
            text = file.read_text(encoding="utf-8-sig")
        except OSError as error:
            hint = "see templates/recipes/, or write one with `synth init`"
            raise RecipeError(f"cannot be read: {error.strerror}", place=Place(str(file)), hint=hint) from None
        except UnicodeDecodeError:
            raise RecipeError("not UTF-8", place=Place(str(file)), hint="save the file as UTF-8") from None
        value = parse(text, str(file), RecipeError)
        if not isinstance(value, dict):
            raise RecipeError("a recipe is a map of settings", place=Place(str(file), 1, 1), hint="languages: [en]")
        return check(cls, value, text, str(file), RecipeError)

    @classmethod
    def of(cls, value: Recipe | Mapping[str, Any] | str | Path) -> Recipe:
        """Give a recipe of a recipe, a mapping, a file or the name of a built-in one."""
        if isinstance(value, Recipe):
            return value
        if isinstance(value, str | Path):
            return cls.read(find_recipe(value))
        try:
            return check(cls, dict(value), "", "", RecipeError)
        except RecipeError as fault:
            raise RecipeError(fault.message, hint=fault.hint) from None  # a mapping has no lines to point at


def find_recipe(name: str | Path) -> Path:
    """Give the file of a recipe: a path, or the name of a built-in one; a file of that name comes first.

    Raises:
        RecipeError: neither is there; names the built-in ones.
    """
    try:
        if Path(name).is_file():
            return Path(name)
    except (OSError, ValueError):
        pass  # too long for a path, or in a folder that may not be looked into
    known = {file.path.stem: file.path for file in Shelves().files(RECIPES)}
    if str(name) in known:
        return known[str(name)]
    shown = str(name) if len(str(name)) <= _SHOWN else f"{str(name)[:_SHOWN]}..."
    hint = f"built-in recipes: {nearest(shown, known)}; or write your own: synth init DIR"
    raise RecipeError(f"there is no recipe {shown!r}", hint=hint)


def open_shelves(recipe: Recipe, folder: Path) -> Shelves:
    """Give the content that a recipe uses: ours, with its overlays laid over it.

    Raises:
        RecipeError: an overlay leads out of the recipe's folder.
    """
    root = folder.resolve()
    overlays = []
    for name in recipe.overlays:
        path = (root / name).resolve()
        if Path(name).is_absolute() or not path.is_relative_to(root):
            raise RecipeError(f"overlays: {name!r} leads out of {root}", hint="an overlay lies beside its recipe")
        overlays.append(path)
    return Shelves(overlays, recipe.overrides)
