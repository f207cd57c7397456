"""All tables out of a database and into another, of either kind (see `vault/deployment_tables`).

What the tables are is asked of the database itself, so that a revision of an earlier release goes in as it came out.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Column, Connection, LargeBinary, MetaData, Table, func, inspect, select, text
from sqlalchemy.engine.reflection import Inspector
from sqlalchemy.exc import SQLAlchemyError

from certworker.errors import Conflict, SetupError
from certworker.store.engine import is_there, open_engine
from certworker.store.failures import fail
from certworker.store.migrate import HEAD, REVISIONS, VERSION_TABLE, hold_migrations, revision_of, upgrade
from certworker.store.tables import METADATA
from certworker.store.tables.summary import DERIVED
from certworker.store.tables.vaults import REGISTRY
from certworker.vault.deployment_tables import Batch, Cell, Cells, Shape, Snapshot
from certworker.vault.objects import fold_name
from certworker.vault.vaults import SYSTEM_VAULT

_NOTHING: Final = "This deployment has not been set up: there is nothing to back up."
_ROWS: Final = 200
"""So many rows are held in memory at a time."""
_SEEDED: Final = frozenset({REGISTRY.name})
"""Tables in which a migration puts rows."""
_LEASE: Final = frozenset({"lease_owner", "lease_until"})
_PATIENT: Final = tuple(
    text(f"SET LOCAL {name} = 0") for name in ("statement_timeout", "idle_in_transaction_session_timeout", "lock_timeout")
)
_COUNTED: Final = text("SELECT pg_sequence_last_value(pg_get_serial_sequence(:table, :column)::regclass)")
_COUNT_ON: Final = text("SELECT setval(pg_get_serial_sequence(:table, :column)::regclass, :counter)")
_LITE_COUNTED: Final = text("SELECT seq FROM sqlite_sequence WHERE name = :table")
_LITE_COUNT_ON: Final = text("UPDATE sqlite_sequence SET seq = :counter WHERE name = :table")
_LITE_COUNT_FROM: Final = text("INSERT INTO sqlite_sequence (name, seq) VALUES (:table, :counter)")


class SqlTables:
    """The tables of the database that a URL names."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """Open a view of all tables at one moment. Raises SetupError, Unavailable."""
        if not is_there(self._url):
            raise SetupError(_NOTHING)  # or SQLite would make it
        with _connected(self._url, isolation_level="REPEATABLE READ", postgresql_readonly=True) as connection:
            revision = revision_of(connection)
            if revision is None:
                raise SetupError(_NOTHING)
            yield SqlSnapshot(connection, revision)

    def counts(self) -> dict[str, int]:
        """Count the rows of every table. Raises SetupError, Unavailable."""
        with self.snapshot() as snapshot:
            return {shape.name: snapshot.count(shape) for shape in snapshot.shapes()}

    def check_vacant(self) -> None:
        """Make sure that nothing is in the way of a restore. Raises Conflict, SetupError, Unavailable."""
        with _connected(self._url) as connection:
            _check_vacant(connection, revision_of(connection))

    def load(self, revision: str, batches: Iterable[Batch]) -> None:
        """Fill an empty database, all or nothing. Raises Conflict, SetupError, Unavailable, and what the batches raise."""
        if revision not in REVISIONS:
            raise SetupError(f"The backup has the schema {revision}, which this release does not know; it knows up to {HEAD}.")
        with _connected(self._url, begin="BEGIN IMMEDIATE") as connection:
            hold_migrations(connection)
            _make_schema(connection, revision)
            _fill(connection, batches)
            if connection.dialect.name == "postgresql":
                connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))  # what waits to be checked is in a migration's way
            upgrade(connection, HEAD)


class SqlSnapshot:
    """Every table in one read transaction."""

    def __init__(self, connection: Connection, revision: str) -> None:
        self._connection = connection
        self._tables = _read_tables(connection)
        self.revision = revision
        self.deployment_id, self.master_key_id = self._names()

    def shapes(self) -> tuple[Shape, ...]:
        """List the tables."""
        tables = [table for table in self._tables.values() if table.name not in DERIVED]
        return tuple(_shape(table, _counter(self._connection, table)) for table in tables)

    def rows(self, shape: Shape) -> Iterator[Cells]:
        """Read a table row by row."""
        wanted = select(self._tables[shape.name]).execution_options(yield_per=_ROWS)
        try:
            for row in self._connection.execute(wanted):
                yield tuple(row)
        except SQLAlchemyError as error:
            fail(error)

    def count(self, shape: Shape) -> int:
        """Let the database count a table's rows."""
        return _count(self._connection, self._tables[shape.name])

    def _names(self) -> tuple[str, str]:
        vault, key = self._tables["vault"].c, self._tables["vault_key"].c
        wanted = select(vault.id, key.master_key_id).join_from(vault.id.table, key.term.table, key.vault_id == vault.id)
        newest = wanted.where(vault.folded == fold_name(SYSTEM_VAULT)).order_by(key.term.desc()).limit(1)
        found = self._connection.execute(newest).first()
        if found is None:
            raise SetupError(_NOTHING)
        return str(found[0]), str(found[1])


