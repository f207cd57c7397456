"""What is remembered of the virtual clock, so that its time goes on over a restart."""

import json
from datetime import datetime

from ca_sim.book import Book
from ca_sim.clock import Anchor, Clock, VirtualClock
from ca_sim.clock_settings import ClockSettings

ROOM = "clock"


def open_clock(book: Book, settings: ClockSettings, real: Clock) -> VirtualClock:
    """Go on with the clock that the book remembers, or begin with that of the settings."""
    kept = book.document(ROOM, ROOM)
    if kept is not None:
        found = json.loads(kept)
        anchor = Anchor(datetime.fromisoformat(found["virtual"]), datetime.fromisoformat(found["real"]), found["speed"])
        return VirtualClock(real, anchor=anchor)
    clock = VirtualClock(real)
    if settings.start or settings.speed != 1:
        clock.set(settings.starts_at, settings.speed)
        keep_clock(book, clock)
    return clock


def keep_clock(book: Book, clock: VirtualClock) -> None:
    """Remember how the clock goes, after each change of it."""
    anchor = clock.anchor
    body = {"virtual": anchor.virtual.isoformat(), "real": anchor.real.isoformat(), "speed": anchor.speed}
    with book.transaction():
        book.put_document(ROOM, ROOM, json.dumps(body))
