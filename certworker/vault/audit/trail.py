"""Where records go, and which request is under way.

The record of a change is a row that is written in the change's own transaction; a round drains the rows into the log. All
other records are appended to the log before the answer leaves. No record, no answer.

Which request is under way is the one thing that a transaction has to know and that no service hands to it: a `ContextVar`,
set for the time of one request by the door that takes it, says so.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol

from certworker.vault.audit.record import AuditRecord


class AuditTrail(Protocol):
    """The log of this process."""

    def append(self, record: AuditRecord) -> None:
        """Append a record: it is with the operating system, or on disk, when this comes back. Raises AuditUnavailable."""

    def try_out(self) -> None:
        """Find out whether a record could be appended, and append none. Raises AuditUnavailable."""


class NoTrail:
    """Keeps nothing: for commands that only look, and for tests of other things."""

    def append(self, record: AuditRecord) -> None:
        """Forget it."""

    def try_out(self) -> None:
        """Nothing is in the way of forgetting."""


class UnderWay(Protocol):
    """A request, or a command; where nothing is under way, the service acts by itself, and each event has a record.

    `committed` is true once a transaction has been committed that has the record in it.
    """

    committed: bool

    def record(self) -> AuditRecord:
        """Make its record as of now, for a success."""


@dataclass(slots=True)
class Trace:
    """What is under way, where it is known by nothing but how its record is made."""

    record: Callable[[], AuditRecord]
    committed: bool = field(default=False)


_CURRENT: ContextVar[UnderWay | None] = ContextVar("certworker_trace", default=None)


def current_trace() -> UnderWay | None:
    """Give what is under way in this context; none where the service acts by itself."""
    return _CURRENT.get()


class tracing:  # noqa: N801 - used as the function that it was, in half of the time
    """Set what is under way, for the time of the block."""

    __slots__ = ("_token", "_trace")

    def __init__(self, trace: UnderWay) -> None:
        self._trace = trace

    def __enter__(self) -> UnderWay:
        """Set it."""
        self._token = _CURRENT.set(self._trace)
        return self._trace

    def __exit__(self, *_: object) -> None:
        """Set what was under way before."""
        _CURRENT.reset(self._token)


@contextmanager
def untraced() -> Iterator[None]:
    """Set that nothing is under way: what is written in the block is none of the request that happens to bring it about."""
    token = _CURRENT.set(None)
    try:
        yield
    finally:
        _CURRENT.reset(token)
