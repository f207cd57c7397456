"""Heads of objects, looked up for what is to be done with them; what stands in the way is told in Key Vault's words."""

from datetime import datetime

from certworker.errors import CertificateNotFound, Conflict, DeletedButRecoverable, KeyNotFound, NotFound, SecretNotFound
from certworker.vault.objects import ObjectHead, ObjectKind, not_found
from certworker.vault.store import HotReader, Writer
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


def begin_version(writer: Writer, vault: Vault, kind: ObjectKind, name: str, version: str, at: datetime) -> ObjectHead:
    """Make a version of a key or a secret the current one, as part of a larger transaction; its record is to be added.

    Raises DeletedButRecoverable where a deleted object holds the name, and Conflict where a certificate does.
    """
    head = writer.advance_head(ObjectHead(vault.id, kind, name, version, at))
    if head is None:
        check_vacant(writer, vault, kind, name)
        raise Conflict(f"The {kind} {name} is being changed by somebody else at the same time; try again.")
    if head.created >= at and writer.head(vault.id, ObjectKind.CERTIFICATE, name):
        raise _of_certificate(kind, name)
    return head


def check_vacant(reader: HotReader, vault: Vault, kind: ObjectKind, name: str) -> None:
    """Refuse a name that a deleted key or secret holds, or a certificate, for one of its own. Raises likewise."""
    head = reader.head(vault.id, kind, name)
    if head and head.deletion:
        raise held_by_deleted(head)
    # a certificate whose first operation is pending has no key and no secret yet, and will bring them
    if (head and head.managed) or reader.head(vault.id, ObjectKind.CERTIFICATE, name):
        raise _of_certificate(kind, name)


def check_restorable(reader: HotReader, vault: Vault, kind: ObjectKind, name: str) -> None:
    """Refuse a name that is not free for a key or a secret out of a backup. Raises likewise."""
    check_vacant(reader, vault, kind, name)
    if head := reader.head(vault.id, kind, name):
        raise Conflict(
            f"{kind.capitalize()} {head.name} already exists in this vault; a backup is restored only where there is none."
        )


def held_by_deleted(head: ObjectHead) -> DeletedButRecoverable:
    """Make the error that says that a deleted object holds its name."""
    word = head.kind.value
    return DeletedButRecoverable(
        f"{word.capitalize()} {head.name} is currently in a deleted but recoverable state, and its name cannot be "
        f"reused; in this state, the {word} can only be recovered or purged."
    )


def _of_certificate(kind: ObjectKind, name: str) -> Conflict:
    return Conflict(f"The name {name} belongs to a certificate, which manages the {kind} of its name: choose another one.")


def _no_deleted(kind: ObjectKind, name: str) -> NotFound:
    error = {ObjectKind.KEY: KeyNotFound, ObjectKind.SECRET: SecretNotFound, ObjectKind.CERTIFICATE: CertificateNotFound}[kind]
    return error(f"Deleted {kind.capitalize()} not found: {name}")
