"""What is told of one certificate: each metric with the value that is its own, and nothing that is not known."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from certworker.metrics.certificates import certificate_families
from certworker.vault.notification.message import Severity
from certworker.vault.operations import OperationReason
from certworker.vault.revocation.standing import Standing
from certworker.vault.summary.records import Member, Place, State
from tests.support.clock import START
from tests.support.families import exposed
from tests.support.scraping import Series, of

OF = {"vault": "contoso", "name": "web", "issuer": "ca"}
ONE = "certworker_certificate_"


def day(number: int) -> datetime:
    """Give the time of a day."""
    return START + timedelta(days=number)


# each time is another one: whatever is told in the place of something else is seen
FULL = Member(
    Place("v", "WEB"),
    "contoso",
    "web",
    "ca",
    State.RENEWING,
    version="v1",
    not_before=day(-60),
    not_after=day(30),
    due_at=day(1),
    source=OperationReason.ADVISED,
    deadline=day(2),
    window_start=day(3),
    window_end=day(4),
    failures=5,
    next_attempt=day(6),
    paused_since=day(-7),
    overdue=Severity.WARNING,
    pending_since=day(-8),
    revocation=Standing.UNKNOWN,
    revocation_since=day(-9),
    checked=day(-10),
    method="ocsp",
)
NEW = Member(Place("v", "WEB"), "contoso", "web", "ca", State.BEING_ISSUED, pending_since=day(-1), next_attempt=day(1))


def told(member: Member, at: datetime = START) -> Series:
    """Tell of one member alone."""
    return exposed(certificate_families([member], at))


def test_each_metric_tells_its_own_time() -> None:
    """In Unix seconds, under vault, name and issuer; what a series is of beside that is in a label."""
    assert told(FULL) == {
        f"{ONE}not_before_timestamp_seconds": {of(**OF): day(-60).timestamp()},
        f"{ONE}not_after_timestamp_seconds": {of(**OF): day(30).timestamp()},
        f"{ONE}lifetime_seconds": {of(**OF): 90 * 86400},
        f"{ONE}info": {of(**OF, version="v1"): 1},
        f"{ONE}ready": {of(**OF, reason="renewing"): 1},
        f"{ONE}renewal_due_timestamp_seconds": {of(**OF): day(1).timestamp()},
        f"{ONE}renewal_deadline_timestamp_seconds": {of(**OF): day(2).timestamp()},
        f"{ONE}renewal_window_start_timestamp_seconds": {of(**OF): day(3).timestamp()},
        f"{ONE}renewal_window_end_timestamp_seconds": {of(**OF): day(4).timestamp()},
        f"{ONE}renewal_source": {of(**OF, source="advised"): 1},
        f"{ONE}renewal_failures": {of(**OF): 5},
        f"{ONE}next_attempt_timestamp_seconds": {of(**OF): day(6).timestamp()},
        f"{ONE}renewal_paused_since_timestamp_seconds": {of(**OF): day(-7).timestamp()},
        f"{ONE}operation_pending_since_timestamp_seconds": {of(**OF): day(-8).timestamp()},
        "certworker_renewal_overdue": {of(**OF, severity="warning"): 1, of(**OF, severity="critical"): 0},
        f"{ONE}revoked": {of(**OF): 0},
        f"{ONE}revocation_unknown_since_timestamp_seconds": {of(**OF): day(-9).timestamp()},
        f"{ONE}revocation_checked_timestamp_seconds": {of(**OF, method="ocsp"): day(-10).timestamp()},
    }


def test_what_has_no_version_tells_what_is_under_way_alone() -> None:
    """No times of a version, no failures of a renewal, nothing of revocation."""
    assert told(NEW) == {
        f"{ONE}ready": {of(**OF, reason="being_issued"): 0},
        f"{ONE}operation_pending_since_timestamp_seconds": {of(**OF): day(-1).timestamp()},
        f"{ONE}next_attempt_timestamp_seconds": {of(**OF): day(1).timestamp()},
    }


@pytest.mark.parametrize(
    ("state", "at", "reason", "ready"),
    [
        (State.VALID, START, "valid", 1),
        (State.RENEWING, START, "renewing", 1),
        (State.PAUSED, START, "paused", 1),
        (State.RENEWAL_FAILED, START, "renewal_failed", 1),
        (State.REVOKED, START, "revoked", 0),
        (State.DISABLED, START, "disabled", 0),
        (State.VALID, day(30) - timedelta(seconds=1), "valid", 1),
        (State.VALID, day(30), "expired", 0),
        (State.DISABLED, day(30), "expired", 0),
        (State.REVOKED, day(30), "revoked", 0),
        (State.VALID, day(-60), "valid", 1),
        (State.VALID, day(-60) - timedelta(seconds=1), "not_yet_valid", 0),
        (State.PAUSED, day(-61), "not_yet_valid", 0),
        (State.RENEWAL_FAILED, day(-61), "not_yet_valid", 0),
        (State.DISABLED, day(-61), "disabled", 0),
    ],
)
def test_what_can_be_used_is_ready(state: State, at: datetime, reason: str, ready: int) -> None:
    """By its state and the time of the scrape; the reason says how it stands."""
    assert told(replace(FULL, state=state), at)[f"{ONE}ready"] == {of(**OF, reason=reason): ready}
