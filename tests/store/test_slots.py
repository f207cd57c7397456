"""Order slots: one operation in progress has a slot, and one that is over holds nothing."""

import threading
from dataclasses import replace

from certworker.vault.objects import ObjectKind
from certworker.vault.operations import OperationStatus
from certworker.vault.store import Store
from tests.support.records import VAULT_ID, add_head, an_operation


def test_a_slot_is_held_until_the_operation_is_over(store: Store) -> None:
    """Taken again by its holder, refused to others, and free when the holder has ended or is gone."""
    first, second = an_operation("First", "one"), an_operation("Second", "two")
    with store.writing() as writer:
        for operation in (first, second):
            add_head(writer, operation.name)
            writer.add_operation(operation)
        assert writer.slot_holder("slot") is None
        assert (writer.take_slot("slot", "one"), writer.take_slot("slot", "one")) == (True, True)
        assert (writer.take_slot("slot", "two"), writer.slot_holder("slot")) == (False, "one")
        assert writer.take_slot("another slot", "two")
        writer.update_operation(replace(first, status=OperationStatus.FAILED))
        assert (writer.take_slot("slot", "two"), writer.slot_holder("slot")) == (True, "two")
        writer.purge(VAULT_ID, ObjectKind.CERTIFICATE, "Second")
    with store.reading() as reader:
        assert reader.slot_holder("slot") is None


def test_of_many_that_take_a_slot_at_once_one_has_it(store: Store) -> None:
    """However many threads come in the same moment."""
    with store.writing() as writer:
        for number in range(4):
            add_head(writer, f"web-{number}")
            writer.add_operation(an_operation(f"web-{number}", f"operation-{number}"))
    taken: list[str] = []
    barrier = threading.Barrier(4)

    def take(operation_id: str) -> None:
        barrier.wait()
        with store.writing() as writer:
            if writer.take_slot("slot", operation_id):
                taken.append(operation_id)

    threads = [threading.Thread(target=take, args=(f"operation-{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 1
    with store.reading() as reader:
        assert [reader.slot_holder("slot")] == taken
