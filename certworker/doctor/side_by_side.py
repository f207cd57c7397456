"""Work that waits for others, done side by side and bounded in time: what does not come back is left behind."""

from collections.abc import Callable, Sequence
from threading import Thread
from time import monotonic
from typing import Final, Generic, TypeVar

T = TypeVar("T")
MOST_THREADS: Final = 32


class Late(Exception):
    """It did not come back in time."""


class _Work(Generic[T]):
    """One piece of work, in a thread that keeps no program from ending."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._found: list[T] = []
        self._error: Exception | None = None
        self._thread = Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def outcome(self, deadline: float) -> T | Exception:
        self._thread.join(max(deadline - monotonic(), 0))
        return self._error or (self._found[0] if self._found else Late())

    def _run(self) -> None:
        try:
            self._found.append(self._work())
        except Exception as error:  # noqa: BLE001  # it is given back, and told by whoever asked
            self._error = error


def outcomes(works: Sequence[Callable[[], T]], seconds: float) -> list[T | Exception]:
    """Do all of them, some at once, within some seconds for each lot of them; give what came of each, or why nothing did."""
    found: list[T | Exception] = []
    for begin in range(0, len(works), MOST_THREADS):
        lot: list[_Work[T]] = [_Work(work) for work in works[begin : begin + MOST_THREADS]]
        for work in lot:
            work.start()
        deadline = monotonic() + seconds
        found += [work.outcome(deadline) for work in lot]
    return found
