"""The fleet says in a word or two how each certificate stands."""

from dataclasses import replace
from datetime import timedelta

import pytest

from certworker.vault.fleet import standing
from certworker.vault.operations import OperationStatus, Pause, Renewal
from certworker.vault.summary.records import FleetEntry
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
    operation_details=None,
)
PENDING = OperationStatus.IN_PROGRESS


@pytest.mark.parametrize(
    ("entry", "word"),
    [
        (ENTRY, "valid"),
        (replace(ENTRY, operation_status=PENDING), "renewing"),
        (replace(ENTRY, enabled=False, operation_status=PENDING), "disabled"),
        (replace(ENTRY, renewal=Renewal(None, None, 0.0, failures=3)), "renewal failed"),
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
