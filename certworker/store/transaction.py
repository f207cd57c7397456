"""One transaction, and the few ways in which the nouns speak to it."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Executable, Row, Table, bindparam, delete, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from certworker.clock import Clock
from certworker.errors import Conflict
from certworker.store.failures import fail
from certworker.store.tables.row import Values


class Transaction:
    """A transaction that is open. Every failure is told in the house's own words (see `failures`)."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._on_postgresql = connection.dialect.name == "postgresql"

    def _one(self, statement: Executable, **values: Any) -> Row[Any] | None:  # noqa: ANN401
        try:
            return self._connection.execute(statement, values).first()
        except SQLAlchemyError as error:
            fail(error)

    def _all(self, statement: Executable, **values: Any) -> Sequence[Row[Any]]:  # noqa: ANN401
        try:
            return self._connection.execute(statement, values).all()
        except SQLAlchemyError as error:
            fail(error)

    def _change(self, statement: Executable, **values: Any) -> int:  # noqa: ANN401
        """Carry out a change, and count the rows."""
        try:
            return self._connection.execute(statement, values).rowcount
        except SQLAlchemyError as error:
            fail(error)

    def _add(self, table: Table, values: Values, taken: str) -> None:
        """Insert a row. Raises Conflict with the words `taken`; the transaction can go on even then."""
        if not self._try_add(table, values):
            raise Conflict(taken)

    def _try_add(self, table: Table, values: Values) -> bool:
        """Insert a row unless one of its keys is taken; say whether it was inserted."""
        return self._one(_adding(table, on_postgresql=self._on_postgresql), **values) is not None

    def _put(self, table: Table, values: Values, key: Iterable[str], keep: Iterable[str] = ()) -> None:
        """Insert a row, or replace the one of the same `key` except for its columns `keep`."""
        changed = tuple(name for name in values if name not in {*key, *keep})
        self._change(_putting(table, tuple(key), changed, on_postgresql=self._on_postgresql), **values)

    def _update(self, table: Table, this: Values, changed: Values, *, leased: bool = False) -> int:
        """Change the columns of the rows that have these values, which are not null, and are under a lease; count them."""
        statement = _changing(table, tuple(this), tuple(changed), leased=leased)
        return self._change(statement, **_prefixed("of_", this), **_prefixed("new_", changed))

    def _delete(self, table: Table, this: Values) -> int:
        """Delete the rows that have these values, which are not null; count them."""
        return self._change(_deleting(table, tuple(this)), **_prefixed("of_", this))

    def _insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        return insertion(table, on_postgresql=self._on_postgresql)

    def _at(self) -> datetime:
        return self._clock()


# SQLAlchemy finds a statement that it has compiled quicker than it is told it anew: half of a short transaction's time.


@cache
def _adding(table: Table, *, on_postgresql: bool) -> Executable:
    first = next(iter(table.primary_key))
    return insertion(table, on_postgresql=on_postgresql).on_conflict_do_nothing().returning(first)


@cache
def _putting(table: Table, key: tuple[str, ...], changed: tuple[str, ...], *, on_postgresql: bool) -> Executable:
    statement = insertion(table, on_postgresql=on_postgresql)
    new = {name: statement.excluded[name] for name in changed}
    return statement.on_conflict_do_update(index_elements=list(key), set_=new)


@cache
def _changing(table: Table, this: tuple[str, ...], changed: tuple[str, ...], *, leased: bool) -> Executable:
    wanted = [*_these(table, this), *([table.c.lease_owner.is_not(None)] if leased else [])]
    new = {name: bindparam(f"new_{name}", type_=table.c[name].type) for name in changed}
    return update(table).where(*wanted).values(new)


@cache
def _deleting(table: Table, this: tuple[str, ...]) -> Executable:
    return delete(table).where(*_these(table, this))


def _these(table: Table, names: tuple[str, ...]) -> list[ColumnElement[bool]]:
    return [table.c[name] == bindparam(f"of_{name}", type_=table.c[name].type) for name in names]


def _prefixed(prefix: str, values: Values) -> Values:
    return {f"{prefix}{name}": value for name, value in values.items()}


def insertion(table: Table, *, on_postgresql: bool) -> sqlite.Insert | postgresql.Insert:
    """Begin an INSERT in the words of the database, which differ in what follows."""
    return postgresql.insert(table) if on_postgresql else sqlite.insert(table)
