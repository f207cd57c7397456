"""Metrics: the database's truth, shown to Prometheus. Nothing here is counted in memory.

Timestamps are absolute, in Unix seconds, so that `not_after - time()` works; counters end in `_total`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from importlib.metadata import version

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from certworker.crypto.x509 import read_certificate
from certworker.vault.notification.expiry_watch import overdue_of
from certworker.vault.notification.ledger import NoticeStatus
from certworker.vault.notification.message import Severity
from certworker.vault.objects import fold_name
from certworker.vault.operations import OperationStatus
from certworker.vault.policy import SELF, UNKNOWN
from certworker.vault.resilience.gates import Gate
from certworker.vault.revocation.checking import host_of
from certworker.vault.revocation.sources import Source, SourceKind
from certworker.vault.revocation.standing import Standing, Status, read_status
from certworker.vault.store import FleetEntry, Reader, Store
from certworker.vault.versions import WARNED
from certworker.vault.watches import WatchKind

_LABELS = ("vault", "name", "issuer")
_NO_CA = frozenset({SELF.casefold(), UNKNOWN.casefold()})


class Metrics:
    """The text that a scrape gets."""

    def __init__(self, store: Store) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_StoreCollector(store))

    def text(self) -> tuple[bytes, str]:
        """Give the exposition and its content type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST


class _StoreCollector(Collector):
    """Reads the store at each scrape, so that every process tells the same and a restart forgets nothing."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def describe(self) -> Iterable[Metric]:
        """Name no metrics ahead: they are read when asked for."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Read and show everything."""
        with self._store.reading() as reader:
            fleet, tallies, heartbeats = reader.fleet(), reader.tallies(), reader.heartbeats()
            vaults, gates = {vault.id: vault.name for vault in reader.vaults()}, reader.gates()
            notices, overdue = reader.notice_counts(), _severities(reader)
            statuses, lists = _statuses(reader), reader.sources(SourceKind.LIST)
        yield from _certificates(fleet)
        yield from _revocations(fleet, statuses)
        yield from _lists(lists)
        yield from _pending(fleet)
        yield from _overdue(fleet, overdue)
        yield from _notices(notices)
        yield from _issuances(tallies)
        yield from _issuers(fleet, _of_vaults(gates, vaults))
        last_run = _gauge("certworker_scheduler_last_run_timestamp_seconds", "When a job last ran, in any process.", ("job",))
        seconds = _gauge("certworker_scheduler_last_run_duration_seconds", "How long its last run took.", ("job",))
        failed = _gauge("certworker_scheduler_last_run_failed", "Whether its last run failed.", ("job",))
        for beat in heartbeats:
            last_run.add_metric((beat.job,), beat.at.timestamp())
            seconds.add_metric((beat.job,), beat.seconds)
            failed.add_metric((beat.job,), float(beat.failed))
        yield from (last_run, seconds, failed)
        build = _gauge("certworker_build_info", "The version that runs; always 1.", ("version",))
        build.add_metric((version("certworker"),), 1)
        yield build


def _certificates(fleet: tuple[FleetEntry, ...]) -> Iterable[Metric]:
    not_before = _gauge("certworker_certificate_not_before_timestamp_seconds", "From when the current version is valid.")
    not_after = _gauge("certworker_certificate_not_after_timestamp_seconds", "Until when the current version is valid.")
    renewal = _gauge("certworker_certificate_renewal_due_timestamp_seconds", "When the next version falls due.")
    failures = _gauge("certworker_certificate_renewal_failures", "Attempts at renewal that failed in a row.")
    paused = _gauge("certworker_certificate_renewal_paused_since_timestamp_seconds", "Since when renewal is paused.")
    for entry in fleet:
        labels = (entry.vault, entry.name, entry.issuer)
        _add_time(not_before, labels, entry.not_before)
        _add_time(not_after, labels, entry.not_after)
        _add_time(renewal, labels, entry.renewal.due_at)
        if entry.version:
            failures.add_metric(labels, entry.renewal.failures)
        _add_time(paused, labels, entry.renewal.pause.since if entry.renewal.pause else None)
    yield from (not_before, not_after, renewal, failures, paused)


def _of_vaults(gates: tuple[Gate, ...], vaults: Mapping[str, str]) -> Mapping[tuple[str, str], Gate]:
    # a deleted vault has no name here, and its gates keep nothing back
    return {(vaults[gate.vault_id], fold_name(gate.issuer)): gate for gate in gates if gate.vault_id in vaults}


def _statuses(reader: Reader) -> Mapping[tuple[str, str, str], Status]:
    """Gather what is known of revocation by vault's name, certificate's name and version."""
    vaults = {vault.id: vault.name for vault in reader.vaults()}
    found = {}
    for watch in reader.watches(WatchKind.REVOCATION):
        if status := read_status(watch, watch.version):
            found[vaults.get(watch.vault_id, ""), watch.name, watch.version] = status
    return found


def _revocations(fleet: tuple[FleetEntry, ...], statuses: Mapping[tuple[str, str, str], Status]) -> Iterable[Metric]:
    revoked = _gauge("certworker_certificate_revoked", "Whether the current version, or what is above it, is revoked.")
    unknown = _gauge(
        "certworker_certificate_revocation_unknown_since_timestamp_seconds", "Since when nobody can tell whether it is revoked."
    )
    for entry in fleet:
        status = statuses.get((entry.vault, entry.name, entry.version or ""))
        if status is None or status.standing is Standing.UNCHECKED:
            continue
        labels = (entry.vault, entry.name, entry.issuer)
        revoked.add_metric(labels, float(status.standing is Standing.REVOKED))
        if status.standing is Standing.UNKNOWN and status.looked_at:
            _add_time(unknown, labels, status.since)
    yield from (revoked, unknown)


