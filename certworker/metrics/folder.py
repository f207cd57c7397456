"""The folder in which the processes of one service count: summed up for a scrape, and what ended is put together.

A lock keeps the two apart. It is in the folder: whoever scrapes and whoever puts together are different processes.
"""

import fcntl
import logging
import os
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from prometheus_client.metrics_core import Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

COUNTERS: Final = "counter"
HISTOGRAMS: Final = "histogram"
GAUGES: Final = "gauge_mostrecent"
FILES: Final = (COUNTERS, HISTOGRAMS, GAUGES)
"""How the files of a process begin, which its id follows."""
_ENDED: Final = "ended"
_LOCK: Final = "lock"
_BROKEN: Final = (OSError, ValueError, RuntimeError, struct.error)
"""What comes of a folder or a file that somebody has removed or spoilt."""

_log = logging.getLogger(__name__)


class SummedFolder(Collector):
    """Sums up what the processes have counted that write into a folder, or wrote there until they ended."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterable[Metric]:
        """Give the sums; none where they cannot be read, which keeps nothing else of a scrape back."""
        try:
            with _locked(self._folder, fcntl.LOCK_SH):
                found = (file for kind in FILES for file in sorted(self._folder.glob(f"{kind}_*.db")))
                files = [str(file) for file in found if file.stat().st_size]  # not what is just being made
                return list(MultiProcessCollector.merge(files))  # type: ignore[no-untyped-call]  # it has no types here
        except _BROKEN as error:
            _log.error("What the processes have counted cannot be read in %s: %s", self._folder, error)
            return []


def fold(folder: Path, pid: int) -> None:
    """Add what a process has counted that ended to what others have: without end of restarts there is an end of files."""
    with _locked(folder, fcntl.LOCK_EX):
        for kind in FILES:
            file, ended = folder / f"{kind}_{pid}.db", folder / f"{kind}_{_ENDED}.db"
            if file.exists():
                _add(file, ended, sums=kind != GAUGES)
                file.unlink()


def _add(file: Path, ended: Path, *, sums: bool) -> None:
    """Add values to values, which may be none; of gauges the later one counts. What is there takes its place as a whole."""
    values: dict[str, tuple[float, float]] = {}
    for source in (ended, file):
        for key, value, at, _ in _read(source) if source.exists() else ():
            known, known_at = values.get(key, (0.0, 0.0))
            if sums:
                values[key] = known + value, 0.0
            elif at >= known_at:
                values[key] = value, at
    fresh = ended.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    written: Any = MmapedDict(str(fresh))  # type: ignore[no-untyped-call]  # as above
    for key, (value, at) in values.items():
        written.write_value(key, value, at)
    written.close()
    fresh.replace(ended)


def _read(file: Path) -> Iterator[tuple[str, float, float, int]]:
    return iter(MmapedDict.read_all_values_from_file(str(file)))  # type: ignore[no-untyped-call]  # as above


@contextmanager
def _locked(folder: Path, kind: int) -> Iterator[None]:
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, kind)
        yield
    finally:
        os.close(descriptor)
