"""The folder in which the processes of one service count what they do, for as long as the service runs.

It begins empty, for nobody else to read, and is gone with the service. One that was left behind by a service that was killed is
removed by the next: it is told by its lock, which the system gives back when its holder is gone.
"""

import fcntl
import logging
import os
import shutil
import signal
import struct
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from certworker.errors import SetupError
from certworker.measures import Measure

if TYPE_CHECKING:
    from certworker.metrics.counters import Counters

VARIABLE: Final = "CERTWORKER_COUNTERS"
"""Where the processes look for it."""
_PREFIX: Final = "certworker-counters-"
_OWNER: Final = "owner"
_TOLD_APART: Final = (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGTERM)

_log = logging.getLogger(__name__)


class CountingFolder:
    """Made when the service starts. `environment` is for its processes."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._owner = -1
        self._counters: Counters | None = None

    @property
    def environment(self) -> tuple[tuple[str, str], ...]:
        """What the processes have to be told; nothing before it is made."""
        return ((VARIABLE, str(self._path)),) if self._path else ()

    def make(self) -> None:
        """Make it, in the runtime folder that systemd gives or among what is temporary. Raises SetupError."""
        place = Path(os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0] or tempfile.gettempdir())
        try:
            for left in place.glob(f"{_PREFIX}*"):
                _remove_left(left)
            self._path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
            self._owner = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(self._owner, fcntl.LOCK_EX)
            (self._path / _OWNER).touch(0o600)  # from here on the lock tells; systemd-tmpfiles spares what is locked
        except OSError as error:
            raise SetupError(f"The processes need a folder to count in, in {place}: {error.strerror}.") from error

    def ended(self, pid: int) -> None:
        """Keep what a process has counted that has ended."""
        if self._path is None or not any(self._path.glob(f"*_{pid}.db")):
            return
        # seldom needed, and a start that does without is quicker
        from certworker.metrics.folder import fold  # noqa: PLC0415

        try:
            fold(self._path, pid)
        except (OSError, ValueError, RuntimeError, struct.error) as error:
            _log.warning("What process %d has counted stays by itself: %s", pid, error)

    def fell(self, role: str, code: int) -> None:
        """Count that a process has ended unasked. `code` is what it ended with; negative: the signal that ended it."""
        if self._path is None:
            return
        # seldom needed, as above
        from certworker.metrics.counters import Counters  # noqa: PLC0415

        try:
            self._counters = self._counters or Counters(self._path)
        except SetupError as error:
            _log.warning("That a process of the role %s ended is not counted: %s", role, error)
        else:
            self._counters.count(Measure.PROCESS_EXITS, role, how_it_ended(code))

    def remove(self) -> None:
        """Remove it; nobody counts any more."""
        if self._path:
            shutil.rmtree(self._path, ignore_errors=True)
            os.close(self._owner)
            self._path = None


def how_it_ended(code: int) -> str:
    """Give the word of the metric for what a process ended with."""
    if code >= 0:
        return f"status_{code}" if code in (0, 1) else "other_status"
    told = {-number: number.name for number in _TOLD_APART}
    return told.get(code, "other_signal")


def _remove_left(folder: Path) -> None:
    """Remove a folder whose service is gone; others are in use, or somebody else's."""
    try:
        if not (folder / _OWNER).exists():  # it is just being made
            return
        owner = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return
    else:
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(owner)
