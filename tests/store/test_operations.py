"""Operations, their fences and their journal in the store."""

from dataclasses import replace
from datetime import timedelta

import pytest

from certworker.errors import Conflict, LeaseLost, OperationInProgress
from certworker.vault.operations import JournalEntry, Operation, OperationReason, OperationStatus
from certworker.vault.store import Store, Writer
from tests.support.clock import START
from tests.support.records import VAULT_ID, add_head, an_operation

LEASE = timedelta(minutes=5)
MINUTE = timedelta(minutes=1)


def claim(writer: Writer, owner: str = "worker") -> Operation:
    """Claim the operation that is due."""
    operation = writer.claim_operation(owner, START, LEASE)
    assert operation is not None
    return operation


def taken_over(store: Store) -> tuple[Operation, Operation]:
    """Let a first worker's lease run out at once and a second one claim the operation; give what each holds."""
    with store.writing() as writer:
        add_head(writer)
        writer.add_operation(an_operation())
        first = writer.claim_operation("first", START, timedelta(0))
        second = writer.claim_operation("second", START, LEASE)
    assert first is not None
    assert second is not None
    return first, second


def test_an_operation_comes_back_whole(store: Store) -> None:
    """Every field of an operation comes back as it was given."""
    operation = an_operation(
        reason=OperationReason.BACKSTOP,
        enabled=False,
        tags={"team": "web"},
        progress={"step": "order", "url": "https://ca/1"},
        failures=3,
        status_details="waiting",
        error_code="code",
        error_message="message",
        updated=START + MINUTE,
    )
    with store.writing() as writer:
        add_head(writer)
        writer.add_operation(operation)
    with store.reading() as reader:
        assert reader.operation(VAULT_ID, "WEB") == reader.operation_by_id("operation-1") == operation
        assert reader.operation(VAULT_ID, "other") is None
        assert reader.operation_by_id("other") is None
        assert reader.operation_of_version(VAULT_ID, "WEB", operation.version) == operation
        assert reader.operation_of_version(VAULT_ID, "web", "other") is None
        assert reader.operation_of_version(VAULT_ID, "other", operation.version) is None


def test_a_certificate_has_one_operation_in_progress(store: Store) -> None:
    """A second one is refused by the first one's id, even under another case; a finished one is in nobody's way."""
    finished = an_operation(operation_id="operation-0", status=OperationStatus.COMPLETED, due_at=None)
    with store.writing() as writer:
        add_head(writer)
        writer.add_operation(finished)
        writer.add_operation(an_operation())
        with pytest.raises(OperationInProgress) as caught:
            writer.add_operation(an_operation("WEB", "operation-2"))
        assert caught.value.operation_id == "operation-1"
        with pytest.raises(Conflict):
            writer.add_operation(finished)


def test_the_latest_operation_is_the_one_that_was_added_last(store: Store) -> None:
    """The order is that of adding, not of time or id; a deleted one makes way for the one before."""
    with store.writing() as writer:
        add_head(writer)
        for operation_id in ("b", "a"):
            writer.add_operation(an_operation(operation_id=operation_id, status=OperationStatus.FAILED, due_at=None))
        latest = writer.operation(VAULT_ID, "Web")
        assert latest is not None
        assert latest.id == "a"
        writer.delete_operation("a")
        before = writer.operation(VAULT_ID, "Web")
        assert before is not None
        assert before.id == "b"


def test_an_update_replaces_the_operation_and_ends_the_lease(store: Store) -> None:
    """What a worker records is there, and the operation can be claimed again when it is due."""
    with store.writing() as writer:
        add_head(writer)
        writer.add_operation(an_operation())
        claimed = claim(writer)
        assert claimed == an_operation(fence=1)
        waiting = replace(claimed, progress={"step": "order"}, due_at=START, status_details="waiting", failures=1)
        writer.update_operation(waiting)
        assert writer.operation_by_id("operation-1") == waiting
        assert claim(writer) == replace(waiting, fence=2)


