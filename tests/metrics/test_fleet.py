"""What is told of the whole fleet: each count under its own name, and few series, however many issuers there are."""

from datetime import timedelta
from pathlib import Path

from prometheus_client.metrics_core import Metric as Family

from certworker.metrics.fleet import DAYS, MOST_ISSUERS, OTHER, FleetCounts, fleet_families
from certworker.vault.summary.port import PendingOperations
from certworker.vault.summary.records import CountKey, Measure
from tests.support.clock import START, FakeClock
from tests.support.deployment import ISSUER, open_deployment, policy_for
from tests.support.families import exposed
from tests.support.scraping import Series, of, scrape

AHEAD = ("renewals", "expiries")


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


def test_each_span_holds_what_ends_in_it() -> None:
    """Days begin with the hour: what has expired within it is in day 0, and is told as expired; far ends are in `any` alone."""
    ends = {
        -1: 4,
        0: 3,
        1: 10,
        6: 20,
        7: 40,
        13: 80,
        14: 160,
        29: 320,
        30: 640,
        59: 1280,
        60: 2560,
        89: 5120,
        90: 10240,
        400: 20480,
    }
    expiring = {("ca", day): number for day, number in ends.items()} | {("second", 0): 9}
    renewing = {("ca", -1): 2, ("ca", 0): 1, ("ca", 5): 6, ("ca", 90): 7}
    found = exposed(fleet_families(FleetCounts({}, expiring, renewing, {"ca": 1}, (), 0, 0), 0, 0))
    assert found["certworker_certificates_expired"] == {of(issuer="ca"): 5, of(issuer="second"): 0}
    within = {"1d": 2, "7d": 32, "14d": 152, "30d": 632, "60d": 2552, "90d": 10232, "any": 40952}
    told = found["certworker_certificates_expiring"]
    assert {span: told[of(issuer="ca", within=span)] for span in within} == within
    assert {told[of(issuer="second", within=span)] for span in within} == {9}
    ahead = {name: {day: number for day, number in days(found, name).items() if number} for name in ("expiries", "renewals")}
    wanted = {f"{day:02}": number for day, number in (ends | {0: 2}).items() if 0 <= day < DAYS}
    assert ahead == {"expiries": wanted, "renewals": {"00": 3, "05": 6}}


def days(found: Series, name: str) -> dict[str, float]:
    """Give what of one issuer falls on each day."""
    series = found[f"certworker_{name}_ahead"]
    return {dict(labels)["day"]: number for labels, number in series.items() if dict(labels)["issuer"] == "ca"}


def test_each_count_is_told_by_its_own_words() -> None:
    """By vault, issuer and state; by issuer and what else is counted; and what waits, or has no series of its own."""
    counts = {
        CountKey(Measure.STATE, "contoso", "ca", "valid", 0): 1,
        CountKey(Measure.REVOCATION, "", "ca", "good", 0): 2,
        CountKey(Measure.OVERDUE, "", "ca", "critical", 0): 3,
        CountKey(Measure.SOURCE, "", "ca", "advised", 0): 4,
    }
    pending = (PendingOperations("contoso", "ca", 5, START),)
    found = exposed(fleet_families(FleetCounts(counts, {}, {}, {}, pending, 1200, 7), 1000, 1001))
    assert found == {
        "certworker_certificates": {of(vault="contoso", issuer="ca", state="valid"): 1},
        "certworker_certificates_revocation": {of(issuer="ca", standing="good"): 2},
        "certworker_certificates_overdue": {of(issuer="ca", severity="critical"): 3},
        "certworker_certificates_renewal_source": {of(issuer="ca", source="advised"): 4},
        "certworker_operations_pending": {of(vault="contoso", issuer="ca"): 5},
        "certworker_operations_pending_oldest_timestamp_seconds": {of(vault="contoso", issuer="ca"): START.timestamp()},
        "certworker_certificate_series_limit": {of(): 1001},
        "certworker_certificates_without_series": {of(): 200},
        "certworker_fleet_changes_waiting": {of(): 7},
    }


def test_what_is_ahead_is_read_from_the_summary(tmp_path: Path, clock: FakeClock) -> None:
    """A renewal on the day on which it falls due, and the end on its own; with the last hour gone by, it has expired."""
    with open_deployment(tmp_path, clock) as deployment:
        deployment.create("web", policy_for("web.test"))
        deployment.work()
        due, end = deployment.renewal("web").due_at, deployment.get("web").version.attributes.expires
        assert due is not None
        assert end is not None
        clock.set(end - timedelta(days=80))
        found = scrape(deployment)
        on = {name: [dict(one)["day"] for one, n in found[f"certworker_{name}_ahead"].items() if n] for name in AHEAD}
        assert on == {"renewals": [f"{(due - clock()).days:02}"], "expiries": ["80"]}
        clock.set(end + timedelta(minutes=10))
        assert scrape(deployment)["certworker_certificates_expired"] == {of(issuer=ISSUER): 1}
