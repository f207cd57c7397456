"""The rounds: whatever is due, done. Nothing that is due lives in memory."""

import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from time import monotonic
from typing import Final

from certworker.bootstrap import House
from certworker.clock import whole_second
from certworker.errors import CertworkerError
from certworker.measures import Measure
from certworker.vault.store import Reader
from certworker.vault.vaults import Heartbeat
from certworker.worker import (
    advice,
    audit,
    counting,
    failover,
    history,
    issuing,
    notices,
    revision,
    revocation,
    summary,
    upkeep,
)
from certworker.worker.owner import is_gone, own_name
from certworker.worker.round import Group, Round
from certworker.worker.troubles import Troubles

BEAT_INTERVAL = timedelta(seconds=15)
"""How often an idle worker writes that it is alive: a commit costs a disk's flush."""

ROUNDS: Final[tuple[Callable[[House, str], Round], ...]] = (
    # first: what is due by the settings of today is begun in the same turn
    revision.revision,
    issuing.renewals,
    issuing.operations,
    # after them: what has just failed may go elsewhere at once
    failover.failover,
    advice.advice,
    advice.healing,
    revocation.newcomers,
    revocation.lists,
    revocation.looks,
    revocation.clearing,
    # before the expiries: of a key that was rotated in time nobody has to hear
    upkeep.rotations,
    upkeep.expiries,
    upkeep.clearance,
    upkeep.signing_keys,
    upkeep.vault_purges,
    upkeep.spare_keys,
    notices.oblivion,
    history.forgetting,
    # last: what the others did is told in the same turn
    notices.marks,
    notices.tellings,
    notices.hastening,
    notices.deliveries,
    audit.draining,
    audit.pruning,
    summary.catching_up,
    summary.checking,
    counting.issuers,
)
"""Every round, in the order in which one thread goes through them."""

Plan = dict[str, datetime | None]
"""When each round falls due next, as far as it was looked at since something was done last."""

_log = logging.getLogger(__name__)


class Rounds:
    """Looks at the database for what is due, claims it, and does it. Any number of processes can do so side by side.

    With a `group`, only the rounds of that group.
    """

    def __init__(self, house: House, owner: str | None = None, group: Group | None = None) -> None:
        self._house = house
        self._owner = owner or own_name()
        made = (make(house, self._owner) for make in ROUNDS)
        self._rounds = {found.name: found for found in made if group in (None, found.group)}
        self._job = group.value if group else "rounds"
        self.troubles = Troubles(_log)
        self._ran: dict[str, datetime] = {}
        self._beat_at: datetime | None = None
        house.measures.count(Measure.RUNS, self._job, "idle", by=0)
        for name in self._rounds:
            house.measures.count(Measure.ROUND_ITEMS, name, by=0)
            house.measures.count(Measure.LEASES_LOST, name, by=0)

    def take_over(self) -> None:
        """End the leases of processes of this machine that are gone, so that what they had begun goes on now."""
        with self._house.store.writing() as writer:
            for owner in writer.lease_owners():
                if is_gone(owner):
                    writer.release_leases(owner)

    def run_due(self, at: datetime) -> datetime | None:
        """Do all that is due at `at`; tell when something falls due next, none where nothing is planned.

        A round that fails keeps no other from its turn; the last failure is raised when all had theirs.
        """
        begun, at = monotonic(), whole_second(at)
        done, failure, plan = 0, None, self._look_ahead()
        for each in self._rounds.values():
            try:
                if self._is_due(each, at, plan):
                    done += self._run(each, at, plan)
            except CertworkerError as error:
                self.troubles.tell(f"The round {each.name} failed", error, at)
                failure = error
        self._count(done, monotonic() - begun, failed=failure is not None)
        if failure or done or _has_gone_by(self._beat_at, at, BEAT_INTERVAL):
            self._beat(at, monotonic() - begun, failed=failure is not None)
        if failure:
            raise failure
        return self._next_due(plan)

    def run(self, name: str, at: datetime) -> int:
        """Do what is due of one round, whatever its interval; count."""
        return self._rounds[name].run(whole_second(at))

    def _run(self, found: Round, at: datetime, plan: Plan) -> int:
        self._ran[found.name] = at
        plan.pop(found.name, None)
        done = found.run(at)
        if done:
            plan.clear()  # what it did may let others fall due
            self._house.measures.count(Measure.ROUND_ITEMS, found.name, by=done)
        return done

    def _is_due(self, found: Round, at: datetime, plan: Plan) -> bool:
        if found.interval is not None and _has_gone_by(self._ran.get(found.name), at, found.interval):
            return True
        if found.name not in plan:
            plan.update(self._look((found,)))
        due = plan.get(found.name)
        return due is not None and due <= at

    def _look_ahead(self) -> Plan:
        try:
            return self._look(self._rounds.values())
        except CertworkerError:
            return {}  # each is looked at by itself, so that the failure is that of its own round

    def _look(self, rounds: Iterable[Round]) -> Plan:
        planned = [(found.name, found.next_due) for found in rounds if found.next_due]
        if not planned:
            return {}
        with self._house.store.reading() as reader:
            return {name: next_due(reader) for name, next_due in planned}

    def _next_due(self, plan: Plan) -> datetime | None:
        plan |= self._look(found for name, found in self._rounds.items() if name not in plan)
        return min((at for at in plan.values() if at), default=None)

    def _count(self, done: int, seconds: float, *, failed: bool) -> None:
        measures = self._house.measures
        measures.count(Measure.RUNS, self._job, "failed" if failed else "done" if done else "idle")
        if done or failed:
            measures.time(Measure.RUN_SECONDS, seconds, self._job)

    def _beat(self, at: datetime, seconds: float, *, failed: bool) -> None:
        self._beat_at = at
        with self._house.store.writing() as writer:
            writer.beat(Heartbeat(self._job, at, seconds, failed))
            self._compare_clocks(writer)

    def _compare_clocks(self, reader: Reader) -> None:
        """Hold the machine's clock against the database's, where that has one."""
        before = self._house.clock()
        other = reader.database_clock()
        after = self._house.clock()
        if other:
            ahead = max(before - other, timedelta()) or min(after - other, timedelta())
            self._house.measures.set(Measure.CLOCK_SKEW, ahead.total_seconds(), "database")


def _has_gone_by(last: datetime | None, at: datetime, interval: timedelta) -> bool:
    # a clock that went back counts as well
    return last is None or not timedelta(0) <= at - last < interval
