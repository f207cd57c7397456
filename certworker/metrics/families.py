"""How a metric of the catalogue is told with its values."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from certworker.metrics.metric import Kind, Metric


class Families(Collector):
    """Families that are known already."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = tuple(families)

    def collect(self) -> Iterable[Family]:
        """Give them."""
        return self._families


class Telling:
    """One metric that is being told, series by series."""

    def __init__(self, metric: Metric) -> None:
        make = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
        self.family: Family = make(metric.name, metric.meaning, labels=metric.labels)
        self._metric = metric

    def add(self, labels: tuple[str, ...], value: float) -> None:
        """Add a series."""
        # what the family's own add_metric does beside this is of no use here, and takes longer
        self.family.add_sample(self._metric.series, dict(zip(self._metric.labels, labels, strict=True)), value)

    def add_time(self, labels: tuple[str, ...], at: datetime | None) -> None:
        """Add a time, in Unix seconds, where there is one."""
        if at is not None:
            self.add(labels, at.timestamp())


def told(metric: Metric, values: Mapping[tuple[str, ...], float]) -> Family:
    """Tell a metric with the values that it has, by labels."""
    telling = Telling(metric)
    for labels, value in values.items():
        telling.add(labels, value)
    return telling.family
