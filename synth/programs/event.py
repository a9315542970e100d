"""The event program: particulars that belong together, shared by all forms of an event."""

from __future__ import annotations

from collections.abc import Sequence

from synth.ask import Parsed
from synth.content.scenarios import Family
from synth.programs import briefs
from synth.programs.contracts import EVENT, EventAnswer
from synth.programs.questions import Desk
from synth.records.cells import Event


async def tell_event(
    desk: Desk, event: Event, family: Family, partition: str, again: Sequence[str] = ()
) -> Parsed[EventAnswer]:
    """Give the particulars of an event: one call for all its forms; `again` names what an earlier try got wrong."""
    brief = briefs.of_event(event, family, again)
    return await desk.ask(
        "writer", brief, EVENT, EventAnswer, partition=partition, shows=("levels",), draw=int(bool(again))
    )
