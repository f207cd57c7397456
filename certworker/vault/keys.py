"""Keys: shown and listed, their public half and what their owner says of them."""

from dataclasses import dataclass

from certworker.vault.access import Access, Caller
from certworker.vault.objects import KeyVersion, ObjectHead, ObjectKind, not_found
from certworker.vault.store import Page, Reader, Store
from certworker.vault.vaults import Vault


@dataclass(frozen=True, slots=True)
class KeyItem:
    """A key: the head, and one version."""

    head: ObjectHead
    version: KeyVersion


class Keys:
    """The keys of vaults."""

    def __init__(self, store: Store, access: Access) -> None:
        self._store = store
        self._access = access

    def get(self, caller: Caller, vault: Vault, name: str, version: str | None = None) -> KeyVersion:
        """Show a version's public half, the current one where none is named. Raises KeyNotFound."""
        self._access.require(caller, vault, "keys", "get", name=name)
        with self._store.glance() as reader:
            head = reader.head(vault.id, ObjectKind.KEY, name)
            key = reader.key(vault.id, name, version) if head and not head.deletion else None
        if key is None:
            raise not_found(ObjectKind.KEY, name, version)
        return key

    def list_(self, caller: Caller, vault: Vault, after: str | None, limit: int) -> Page[KeyItem]:
        """List keys by name."""
        self._access.require(caller, vault, "keys", "list")
        with self._store.reading() as reader:
            return key_items(reader, reader.heads(vault.id, ObjectKind.KEY, after, limit, deleted=False))

    def versions(self, caller: Caller, vault: Vault, name: str, after: str | None, limit: int) -> Page[KeyVersion]:
        """List a key's versions; none where there is no such key."""
        self._access.require(caller, vault, "keys", "list", name=name)
        with self._store.reading() as reader:
            head = reader.head(vault.id, ObjectKind.KEY, name)
            if head is None or head.deletion:
                return Page((), None)
            return reader.key_versions(vault.id, name, after, limit)


def key_items(reader: Reader, page: Page[ObjectHead]) -> Page[KeyItem]:
    """Show the current version of each key of a page."""
    found = ((head, reader.key(head.vault_id, head.name, None)) for head in page.items)
    return Page(tuple(KeyItem(head, version) for head, version in found if version), page.next)
