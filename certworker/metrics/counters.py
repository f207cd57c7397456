"""Counters of the processes: what each counts, and the sum of all on one port.

With a folder, the processes of one service write what they count into files there (the multiprocess mode of prometheus_client,
which the environment says before it is imported), and whoever is scraped sums them up; a process that was killed has lost
nothing. Without one, a process counts in its own memory, by itself.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from certworker.errors import SetupError
from certworker.measures import Measure
from certworker.metrics.catalogue import PREFIX, Kind, Metric, catalogue
from certworker.metrics.folder import FILES, SummedFolder

FOLDER_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Where prometheus_client looks for the folder."""
OTHER: Final = "other"
"""What a label says of all that came after too many."""
LONGEST_LABEL: Final = 64
MOST_VALUES: Final = MappingProxyType({"vault": 1000, "issuer": 100, "operation": 400, "peer": 100, "stage": 60})
"""So many values of a label a process tells apart."""
MOST_OTHERS: Final = 50
_FIRST_BYTES: Final = 256 * 1024
"""So much room a file takes at once: what has no room later would end the process."""

Child = Counter | Gauge | Histogram


class Counters:
    """Implements `measures.Measures` on prometheus_client, with metrics and registry of its own. Safe for threads."""

    def __init__(self, folder: Path | None = None) -> None:
        """With a `folder`, the variable of that name must have named it when this process started. Raises SetupError."""
        self._registry = CollectorRegistry()
        self._folder = folder
        if folder:
            _take_room(folder)
        # what is gathered from a folder has the samples of this process in it
        registry = None if folder else self._registry
        named = {metric.name.removeprefix(PREFIX): metric for metric in catalogue()}
        self._metrics = {measure: _make(named[measure.value], registry) for measure in Measure}
        self._labels = {measure: named[measure.value].labels for measure in Measure}
        self._seen: dict[str, set[str]] = {}
        self._children: dict[tuple[str, ...], Child] = {}
        self._lock = Lock()

    def count(self, measure: Measure, *labels: str, by: int = 1) -> None:
        """Count something that happened."""
        child = self._children.get((measure, *labels)) or self._bind(measure, labels)
        child.inc(by)  # type: ignore[union-attr]  # the catalogue says that it is a counter

    def time(self, measure: Measure, seconds: float, *labels: str) -> None:
        """Note how long something took."""
        child = self._children.get((measure, *labels)) or self._bind(measure, labels)
        child.observe(seconds)  # type: ignore[union-attr]  # as above

    def set(self, measure: Measure, value: float, *labels: str) -> None:
        """Note how something stands now."""
        child = self._children.get((measure, *labels)) or self._bind(measure, labels)
        child.set(value)  # type: ignore[union-attr]  # as above

    def collector(self) -> Collector:
        """Give what a registry gathers from: this process alone, or the sum of all that write into the folder."""
        return SummedFolder(self._folder) if self._folder else _Plain(self._registry)

    def _bind(self, measure: Measure, labels: tuple[str, ...]) -> Child:
        """Find the series of labels, of which there are not too many; what was not cut is known from now on."""
        with self._lock:
            bounded = tuple(map(self._bounded, self._labels[measure], labels))
            metric = self._metrics[measure]
            child = self._children.get((measure, *bounded)) or (metric.labels(*bounded) if bounded else metric)
            self._children[(measure, *bounded)] = child
        return child

    def _bounded(self, label: str, value: str) -> str:
        value = value[:LONGEST_LABEL]
        seen = self._seen.setdefault(label, set())
        if value not in seen:
            if len(seen) >= MOST_VALUES.get(label, MOST_OTHERS):
                return OTHER
            seen.add(value)
        return value


class _Plain(Collector):
    """The metrics of one process as those of a folder are: without the times at which their series were made."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterable[Family]:
        """Give them."""
        for family in self._registry.collect():
            family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
            yield family


def counters_of_process() -> Counters:
    """Make the counters of this process: in the folder that the environment names, or in memory. Raises SetupError."""
    folder = os.environ.get(FOLDER_VARIABLE)
    return Counters(Path(folder) if folder else None)


def _make(metric: Metric, registry: CollectorRegistry | None) -> Child:
    match metric.kind:
        case Kind.COUNTER:
            return Counter(metric.name, metric.meaning, metric.labels, registry=registry)
        case Kind.HISTOGRAM:
            return Histogram(metric.name, metric.meaning, metric.labels, registry=registry, buckets=metric.buckets)
        case Kind.GAUGE:
            return Gauge(metric.name, metric.meaning, metric.labels, registry=registry, multiprocess_mode="mostrecent")


def _take_room(folder: Path) -> None:
    """Make the files of this process with room in them."""
    for kind in FILES:
        try:
            descriptor = os.open(folder / f"{kind}_{os.getpid()}.db", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, _FIRST_BYTES)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise SetupError(f"The counters of this process have no room in {folder}: {error.strerror}.") from error