def test_a_finished_operation_is_not_due_and_stays_as_it_is(store: Store) -> None:
    """The end clears the due time, and nobody can record anything after it, not even under the right fence."""
    with store.writing() as writer:
        add_head(writer)
        writer.add_operation(an_operation())
        claimed = claim(writer)
        writer.update_operation(replace(claimed, status=OperationStatus.COMPLETED))
        done = writer.operation_by_id("operation-1")
        assert done == replace(claimed, status=OperationStatus.COMPLETED, due_at=None)
        assert writer.claim_operation("worker", START + LEASE * 2, LEASE) is None
        with pytest.raises(LeaseLost):
            writer.update_operation(claimed)
        with pytest.raises(LeaseLost):
            writer.keep_progress("operation-1", claimed.fence, {}, START)


def test_a_stale_fence_records_nothing(store: Store) -> None:
    """A worker that was overtaken is told so, and the one that overtook it goes on undisturbed."""
    first, second = taken_over(store)
    assert (first.fence, second.fence) == (1, 2)
    with store.writing() as writer:
        with pytest.raises(LeaseLost):
            writer.keep_progress("operation-1", first.fence, {"step": "stale"}, START)
        with pytest.raises(LeaseLost):
            writer.update_operation(replace(first, status=OperationStatus.FAILED))
        assert writer.operation_by_id("operation-1") == second
        writer.keep_progress("operation-1", second.fence, {"step": "fresh"}, START + MINUTE)
        kept = writer.operation_by_id("operation-1")
    assert kept == replace(second, progress={"step": "fresh"}, updated=START + MINUTE)


def test_progress_is_kept_only_under_a_lease(store: Store) -> None:
    """Once the lease has ended with a recording, no more progress can be kept under it."""
    with store.writing() as writer:
        add_head(writer)
        writer.add_operation(an_operation())
        claimed = claim(writer)
        writer.keep_progress("operation-1", claimed.fence, {"step": "order"}, START)
        writer.update_operation(claimed)
        with pytest.raises(LeaseLost):
            writer.keep_progress("operation-1", claimed.fence, {"step": "late"}, START)


def test_a_deleted_operation_cannot_be_recorded(store: Store) -> None:
    """A worker whose operation was deleted meanwhile has lost its lease."""
    with store.writing() as writer:
        add_head(writer)
        writer.add_operation(an_operation())
        claimed = claim(writer)
        writer.delete_operation("operation-1")
        with pytest.raises(LeaseLost):
            writer.update_operation(claimed)


def test_a_cancellation_makes_even_a_manual_operation_due(store: Store) -> None:
    """An operation that only its owner could go on with falls due when its cancellation is asked for."""
    with store.writing() as writer:
        add_head(writer)
        writer.add_operation(an_operation(due_at=None))
        assert writer.claim_operation("worker", START, LEASE) is None
        writer.request_cancellation("operation-1", START)
        claimed = claim(writer)
    assert claimed == an_operation(due_at=START, cancellation_requested=True, fence=1)


def test_a_cancellation_outlives_the_recording_of_who_did_not_know_of_it(store: Store) -> None:
    """A worker that goes on until recording does not wipe the request out: the operation stays due at once."""
    with store.writing() as writer:
        add_head(writer)
        writer.add_operation(an_operation())
        claimed = claim(writer)
        writer.request_cancellation("operation-1", START)
        writer.update_operation(replace(claimed, due_at=START + LEASE, updated=START))
        again = claim(writer)
    assert again.cancellation_requested
    assert again.due_at == START


def test_the_journal_is_in_order_and_goes_with_its_operation(store: Store) -> None:
    """Steps are counted from one for each operation, and forgotten with it."""
    with store.writing() as writer:
        for name in ("a", "b"):
            add_head(writer, name)
            writer.add_operation(an_operation(name, name))
            writer.add_journal(name, START, "order", {"url": "https://ca/1"})
            writer.add_journal(name, START, "finalize", {})
        assert writer.journal("b") == (
            JournalEntry("b", 1, START, "order", {"url": "https://ca/1"}),
            JournalEntry("b", 2, START, "finalize", {}),
        )
        writer.delete_operation("b")
        assert writer.journal("b") == ()
        assert len(writer.journal("a")) == 2
