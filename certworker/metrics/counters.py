"""Counters of the processes: what each counts, and the sum of all on one port.

Each process writes what it counts into files of its own, in the folder of its service and in the form of prometheus_client's
multiprocess mode; whoever is scraped sums them up, and a process that was killed has lost nothing. They are written here, and
not by that mode's own metrics: those take three times as long, and this is done for every request.
"""

import logging
import os
import shutil
import tempfile
import weakref
from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import Any, Final

from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from certworker.clock import Clock, utc_now
from certworker.errors import SetupError
from certworker.measures import Measure
from certworker.metrics.catalogue import catalogue
from certworker.metrics.folder import COUNTERS, GAUGES, HISTOGRAMS, SummedFolder
from certworker.metrics.metric import PREFIX, Kind, Metric

FOLDER_VARIABLE: Final = "CERTWORKER_COUNTERS"
"""Where the environment says which folder is the service's."""
OTHER: Final = "other"
"""What a label says of all that came after too many."""
LONGEST_LABEL: Final = 64
MOST_VALUES: Final = MappingProxyType({"vault": 1000, "issuer": 100, "operation": 400, "peer": 100, "webhook": 100})
"""So many values of a label a process tells apart."""
MOST_OTHERS: Final = 60
_FOLDED: Final = frozenset({"issuer", "peer"})
"""Labels whose case says nothing: policies spell issuers as they like, and the first spelling stands for all."""
_ROOM: Final = MappingProxyType({COUNTERS: 1 << 20, HISTOGRAMS: 1 << 20, GAUGES: 1 << 16})
"""So many bytes a file takes at once: it is memory, and what finds no room on the disk later would end the process."""


_BESIDE_KEY: Final = 40
"""A series takes so many bytes at most beside its key."""
_log = logging.getLogger(__name__)


class _Series:
    """One series of this process: its keys in the file, and its values. Of a histogram, the sum comes after the buckets.

    Of a gauge, the second key is of when it was set, if that is told.
    """

    __slots__ = ("bounds", "keys", "values")

    def __init__(self, keys: tuple[str, ...], bounds: tuple[float, ...] = ()) -> None:
        self.keys = keys
        self.bounds = bounds
        self.values = [0.0] * len(keys)


class _Reserved(MmapedDict):
    """A file that takes its room on the disk before it is written to: a write where there is none ends the process."""

    def _init_value(self, key: str) -> None:
        """Add a series. Raises OSError where there is no room for more."""
        while self._used + len(key.encode()) + _BESIDE_KEY > self._capacity:
            os.posix_fallocate(self._f.fileno(), self._capacity, self._capacity)
            self._m.resize(2 * self._capacity)
            self._capacity *= 2
        super()._init_value(key)  # type: ignore[no-untyped-call]  # the library has no types here


