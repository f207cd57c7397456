"""The database itself, as operators see it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """Its size in bytes, the version of its schema, and what lies there ready or waits: spare keys by kind, audit records."""

    size_bytes: int
    schema: str
    spare_keys: Mapping[str, int]
    pending_records: int


class DatabaseReader(Protocol):
    """What can be asked of the database itself."""

    def database_state(self) -> DatabaseState:
        """Tell how it stands."""

    def database_clock(self) -> datetime | None:
        """Tell its time; none where it has no clock of its own (SQLite)."""


class DatabaseWriter(DatabaseReader, Protocol):
    """What can be done to it."""

    def try_out(self) -> None:
        """Write something, and take it back: nobody else ever sees it, and where nothing can be written the commit fails."""
