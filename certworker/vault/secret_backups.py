"""Backup and restore of secrets: all versions as one opaque blob, to be put back where it came from."""

from certworker.clock import Clock, whole_second
from certworker.vault.access import Access, Caller
from certworker.vault.backup_format import MAX_VERSIONS, BackupFormat
from certworker.vault.companions import require_unmanaged
from certworker.vault.expiries import NEAR_EXPIRY, first_notice
from certworker.vault.heads import check_restorable, live_head
from certworker.vault.keyring import Keyring, object_place
from certworker.vault.objects import ObjectHead, ObjectKind, SecretVersion
from certworker.vault.saved_objects import SECRET, SavedSecret, SavedSecretVersion, all_versions, read_saved
from certworker.vault.secrets import SECRETS, open_value, tell_new_secret
from certworker.vault.store import Store
from certworker.vault.vaults import Vault

REASON = "restore"


class SecretBackups:
    """Makes backups of secrets and restores them. Inside of them values lie opened; outside they are sealed."""

    def __init__(self, store: Store, access: Access, keyring: Keyring, form: BackupFormat, clock: Clock) -> None:
        self._store = store
        self._access = access
        self._keyring = keyring
        self._form = form
        self._clock = clock

    def backup(self, caller: Caller, vault: Vault, name: str) -> bytes:
        """Back a secret up: all versions, the disabled ones too.

        Raises SecretNotFound, BadParameter where it is too large, Forbidden for that of a certificate, which goes with it.
        """
        self._access.require(caller, vault, SECRETS, "backup", name=name)
        with self._store.reading() as reader:
            head = live_head(reader, vault, ObjectKind.SECRET, name)
            require_unmanaged(head, "backup")
            versions = all_versions(reader.secret_versions(vault.id, name, None, MAX_VERSIONS), f"secret {head.name}")
        saved = SavedSecret(head.name, head.created, head.current_version or "", tuple(map(self._saved, versions)))
        return self._form.pack(ObjectKind.SECRET, head.name, SECRET.dump_json(saved), vault)

    def restore(self, caller: Caller, vault: Vault, backup: bytes) -> SecretVersion:
        """Put a secret back, into its own vault or another of the same subscription; give its current version.

        Raises BadParameter where the backup does not open here, and Conflict where its name is taken, if only by something
        that was deleted; nothing has changed then.
        """
        self._access.require(caller, vault, SECRETS, "restore")
        at = whole_second(self._clock())
        saved = read_saved(SECRET, self._form.unpack(ObjectKind.SECRET, backup, vault))
        versions = tuple(self._restored(vault, saved.name, version) for version in saved.versions)
        current = next(version for version in versions if version.version == saved.current_version)
        with self._store.writing() as writer:
            check_restorable(writer, vault, ObjectKind.SECRET, saved.name)
            writer.put_head(ObjectHead(vault.id, ObjectKind.SECRET, saved.name, current.version, saved.created))
            for version in versions:
                writer.add_secret(version)
            place = (vault.id, ObjectKind.SECRET, saved.name, current.version)
            writer.set_notice(*place, first_notice(current.attributes.expires, NEAR_EXPIRY, at))
            tell_new_secret(writer, current, vault.name, REASON, at)
        return current

    def _saved(self, secret: SecretVersion) -> SavedSecretVersion:
        value = open_value(self._keyring, secret)
        return SavedSecretVersion(secret.version, secret.attributes, secret.tags, secret.content_type, value)

    def _restored(self, vault: Vault, name: str, saved: SavedSecretVersion) -> SecretVersion:
        place = object_place(vault.id, ObjectKind.SECRET, name, saved.version)
        sealed = self._keyring.seal(vault.id, saved.value.encode(), place)
        return SecretVersion(vault.id, name, saved.version, sealed, saved.content_type, saved.attributes, tags=saved.tags)
