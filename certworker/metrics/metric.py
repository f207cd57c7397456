"""What a metric is, and how one is described in a line or two."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

PREFIX: Final = "certworker_"
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Buckets of what takes no longer than an answer."""


class Kind(StrEnum):
    """What a metric is to Prometheus."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


class Origin(StrEnum):
    """Where a value comes from, and so what a restart does to it."""

    DATABASE = "database"
    """Read at each scrape: every process tells the same, and a restart forgets nothing."""
    PROCESSES = "processes"
    """Counted in the processes of one service, and summed on its port; a restart of the service begins again at 0."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `name` is the whole name without the `_total` of a counter; `values` tell what a label can be.

    `buckets` are the upper bounds of a histogram, in seconds. `born` are what the last label of a counter can be: when one
    of them is counted all of them begin, for PromQL sees no increase in a series that begins with its first event. `dates`
    is the name of another metric: this one tells when each of its series was set last.
    """

    topic: str
    name: str
    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()
    origin: Origin = Origin.DATABASE
    values: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    buckets: tuple[float, ...] = ()
    born: tuple[str, ...] = ()
    dates: str = ""

    @property
    def series(self) -> str:
        """The name that a query uses; of a histogram, the one that its own are made from."""
        return f"{self.name}_total" if self.kind is Kind.COUNTER else self.name


def gauge(topic: str, name: str, meaning: str, labels: tuple[str, ...] = (), **values: str) -> Metric:
    """Describe state of the database."""
    return Metric(topic, PREFIX + name, Kind.GAUGE, meaning, labels, values=MappingProxyType(values))


def stored(topic: str, name: str, meaning: str, labels: tuple[str, ...] = (), **values: str) -> Metric:
    """Describe what is counted in the database."""
    return Metric(topic, PREFIX + name, Kind.COUNTER, meaning, labels, values=MappingProxyType(values))


def counted(
    topic: str, name: str, meaning: str, labels: tuple[str, ...] = (), born: tuple[str, ...] = (), **values: str
) -> Metric:
    """Describe what is counted in the processes."""
    return Metric(topic, PREFIX + name, Kind.COUNTER, meaning, labels, Origin.PROCESSES, MappingProxyType(values), born=born)


def measured(topic: str, name: str, meaning: str, labels: tuple[str, ...] = (), **values: str) -> Metric:
    """Describe what the processes know of how something stands."""
    return Metric(topic, PREFIX + name, Kind.GAUGE, meaning, labels, Origin.PROCESSES, MappingProxyType(values))


def dated(metric: Metric, name: str, meaning: str) -> Metric:
    """Tell when what is measured was measured last: it keeps its value until it is measured again."""
    return Metric(
        metric.topic, PREFIX + name, Kind.GAUGE, meaning, metric.labels, Origin.PROCESSES, metric.values, dates=metric.name
    )


def timed(
    topic: str, name: str, meaning: str, labels: tuple[str, ...] = (), buckets: tuple[float, ...] = (), **values: str
) -> Metric:
    """Describe how long something takes, as the processes have timed it."""
    return Metric(
        topic, PREFIX + name, Kind.HISTOGRAM, meaning, labels, Origin.PROCESSES, MappingProxyType(values), buckets or SECONDS
    )
