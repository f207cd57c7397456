"""The contacts of a vault: all set, shown and deleted at once."""

import pytest

from certworker.errors import BadParameter, ContactsNotFound, Forbidden
from certworker.vault.access import Caller
from certworker.vault.contacts import MAX_CONTACTS, MAX_LENGTH
from certworker.vault.vaults import Contact
from tests.support.deployment import Deployment

ADA, BOB = Contact("ada@contoso.example", "Ada", "+49 1"), Contact("bob@contoso.example")


def test_contacts_are_set_shown_and_deleted(deployment: Deployment) -> None:
    """In the order in which they came; without any there is nothing to be found."""
    book, vault, caller = deployment.house.contacts, deployment.vault, deployment.administrator
    for ask in (book.get, book.delete):
        with pytest.raises(ContactsNotFound, match="Contacts not found"):
            ask(caller, vault)
    assert book.set(caller, vault, (BOB, ADA)) == (BOB, ADA)
    assert book.set(caller, vault, (ADA, BOB)) == book.get(caller, vault) == (ADA, BOB)
    assert book.delete(caller, vault) == (ADA, BOB)
    with pytest.raises(ContactsNotFound):
        book.get(caller, vault)


@pytest.mark.parametrize(
    ("contacts", "field"),
    [
        ((), "contacts"),
        (tuple(Contact(f"a{number}@b.example") for number in range(MAX_CONTACTS + 1)), "contacts"),
        ((ADA, Contact("ADA@contoso.example")), "contacts.email"),
        ((Contact("ada"),), "contacts.email"),
        ((Contact("a@b@c"),), "contacts.email"),
        ((Contact("a b@c"),), "contacts.email"),
        ((Contact("a@b\r\nBcc: c@d"),), "contacts.email"),
        ((Contact("ä@b.example"),), "contacts.email"),
        ((Contact("a" * 250 + "@b.example"),), "contacts.email"),
        ((Contact("a@b.example", "x\r\ny"),), "contacts.name"),
        ((Contact("a@b.example", "x" * (MAX_LENGTH + 1)),), "contacts.name"),
        ((Contact("a@b.example", None, "\t"),), "contacts.phone"),
    ],
)
def test_what_is_no_contact_is_refused(deployment: Deployment, contacts: tuple[Contact, ...], field: str) -> None:
    """And leaves those that there are."""
    book, vault, caller = deployment.house.contacts, deployment.vault, deployment.administrator
    book.set(caller, vault, (BOB,))
    with pytest.raises(BadParameter) as refused:
        book.set(caller, vault, contacts)
    assert refused.value.field == field
    assert book.get(caller, vault) == (BOB,)


def test_strangers_are_refused(deployment: Deployment) -> None:
    """The permission is managecontacts, to look as well."""
    book, vault, stranger = deployment.house.contacts, deployment.vault, Caller("nobody", "nothing", "nowhere")
    for ask in (book.get, book.delete, lambda caller, vault: book.set(caller, vault, (ADA,))):
        with pytest.raises(Forbidden, match="certificates managecontacts permission"):
            ask(stranger, vault)
