"""The series of single certificates: of the unhealthy ones, and of those that expire first."""

from collections.abc import Iterable
from datetime import datetime

from prometheus_client.metrics_core import Metric as Family

from certworker.metrics import catalogue
from certworker.metrics.families import Telling
from certworker.vault.notification.message import Severity
from certworker.vault.revocation.standing import Standing
from certworker.vault.summary.records import Member, State


def certificate_families(members: Iterable[Member], at: datetime) -> Iterable[Family]:
    """Tell of each member how it stands at a time."""
    listed = tuple(members)
    yield from _validity(listed, at)
    yield from _renewal(listed)
    yield from _revocation(listed)


def _validity(members: tuple[Member, ...], at: datetime) -> Iterable[Family]:
    not_before, not_after = Telling(catalogue.NOT_BEFORE), Telling(catalogue.NOT_AFTER)
    lifetime, info, ready = Telling(catalogue.LIFETIME), Telling(catalogue.INFO), Telling(catalogue.READY)
    for member in members:
        labels = _labels(member)
        not_before.add_time(labels, member.not_before)
        not_after.add_time(labels, member.not_after)
        if member.not_before and member.not_after:
            lifetime.add(labels, (member.not_after - member.not_before).total_seconds())
        if member.version:
            info.add((*labels, member.version), 1)
        reason = member.word_at(at)
        ready.add((*labels, reason), float(reason in _USABLE))
    return (told.family for told in (not_before, not_after, lifetime, info, ready))


_USABLE = frozenset({state.value for state in (State.VALID, State.RENEWING, State.PAUSED, State.RENEWAL_FAILED)})


def _renewal(members: tuple[Member, ...]) -> Iterable[Family]:
    due, deadline, paused = (
        Telling(metric) for metric in (catalogue.RENEWAL_DUE, catalogue.RENEWAL_DEADLINE, catalogue.PAUSED_SINCE)
    )
    start, end = Telling(catalogue.WINDOW_START), Telling(catalogue.WINDOW_END)
    source, failures = Telling(catalogue.RENEWAL_SOURCE), Telling(catalogue.RENEWAL_FAILURES)
    attempt, pending, overdue = (
        Telling(metric) for metric in (catalogue.NEXT_ATTEMPT, catalogue.PENDING_SINCE, catalogue.OVERDUE)
    )
    for member in members:
        labels = _labels(member)
        for told, when in (
            (due, member.due_at),
            (deadline, member.deadline),
            (paused, member.paused_since),
            (start, member.window_start),
            (end, member.window_end),
            (attempt, member.next_attempt),
            (pending, member.pending_since),
        ):
            told.add_time(labels, when)
        if member.version is None:
            continue
        failures.add(labels, member.failures)
        if member.source:
            source.add((*labels, member.source.value), 1)
            for severity in (Severity.WARNING, Severity.CRITICAL):
                overdue.add((*labels, severity.value), float(member.overdue is severity))
    return (told.family for told in (due, deadline, paused, start, end, attempt, pending, failures, source, overdue))


def _revocation(members: tuple[Member, ...]) -> Iterable[Family]:
    revoked, unknown = Telling(catalogue.REVOKED), Telling(catalogue.REVOCATION_UNKNOWN_SINCE)
    checked = Telling(catalogue.REVOCATION_CHECKED)
    for member in members:
        if member.revocation in (None, Standing.UNCHECKED):
            continue
        labels = _labels(member)
        revoked.add(labels, float(member.revocation is Standing.REVOKED))
        checked.add_time((*labels, member.method), member.checked)
        if member.revocation is Standing.UNKNOWN and member.checked:
            unknown.add_time(labels, member.revocation_since)
    return (told.family for told in (revoked, unknown, checked))


def _labels(member: Member) -> tuple[str, str, str]:
    return member.vault, member.name, member.issuer
