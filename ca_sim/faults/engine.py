"""The faults in force: which of them strikes what is just being done."""

import logging
from collections.abc import Collection
from dataclasses import dataclass
from random import Random

from pydantic import BaseModel

from ca_sim.book import Book
from ca_sim.clock import Clock
from ca_sim.faults.rules import Fault, FaultKind

log = logging.getLogger(__name__)
ROOM = "fault"


class Armed(BaseModel):
    """A fault in force with its tally: `met` requests fitted it, `struck` of them were struck."""

    id: str
    fault: Fault
    met: int = 0
    struck: int = 0

    @property
    def spent(self) -> bool:
        """Whether it has struck as often as it may."""
        return self.fault.count is not None and self.struck >= self.fault.count


@dataclass(slots=True)
class _Live:
    armed: Armed
    random: Random


class Faults:
    """Holds the faults in force. Without any, nothing goes wrong and nothing is spent on it."""

    def __init__(self, book: Book, clock: Clock) -> None:
        self._book = book
        self._clock = clock
        self._live = {armed.id: _Live(armed, _numbers(armed)) for armed in self._kept()}

    def arm(self, fault: Fault) -> Armed:
        """Put a fault in force."""
        number = max((int(key) for key in self._live), default=0) + 1
        armed = Armed(id=str(number), fault=fault)
        self._live[armed.id] = _Live(armed, _numbers(armed))
        self._keep(armed)
        log.info("fault %s armed: %s at %s", armed.id, fault.kind, ", ".join(fault.at))
        return armed

    def disarm(self, fault_id: str) -> bool:
        """Take a fault out of force; say whether there was one."""
        found = self._live.pop(fault_id, None) is not None
        with self._book.transaction():
            self._book.delete_document(ROOM, fault_id)
        return found

    def disarm_all(self) -> None:
        """Take all faults out of force."""
        for fault_id in list(self._live):
            self.disarm(fault_id)

    def list_(self) -> list[Armed]:
        """List the faults in force with their tallies."""
        return [live.armed for live in self._live.values()]

    def strike(self, kind: FaultKind, place: str, names: Collection[str] = ()) -> Fault | None:
        """Say whether a fault of this kind strikes what is done at `place`, and which; the first that does."""
        if not self._live:
            return None
        at = self._clock()
        for live in self._live.values():
            armed = live.armed
            if armed.fault.kind is not kind or armed.spent or not armed.fault.fits(place, names, at):
                continue
            armed.met += 1
            # drawn for each that fits, also for those spared: what strikes later does not depend on `skip`
            struck = live.random.random() < armed.fault.rate and armed.met > armed.fault.skip
            armed.struck += struck
            self._keep(armed)
            if struck:
                log.info("fault %s strikes: %s at %s", armed.id, kind, place)
                return armed.fault
        return None

    def _keep(self, armed: Armed) -> None:
        with self._book.transaction():
            self._book.put_document(ROOM, armed.id, armed.model_dump_json())

    def _kept(self) -> list[Armed]:
        return [Armed.model_validate_json(body) for _, body in self._book.documents(ROOM)]


def _numbers(armed: Armed) -> Random:
    """Make the numbers of a fault, from where it was: the same seed strikes the same requests, also over a restart."""
    random = Random(f"{armed.fault.seed}/{armed.fault.kind}/{'/'.join(armed.fault.at)}")  # noqa: S311 - repeatable
    for _ in range(armed.met):
        random.random()
    return random
