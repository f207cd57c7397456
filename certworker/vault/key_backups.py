"""Backup and restore of keys: all versions as one opaque blob, with the rotation policy, to be put back where it came from."""

from datetime import datetime

from certworker.clock import Clock, whole_second
from certworker.crypto.keys import KeyKind
from certworker.vault.access import Access, Caller
from certworker.vault.backup_format import MAX_VERSIONS, BackupFormat
from certworker.vault.companions import require_unmanaged
from certworker.vault.events import Event, EventType
from certworker.vault.expiries import times
from certworker.vault.heads import check_restorable, live_head
from certworker.vault.key_lifetimes import DEFAULT_POLICY, key_notice
from certworker.vault.materials import Materials
from certworker.vault.objects import KeyVersion, ObjectHead, ObjectKind
from certworker.vault.rotation_policy import KeyRotation
from certworker.vault.saved_objects import KEY, SavedKey, SavedKeyVersion, SavedRotation, all_versions, read_saved
from certworker.vault.store import Store, Writer
from certworker.vault.vaults import Vault

KEYS = "keys"
REASON = "restore"


class KeyBackups:
    """Makes backups of keys and restores them. Inside of them private keys lie opened; outside they are sealed."""

    def __init__(self, store: Store, access: Access, materials: Materials, form: BackupFormat, clock: Clock) -> None:
        self._store = store
        self._access = access
        self._materials = materials
        self._form = form
        self._clock = clock

    def backup(self, caller: Caller, vault: Vault, name: str) -> bytes:
        """Back a key up: all versions, the disabled ones too.

        Raises KeyNotFound, BadParameter where it is too large, Forbidden for that of a certificate, which goes with it, and for
        one that lies in a hardware token, which it never leaves.
        """
        self._access.require(caller, vault, KEYS, "backup", name=name)
        with self._store.reading() as reader:
            head = live_head(reader, vault, ObjectKind.KEY, name)
            require_unmanaged(head, "backup")
            versions = all_versions(reader.key_versions(vault.id, name, None, MAX_VERSIONS), f"key {head.name}")
            rotation = _saved_rotation(reader.rotation(vault.id, name))
        saved = SavedKey(head.name, head.created, head.current_version or "", rotation, tuple(map(self._saved, versions)))
        return self._form.pack(ObjectKind.KEY, head.name, KEY.dump_json(saved), vault)

    def restore(self, caller: Caller, vault: Vault, backup: bytes) -> KeyVersion:
        """Put a key back, into its own vault or another of the same subscription; give its current version.

        Raises BadParameter where the backup does not open here, and Conflict where its name is taken, if only by something
        that was deleted; nothing has changed then.
        """
        self._access.require(caller, vault, KEYS, "restore")
        at = whole_second(self._clock())
        saved = read_saved(KEY, self._form.unpack(ObjectKind.KEY, backup, vault))
        versions = tuple(self._restored(vault, saved.name, version) for version in saved.versions)
        current = next(version for version in versions if version.version == saved.current_version)
        with self._store.writing() as writer:
            check_restorable(writer, vault, ObjectKind.KEY, saved.name)
            writer.put_head(ObjectHead(vault.id, ObjectKind.KEY, saved.name, current.version, saved.created))
            for version in versions:
                writer.add_key(version)
            _plan(writer, saved, current, at)
            detail = {"vault": vault.name, "reason": REASON, **times(current.attributes)}
            place = (vault.id, ObjectKind.KEY, saved.name)
            writer.add_event(Event(EventType.KEY_NEW_VERSION, at, *place, version=current.version, detail=detail))
        return current

    def _saved(self, key: KeyVersion) -> SavedKeyVersion:
        private = self._materials.private(key)
        return SavedKeyVersion(
            key.version, key.attributes, key.tags, key.kty, key.key_ops, key.exportable, private, key.release_policy
        )

    def _restored(self, vault: Vault, name: str, saved: SavedKeyVersion) -> KeyVersion:
        material = self._materials.take(vault, name, saved.version, KeyKind(saved.kty), saved.private_key)
        return KeyVersion(
            vault.id,
            name,
            saved.version,
            material.kty,
            material.public_key,
            material.sealed_key,
            saved.key_ops,
            saved.attributes,
            saved.exportable,
            tags=saved.tags,
            release_policy=saved.release_policy,
        )


def _plan(writer: Writer, saved: SavedKey, current: KeyVersion, at: datetime) -> None:
    policy = saved.rotation.policy if saved.rotation else DEFAULT_POLICY
    notice_at = key_notice(current.attributes.expires, policy, at)
    writer.set_notice(current.vault_id, ObjectKind.KEY, current.name, current.version, notice_at)
    if known := saved.rotation:
        writer.put_rotation(
            KeyRotation(current.vault_id, current.name, known.policy, known.created, known.updated, known.due_at)
        )


def _saved_rotation(rotation: KeyRotation | None) -> SavedRotation | None:
    return SavedRotation(rotation.policy, rotation.created, rotation.updated, rotation.due_at) if rotation else None
