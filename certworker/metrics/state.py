"""The state that the database tells, as Prometheus reads it. Nothing here is counted in memory."""

from collections.abc import Iterable, Mapping
from importlib.metadata import version

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import Metric as Family

from certworker.clock import Clock
from certworker.metrics import catalogue
from certworker.metrics.certificates import certificate_families
from certworker.metrics.families import Families, Telling, told
from certworker.metrics.fleet import fleet_families, read_counts
from certworker.metrics.issuers import issuance_families, issuer_families, list_families
from certworker.vault.notification.ledger import NoticeStatus
from certworker.vault.revocation.sources import SourceKind
from certworker.vault.store import Store
from certworker.vault.summary.keeping import Summary
from certworker.vault.summary.records import Measure
from certworker.vault.vaults import Heartbeat


class Metrics:
    """The text that a scrape gets, read from the database each time: every process tells the same after any restart."""

    def __init__(self, store: Store, clock: Clock, certificate_series: int) -> None:
        self._store = store
        self._summary = Summary(store)
        self._clock = clock
        self._limit = certificate_series

    def text(self) -> tuple[bytes, str]:
        """Give the exposition and its content type. Raises Unavailable."""
        self._summary.hurry()
        registry = CollectorRegistry()
        registry.register(Families(self._families()))
        return generate_latest(registry), CONTENT_TYPE_LATEST

    def _families(self) -> Iterable[Family]:
        at = self._clock()
        with self._store.reading() as reader:
            members, counts = reader.members(self._limit), read_counts(reader, at)
            tallies, heartbeats, notices = reader.tallies(), reader.heartbeats(), reader.notice_counts()
            vaults, gates = {vault.id: vault.name for vault in reader.vaults()}, reader.gates()
            lists, named = reader.sources(SourceKind.LIST), reader.issuer_names()
        yield from certificate_families(members, at)
        yield from fleet_families(counts, len(members), self._limit)
        used = {(key.vault, key.issuer) for key in counts.counts if key.measure is Measure.STATE}
        yield from issuance_families(tallies, used.union(named))
        yield from issuer_families(used, gates, vaults, at)
        yield from list_families(lists)
        yield from _notices(notices)
        yield from _jobs(heartbeats)
        yield told(catalogue.BUILD_INFO, {(version("certworker"),): 1})


def _notices(counts: Mapping[tuple[str, NoticeStatus], int]) -> Iterable[Family]:
    yield told(catalogue.NOTICES, {(channel, status.value): count for (channel, status), count in sorted(counts.items())})
    channels = sorted({channel for channel, _ in counts})
    yield told(catalogue.NOTICES_DEAD, {(name,): counts.get((name, NoticeStatus.DEAD), 0) for name in channels})


def _jobs(heartbeats: tuple[Heartbeat, ...]) -> Iterable[Family]:
    last, seconds, failed = (
        Telling(metric) for metric in (catalogue.LAST_RUN, catalogue.LAST_RUN_SECONDS, catalogue.LAST_RUN_FAILED)
    )
    for beat in heartbeats:
        last.add_time((beat.job,), beat.at)
        seconds.add((beat.job,), beat.seconds)
        failed.add((beat.job,), float(beat.failed))
    yield from (last.family, seconds.family, failed.family)
