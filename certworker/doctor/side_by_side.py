"""Work that waits for others, done side by side and bounded in time: what does not come back is left behind."""

from collections.abc import Callable, Sequence
from threading import Thread
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")


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
    """Do all of them at once, within some seconds; give what came of each, or why nothing did.

    They wait for others and cost little, so each has a thread: in lots, some that are silent would take the time of the rest.
    """
    begun: list[_Work[T]] = [_Work(work) for work in works]
    deadline = monotonic() + seconds
    for work in begun:
        work.start()
    return [work.outcome(deadline) for work in begun]
