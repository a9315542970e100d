"""Make Events and their Cells of planned slots: everything that a record must come to say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from synth.content.personas import AddressForm, Profile, RelationshipForm
from synth.content.scenarios import Family
from synth.planning.casting import Cast, Slot, cast, counterpart, draw_names
from synth.planning.draws import pick_one
from synth.planning.inventory import OFFLINE, Inventory
from synth.planning.strata import Stratum
from synth.records.cells import CONTROL, Cell, Event, Life, Person, PlannedFailure
from synth.records.labels import (
    OVER_VARIANTS,
    Emotion,
    Explicitness,
    Mechanism,
    PowerForm,
    ProfileStatus,
    Split,
    Stance,
)
from synth.records.schema import Address, PowerHolding, Relation

FORM_BITS: Final = {form: 1 << number for number, form in enumerate(PowerForm)}
REVERSE: Final = {
    PowerForm.UP: (PowerForm.DOWN, PowerForm.LEVEL),
    PowerForm.DOWN: (PowerForm.UP, PowerForm.LEVEL),
    PowerForm.LEVEL: (PowerForm.LEVEL,),
    PowerForm.SPLIT: (PowerForm.DOWN, PowerForm.SPLIT, PowerForm.LEVEL),
}
"""Which listed form of a relationship tells how the other one speaks back; never computed where none is listed."""

UNDER: Final = (Mechanism.ATTENUATION, Mechanism.GRANULARITY, Mechanism.AVOIDANCE, Mechanism.DISTANCING)


def split_of(inventory: Inventory, family: str) -> Split:
    """Give the split of a family: whole families are held out, in all languages."""
    splits = inventory.recipe.splits
    return Split.TEST if family in splits.test else Split.VALIDATION if family in splits.validation else Split.TRAIN


def make_events(inventory: Inventory, strata: Sequence[Stratum], slots: Sequence[Slot]) -> list[Event]:
    """Give the events of planned slots, in their order."""
    made = cast(inventory, strata, slots)
    names = draw_names(inventory, made)
    return [
        _Maker(inventory, strata[slot.stratum], slot, made, row, {pid: names[pid][row] for pid in names}).event()
        for row, slot in enumerate(slots)
    ]


def without_personas(cell: Cell) -> Cell:
    """Give the control of a cell: the same event and form between people of whom nothing but the role is said.

    What names, gender, profile and biography bring into a text is what differs from this one (marked personas: Cheng, Durmus and Jurafsky 2023).
    """
    people = tuple(Person(person.pid, person.role, "", "", "", "", "", "") for person in cell.people)
    return replace(
        cell,
        scenario_id=f"{cell.scenario_id}{CONTROL}",
        form_key=f"{cell.form_key}{CONTROL}",
        people=people,
        profile_ids=(),
        variety=cell.language,
        relations=tuple(replace(relation, address=None) for relation in cell.relations),
        failures=(),
    )


class _Maker:
    """Assembles one event from its drawn row."""

    def __init__(
        self,
        inventory: Inventory,
        stratum: Stratum,
        slot: Slot,
        made: Cast,
        row: int,
        names: dict[str, tuple[str, str]],
    ) -> None:
        self.inventory = inventory
        self.stratum = stratum
        self.slot = slot
        self.key = int(made.keys[row])
        self.drawn = {name: str(column[row]) for name, column in made.columns.items()}
        self.names = names
        self.family: Family = inventory.families[self.drawn["family"]]
        self.profile: Profile = inventory.profile(self.drawn["profile"])
        self.other: Profile = inventory.profile(self.drawn["other"])
        self.lives = self._lives()

    def event(self) -> Event:
        key = f"{self.key:016x}"
        forms = [form for form in self.family.forms if FORM_BITS[form] & self.slot.forms]
        failures = tuple(self._failures())
        return Event(
            event_key=key,
            seed=self.inventory.recipe.seed,
            language=self.drawn["language"],
            family=self.family.family,
            level=self.drawn["felt_affect"],
            emotion=Emotion(self.drawn["emotion"]),
            explicitness=Explicitness(self.drawn["explicitness"]),
            ordinal=self.slot.ordinal,
            replacement=self.slot.replacement,
            sequence=self._sequence(),
            split=split_of(self.inventory, self.family.family),
            cells=tuple(self._cells(key, forms, failures)),
        )

    def _cells(self, key: str, forms: Sequence[PowerForm], failures: tuple[PlannedFailure, ...]) -> Iterator[Cell]:
        """Give one cell a form; behind them the control without personas, which is the first form once more."""
        cells = [self._cell(key, form, failures) for form in forms]
        yield from cells
        # a try for missing forms needs no second control
        if self.inventory.recipe.default_persona and not self.slot.replacement:
            yield without_personas(cells[0])

    def _sequence(self) -> int | None:
        """Give the turn at authored lines; a model writes its own and is not told of any."""
        return self.stratum.sequence(self.slot.ordinal, self.slot.replacement) if self._is_authored else None

    @property
    def _is_authored(self) -> bool:
        return self.inventory.recipe.models.writer == OFFLINE

    def _cell(self, event_key: str, form: PowerForm, failures: tuple[PlannedFailure, ...]) -> Cell:
        level_name = self.drawn["felt_affect"]
        level = self.family.emotion.levels[level_name]  # type: ignore[index]
        spec = self.family.forms[form]
        relationship = self.inventory.relationships[spec.relationship]
        power = relationship.form(spec.form)
        emotion = Emotion(self.drawn["emotion"])
        relations = tuple(self._relations(form))
        return Cell(
            scenario_id=f"{event_key}.{form}",
            event_key=event_key,
            form_key=str(form),
            form=form,
            split=split_of(self.inventory, self.family.family),
            family=self.family.family,
            language=self.drawn["language"],
            variety=self.profile.variety,
            script=self.profile.script,
            locale=self.profile.locale,
            profile_ids=tuple(dict.fromkeys((self.profile.profile, self.other.profile))),
            profiles_reviewed=all(p.status == ProfileStatus.REVIEWED for p in (self.profile, self.other)),
            level=level_name,
            emotion=emotion,
            emotion_also=tuple(one.label for one in self.family.emotion.felt if one.label != emotion),
            explicitness=Explicitness(self.drawn["explicitness"]),
            goal=self.family.goal_at(level_name),
            felt=level.felt,
            shown=level.shown,
            regulation=level.regulation,
            directness=level.directness,
            relationship=spec.relationship,
            power_gap=power.power_gap,
            power_bases=tuple(self._bases(power)),
            exit_cost=power.exit_cost,
            familiarity=relationship.familiarity,
            tie=str(relationship.tie),
            people=tuple(self._people(form)),
            relations=relations,
            address_out=relations[0].address.self if relations[0].address else "",
            address_back=relations[1].address.self if len(relations) > 1 and relations[1].address else "",
            failures=failures,
            **self._turns(),
        )

    def _turns(self) -> dict[str, Any]:
        """Give how many turns the scene has and how it moves over them; authored lines have one."""
        weights = {str(turns): weight for turns, weight in sorted(self.inventory.recipe.turns.items()) if weight}
        if self._is_authored or set(weights) == {"1"}:
            return {}
        turns = int(pick_one(self.key, "turns", list(weights), list(weights.values())))
        if turns == 1:
            return {}
        return {"turns": turns, "arc": pick_one(self.key, "arc", list(self.inventory.arcs))}

    def _bases(self, power: RelationshipForm) -> Iterator[PowerHolding]:
        against = "absent" if self.family.stance in (Stance.CONFIDANT, Stance.ON_BEHALF) else "addressee"
        for holding in power.bases:
            yield PowerHolding(holding.base, holding.held_by if holding.held_by == "speaker" else against)

    def _pids(self) -> tuple[str, ...]:
        match self.family.stance:
            case Stance.ON_BEHALF:
                return ("S", "X")
            case Stance.CONFIDANT:
                return ("S", "A", "X")
            case _:
                return ("S", "A")

    def _profile_of(self, pid: str) -> Profile:
        return self.other if pid == counterpart(self.family) else self.profile

    def _roles(self, form: PowerForm) -> dict[str, str]:
        spec = self.family.forms[form]
        pair = self.inventory.relationships[spec.relationship].form(spec.form)
        if self.family.listener is None:
            return {"S": pair.speaker, "A": pair.addressee, "X": pair.addressee}
        listener = self.inventory.relationships[self.family.listener.relationship].form(self.family.listener.form)
        return {"S": pair.speaker, "A": listener.addressee, "X": pair.addressee}

    def _people(self, form: PowerForm) -> Iterator[Person]:
        roles = self._roles(form)
        for pid in self._pids():
            given, family = self.names[pid]
            yield Person(
                pid=pid,
                role=roles[pid],
                name=self._profile_of(pid).names.whole(given, family),
                short=family if self._profile_of(pid).names.order == "family_given" else given,
                given=given,
                family=family,
                gender=self.drawn[f"gender.{pid}"],
                profile_id=self._profile_of(pid).profile,
                calls=tuple(self._calls(pid, form)),
                life=self.lives.get(pid),
            )

    def _lives(self) -> dict[str, Life]:
        """Give who people are besides the scene, where a model writes; the one who is not there stays a name.

        Somebody is the same in every form of the event, so nobody whom one of their roles rules out, and no two people are one.
        """
        if self._is_authored:
            return {}
        found: dict[str, Life] = {}
        roles = [self._roles(form) for form in self.family.forms if form in self.inventory.recipe.forms]
        for pid in self._pids():
            profile, gender = self._profile_of(pid).profile, self.drawn[f"gender.{pid}"]
            able = {one.id: one for one in self.inventory.lives_of(profile, gender, {role[pid] for role in roles})}
            left = [name for name in able if name not in {life.id for life in found.values()}]
            if left and pid != "X":
                one = able[pick_one(self.key, f"life.{pid}", left)]
                found[pid] = Life(one.id, one.age_band, one.occupation, one.work, one.household, one.cares, one.talks)
        return found

    def _calls(self, pid: str, form: PowerForm) -> Iterator[tuple[str, str]]:
        for other in self._pids():
            entry = self._towards(pid, other, form)
            if entry is not None:
                given, family = self.names[other]
                yield other, entry.calling(given, family, self.drawn[f"gender.{other}"])

    def _towards(self, pid: str, other: str, form: PowerForm) -> AddressForm | None:
        """Give how one person addresses another, None between people who do not stand in a listed relationship."""
        spec = self.family.listener if self.family.listener and {pid, other} == {"S", "A"} else self.family.forms[form]
        if pid == other or {pid, other} == {"A", "X"}:
            return None
        relationship = self.inventory.relationships[spec.relationship]
        listed = [f for f in ((spec.form,) if pid == "S" else REVERSE[spec.form]) if relationship.forms.get(f)]
        return self._profile_of(pid).address_form(spec.relationship, listed[0]) if listed else None

    def _relations(self, form: PowerForm) -> Iterator[Relation]:
        pairs = {Stance.ON_BEHALF: (("S", "X"), ("X", "S")), Stance.CONFIDANT: (("S", "A"), ("A", "S"), ("S", "X"))}
        for source, target in pairs.get(self.family.stance, (("S", "A"), ("A", "S"))):
            out, back = self._towards(source, target, form), self._towards(target, source, form)
            spec = (
                self.family.listener
                if self.family.listener and "X" not in (source, target)
                else self.family.forms[form]
            )
            power = spec.form if source == "S" else REVERSE[spec.form][0]
            system = self._profile_of(source).address.system
            address = None
            if out is not None:
                heard = back.form if back is not None else out.form
                address = Address(system, out.form, heard, None, self._title(source, target, form), out.form == heard)
            yield Relation(source, target, spec.relationship, power, address)

    def _title(self, source: str, target: str, form: PowerForm) -> str | None:
        called = dict(self._calls(source, form)).get(target)
        given, family = self.names[target]
        return called if called not in (given, family, None) else None

    def _failures(self) -> Iterator[PlannedFailure]:
        wanted = self.inventory.recipe.replies
        level = self.drawn["felt_affect"]
        offered = self._offered(level)
        able = {failure.mechanism for failure in offered if failure.variant not in OVER_VARIANTS}
        names = [str(mechanism) for mechanism in UNDER if mechanism in able]
        if wanted.under < len(names):
            first = pick_one(self.key, "mechanism", names)
            start = names.index(first)
            names = [names[(start + step) % len(names)] for step in range(wanted.under)]
        for name in names:
            under = [
                failure for failure in offered if failure.mechanism == name and failure.variant not in OVER_VARIANTS
            ]
            if under:
                yield self._one_of(under, f"failure.{name}")
        over = [failure for failure in offered if failure.variant in OVER_VARIANTS]
        for number in range(wanted.over):
            if over:
                chosen = self._one_of(over, f"over.{number}")
                over = [failure for failure in over if failure.key != chosen.key]
                yield chosen

    def _one_of(self, options: list[PlannedFailure], name: str) -> PlannedFailure:
        labels = [f"{failure.key}.{failure.severity}" for failure in options]
        chosen = options[labels.index(pick_one(self.key, name, labels))]
        if self._is_authored:
            return chosen
        return replace(chosen, longer=pick_one(self.key, f"length.{chosen.key}", ("longer", "shorter")) == "longer")

    def _offered(self, level: str) -> list[PlannedFailure]:
        """Give what can fail at a level: what the phrasings hold, or every mechanism where a model writes."""
        phrasing = self.inventory.phrasings.get((self.drawn["language"], self.family.family))
        if phrasing is not None:
            return [
                PlannedFailure(failure.mechanism, failure.variant, severity)
                for failure in phrasing.failures_at(level)
                for severity in failure.severities
            ]
        under = [
            PlannedFailure(m, "", s) for m in UNDER for s in (1, 2, 3) if not (m == "attenuation" and level == "low")
        ]
        return under + [PlannedFailure(m, variant, 2) for variant, m in OVER_VARIANTS.items()]
