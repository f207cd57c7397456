"""What is told of the whole fleet stays small, however many issuers there are."""

from prometheus_client.metrics_core import Metric as Family

from certworker.metrics.fleet import DAYS, MOST_ISSUERS, OTHER, FleetCounts, fleet_families


def test_any_number_of_issuers_makes_few_series() -> None:
    """Whoever may set issuers may set thousands: the largest are told apart, day by day, and nothing is left out."""
    by_day = {(f"ca-{number:04}", number % 30): 1 for number in range(300)} | {("large", 3): 7, ("late", -1): 9}
    counts = FleetCounts({}, by_day, by_day, {}, (), 0, 0)
    found: dict[str, Family] = {family.name: family for family in fleet_families(counts, 0, 0)}
    for name, total in (("certworker_expiries_ahead", 307), ("certworker_renewals_ahead", 316)):
        samples = found[name].samples
        issuers = {sample.labels["issuer"] for sample in samples}
        assert {"large", "late", OTHER} <= issuers
        assert len(samples) == DAYS * (MOST_ISSUERS + 1)
        assert sum(sample.value for sample in samples) == total
