"""Contacts: whom a vault tells of its certificates."""

import re

from certworker.errors import BadParameter, ContactsNotFound
from certworker.vault.access import Access, Caller
from certworker.vault.store import Store
from certworker.vault.vaults import Contact, Vault

MAX_CONTACTS = 100
MAX_LENGTH = 254
"""Of an e-mail address (RFC 5321 section 4.5.3.1.3), and of the rest too."""
_EMAIL = re.compile(r"(?=.{3,254}$)[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")


class ContactBook:
    """Sets, shows and deletes the contacts of vaults; always all of a vault's at once."""

    def __init__(self, store: Store, access: Access) -> None:
        self._store = store
        self._access = access

    def get(self, caller: Caller, vault: Vault) -> tuple[Contact, ...]:
        """Show a vault's contacts, in the order in which they were set. Raises ContactsNotFound."""
        self._access.require(caller, vault, "certificates", "managecontacts")
        with self._store.reading() as reader:
            return _some(reader.contacts(vault.id))

    def set(self, caller: Caller, vault: Vault, contacts: tuple[Contact, ...]) -> tuple[Contact, ...]:
        """Replace a vault's contacts. Raises BadParameter for none, too many, and an address that is none or there twice."""
        self._access.require(caller, vault, "certificates", "managecontacts")
        _check(contacts)
        with self._store.writing() as writer:
            writer.set_contacts(vault.id, contacts)
        return contacts

    def delete(self, caller: Caller, vault: Vault) -> tuple[Contact, ...]:
        """Delete a vault's contacts, and give what was deleted. Raises ContactsNotFound."""
        self._access.require(caller, vault, "certificates", "managecontacts")
        with self._store.writing() as writer:
            contacts = _some(writer.contacts(vault.id))
            writer.set_contacts(vault.id, ())
        return contacts


def _some(contacts: tuple[Contact, ...]) -> tuple[Contact, ...]:
    if not contacts:
        raise ContactsNotFound("Contacts not found")
    return contacts


def _check(contacts: tuple[Contact, ...]) -> None:
    if not contacts:
        raise BadParameter("contacts is empty; to have none, delete them.", "contacts")
    if len(contacts) > MAX_CONTACTS:
        raise BadParameter(f"contacts has {len(contacts)} entries; at most {MAX_CONTACTS} are allowed.", "contacts")
    seen: set[str] = set()
    for contact in contacts:
        if not _EMAIL.fullmatch(contact.email):
            message = f"contacts.email has the value {contact.email[:80]!r}: an e-mail address reads local@domain, in ASCII."
            raise BadParameter(message, "contacts.email")
        if contact.email.casefold() in seen:
            raise BadParameter(f"contacts.email: {contact.email} is there twice.", "contacts.email")
        seen.add(contact.email.casefold())
        _check_text("contacts.name", contact.name)
        _check_text("contacts.phone", contact.phone)


def _check_text(name: str, text: str | None) -> None:
    if text and (len(text) > MAX_LENGTH or not text.isprintable()):
        raise BadParameter(f"{name} has at most {MAX_LENGTH} characters, all of which can be printed.", name)
