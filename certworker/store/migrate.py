"""Bringing a database to the schema of this release.

Alembic is loaded only where there is something to do: a warm start reads one row.
"""

import logging
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any, Final

from sqlalchemy import Connection, Engine, func, inspect, select, text
from sqlalchemy.exc import SQLAlchemyError

from certworker.errors import SetupError
from certworker.store.engine import is_there, open_engine
from certworker.store.failures import fail

REVISIONS: Final = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010", "0011", "0012")
"""Every revision that this release knows, the oldest first. The last one is what its tables are."""

HEAD: Final = REVISIONS[-1]
MIGRATIONS: Final = Path(__file__).parent / "migrations"
MIGRATION_LOCK: Final = 0x63657274_6D696772
"""The advisory lock of whoever migrates: "certmigr" in ASCII."""

PATIENCE: Final = timedelta(minutes=2)
"""So long is waited for another process that migrates."""
NOT_SET_UP: Final = "This deployment has not been set up: run `certworker init` first."
VERSION_TABLE: Final = "alembic_version"
_log = logging.getLogger(__name__)
_REVISION: Final = text("SELECT version_num FROM alembic_version")
_NO_TIMEOUT: Final = text("SET LOCAL lock_timeout = 0")
_NO_STATEMENT_TIMEOUT: Final = text("SET LOCAL statement_timeout = 0")
_LOCK: Final = select(func.pg_advisory_xact_lock(MIGRATION_LOCK))


def migrate(database_url: str) -> None:
    """Make or update the schema, all of it or nothing. Any number of processes may do this at once; one does the work.

    Raises SetupError where the database was written by a newer release (it is left as it is), Unavailable where it does not
    answer.
    """
    engine = open_engine(database_url, PATIENCE)
    try:
        if not _is_current(engine):
            _upgrade(engine)
    except SQLAlchemyError as error:
        fail(error)
    finally:
        engine.dispose()


def require_current(database_url: str, *, or_none: bool = False) -> None:
    """Look whether the schema is the one of this release, and change nothing.

    Raises SetupError where it is another one, or where there is none yet and that is not allowed; Unavailable where the
    database does not answer.
    """
    revision = _revision_at(database_url) if is_there(database_url) else None
    if revision is None and not or_none:
        raise SetupError(NOT_SET_UP)
    if revision not in {None, HEAD}:
        raise SetupError(
            f"The database was written by an earlier release of certworker (its schema is {revision}, this release works on "
            f"{HEAD}). Back it up, and start the service anew: `certworker run` brings it up to date. Nothing was changed."
        )


def _revision_at(database_url: str) -> str | None:
    engine = open_engine(database_url, PATIENCE)
    try:
        with engine.connect() as connection:
            return revision_of(connection)
    except SQLAlchemyError as error:
        fail(error)
    finally:
        engine.dispose()


def _is_current(engine: Engine) -> bool:
    with engine.connect() as connection:
        return revision_of(connection) == HEAD


def revision_of(connection: Connection) -> str | None:
    """Read the database's revision; none where there is no schema yet. Raises SetupError for one of a newer release."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    revision = connection.execute(_REVISION).scalar()
    if revision is not None and revision not in REVISIONS:
        raise SetupError(
            f"The database was written by a newer release of certworker (its schema is {revision}, this release knows up to "
            f"{HEAD}). Start the newer release, or restore the backup that was made before the update. Nothing was changed."
        )
    return None if revision is None else str(revision)


def _upgrade(engine: Engine) -> None:
    """Take the lock, look again, and run the migrations in the same transaction."""
    with engine.execution_options(begin="BEGIN IMMEDIATE").begin() as connection:
        hold_migrations(connection)
        if revision_of(connection) != HEAD:
            upgrade(connection, HEAD)


def hold_migrations(connection: Connection) -> None:
    """Keep everybody else from migrating until the transaction ends; on SQLite it does so by itself. It may take its time."""
    if connection.dialect.name == "postgresql":
        connection.execute(_NO_TIMEOUT)
        connection.execute(_NO_STATEMENT_TIMEOUT)
        connection.execute(_LOCK)


def upgrade(connection: Connection, revision: str) -> None:
    """Run the migrations up to a revision, in the transaction that is open."""
    from alembic import command  # noqa: PLC0415  # costs a second, and is needed once in a release
    from alembic.config import Config  # noqa: PLC0415

    current = revision_of(connection)
    attributes: dict[str, Any] = {"connection": connection}
    if current is not None and current != revision:
        # a large database takes minutes, in which nobody else tells anything
        message = "The database's schema %s becomes %s. Nothing is served meanwhile; where it is large, that takes a while."
        _log.info(message, current, revision)
        attributes["on_version_apply"] = _teller(revision)
    config = Config(attributes=attributes)
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    command.upgrade(config, revision)


def _teller(target: str) -> Callable[..., None]:
    """Tell of each step when it is done, how long it took."""
    begun = monotonic()

    def tell(*, step: Any, **_: object) -> None:  # noqa: ANN401  # Alembic's
        nonlocal begun
        now = monotonic()
        revision = str(step.up_revision_id)
        _log.info(
            "The database's schema is %s of %s now, after %.1f seconds: %s", revision, target, now - begun, step.up_revision.doc
        )
        begun = now

    return tell
