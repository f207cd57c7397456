"""The database itself: its size, its schema and its clock."""

from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

from sqlalchemy import func, select, text

from certworker.store.tables.audit import AUDIT_PENDING
from certworker.store.tables.events import HEARTBEAT, heartbeat_values
from certworker.store.tables.spare_keys import SPARE_KEY
from certworker.store.transaction import Transaction
from certworker.vault.database import DatabaseState
from certworker.vault.vaults import Heartbeat

_SIZE_POSTGRESQL: Final = text("SELECT pg_database_size(current_database()) AS size")
_SIZE_SQLITE: Final = text("SELECT page_count * page_size AS size FROM pragma_page_count(), pragma_page_size()")
_SCHEMA: Final = text("SELECT version_num AS version FROM alembic_version")
_CLOCK: Final = text("SELECT EXTRACT(EPOCH FROM clock_timestamp()) AS at")
_SPARE_KEYS: Final = select(SPARE_KEY.c.kind, func.count().label("number")).group_by(SPARE_KEY.c.kind)
_PENDING: Final = select(func.count().label("number")).select_from(AUDIT_PENDING)


class DatabaseReader(Transaction):
    """What can be asked of the database itself."""

    def database_state(self) -> DatabaseState:
        """Tell how it stands."""
        size = self._one(_SIZE_POSTGRESQL if self._on_postgresql else _SIZE_SQLITE)
        schema, pending = self._one(_SCHEMA), self._one(_PENDING)
        spare = {str(row.kind): int(row.number) for row in self._all(_SPARE_KEYS)}
        return DatabaseState(
            size_bytes=int(size.size) if size else 0,
            schema=str(schema.version) if schema else "",
            spare_keys=spare,
            pending_records=int(pending.number) if pending else 0,
        )

    def database_clock(self) -> datetime | None:
        """Tell its time; none where it has no clock of its own (SQLite)."""
        row = self._one(_CLOCK) if self._on_postgresql else None
        return datetime.fromtimestamp(float(row.at), UTC) if row else None


class DatabaseWriter(DatabaseReader):
    """What can be done to it."""

    def try_out(self) -> None:
        """Write something, and take it back."""
        # a name of its own: of two that try at once, the second one would wait for the first
        job = f"try-{uuid4().hex}"
        self._put(HEARTBEAT, heartbeat_values(Heartbeat(job, self._at(), 0, failed=False)), key=("job",))
        self._delete(HEARTBEAT, {"job": job})
