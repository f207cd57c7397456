"""Secrets. First slice: read, the managed secret of a certificate among them."""

from dataclasses import dataclass

from certworker.errors import Disabled
from certworker.vault.access import Access, Caller
from certworker.vault.keyring import Keyring, object_place
from certworker.vault.objects import ObjectHead, ObjectKind, SecretVersion, not_found
from certworker.vault.store import Page, Reader, Store
from certworker.vault.vaults import Vault


@dataclass(frozen=True, slots=True, repr=False)
class OpenSecret:
    """A secret's version with its value in the clear. Its `repr` never shows the value."""

    secret: SecretVersion
    value: str


@dataclass(frozen=True, slots=True)
class SecretItem:
    """One entry of a list of secrets."""

    head: ObjectHead
    version: SecretVersion


class Secrets:
    """The secrets of vaults."""

    def __init__(self, store: Store, keyring: Keyring, access: Access) -> None:
        self._store = store
        self._keyring = keyring
        self._access = access

    def get(self, caller: Caller, vault: Vault, name: str, version: str | None = None) -> OpenSecret:
        """Open a version, the current one where none is named. Raises SecretNotFound, Disabled, SealBroken."""
        self._access.require(caller, vault, "secrets", "get")
        with self._store.reading() as reader:
            head = reader.head(vault.id, ObjectKind.SECRET, name)
            secret = reader.secret(vault.id, name, version) if head and not head.deletion else None
        if secret is None:
            raise not_found(ObjectKind.SECRET, name, version)
        if not secret.attributes.enabled:
            raise Disabled("Operation get is not allowed on a disabled secret.")
        place = object_place(vault.id, ObjectKind.SECRET, secret.name, secret.version)
        return OpenSecret(secret, self._keyring.open(vault.id, secret.sealed_value, place).decode())

    def list_(self, caller: Caller, vault: Vault, after: str | None, limit: int) -> Page[SecretItem]:
        """List secrets by name, without their values."""
        self._access.require(caller, vault, "secrets", "list")
        with self._store.reading() as reader:
            page = reader.heads(vault.id, ObjectKind.SECRET, after, limit, deleted=False)
            return Page(tuple(_items(reader, page.items)), page.next)

    def versions(self, caller: Caller, vault: Vault, name: str, after: str | None, limit: int) -> Page[SecretVersion]:
        """List a secret's versions; none where there is no such secret."""
        self._access.require(caller, vault, "secrets", "list")
        with self._store.reading() as reader:
            head = reader.head(vault.id, ObjectKind.SECRET, name)
            if head is None or head.deletion:
                return Page((), None)
            return reader.secret_versions(vault.id, name, after, limit)


def _items(reader: Reader, heads: tuple[ObjectHead, ...]) -> list[SecretItem]:
    found = ((head, reader.secret(head.vault_id, head.name, None)) for head in heads)
    return [SecretItem(head, version) for head, version in found if version]
