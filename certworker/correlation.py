"""What belongs together: a request, the certificate operation that it began, and what a CA was asked for it.

Every line of the log and every audit record that is written under one of them carries its ids. No service hands them on: a
`ContextVar`, set for a time by the door that takes a request or the round that takes up an operation, says what they are.
"""

from contextvars import ContextVar
from typing import Final, NamedTuple


class Correlation(NamedTuple):
    """What is under way: ids, empty where there is none, and which attempt of the operation it is, counted from 1."""

    correlation_id: str = ""
    operation_id: str = ""
    attempt: int = 0


_NOTHING: Final = Correlation()
_CURRENT: ContextVar[Correlation] = ContextVar("certworker_correlation", default=_NOTHING)


def current_correlation() -> Correlation:
    """Give the ids of what is under way in this context."""
    return _CURRENT.get()


class correlating:  # noqa: N801 - used as a function; as a class it takes half of the time, and each request has one
    """Set the ids of what is under way, for the time of the block."""

    __slots__ = ("_correlation", "_token")

    def __init__(self, correlation_id: str, operation_id: str = "", attempt: int = 0) -> None:
        self._correlation = Correlation(correlation_id, operation_id, attempt)

    def __enter__(self) -> Correlation:
        """Set them."""
        self._token = _CURRENT.set(self._correlation)
        return self._correlation

    def __exit__(self, *_: object) -> None:
        """Set what was under way before."""
        _CURRENT.reset(self._token)
