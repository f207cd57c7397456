"""The port to all tables of a deployment at once: what a backup takes out, and a restore puts in, whatever the database.

Cells are plain: nothing, a truth, a number, a text or bytes. No meaning is read into them here.
"""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

Cell = None | bool | int | float | str | bytes
Cells = tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """A table: its columns in order, and which of them hold bytes. `counter` is the last number that it counted to, if any."""

    name: str
    columns: tuple[str, ...]
    binary: frozenset[str]
    counter: int | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows of a table. Every table comes once at the least, if only to say that it is empty."""

    shape: Shape
    rows: tuple[Cells, ...]


class Snapshot(Protocol):
    """Every table as it was at one moment, whatever is written meanwhile."""

    @property
    def revision(self) -> str:
        """The revision of the schema."""

    @property
    def deployment_id(self) -> str:
        """The id of the service's own vault."""

    @property
    def master_key_id(self) -> str:
        """The id of the master key that wraps the newest key of the service's own vault."""

    def shapes(self) -> tuple[Shape, ...]:
        """List the tables."""

    def rows(self, shape: Shape) -> Iterator[Cells]:
        """Read a table row by row, in no order; the memory of a few rows is enough."""

    def count(self, shape: Shape) -> int:
        """Let the database count a table's rows."""


class DeploymentTables(Protocol):
    """A database, seen as tables. Every method raises Unavailable where it does not answer."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Open a view of all tables at one moment. Raises SetupError where nothing that is known here was set up."""

    def check_vacant(self) -> None:
        """Make sure that nothing is in the way of a restore. Raises Conflict where something is."""

    def load(self, revision: str, batches: Iterable[Batch]) -> None:
        """Fill an empty database with tables of a revision, and bring it to the one of this release: all or nothing.

        Leases are left out. What the batches raise is raised on, and nothing has changed then. Raises Conflict where the
        database is not empty, SetupError for a revision that is not known here.
        """
