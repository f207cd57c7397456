"""Where records go, and which request is under way.

The record of a change is a row that is written in the change's own transaction; a round drains the rows into the log. All
other records are appended to the log before the answer leaves. No record, no answer.

Which request is under way is the one thing that a transaction has to know and that no service hands to it: a `ContextVar`,
set for the time of one request by the door that takes it, says so. It is the house's only state of this kind.
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


class NoTrail:
    """Keeps nothing: for commands that only look, and for tests of other things."""

    def append(self, record: AuditRecord) -> None:
        """Forget it."""


@dataclass(slots=True)
class Trace:
    """A request, or an act of the service, that is under way.

    `record` makes its record as of now, for a success; none where the service acts by itself, so that each event has one, with
    the `correlation_id`. `committed` is true once a transaction has been committed that has the record in it.
    """

    record: Callable[[], AuditRecord] | None
    committed: bool = field(default=False)
    correlation_id: str = ""


_CURRENT: ContextVar[Trace | None] = ContextVar("certworker_trace", default=None)


def current_trace() -> Trace | None:
    """Give what is under way in this context; none where the service acts by itself."""
    return _CURRENT.get()


class tracing:  # noqa: N801 - used as the function that it was, in half of the time
    """Set what is under way, for the time of the block."""

    __slots__ = ("_token", "_trace")

    def __init__(self, trace: Trace) -> None:
        self._trace = trace

    def __enter__(self) -> Trace:
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


@contextmanager
def correlating(correlation_id: str) -> Iterator[None]:
    """Give one correlation id to what the service does by itself in the block; a request that is under way keeps its own."""
    if _CURRENT.get() is None:
        with tracing(Trace(None, correlation_id=correlation_id)):
            yield
    else:
        yield
