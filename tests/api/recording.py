"""A log in memory for tests: what was appended, and what waits in the database."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from certworker.errors import AuditUnavailable
from certworker.vault.audit.record import AuditRecord
from certworker.vault.store import Store
from tests.api.world import Caller, World


@dataclass
class Recorder:
    """Keeps what is appended, or has no room."""

    store: Store
    appended: list[AuditRecord] = field(default_factory=list)
    full: bool = False

    def append(self, record: AuditRecord) -> None:
        """Keep a record."""
        self.try_out()
        self.appended.append(record)

    def try_out(self) -> None:
        """Find out whether there is room."""
        if self.full:
            raise AuditUnavailable("The audit log cannot be written.")

    def pending(self) -> list[Any]:
        """List what transactions have written."""
        with self.store.reading() as reader:
            return [json.loads(found.text) for found in reader.pending_records(100_000)]

    def all(self) -> list[Any]:
        """List every record, those that were appended first."""
        return [*(json.loads(record.text()) for record in self.appended), *self.pending()]

    @contextmanager
    def told(self) -> Iterator[list[Any]]:
        """Give what is recorded while the block lasts, once it is over."""
        appended, waiting, new = len(self.appended), len(self.pending()), list[Any]()
        yield new
        new += [json.loads(record.text()) for record in self.appended[appended:]] + self.pending()[waiting:]


def recorded(world: World) -> tuple[Caller, Recorder]:
    """Call the app of a world whose records are kept."""
    recorder = Recorder(world.house.store)
    return Caller(replace(world, house=replace(world.house, trail=recorder))), recorder
