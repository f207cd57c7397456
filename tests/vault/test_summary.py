"""What the summary makes of a certificate: how it is put together, how urgent it is, and where it is counted."""

from dataclasses import replace
from datetime import timedelta

import pytest

from certworker.vault.notification.message import Severity
from certworker.vault.operations import OperationReason, OperationStatus, Renewal
from certworker.vault.renewal.advice import Known
from certworker.vault.renewal.situation import Window
from certworker.vault.revocation.standing import Standing, Status, write_status
from certworker.vault.summary.attention import Finding, Trouble, finding_of
from certworker.vault.summary.members import member_of
from certworker.vault.summary.records import CountKey, FleetEntry, Measure, Member, Place, State, Urgency, hour_of
from certworker.vault.vaults import SYSTEM_VAULT
from certworker.vault.watches import Watch, WatchKind
from tests.support.clock import START

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
PLACE = Place("v", "WEB")
ENTRY = FleetEntry(
    vault="contoso",
    name="web",
    issuer="ca",
    version="v1",
    enabled=True,
    not_before=START - 60 * DAY,
    not_after=START + 30 * DAY,
    renewal=Renewal(START + DAY, OperationReason.ADVISED, 0.5, deadline=START + 2 * DAY),
    operation_status=None,
    operation_created=START - 3 * DAY,
    operation_due_at=START + 4 * DAY,
)
WELL = Member(PLACE, "contoso", "web", "ca", State.VALID, "v1", not_after=START + 30 * DAY, due_at=START + DAY)
STATUS = Status(Standing.UNKNOWN, START - 5 * DAY, source="ocsp", looked_at=START - 6 * DAY)


def watching(version: str) -> dict[WatchKind, Watch]:
    """Have all three watches over a version."""
    states = {
        WatchKind.EXPIRY: {"overdue": "critical"},
        WatchKind.REVOCATION: write_status(STATUS),
        WatchKind.ADVICE: Known("ca", Window(START + 7 * DAY, START + 8 * DAY, START + DAY)).show(),
    }
    return {kind: Watch(kind, "v", "web", version, None, state) for kind, state in states.items()}


def test_a_member_is_put_together_of_all_tables() -> None:
    """Each time is its own; an operation that has ended is not under way."""
    member = member_of(PLACE, ENTRY, watching("v1"))
    assert member == Member(
        PLACE,
        "contoso",
        "web",
        "ca",
        State.VALID,
        version="v1",
        not_before=START - 60 * DAY,
        not_after=START + 30 * DAY,
        due_at=START + DAY,
        source=OperationReason.ADVISED,
        deadline=START + 2 * DAY,
        window_start=START + 7 * DAY,
        window_end=START + 8 * DAY,
        overdue=Severity.CRITICAL,
        revocation=Standing.UNKNOWN,
        revocation_since=START - 5 * DAY,
        checked=START - 6 * DAY,
        method="ocsp",
    )


def test_what_is_of_another_version_tells_nothing() -> None:
    """A watch that has not caught up with a renewal says how the version before stood."""
    member = member_of(PLACE, ENTRY, watching("v0"))
    assert (member.window_start, member.overdue, member.revocation, member.checked, member.method) == (None,) * 4 + ("",)


def test_what_nobody_renews_is_not_overdue() -> None:
    """The mark that was passed is of a renewal that nobody wants any more."""
    assert member_of(PLACE, replace(ENTRY, renewal=Renewal(None, None, 0.5)), watching("v1")).overdue is None


@pytest.mark.parametrize(
    ("entry", "pending_since", "next_attempt"),
    [
        (replace(ENTRY, operation_status=OperationStatus.IN_PROGRESS), START - 3 * DAY, START + 4 * DAY),
        (replace(ENTRY, operation_status=OperationStatus.IN_PROGRESS, operation_due_at=None), START - 3 * DAY, None),
        (replace(ENTRY, operation_status=OperationStatus.FAILED), None, None),
        (replace(ENTRY, renewal=replace(ENTRY.renewal, failures=2)), None, START + DAY),
    ],
    ids=["under way", "waits for a person", "ended", "failed"],
)
def test_what_is_gone_on_with_is_told(entry: FleetEntry, pending_since: object, next_attempt: object) -> None:
    """An operation in progress at its own time; after failures, when the renewal is tried again."""
    member = member_of(PLACE, entry, {})
    assert (member.pending_since, member.next_attempt) == (pending_since, next_attempt)


