"""The state that the database tells, as Prometheus reads it. Nothing here is counted in memory."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from importlib.metadata import version

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import Metric as Family

from certworker.clock import Clock
from certworker.metrics import catalogue
from certworker.metrics.apart import narrowed, told_apart
from certworker.metrics.budgets import budget_families
from certworker.metrics.certificates import certificate_families
from certworker.metrics.families import Families, Telling, told
from certworker.metrics.fleet import FleetCounts, fleet_families, read_counts
from certworker.metrics.issuers import issuance_families, issuer_families, list_families
from certworker.metrics.notices import notice_families
from certworker.vault.notification.audience import Place
from certworker.vault.objects import fold_name
from certworker.vault.resilience.budgets import Limits, LimitsOf
from certworker.vault.resilience.gates import Gate
from certworker.vault.revocation.sources import SourceKind
from certworker.vault.store import Reader, Store
from certworker.vault.summary.keeping import Summary
from certworker.vault.summary.records import Measure
from certworker.vault.vaults import Heartbeat, Issuer


def _no_limits(_: Issuer) -> Limits:
    return Limits()


class Metrics:
    """The text that a scrape gets, read from the database each time: every process tells the same after any restart."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        certificate_series: int,
        issuer_series: int,
        limits_of: LimitsOf = _no_limits,
        channels: Collection[Place] = (),
    ) -> None:
        """Certificates and issuers have series of their own up to a limit; `channels` are those that are set up."""
        self._store = store
        self._summary = Summary(store)
        self._clock = clock
        self._limit = certificate_series
        self._issuer_limit = issuer_series
        self._limits_of = limits_of
        self._channels = channels

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
            tallies, heartbeats, lists = reader.tallies(), reader.heartbeats(), reader.sources(SourceKind.LIST)
            notices, undelivered = reader.notice_counts(), reader.undelivered()
            gates, issuers = _gates(reader), reader.issuers_of_all()
            buckets, behind = reader.spent_buckets(at), reader.renewals_behind_budgets(at)
        used = {(key.vault, key.issuer) for key in counts.counts if key.measure is Measure.STATE}
        named = {(vault, issuer.name) for vault, issuer in issuers}
        known = _every(tallies, gates, counts, used | named)
        apart = told_apart(counts, gates, known, self._issuer_limit, at)
        yield from certificate_families(members, at)
        yield from fleet_families(narrowed(counts, apart), len(members), self._limit)
        yield from issuance_families(tallies, used | named, apart)
        yield from issuer_families(used, gates, apart, self._issuer_limit, at)
        yield from budget_families(issuers, apart, self._limits_of, buckets, behind, at)
        yield from list_families(lists)
        yield from notice_families(notices, undelivered, self._channels)
        yield from _jobs(heartbeats)
        yield told(catalogue.BUILD_INFO, {(version("certworker"),): 1})


def _gates(reader: Reader) -> dict[tuple[str, str], Gate]:
    """Find the gates by vault's name and folded issuer. A deleted vault has no name here, and its gates keep nothing back."""
    vaults = {vault.id: vault.name for vault in reader.vaults()}
    return {(vaults[gate.vault_id], fold_name(gate.issuer)): gate for gate in reader.gates() if gate.vault_id in vaults}


def _every(
    tallies: Iterable[tuple[str, str, str]],
    gates: Mapping[tuple[str, str], Gate],
    counts: FleetCounts,
    live: Iterable[tuple[str, str]],
) -> Iterator[tuple[str, str]]:
    """List all issuers, (vault's name, issuer's name), the word of what is live last; in an order that is always the same."""
    yield from sorted(((vault, issuer) for vault, issuer, _ in tallies), reverse=True)
    yield from ((vault, gate.issuer) for (vault, _), gate in gates.items())
    yield from ((one.vault, one.issuer) for one in counts.pending)
    yield from sorted(live, reverse=True)


def _jobs(heartbeats: tuple[Heartbeat, ...]) -> Iterable[Family]:
    last, seconds, failed = (
        Telling(metric) for metric in (catalogue.LAST_RUN, catalogue.LAST_RUN_SECONDS, catalogue.LAST_RUN_FAILED)
    )
    for beat in heartbeats:
        last.add_time((beat.job,), beat.at)
        seconds.add((beat.job,), beat.seconds)
        failed.add((beat.job,), float(beat.failed))
    yield from (last.family, seconds.family, failed.family)
