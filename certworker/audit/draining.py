"""Draining: the records that transactions have written move from the database into the log, in their order.

A record is deleted only when it is on disk in the log. A process that is killed between the two leaves it in both: it is
drained once more then, and has the same `recordId` in both lines, so that readers count it once. Whoever drains holds a lease,
which only saves work: two at once would write lines twice, and lose none.
"""

import json
from datetime import timedelta
from typing import Final

from certworker.audit.log import AuditLog
from certworker.clock import Clock, whole_second
from certworker.vault.audit.port import PendingRecord
from certworker.vault.store import Store

BATCH: Final = 500
LEASE: Final = timedelta(seconds=5)


class Drain:
    """Drains into the log of this process."""

    def __init__(self, store: Store, log: AuditLog, owner: str, clock: Clock) -> None:
        self._store = store
        self._log = log
        self._owner = owner
        self._clock = clock

    def oldest(self) -> int | None:
        """Tell the number of the record that waits longest; none where none waits."""
        with self._store.reading() as reader:
            waiting = reader.pending_records(1)
        return waiting[0].number if waiting else None

    def run(self) -> int:
        """Drain all that waits, unless another is at it; count. Raises AuditUnavailable, Unavailable."""
        count = 0
        while self.oldest() is not None and (records := self._claim()):
            self._log.append_texts([_line_of(record) for record in records], synced=True)
            with self._store.writing() as writer:
                writer.delete_pending_records(tuple(record.number for record in records))
            count += len(records)
        return count

    def _claim(self) -> tuple[PendingRecord, ...]:
        with self._store.writing() as writer:
            if not writer.claim_audit_drain(self._owner, whole_second(self._clock()), LEASE):
                return ()
            return writer.pending_records(BATCH)


def _line_of(record: PendingRecord) -> str:
    """Give a record's JSON; what is no JSON object on one line, which only a hand in the database can bring, is quoted."""
    text = record.text
    try:
        if text.isascii() and text.isprintable() and isinstance(json.loads(text), dict) and text.endswith("}"):
            return text
    except ValueError:
        pass
    quoted = {"recordId": f"broken-{record.number}", "category": "AuditChain", "operationName": "AuditRecordBroken"}
    return json.dumps({**quoted, "properties": {"text": text}}, ensure_ascii=True, separators=(",", ":"))