@pytest.mark.parametrize(
    ("member", "urgency"),
    [
        (WELL, Urgency.USUAL),
        (replace(WELL, enabled=False, state=State.DISABLED), Urgency.DISABLED),
        (replace(WELL, vault=SYSTEM_VAULT), Urgency.UNHEALTHY),
        *((replace(WELL, state=state), Urgency.UNHEALTHY) for state in (State.REVOKED, State.PAUSED, State.RENEWAL_FAILED)),
        (replace(WELL, version=None, not_after=None, state=State.FAILED), Urgency.UNHEALTHY),
        (replace(WELL, state=State.RENEWING, failures=1), Urgency.UNHEALTHY),
        (replace(WELL, state=State.RENEWING, overdue=Severity.WARNING), Urgency.UNHEALTHY),
        (replace(WELL, revocation=Standing.UNKNOWN, checked=START), Urgency.UNHEALTHY),
        (replace(WELL, revocation=Standing.UNKNOWN), Urgency.USUAL),
        (replace(WELL, revocation=Standing.GOOD, checked=START), Urgency.USUAL),
    ],
)
def test_what_is_unhealthy_is_told_first(member: Member, urgency: Urgency) -> None:
    """Of a fleet above the limit of series, no alert names what is not among them."""
    assert member.urgency is urgency


def counted(member: Member) -> dict[Measure, CountKey]:
    """Say where a member is counted."""
    return {key.measure: key for key in member.counts()}


def test_a_member_is_one_in_each_count() -> None:
    """By its issuer, and its vault where that is told; times by their hour, and by the first hour of their day (UTC)."""
    at = START.replace(hour=13, minute=30)
    full = replace(WELL, not_after=at, due_at=at - HOUR, source=OperationReason.ADVISED, overdue=Severity.WARNING)
    hour, today = hour_of(at), hour_of(at) // 24 * 24
    assert counted(full) == {
        Measure.STATE: CountKey(Measure.STATE, "contoso", "ca", "valid", 0),
        Measure.REVOCATION: CountKey(Measure.REVOCATION, "", "ca", "unchecked", 0),
        Measure.OVERDUE: CountKey(Measure.OVERDUE, "", "ca", "warning", 0),
        Measure.SOURCE: CountKey(Measure.SOURCE, "", "ca", "advised", 0),
        Measure.EXPIRES: CountKey(Measure.EXPIRES, "", "ca", "", hour),
        Measure.RENEWS: CountKey(Measure.RENEWS, "", "ca", "", hour - 1),
        Measure.DAY_EXPIRES: CountKey(Measure.DAY_EXPIRES, "contoso", "", "", today),
        Measure.DAY_RENEWS: CountKey(Measure.DAY_RENEWS, "contoso", "", "", today),
    }
    assert set(full.counts().values()) == {1}


@pytest.mark.parametrize(
    ("member", "measures"),
    [
        (replace(WELL, enabled=False), {Measure.STATE, Measure.REVOCATION}),
        (replace(WELL, paused_since=START), {Measure.STATE, Measure.REVOCATION, Measure.EXPIRES, Measure.DAY_EXPIRES}),
        (replace(WELL, version=None, not_after=None), {Measure.STATE}),
    ],
    ids=["disabled", "paused", "without a version"],
)
def test_what_does_not_come_is_not_counted_as_ahead(member: Member, measures: set[Measure]) -> None:
    """A disabled one ends without harm, and what is paused is not renewed."""
    assert set(counted(member)) == measures


NOT_BEFORE = START - 60 * DAY


@pytest.mark.parametrize(
    ("member", "finding"),
    [
        (replace(WELL, state=State.REVOKED, revocation_since=START - DAY), (Trouble.REVOKED, "critical", -1)),
        (replace(WELL, not_after=START - 2 * DAY), (Trouble.EXPIRED, "critical", -2)),
        (replace(WELL, overdue=Severity.WARNING, failures=2), (Trouble.OVERDUE, "warning", None)),
        (replace(WELL, overdue=Severity.CRITICAL), (Trouble.OVERDUE, "critical", None)),
        (replace(WELL, pending_since=START - 3 * DAY), (Trouble.WAITS_FOR_SIGNATURE, "warning", -3)),
        (replace(WELL, paused_since=START - 4 * DAY), (Trouble.PAUSED, "warning", -4)),
        (
            replace(WELL, revocation=Standing.UNKNOWN, checked=START, revocation_since=START - 5 * DAY),
            (Trouble.REVOCATION_UNKNOWN, "warning", -5),
        ),
        # at 30 days before its end, or the last third of a shorter life
        (replace(WELL, due_at=None, not_before=NOT_BEFORE), (Trouble.NOT_RENEWED, "warning", None)),
        (replace(WELL, due_at=None, not_before=NOT_BEFORE + DAY), None),
        (replace(WELL, due_at=None, not_before=START - 300 * DAY, not_after=START + 31 * DAY), None),
    ],
)
def test_a_finding_tells_how_bad_it_is_and_since_when(member: Member, finding: tuple[Trouble, str, int | None] | None) -> None:
    """What a person sees first of it; since when, as far as is known."""
    trouble, severity, days = finding or (None, None, None)
    since = None if days is None else START + days * DAY
    assert finding_of(member, START) == (Finding(trouble, Severity(severity), since) if trouble and severity else None)
