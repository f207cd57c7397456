"""Soft delete: an object goes out of sight, can be recovered until its purge date, and is then gone.

In a vault with purge protection nobody makes it go earlier; the worker still purges it on its date.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from certworker.errors import NotDeleted, PurgeProtected
from certworker.vault.companions import TOGETHER, require_unmanaged
from certworker.vault.events import Event, EventType
from certworker.vault.objects import Deletion, ObjectHead, ObjectKind
from certworker.vault.store import Writer
from certworker.vault.vaults import Vault

_PROTECTED = (
    'Operation "purge" is not allowed because purge protection is enabled for this vault. Key Vault service will automatically '
    "purge it after the retention period has passed"
)


class Deletions:
    """Deletes, recovers and purges, each as part of a larger transaction; a certificate takes its companions along."""

    def delete(self, writer: Writer, vault: Vault, head: ObjectHead, at: datetime) -> ObjectHead:
        """Put an object out of sight for the vault's retention. Raises Forbidden for a managed one."""
        require_unmanaged(head, "delete")
        deletion = Deletion(at, at + timedelta(days=vault.retention_days))
        self._mark(writer, head, deletion)
        writer.add_event(_event(EventType.OBJECT_DELETED, vault, head, at))
        return replace(head, deletion=deletion)

    def recover(self, writer: Writer, vault: Vault, head: ObjectHead, at: datetime) -> ObjectHead:
        """Bring a deleted object back. Raises NotDeleted, and Forbidden for a managed one."""
        require_unmanaged(head, "recover")
        _require_deleted(head)
        self._mark(writer, head, None)
        writer.add_event(_event(EventType.OBJECT_RECOVERED, vault, head, at))
        return replace(head, deletion=None)

    def purge(self, writer: Writer, vault: Vault, head: ObjectHead, at: datetime) -> None:
        """Delete a deleted object for good, because somebody asks for it.

        Raises NotDeleted, PurgeProtected, and Forbidden for a managed one.
        """
        require_unmanaged(head, "purge")
        _require_deleted(head)
        # as the vault is now: protection may have been switched on since the request was let in
        if (writer.vault(vault.id) or vault).purge_protection:
            raise PurgeProtected(_PROTECTED)
        self.purge_due(writer, vault, head, at)

    def purge_due(self, writer: Writer, vault: Vault, head: ObjectHead, at: datetime) -> None:
        """Delete a deleted object for good, because its time has come. Raises as `purge`, but for no protection."""
        require_unmanaged(head, "purge")
        _require_deleted(head)
        for kind in _together(head):
            writer.purge(head.vault_id, kind, head.name)
        writer.add_event(_event(EventType.OBJECT_PURGED, vault, head, at))

    def _mark(self, writer: Writer, head: ObjectHead, deletion: Deletion | None) -> None:
        for kind in _together(head):
            writer.set_deletion(head.vault_id, kind, head.name, deletion)


def _together(head: ObjectHead) -> tuple[ObjectKind, ...]:
    if head.kind is ObjectKind.CERTIFICATE:
        return TOGETHER
    return (head.kind,)


def _require_deleted(head: ObjectHead) -> None:
    if head.deletion is None:
        raise NotDeleted(f"{head.kind.capitalize()} exists already: {head.name}")


def _event(event_type: EventType, vault: Vault, head: ObjectHead, at: datetime) -> Event:
    return Event(event_type, at, vault.id, head.kind, head.name, version=head.current_version, detail={"vault": vault.name})
