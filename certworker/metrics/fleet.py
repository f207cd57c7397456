"""The counts of the fleet, however many there are: read from the summary, not from the certificates."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from prometheus_client.metrics_core import Metric as Family

from certworker.metrics import catalogue
from certworker.metrics.families import Telling, told
from certworker.metrics.metric import Metric
from certworker.vault.store import Reader
from certworker.vault.summary.port import PendingOperations
from certworker.vault.summary.records import CountKey, Measure, hour_of, start_of

WITHIN: Final = (1, 7, 14, 30, 60, 90)
"""The days of what expires soon."""
DAYS: Final = 90
"""So many days ahead are told one by one."""
MOST_ISSUERS: Final = 100
"""Of so many issuers the days are told one by one, those with the most certificates; of all others together."""
OTHER: Final = "other"
"""What is told as the name of all that have no series of their own."""
_ByDay = Mapping[tuple[str, int], int]


@dataclass(frozen=True, slots=True)
class FleetCounts:
    """All that is counted, as it was in one view of the database."""

    counts: Mapping[CountKey, int]
    expiring: _ByDay
    renewing: _ByDay
    expired_this_hour: Mapping[str, int]
    pending: tuple[PendingOperations, ...]
    members: int
    changes: int


def read_counts(reader: Reader, at: datetime) -> FleetCounts:
    """Read the counts as of a time."""
    hour = hour_of(at)
    return FleetCounts(
        reader.counts(Measure.STATE, Measure.REVOCATION, Measure.OVERDUE, Measure.SOURCE),
        reader.counts_by_day(Measure.EXPIRES, hour),
        reader.counts_by_day(Measure.RENEWS, hour),
        reader.expired_in_hour(start_of(hour), at),
        reader.pending_operations(),
        reader.count_members(),
        reader.count_changes(),
    )


def fleet_families(found: FleetCounts, shown: int, limit: int) -> Iterable[Family]:
    """Tell the counts, where `shown` certificates at most `limit` have series of their own."""
    yield _by_word(catalogue.CERTIFICATES, Measure.STATE, found.counts)
    yield _by_word(catalogue.REVOCATION, Measure.REVOCATION, found.counts)
    yield _by_word(catalogue.CERTIFICATES_OVERDUE, Measure.OVERDUE, found.counts)
    yield _by_word(catalogue.SOURCES, Measure.SOURCE, found.counts)
    yield from _expiries(found)
    yield _ahead(catalogue.RENEWALS_AHEAD, found.renewing, first=-1)
    yield told(catalogue.SERIES_LIMIT, {(): limit})
    yield told(catalogue.WITHOUT_SERIES, {(): found.members - shown})
    yield told(catalogue.CHANGES_WAITING, {(): found.changes})
    pending, oldest = Telling(catalogue.PENDING), Telling(catalogue.PENDING_OLDEST)
    for one in found.pending:
        pending.add((one.vault, one.issuer), one.number)
        oldest.add_time((one.vault, one.issuer), one.oldest)
    yield from (pending.family, oldest.family)


def _by_word(metric: Metric, measure: Measure, counts: Mapping[CountKey, int]) -> Family:
    found = {
        (key.vault, key.issuer, key.word) if key.vault else (key.issuer, key.word): float(number)
        for key, number in counts.items()
        if key.measure is measure
    }
    return told(metric, dict(sorted(found.items())))


def _expiries(found: FleetCounts) -> Iterable[Family]:
    issuers = sorted({issuer for issuer, _ in found.expiring})
    expired, expiring = Telling(catalogue.EXPIRED), Telling(catalogue.EXPIRING)
    ahead: Counter[tuple[str, int]] = Counter(found.expiring)
    for issuer in issuers:
        # the hour that goes on is all in day 0
        just_now = found.expired_this_hour.get(issuer, 0)
        ahead[issuer, 0] -= just_now
        expired.add((issuer,), ahead[issuer, -1] + just_now)
        still = {day: number for (whose, day), number in ahead.items() if whose == issuer and day >= 0}
        for days in WITHIN:
            expiring.add((issuer, f"{days}d"), sum(number for day, number in still.items() if day < days))
        expiring.add((issuer, "any"), sum(still.values()))
    yield from (expired.family, expiring.family, _ahead(catalogue.EXPIRIES_AHEAD, ahead, first=0))


def _ahead(metric: Metric, by_day: _ByDay, first: int) -> Family:
    """Tell what falls on each day ahead; what comes before it, from `first` on, counts for the first day."""
    names = _told_apart(by_day)
    days: Counter[tuple[str, int]] = Counter()
    for (issuer, day), number in by_day.items():
        if first <= day < DAYS:
            days[names[issuer], max(day, 0)] += number
    # a day on which nothing falls is told as well: of a bar chart it is a part
    issuers = sorted(set(names.values()))
    return told(metric, {(issuer, f"{day:02}"): float(days[issuer, day]) for issuer in issuers for day in range(DAYS)})


def _told_apart(by_day: _ByDay) -> dict[str, str]:
    """Say by which name each issuer is told: each is ninety series, and whoever may set issuers may set thousands."""
    totals: Counter[str] = Counter()
    for (issuer, _), number in by_day.items():
        totals[issuer] += number
    by_size = sorted(totals, key=lambda issuer: (-totals[issuer], issuer))
    return {issuer: issuer if place < MOST_ISSUERS else OTHER for place, issuer in enumerate(by_size)}
