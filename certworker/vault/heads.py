"""Heads of objects, looked up for what is to be done with them; what stands in the way is told in Key Vault's words."""

from certworker.errors import CertificateNotFound, Conflict, DeletedButRecoverable, KeyNotFound, NotFound, SecretNotFound
from certworker.vault.objects import ObjectHead, ObjectKind, not_found
from certworker.vault.store import HotReader
from certworker.vault.vaults import Vault


def live_head(reader: HotReader, vault: Vault, kind: ObjectKind, name: str) -> ObjectHead:
    """Find an object that is not deleted. Raises NotFound."""
    head = reader.head(vault.id, kind, name)
    if head is None or head.deletion:
        raise not_found(kind, name)
    return head


def deleted_head(reader: HotReader, vault: Vault, kind: ObjectKind, name: str) -> ObjectHead:
    """Find a deleted object. Raises NotFound."""
    head = any_head(reader, vault, kind, name)
    if head.deletion is None:
        raise _no_deleted(kind, name)
    return head


def any_head(reader: HotReader, vault: Vault, kind: ObjectKind, name: str) -> ObjectHead:
    """Find an object that is to be recovered or purged, whether it is deleted or not. Raises NotFound."""
    head = reader.head(vault.id, kind, name)
    if head is None:
        raise _no_deleted(kind, name)
    return head


def head_to_write(reader: HotReader, vault: Vault, kind: ObjectKind, name: str) -> ObjectHead | None:
    """Find what a new version of a key or a secret would join; none for a new name.

    Raises DeletedButRecoverable where a deleted object holds the name, and Conflict where a certificate does: one whose first
    operation is pending has no key and no secret yet, and will bring them.
    """
    head = reader.head(vault.id, kind, name)
    if head and head.deletion:
        raise held_by_deleted(head)
    if head and not head.managed:
        return head
    if head or reader.head(vault.id, ObjectKind.CERTIFICATE, name):
        raise Conflict(f"The name {name} belongs to a certificate, which manages the {kind} of its name: choose another one.")
    return None


def held_by_deleted(head: ObjectHead) -> DeletedButRecoverable:
    """Make the error that says that a deleted object holds its name."""
    word = head.kind.value
    return DeletedButRecoverable(
        f"{word.capitalize()} {head.name} is currently in a deleted but recoverable state, and its name cannot be "
        f"reused; in this state, the {word} can only be recovered or purged."
    )


def _no_deleted(kind: ObjectKind, name: str) -> NotFound:
    error = {ObjectKind.KEY: KeyNotFound, ObjectKind.SECRET: SecretNotFound, ObjectKind.CERTIFICATE: CertificateNotFound}[kind]
    return error(f"Deleted {kind.capitalize()} not found: {name}")
