"""The fleet says in a word or two how each certificate stands."""

from dataclasses import replace
from datetime import timedelta

import pytest

from certworker.vault.fleet import standing
from certworker.vault.operations import OperationStatus, Pause, Renewal
from certworker.vault.summary.records import FleetEntry, Member, Place, State
from tests.support.clock import START

ENTRY = FleetEntry(
    vault="contoso",
    name="web",
    issuer="test-ca",
    version="v",
    enabled=True,
    not_before=START,
    not_after=START + timedelta(days=90),
    renewal=Renewal(None, None, 0.0),
    operation_status=None,
    operation_created=None,
    operation_due_at=None,
)
PENDING = OperationStatus.IN_PROGRESS


@pytest.mark.parametrize(
    ("entry", "word"),
    [
        (ENTRY, "valid"),
        (replace(ENTRY, operation_status=PENDING), "renewing"),
        (replace(ENTRY, enabled=False, operation_status=PENDING), "disabled"),
        (replace(ENTRY, renewal=Renewal(None, None, 0.0, failures=1)), "renewal failed"),
        (replace(ENTRY, renewal=Renewal(None, None, 0.0, failures=3, pause=Pause(START, "a", "b"))), "renewal paused"),
        (replace(ENTRY, not_after=START, enabled=False), "EXPIRED"),
        (replace(ENTRY, not_after=None, operation_status=PENDING), "waits for its signature"),
        (replace(ENTRY, not_after=None, operation_status=PENDING, operation_due_at=START), "being issued"),
        (replace(ENTRY, not_after=None, operation_status=OperationStatus.FAILED), "failed"),
        (replace(ENTRY, not_after=None), "has no version"),
    ],
)
def test_the_worst_is_said_first(entry: FleetEntry, word: str) -> None:
    """One word or two for each state."""
    assert standing(entry, START) == word


def test_what_is_under_way_does_not_hide_what_ends_tomorrow() -> None:
    """It counts as if it ended in a week: a thousand renewals at once are behind, and one that is stuck comes up."""
    day, member = timedelta(days=1), Member(Place("v", "WEB"), "contoso", "web", "ca", State.VALID, "1")
    ends, later = (replace(member, not_after=START + days * day) for days in (1, 8))
    under_way = replace(member, not_after=START + 60 * day, pending_since=START)
    assert ends.urgent_at < under_way.urgent_at < later.urgent_at