@contextmanager
def _connected(database_url: str, **options: Any) -> Iterator[Connection]:  # noqa: ANN401
    """Open a transaction: committed at the end, rolled back by any exception."""
    engine = open_engine(database_url)
    if engine.dialect.name == "sqlite":
        options = {name: value for name, value in options.items() if name == "begin"}
    else:
        options.pop("begin", None)
    try:
        with engine.execution_options(**options).begin() as connection:
            if connection.dialect.name == "postgresql":
                for statement in _PATIENT:
                    connection.execute(statement)
            yield connection
    except SQLAlchemyError as error:
        fail(error)
    finally:
        engine.dispose()


def _read_tables(connection: Connection) -> Mapping[str, Table]:
    inspector: Inspector = inspect(connection)
    return {
        name: Table(
            name,
            MetaData(),
            *(Column(found["name"], found["type"], info={"counts": _counts(found)}) for found in inspector.get_columns(name)),
        )
        for name in sorted(inspector.get_table_names())
        if name != VERSION_TABLE
    }


def _counts(found: Mapping[str, Any]) -> bool:
    """Whether a column may count up by itself. SQLite says so of every number that is a key, and corrects it when asked."""
    return found.get("autoincrement") is True or found.get("primary_key") == 1


def _shape(table: Table, counter: int | None) -> Shape:
    binary = frozenset(column.name for column in table.columns if isinstance(column.type, LargeBinary))
    return Shape(table.name, tuple(column.name for column in table.columns), binary, counter)


def _counter(connection: Connection, table: Table) -> int | None:
    """Tell the last number that a table counted to: higher than any of its rows where the last ones are gone."""
    if connection.dialect.name == "sqlite":
        found = connection.execute(_LITE_COUNTED, {"table": table.name}).scalar()
    else:
        column = next((column.name for column in table.columns if column.info["counts"]), None)
        found = column and connection.execute(_COUNTED, {"table": table.name, "column": column}).scalar()
    return None if found is None else int(found)


def _count_on(connection: Connection, table: Table, counter: int) -> None:
    """Let new rows have numbers behind `counter`: they must not be taken for old ones by whoever has read these."""
    if connection.dialect.name == "sqlite":
        values = {"table": table.name, "counter": counter}
        if connection.execute(_LITE_COUNT_ON, values).rowcount == 0:
            connection.execute(_LITE_COUNT_FROM, values)
        return
    column = next(column.name for column in table.columns if column.info["counts"])
    connection.execute(_COUNT_ON, {"table": table.name, "column": column, "counter": counter})


def _count(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def _check_vacant(connection: Connection, revision: str | None) -> Mapping[str, Table]:
    tables = _read_tables(connection)
    if tables and revision is None:
        raise Conflict(f"The database holds tables of something else ({', '.join(sorted(tables)[:3])}). Nothing was changed.")
    for table in tables.values():
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"LOCK TABLE {table.name} IN ACCESS EXCLUSIVE MODE"))
        if table.name not in _SEEDED and _count(connection, table):
            raise Conflict(
                f"The database is not empty (there are rows in {table.name}): a backup is restored into an empty one. "
                "Nothing was changed."
            )
    return tables


def _make_schema(connection: Connection, revision: str) -> None:
    present = revision_of(connection)
    tables = _check_vacant(connection, present)
    if present == revision:
        return
    # last is what triggers write to when something is done to the others
    known = sorted((name for name in tables if name in METADATA.tables), key=lambda name: name in {REGISTRY.name, *DERIVED})
    for name in [*known, *([VERSION_TABLE] if present else [])]:
        cascade = " CASCADE" if connection.dialect.name == "postgresql" else ""
        connection.execute(text(f"DROP TABLE {name}{cascade}"))
    upgrade(connection, revision)


def _fill(connection: Connection, batches: Iterable[Batch]) -> None:
    tables = _read_tables(connection)
    generation = _generation(connection, tables)
    for name in _SEEDED & set(tables):
        connection.execute(tables[name].delete())
    counters: dict[str, int] = {}
    for batch in batches:
        shape = batch.shape
        table = tables.get(shape.name)
        if table is None or not set(shape.columns) <= set(table.columns.keys()):
            raise SetupError(f"The backup holds a table {shape.name} that its schema does not have. Nothing was changed.")
        if shape.counter is not None:
            counters[shape.name] = shape.counter
        if batch.rows:
            connection.execute(table.insert(), [_values(shape, row) for row in batch.rows])
    for name, counter in counters.items():
        column = next(iter(column for column in tables[name].columns if column.info["counts"]))
        highest = connection.execute(select(func.max(column))).scalar()
        _count_on(connection, tables[name], max(counter, highest or 0))
    if REGISTRY.name in tables:
        # whoever has looked into the empty database must look again
        generation = max(generation, _generation(connection, tables)) + 1
        connection.execute(tables[REGISTRY.name].delete())
        connection.execute(tables[REGISTRY.name].insert(), {"number": 1, "generation": generation})


def _generation(connection: Connection, tables: Mapping[str, Table]) -> int:
    registry = tables.get(REGISTRY.name)
    return 0 if registry is None else connection.execute(select(registry.c.generation)).scalar() or 0


def _values(shape: Shape, row: Cells) -> dict[str, Cell]:
    """Name the cells. Leases are left out: whoever held them is another machine's."""
    return {name: None if name in _LEASE else cell for name, cell in zip(shape.columns, row, strict=True)}
