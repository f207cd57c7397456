"""What lies long behind, in the store: what is forgotten of events and operations, and what is not."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from certworker.vault.objects import ObjectKind
from certworker.vault.operations import Evidence, Operation, OperationStatus
from certworker.vault.store import Store, Writer
from tests.support.clock import START
from tests.support.records import VERSION, a_certificate_version, a_head, add_head, an_event, an_operation

DAY = timedelta(days=1)
OLD, NEW = START - 500 * DAY, START
BEFORE = START - 400 * DAY


def ended(number: int, **changes: Any) -> Operation:  # noqa: ANN401 - whatever an operation has
    """Make an operation that failed long ago."""
    state = {"status": OperationStatus.FAILED, "due_at": None, "created": OLD, "updated": OLD, "version": f"{number:032x}"}
    return an_operation(operation_id=f"operation-{number}", **(state | changes))


def kept(store: Store) -> set[int]:
    """List the numbers of the operations that are left."""
    with store.reading() as reader:
        return {number for number in range(10) if reader.operation_by_id(f"operation-{number}")}


def forget(writer: Writer) -> int:
    """Forget what can be forgotten of the first hundred operations."""
    last = writer.end_of_operations(BEFORE, START, 0, 100)
    return 0 if last is None else writer.forget_operations(BEFORE, 1, last)


def forget_events(writer: Writer, limit: int = 100) -> int:
    """Forget what can be forgotten of the first events."""
    last = writer.end_of_events(BEFORE, START, 0, limit)
    return 0 if last is None else writer.forget_events(BEFORE, 1, last)


def test_events_are_forgotten_once_all_have_read_them(store: Store) -> None:
    """Old ones go, the first first; what somebody has not read stays, and the last one that was read, whatever its age."""
    with store.writing() as writer:
        for at in (OLD, OLD, OLD, OLD, NEW):
            writer.add_event(an_event(at=at))
    with store.writing() as writer:
        assert forget_events(writer) == 0  # nobody has read any
        writer.set_cursor("quick", 5)
        writer.set_cursor("slow", 4)
        assert forget_events(writer, 2) == 2
        assert forget_events(writer) == 1
        assert [event.sequence for event in writer.events(0, 10)] == [4, 5]
        assert writer.last_event() == 5


def test_what_a_clock_was_ahead_for_keeps_no_others(store: Store) -> None:
    """However much it is, it is passed over; the walk ends where nothing but what is new follows."""
    ahead = START + 1000 * DAY
    with store.writing() as writer:
        add_head(writer)
        for number, at in enumerate((ahead, ahead, OLD, NEW, NEW), 1):
            writer.add_event(an_event(at=at))
            writer.add_operation(replace(ended(number), created=at))
        writer.set_cursor("all", 6)
    with store.reading() as reader:
        for end in (reader.end_of_events, reader.end_of_operations):
            assert [end(BEFORE, START, after, 2) for after in (0, 2, 3, 5)] == [2, 4, None, None]
    with store.writing() as writer:
        assert writer.forget_events(BEFORE, 1, 2) == 0
        assert writer.forget_events(BEFORE, 3, 4) == 1


def test_operations_are_forgotten_whole(store: Store) -> None:
    """With journal and evidence; a certificate's last one stays, however old, and what ended since."""
    with store.writing() as writer:
        add_head(writer)
        writer.add_operation(ended(1))
        writer.add_journal("operation-1", OLD, "ordered", {})
        writer.add_evidence(Evidence("operation-1", OLD, "certificate", b"sealed"))
        writer.add_operation(replace(ended(2), updated=NEW))
        writer.add_operation(ended(3))
    with store.writing() as writer:
        assert forget(writer) == 1
        assert (writer.journal("operation-1"), writer.evidence("operation-1")) == ((), ())
    assert kept(store) == {2, 3}


@pytest.mark.parametrize(
    ("expires", "current", "left"),
    [(BEFORE, "f" * 32, {1, 2}), (None, "f" * 32, {1, 2}), (BEFORE - DAY, "f" * 32, {2}), (BEFORE - DAY, VERSION, {1, 2})],
)
def test_the_operation_of_a_version_stays_for_as_long_as_it_is_asked_for(
    store: Store, expires: datetime | None, current: str, left: set[int]
) -> None:
    """By whom a version was issued is asked until it has expired, and for as long as it is the current one."""
    version = a_certificate_version()
    with store.writing() as writer:
        add_head(writer)
        writer.put_head(a_head(ObjectKind.CERTIFICATE, version=current))
        writer.add_certificate_version(replace(version, attributes=replace(version.attributes, expires=expires)))
        writer.add_operation(ended(1, version=VERSION, status=OperationStatus.COMPLETED))
        writer.add_operation(ended(2))
    with store.writing() as writer:
        assert forget(writer) == 2 - len(left)
    assert kept(store) == left


def test_what_is_in_progress_stays(store: Store) -> None:
    """A request that waits for its signature for years is not forgotten."""
    with store.writing() as writer:
        add_head(writer)
        writer.add_operation(replace(an_operation(operation_id="operation-1"), created=OLD, updated=OLD))
        writer.add_operation(ended(2))
        assert forget(writer) == 0
    assert kept(store) == {1, 2}


def test_the_walk_ends_where_nothing_old_follows(store: Store) -> None:
    """It goes on from any number, and tells the last of so many."""
    with store.writing() as writer:
        add_head(writer)
        for number in (1, 2, 3):
            writer.add_operation(ended(number))
        writer.add_operation(replace(ended(4), created=NEW))
        assert [writer.end_of_operations(BEFORE, START, after, 2) for after in (0, 2, 3, 4)] == [2, 4, None, None]
