"""The summary, kept as things change.

Triggers of the database note which certificates have changed, in the transaction that changes them, whoever does. From there
the summary catches up: of each the old part is taken out of the counts, and the new one put in.
"""

import logging
from collections import Counter, defaultdict
from threading import Lock, Thread
from time import monotonic
from typing import Final

from certworker.errors import CertworkerError
from certworker.vault.objects import fold_name
from certworker.vault.store import Store, Writer
from certworker.vault.summary.members import member_of
from certworker.vault.summary.records import CountKey, Measure, Place
from certworker.vault.watches import Watch, WatchKind

MOST_AT_ONCE: Final = 200
"""So many changes are taken in one transaction, which keeps other writers waiting on SQLite."""

PATIENCE_SECONDS: Final = 1.0
"""So long somebody who looks waits for it at most; what is left then is the worker's."""

_log = logging.getLogger(__name__)


class Summary:
    """Lets the summary catch up with what has changed. For the service itself; it asks for no caller."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._hurrying = Lock()

    def catch_up(self, limit: int = MOST_AT_ONCE) -> int:
        """Take some changes into the summary; count them. None may also mean that another process is at it."""
        with self._store.reading() as reader:
            if reader.count_changes() == 0:
                return 0
        with self._store.writing() as writer:
            places = writer.take_changes(limit)
            _take_in(writer, tuple(dict.fromkeys(places)))
            return len(places)

    def hurry(self, patience: float = PATIENCE_SECONDS) -> None:
        """Catch up, and wait for it so many seconds at most: whoever looks wants to see what is so now.

        Who only reads is not kept from it by a database that cannot be written (it is full, or somebody holds it for long):
        what waits then is counted. Raises Unavailable where it cannot be read.
        """
        with self._store.reading() as reader:
            if reader.count_changes() == 0:
                return
        if self._hurrying.acquire(blocking=False):
            # in a thread: to wait for a lock of SQLite takes as long as the store is patient
            thread = Thread(target=self._hurry, args=(patience,), name="summary", daemon=True)
            thread.start()
            thread.join(patience)

    def _hurry(self, patience: float) -> None:
        begun = monotonic()
        try:
            while self.catch_up() and monotonic() - begun < patience:
                pass
        except CertworkerError as error:
            _log.warning("The summary of the fleet is behind, and could not catch up: %s", error)
        finally:
            self._hurrying.release()

    def check(self) -> bool:
        """Say whether the counts add up; where not, everything is counted anew, beginning now."""
        with self._store.reading() as reader:
            counted, members = sum(reader.counts(Measure.STATE).values()), reader.count_members()
        if counted == members:
            return True
        _log.error("The summary of the fleet counts %d certificates and knows %d: it is made anew.", counted, members)
        with self._store.writing() as writer:
            writer.begin_anew()
        return False


def _take_in(writer: Writer, places: tuple[Place, ...]) -> None:
    if not places:
        return
    watches: dict[Place, dict[WatchKind, Watch]] = defaultdict(dict)
    for watch in writer.watches_at(places):
        watches[Place(watch.vault_id, fold_name(watch.name))][watch.kind] = watch
    before = writer.members_at(places)
    found = writer.entries_at(places)
    after = {place: member_of(place, entry, watches[place]) for place, entry in found.items()}
    changes: Counter[CountKey] = Counter()
    for member in after.values():
        changes.update(member.counts())
    for member in before.values():
        changes.subtract(member.counts())
    writer.delete_members(place for place in before if place not in after)
    writer.put_members(member for place, member in after.items() if before.get(place) != member)
    writer.add_counts({key: number for key, number in changes.items() if number})