def _lists(sources: tuple[Source, ...]) -> Iterable[Metric]:
    """Show the lists of each issuer at each host together: they may be thousands of shards."""
    labels = ("host", "issuer")
    next_update = _gauge("certworker_crl_next_update_timestamp_seconds", "When the first of them runs out.", labels)
    number = _gauge("certworker_crl_number", "The highest number that was seen in one.", labels)
    stale = _gauge("certworker_crl_stale", "How many of them could not be refreshed when that was tried last.", labels)
    together: dict[tuple[str, str], list[Source]] = {}
    for source in sources:
        place = (host_of(source.url), read_certificate(source.issuer).subject)
        together.setdefault(place, []).append(source)
    for place, some in sorted(together.items()):
        _add_time(next_update, place, min((one.next_update for one in some if one.next_update), default=None))
        numbers = [one.number for one in some if one.number is not None]
        if numbers:
            number.add_metric(place, max(numbers))
        stale.add_metric(place, sum(one.failures > 0 for one in some))
    yield from (next_update, number, stale)


def _issuers(fleet: tuple[FleetEntry, ...], gates: Mapping[tuple[str, str], Gate]) -> Iterable[Metric]:
    labels = ("vault", "issuer")
    up = _gauge("certworker_issuer_up", "Whether an issuer's CA answers, as far as is known.", labels)
    text = "Until when nothing new is asked of an issuer; absent, or a time that is past, where its gate is open."
    closed = _gauge("certworker_issuer_gate_closed_until_timestamp_seconds", text, (*labels, "reason"))
    used = {(entry.vault, fold_name(entry.issuer)): entry.issuer for entry in fleet if entry.issuer.casefold() not in _NO_CA}
    for place in sorted({*used, *gates}):
        gate = gates.get(place)
        issuer = gate.issuer if gate else used[place]
        up.add_metric((place[0], issuer), float(not (gate and gate.is_down)))
        if gate and gate.reason:
            _add_time(closed, (place[0], issuer, gate.reason.value), gate.closed_until)
    yield from (up, closed)


def _issuances(tallies: Mapping[tuple[str, str, str], int]) -> Iterable[Metric]:
    text = "Attempts at issuance by result."
    attempts = CounterMetricFamily("certworker_issuance_attempts", text, labels=("vault", "issuer", "result"))
    text = "Certificates that were issued or merged although something about them was not as it was asked for."
    warnings = CounterMetricFamily("certworker_issuance_warnings", text, labels=("vault", "issuer"))
    for (vault, issuer, result), count in sorted(tallies.items()):
        # what was warned about has been issued as well, and is one attempt
        if result == WARNED:
            warnings.add_metric((vault, issuer), count)
        else:
            attempts.add_metric((vault, issuer, result), count)
    yield from (attempts, warnings)


def _pending(fleet: tuple[FleetEntry, ...]) -> Iterable[Metric]:
    pending = [entry for entry in fleet if entry.operation_status is OperationStatus.IN_PROGRESS]
    counts = Counter((entry.vault, entry.issuer) for entry in pending)
    operations = _gauge("certworker_operations_pending", "Certificate operations in progress.", ("vault", "issuer"))
    oldest = _gauge(
        "certworker_operations_pending_oldest_timestamp_seconds", "When the oldest of them was created.", ("vault", "issuer")
    )
    for labels, count in sorted(counts.items()):
        operations.add_metric(labels, count)
        created = [entry.operation_created for entry in pending if (entry.vault, entry.issuer) == labels]
        _add_time(oldest, labels, min((at for at in created if at), default=None))
    yield from (operations, oldest)


def _severities(reader: Reader) -> Mapping[tuple[str, str], Severity]:
    """Tell how overdue renewals are: (vault's name, folded name of the certificate) -> severity."""
    vaults = {vault.id: vault.name for vault in reader.vaults()}
    found = ((watch, overdue_of(watch)) for watch in reader.watches(WatchKind.EXPIRY))
    return {(vaults.get(watch.vault_id, ""), fold_name(watch.name)): severity for watch, severity in found if severity}


def _overdue(fleet: tuple[FleetEntry, ...], severities: Mapping[tuple[str, str], Severity]) -> Iterable[Metric]:
    text = "Whether a renewal is overdue: 30 percent of its time gone is a warning, 70 percent is critical."
    gauge = _gauge("certworker_renewal_overdue", text, (*_LABELS, "severity"))
    for entry in fleet:
        if entry.version is None or entry.renewal.reason is None:
            continue
        now = severities.get((entry.vault, fold_name(entry.name)))
        for severity in (Severity.WARNING, Severity.CRITICAL):
            gauge.add_metric((entry.vault, entry.name, entry.issuer, severity.value), float(now is severity))
    yield gauge


def _notices(counts: Mapping[tuple[str, NoticeStatus], int]) -> Iterable[Metric]:
    known = _gauge("certworker_notices", "Notices in the ledger, by how far they have come.", ("channel", "status"))
    dead = _gauge("certworker_notices_dead", "Notices that were given up, and can be replayed.", ("channel",))
    for (channel, status), count in sorted(counts.items()):
        known.add_metric((channel, status.value), count)
    for channel in sorted({channel for channel, _ in counts}):
        dead.add_metric((channel,), counts.get((channel, NoticeStatus.DEAD), 0))
    yield from (known, dead)


def _gauge(name: str, text: str, labels: tuple[str, ...] = _LABELS) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=labels)


def _add_time(gauge: GaugeMetricFamily, labels: tuple[str, ...], at: datetime | None) -> None:
    if at is not None:
        gauge.add_metric(labels, at.timestamp())
