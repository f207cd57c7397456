"""Contacts of a vault, and evidence of an operation."""

from certworker.vault.operations import Evidence
from certworker.vault.store import Store
from certworker.vault.vaults import Contact
from tests.support.clock import START
from tests.support.records import VAULT_ID, add_head, an_operation


def test_contacts_are_replaced_as_a_whole(store: Store) -> None:
    """They come back in the order in which they were set, and an empty set deletes them."""
    first = (Contact("b@example.test", "B", "+1"), Contact("a@example.test"))
    with store.writing() as writer:
        writer.set_contacts(VAULT_ID, first)
        assert writer.contacts(VAULT_ID) == first
        writer.set_contacts(VAULT_ID, first[1:])
    with store.reading() as reader:
        assert reader.contacts(VAULT_ID) == first[1:]
    with store.writing() as writer:
        writer.set_contacts(VAULT_ID, ())
        assert writer.contacts(VAULT_ID) == ()


def test_evidence_goes_with_its_operation(store: Store) -> None:
    """It is kept in order, and deleted with the operation; an operation keeps its warnings and the order of its chain."""
    evidence = tuple(Evidence("operation-1", START, kind, b"sealed") for kind in ("leaf", "chain"))
    operation = an_operation(warnings=("The chain is missing.", "Not valid yet."), preserve_order=True)
    with store.writing() as writer:
        add_head(writer)
        writer.add_operation(operation)
        for found in evidence:
            writer.add_evidence(found)
    with store.reading() as reader:
        assert reader.evidence("operation-1") == evidence
        assert reader.operation_by_id("operation-1") == operation
    with store.writing() as writer:
        writer.delete_operation("operation-1")
        assert writer.evidence("operation-1") == ()
