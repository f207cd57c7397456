"""Events and cursors, counts and heartbeats: what is asked and what is changed.

Listeners read events by sequence number and never look back, so a number must not become visible after a higher one. On
PostgreSQL a number is drawn before its transaction commits, and another may overtake it: there, whoever appends events holds
one advisory lock from the drawing to the end of the transaction. Events are therefore kept back and written last, so that
the lock is held for one round trip and the commit, and is the last lock of all that a transaction takes.
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Final

from sqlalchemy import Connection, Executable, bindparam, func, insert, select, text
from sqlalchemy.exc import SQLAlchemyError

from certworker.clock import Clock
from certworker.correlation import current_correlation
from certworker.store.failures import fail
from certworker.store.tables.audit import AUDIT_PENDING
from certworker.store.tables.events import (
    CURSOR,
    EVENT,
    HEARTBEAT,
    TALLY,
    event_record,
    event_values,
    heartbeat_record,
    heartbeat_values,
)
from certworker.store.tables.vaults import VAULT
from certworker.store.transaction import Transaction, insertion
from certworker.vault.audit.acts import is_act, service_record
from certworker.vault.audit.trail import UnderWay
from certworker.vault.events import Event
from certworker.vault.objects import fold_name
from certworker.vault.rights.scopes import PROVIDER, group_scope
from certworker.vault.vaults import Heartbeat

EVENT_LOCK: Final = 0x63657274_6576656E
"""The advisory lock of those who append events: "certeven" in ASCII."""

_EVENTS = (
    select(EVENT).where(EVENT.c.sequence > bindparam("after")).order_by(EVENT.c.sequence).limit(bindparam("most", type_=None))
)
_CURSOR = select(CURSOR.c.sequence).where(CURSOR.c.name == bindparam("name"))
_ADD_EVENT = insert(EVENT)
_ADD_RECORD = insert(AUDIT_PENDING)
_LAST_EVENT = select(func.coalesce(func.max(EVENT.c.sequence), 0).label("last"))
_TALLIES = select(VAULT.c.name, TALLY.c.issuer, TALLY.c.result, TALLY.c.count).join(VAULT, VAULT.c.id == TALLY.c.vault_id)
_PLACE_OF_VAULT = select(VAULT.c.subscription_id, VAULT.c.resource_group, VAULT.c.name).where(VAULT.c.id == bindparam("id"))
_CHECK_KEYS_NOW = text("SET CONSTRAINTS ALL IMMEDIATE")
_LOCK_EVENTS = select(func.pg_advisory_xact_lock(EVENT_LOCK))


class EventReader(Transaction):
    """What can be asked of events and counts."""

    def events(self, after: int, limit: int) -> tuple[Event, ...]:
        """List events in order, beginning after the sequence number `after`."""
        return tuple(map(event_record, self._all(_EVENTS, after=after, most=limit)))

    def last_event(self) -> int:
        """Tell the highest sequence number of the events; 0 without any."""
        row = self._one(_LAST_EVENT)
        return int(row.last) if row else 0

    def cursor(self, name: str) -> int:
        """Tell up to which event a listener has read; 0 for a new one."""
        row = self._one(_CURSOR, name=name)
        return int(row.sequence) if row else 0

    def tallies(self) -> Mapping[tuple[str, str, str], int]:
        """Count attempts at issuance: (vault's name, issuer's name, result) -> count."""
        rows = self._all(_TALLIES.order_by(VAULT.c.folded, TALLY.c.folded, TALLY.c.result))
        return MappingProxyType({(row.name, row.issuer, row.result): row._mapping["count"] for row in rows})  # noqa: SLF001

    def heartbeats(self) -> tuple[Heartbeat, ...]:
        """List the last run of each job."""
        return tuple(map(heartbeat_record, self._all(select(HEARTBEAT).order_by(HEARTBEAT.c.job))))


class EventWriter(EventReader):
    """What can be changed in events and counts."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        super().__init__(connection, clock)
        self._kept_back: list[Event] = []
        self._acts: list[Event] = []
        self.written_events: list[Event] = []
        """What was told in this transaction, in order."""
        self._resource_ids: dict[str, str] = {}

    def add_event(self, event: Event) -> None:
        """Append an event."""
        self._kept_back.append(event)
        if is_act(event):
            self._acts.append(event)

    def events(self, after: int, limit: int) -> tuple[Event, ...]:
        """List events in order, this transaction's own among them."""
        self.write_events()
        return super().events(after, limit)

    def last_event(self) -> int:
        """Tell the highest sequence number, this transaction's own events among them."""
        self.write_events()
        return super().last_event()

    def write_records(self, trace: UnderWay | None) -> None:
        """Write the audit record of what is under way, once; where nothing is, one of each event. Before the events."""
        if trace is None:
            correlation_id = current_correlation().correlation_id
            records = [service_record(event, self._resource_id(event.vault_id), correlation_id) for event in self._acts]
        else:
            records = [] if trace.committed else [trace.record()]
        if not records:
            return
        try:
            self._connection.execute(_ADD_RECORD, [{"text": record.text()} for record in records])
        except SQLAlchemyError as error:
            fail(error)

    def _resource_id(self, vault_id: str) -> str:
        if vault_id not in self._resource_ids:
            row = self._one(_PLACE_OF_VAULT, id=vault_id)
            found = (
                f"{group_scope(row.subscription_id, row.resource_group)}/providers/{PROVIDER}/vaults/{row.name}" if row else ""
            )
            self._resource_ids[vault_id] = found
        return self._resource_ids[vault_id]

    def write_events(self) -> None:
        """Write what was kept back. The transaction calls this before it commits."""
        if not self._kept_back:
            return
        if self._on_postgresql:
            # Foreign keys are looked at first: a wait for another's row under the event lock could be a deadlock.
            self._change(_CHECK_KEYS_NOW)
            self._one(_LOCK_EVENTS)
        rows = [event_values(event) for event in self._kept_back]
        self.written_events += self._kept_back
        self._kept_back = []
        try:
            self._connection.execute(_ADD_EVENT, rows)
        except SQLAlchemyError as error:
            fail(error)

    def set_cursor(self, name: str, sequence: int) -> None:
        """Record up to which event a listener has read."""
        self._put(CURSOR, {"name": name, "sequence": sequence}, key=("name",))

    def count_attempt(self, vault_id: str, issuer: str, result: str) -> None:
        """Count an attempt at issuance by its result."""
        first = {"vault_id": vault_id, "folded": fold_name(issuer), "result": result, "issuer": issuer, "count": 1}
        self._change(_counting(on_postgresql=self._on_postgresql), **first)

    def beat(self, heartbeat: Heartbeat) -> None:
        """Record the last run of a job."""
        self._put(HEARTBEAT, heartbeat_values(heartbeat), key=("job",))


@cache
def _counting(*, on_postgresql: bool) -> Executable:
    once_more = {"count": TALLY.c.count + 1}
    key = ["vault_id", "folded", "result"]
    return insertion(TALLY, on_postgresql=on_postgresql).on_conflict_do_update(index_elements=key, set_=once_more)
