"""Deleted keys: put out of sight, shown, recovered, purged."""

from certworker.clock import Clock, whole_second
from certworker.vault.access import Access, Caller
from certworker.vault.deletions import Deletions
from certworker.vault.heads import any_head, deleted_head, live_head
from certworker.vault.keys import KeyItem, key_items
from certworker.vault.objects import KeyVersion, ObjectHead, ObjectKind, not_found
from certworker.vault.store import Page, Reader, Store
from certworker.vault.vaults import Vault


class KeyDeletions:
    """Deletes keys and brings them back. A managed key is listed and shown here, and goes with its certificate only."""

    def __init__(self, store: Store, access: Access, deletions: Deletions, clock: Clock) -> None:
        self._store = store
        self._access = access
        self._deletions = deletions
        self._clock = clock

    def delete(self, caller: Caller, vault: Vault, name: str) -> KeyItem:
        """Delete a key, to be recovered until it is purged. Raises KeyNotFound, Forbidden for a managed one."""
        self._access.require(caller, vault, "keys", "delete", name=name)
        with self._store.writing() as writer:
            head = live_head(writer, vault, ObjectKind.KEY, name)
            deleted = self._deletions.delete(writer, vault, head, whole_second(self._clock()))
            return KeyItem(deleted, _current(writer, deleted))

    def deleted(self, caller: Caller, vault: Vault, name: str) -> KeyItem:
        """Show a deleted key. Raises KeyNotFound."""
        self._access.require(caller, vault, "keys", "get", name=name)
        with self._store.reading() as reader:
            head = deleted_head(reader, vault, ObjectKind.KEY, name)
            return KeyItem(head, _current(reader, head))

    def list_deleted(self, caller: Caller, vault: Vault, after: str | None, limit: int) -> Page[KeyItem]:
        """List deleted keys by name."""
        self._access.require(caller, vault, "keys", "list")
        with self._store.reading() as reader:
            return key_items(reader, reader.heads(vault.id, ObjectKind.KEY, after, limit, deleted=True))

    def recover(self, caller: Caller, vault: Vault, name: str) -> KeyItem:
        """Bring a deleted key back. Raises KeyNotFound, NotDeleted, Forbidden for a managed one."""
        self._access.require(caller, vault, "keys", "recover", name=name)
        with self._store.writing() as writer:
            head = any_head(writer, vault, ObjectKind.KEY, name)
            recovered = self._deletions.recover(writer, vault, head, whole_second(self._clock()))
            return KeyItem(recovered, _current(writer, recovered))

    def purge(self, caller: Caller, vault: Vault, name: str) -> None:
        """Delete a deleted key for good. Raises KeyNotFound, NotDeleted, PurgeProtected, Forbidden for a managed one."""
        self._access.require(caller, vault, "keys", "purge", name=name)
        with self._store.writing() as writer:
            head = any_head(writer, vault, ObjectKind.KEY, name)
            self._deletions.purge(writer, vault, head, whole_second(self._clock()))


def _current(reader: Reader, head: ObjectHead) -> KeyVersion:
    found = reader.key(head.vault_id, head.name, None)
    if found is None:
        raise not_found(ObjectKind.KEY, head.name)
    return found
