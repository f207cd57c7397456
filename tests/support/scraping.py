"""A scrape, read as Prometheus reads it."""

from prometheus_client.parser import text_string_to_metric_families

from certworker.issuers.limits import limits_by
from certworker.metrics import Metrics
from certworker.metrics.catalogue import catalogue
from tests.support.deployment import Deployment

Labels = tuple[tuple[str, str], ...]
Series = dict[str, dict[Labels, float]]


def scrape(deployment: Deployment, certificate_series: int = 1000, issuer_series: int = 500) -> Series:
    """Read what the state of a deployment is told as."""
    house = deployment.house
    limits, channels = limits_by(house.settings), house.lifecycle.notification.audience.places
    text, content_type = Metrics(house.store, house.clock, certificate_series, issuer_series, limits, channels).text()
    assert content_type.startswith("text/plain")
    return read_exposition(text.decode())


def read_exposition(text: str) -> Series:
    """Read values by labels, by the name of the series; each is as the catalogue has it."""
    known = {metric.name: metric for metric in catalogue()}
    found: Series = {}
    for family in text_string_to_metric_families(text):
        metric = known[family.name]
        assert (family.type, family.documentation) == (metric.kind.value, metric.meaning)
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(metric.labels)
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def of(**labels: str) -> Labels:
    """Write labels as `scrape` does."""
    return tuple(sorted(labels.items()))
