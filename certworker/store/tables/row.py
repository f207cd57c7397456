"""What all tables have in common."""

from types import MappingProxyType
from typing import Any, ClassVar, Final

from sqlalchemy import ForeignKeyConstraint, MetaData, Table, text
from sqlmodel import SQLModel

_NAMES: Final = MappingProxyType(
    {
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

LEASED: Final = text("lease_until IS NOT NULL")
"""Of an index of what is under a lease: a few rows of any number."""

Values = dict[str, Any]
"""A row as it is written: column -> value."""


class Row(SQLModel):
    """The base of all tables."""

    metadata: ClassVar[MetaData] = MetaData(naming_convention=dict(_NAMES))


def belongs_to(owner: str, *columns: str, to: tuple[str, ...] | None = None) -> ForeignKeyConstraint:
    """Bind rows to a row of `owner`: they go when it goes.

    It is looked at when the transaction ends, so that what belongs together may be written in any order.
    """
    there = [f"{owner}.{column}" for column in to or columns]
    return ForeignKeyConstraint(columns, there, ondelete="CASCADE", deferrable=True, initially="DEFERRED")


def table_of(row: type[SQLModel]) -> Table:
    """Give the table that a row class describes, for Core statements."""
    return row.metadata.tables[str(row.__tablename__)]
