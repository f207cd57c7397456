"""Keys and secrets as resources: what templates and tools make without going to the vault itself.

Whoever may write them so needs no right on the data plane, and gets none: no secret's value and no private key comes back.
"""

from typing import Final

from certworker.errors import KeyNotFound, ResourceNotFound, SecretNotFound
from certworker.vault.access import SERVICE, Access, Caller
from certworker.vault.key_creation import KeyCreation, WantedKey
from certworker.vault.key_settings import KeySettings
from certworker.vault.keys import KeyItem, Keys
from certworker.vault.management.places import VaultPlace, find_vault
from certworker.vault.objects import KeyVersion, ObjectKind, SecretVersion, check_name
from certworker.vault.rights.scopes import PROVIDER
from certworker.vault.secrets import NewSecret, SecretItem, Secrets, SecretUpdate
from certworker.vault.store import Page, Store
from certworker.vault.vaults import Vault

_ACTION: Final = "Microsoft.KeyVault/vaults/{}"


class VaultChildren:
    """The keys and secrets of vaults, by resource id. The vault itself is asked by the service, not by the caller."""

    def __init__(self, store: Store, access: Access, secrets: Secrets, keys: Keys, creation: KeyCreation) -> None:
        self._store = store
        self._access = access
        self._secrets = secrets
        self._keys = keys
        self._creation = creation

    def secrets(self, caller: Caller, place: VaultPlace, after: str | None, limit: int) -> tuple[Vault, Page[SecretItem]]:
        """List secrets without their values. Raises AuthorizationFailed, ResourceNotFound."""
        vault = self._vault(caller, place, "secrets/read")
        return vault, self._secrets.list_(SERVICE, vault, after, limit)

    def secret(self, caller: Caller, place: VaultPlace, name: str) -> tuple[Vault, SecretVersion]:
        """Show a secret's current version without its value. Raises AuthorizationFailed, ResourceNotFound."""
        vault = self._vault(caller, place, "secrets/read", "secrets", name)
        with self._store.reading() as reader:
            head = reader.head(vault.id, ObjectKind.SECRET, name)
            found = reader.secret(vault.id, name, None) if head and head.deletion is None else None
        if found is None:
            raise _not_found(place, "secrets", name)
        return vault, found

    def set_secret(self, caller: Caller, place: VaultPlace, name: str, new: NewSecret) -> tuple[Vault, SecretVersion]:
        """Set a secret. Raises AuthorizationFailed, ResourceNotFound, BadParameter, Conflict."""
        vault = self._vault(caller, place, "secrets/write", "secrets", name)
        return vault, self._secrets.set(SERVICE, vault, check_name(name), new).secret

    def update_secret(self, caller: Caller, place: VaultPlace, name: str, changes: SecretUpdate) -> tuple[Vault, SecretVersion]:
        """Change what a secret's current version is marked with. Raises AuthorizationFailed, ResourceNotFound."""
        vault = self._vault(caller, place, "secrets/write", "secrets", name)
        try:
            return vault, self._secrets.update(SERVICE, vault, name, None, changes)
        except SecretNotFound:
            raise _not_found(place, "secrets", name) from None

    def keys(self, caller: Caller, place: VaultPlace, after: str | None, limit: int) -> tuple[Vault, Page[KeyItem]]:
        """List keys. Raises AuthorizationFailed, ResourceNotFound."""
        vault = self._vault(caller, place, "keys/read")
        return vault, self._keys.list_(SERVICE, vault, after, limit)

    def key(self, caller: Caller, place: VaultPlace, name: str, version: str | None = None) -> tuple[Vault, KeyVersion]:
        """Show a key's public half, and what it may do. Raises AuthorizationFailed, ResourceNotFound."""
        vault = self._vault(caller, place, "keys/versions/read" if version else "keys/read", "keys", name)
        try:
            return vault, self._keys.get(SERVICE, vault, name, version)
        except KeyNotFound:
            raise _not_found(place, "keys", name) from None

    def key_versions(
        self, caller: Caller, place: VaultPlace, name: str, after: str | None, limit: int
    ) -> tuple[Vault, Page[KeyVersion]]:
        """List a key's versions. Raises AuthorizationFailed, ResourceNotFound."""
        vault = self._vault(caller, place, "keys/versions/read", "keys", name)
        return vault, self._keys.versions(SERVICE, vault, name, after, limit)

    def create_key(
        self, caller: Caller, place: VaultPlace, name: str, wanted: WantedKey, settings: KeySettings
    ) -> tuple[Vault, KeyVersion]:
        """Make a key unless there is one of the name, which is left as it is. Raises likewise, and BadParameter, Conflict."""
        vault = self._vault(caller, place, "keys/write", "keys", name)
        try:
            return vault, self._keys.get(SERVICE, vault, name, None)
        except KeyNotFound:
            return vault, self._creation.create(SERVICE, vault, check_name(name), wanted, settings)

    def _vault(self, caller: Caller, place: VaultPlace, action: str, *object_: str) -> Vault:
        self._access.require_action(caller, "/".join((place.scope, *object_)), _ACTION.format(action))
        with self._store.reading() as reader:
            return find_vault(reader, place)


def _not_found(place: VaultPlace, noun: str, name: str) -> ResourceNotFound:
    return ResourceNotFound(f"The Resource '{PROVIDER}/vaults/{place.name}/{noun}/{name[:127]}' was not found.")
