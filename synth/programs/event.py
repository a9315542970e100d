"""The event program: particulars that belong together, shared by all forms of an event."""

from __future__ import annotations

from synth.ask import Parsed
from synth.content.scenarios import Family
from synth.programs import briefs
from synth.programs.contracts import EVENT, EventAnswer
from synth.programs.questions import Desk
from synth.records.cells import Event


async def tell_event(desk: Desk, event: Event, family: Family, partition: str) -> Parsed[EventAnswer]:
    """Give the particulars of an event: one call for all its forms."""
    return await desk.ask("writer", briefs.of_event(event, family), EVENT, EventAnswer, partition=partition)