class Counters:
    """Implements `measures.Measures`, in files of this process in a folder. Safe for threads, not for forks."""

    def __init__(self, folder: Path | None = None, clock: Clock = utc_now) -> None:
        """Without a `folder`, this process counts for itself alone, in one that is gone with it.

        `clock` tells which of several processes' gauges is the latest. Raises SetupError where there is no room.
        """
        self._folder = folder or Path(tempfile.mkdtemp(prefix="certworker-own-counters-"))
        self._clock = clock
        files: list[Any] = [_open(self._folder / f"{kind}_{os.getpid()}.db", room) for kind, room in _ROOM.items()]
        self._counters, self._histograms, self._gauges = files
        closing = weakref.finalize(self, _close, files, None if folder else self._folder)
        closing.atexit = folder is None  # threads may count to the very end
        named = {metric.name.removeprefix(PREFIX): metric for metric in catalogue()}
        self._metrics = {measure: named[measure.value] for measure in Measure}
        self._dates = {metric.dates: metric for metric in named.values() if metric.dates}
        self._seen: dict[str, dict[str, str]] = {}
        self._series: dict[tuple[str, ...], _Series] = {}
        self._lock = Lock()
        self._missed = False
        for measure, metric in self._metrics.items():
            if metric.kind is Kind.COUNTER and not metric.labels:
                self.count(measure, by=0)  # so that there is something for the first one to be an increase of

    def count(self, measure: Measure, *labels: str, by: int = 1) -> None:
        """Count something that happened."""
        try:
            series = self._series.get((measure, *labels)) or self._bind(measure, labels)
            values = series.values
            with self._lock:
                values[0] += by
                self._counters.write_value(series.keys[0], values[0], 0.0)
        except OSError as error:
            self._miss(error)

    def time(self, measure: Measure, seconds: float, *labels: str) -> None:
        """Note how long something took."""
        try:
            series = self._series.get((measure, *labels)) or self._bind(measure, labels)
            at, values, keys = bisect_left(series.bounds, seconds), series.values, series.keys
            with self._lock:
                values[at] += 1
                values[-1] += seconds
                self._histograms.write_value(keys[at], values[at], 0.0)
                self._histograms.write_value(keys[-1], values[-1], 0.0)
        except OSError as error:
            self._miss(error)

    def set(self, measure: Measure, value: float, *labels: str) -> None:
        """Note how something stands now."""
        try:
            series = self._series.get((measure, *labels)) or self._bind(measure, labels)
            at = self._clock().timestamp()
            with self._lock:
                for key, told in zip(series.keys, (value, at), strict=False):
                    self._gauges.write_value(key, told, at)
        except OSError as error:
            self._miss(error)

    def _miss(self, error: OSError) -> None:
        """Say once that what is new cannot be counted; what is known already has its room."""
        if not self._missed:
            self._missed = True
            _log.error("There is no room for more of what is counted in %s: %s", self._folder, error.strerror)

    def collector(self) -> Collector:
        """Give what a registry gathers from: the sum of all that write into the folder."""
        return SummedFolder(self._folder)

    def _bind(self, measure: Measure, labels: tuple[str, ...]) -> _Series:
        """Find the series of labels, of which there are not too many; what was not cut is known from now on."""
        metric = self._metrics[measure]
        with self._lock:
            bounded = tuple(self._bounded(label, value) for label, value in zip(metric.labels, labels, strict=True))
            place = (measure, *bounded)
            series = self._series.get(place)
            if series is None:
                series = _series(metric, bounded, self._dates.get(metric.name))
                self._begin(metric, series)
                self._series[place] = series
                self._bear(measure, metric, bounded)
        return series

    def _begin(self, metric: Metric, series: _Series) -> None:
        """Let a series begin at 0."""
        files = {Kind.COUNTER: self._counters, Kind.HISTOGRAM: self._histograms}
        if file := files.get(metric.kind):
            for key in series.keys:
                file.write_value(key, 0.0, 0.0)

    def _bear(self, measure: Measure, metric: Metric, labels: tuple[str, ...]) -> None:
        """Let the series begin that differ in their last label only."""
        for word in metric.born:
            place = (measure, *labels[:-1], self._bounded(metric.labels[-1], word))
            if place not in self._series:
                series = _series(metric, place[1:])
                self._begin(metric, series)
                self._series[place] = series

    def _bounded(self, label: str, value: str) -> str:
        value = value[:LONGEST_LABEL].encode(errors="replace").decode()  # half a character would spoil the whole text
        seen = self._seen.setdefault(label, {})
        folded = value.casefold() if label in _FOLDED else value
        if folded not in seen and len(seen) >= MOST_VALUES.get(label, MOST_OTHERS):
            return OTHER
        return seen.setdefault(folded, value)


def counters_of_process(clock: Clock) -> Counters:
    """Make the counters of this process, in the folder that the environment names, if it does. Raises SetupError."""
    named = os.environ.get(FOLDER_VARIABLE)
    return Counters(Path(named) if named else None, clock)


def _series(metric: Metric, labels: tuple[str, ...], dated_by: Metric | None = None) -> _Series:
    names = list(metric.labels)
    if metric.kind is not Kind.HISTOGRAM:
        both = filter(None, (metric, dated_by))
        return _Series(tuple(mmap_key(one.name, one.series, names, list(labels), one.meaning) for one in both))
    bounds = (*metric.buckets, float("inf"))
    texts = [floatToGoString(bound) for bound in bounds]  # type: ignore[no-untyped-call]  # the library has no types here
    buckets = (
        mmap_key(metric.name, f"{metric.name}_bucket", [*names, "le"], [*labels, text], metric.meaning) for text in texts
    )
    return _Series((*buckets, mmap_key(metric.name, f"{metric.name}_sum", names, list(labels), metric.meaning)), bounds)


def _close(files: Sequence[Any], own: Path | None) -> None:
    """Close the files; what was counted stays, unless the folder was this process's own."""
    for file in files:
        file.close()
    if own:
        shutil.rmtree(own, ignore_errors=True)


def _open(path: Path, room: int) -> MmapedDict:
    """Make a file with room in it, and open it."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, room)
        finally:
            os.close(descriptor)
        return _Reserved(str(path))  # type: ignore[no-untyped-call]  # as above
    except OSError as error:
        raise SetupError(f"The counters of this process have no room in {path.parent}: {error.strerror}.") from error
