"""Families of metrics, read without a scrape."""

from collections.abc import Iterable

from prometheus_client.metrics_core import Metric as Family

from tests.support.scraping import Series, of


def exposed(families: Iterable[Family]) -> Series:
    """Give values by labels, by the name of the series; none of those that have no series."""
    found: Series = {}
    for family in families:
        for sample in family.samples:
            assert of(**sample.labels) not in found.get(sample.name, {}), "a series is told once"
            found.setdefault(sample.name, {})[of(**sample.labels)] = sample.value
    return found
