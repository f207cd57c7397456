"""Key material: made, taken in, and used, in this process or in a token. What is secret about it leaves this file sealed."""

import logging
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Protocol
from uuid import uuid4

from certworker.clock import Clock, whole_second
from certworker.crypto.keys import KeyKind, PrivateKey, generate_material, key_kind, load_private, public_der
from certworker.crypto.signers import signer_of
from certworker.crypto.software_keys import load_usable
from certworker.crypto.usable import UsableKey
from certworker.crypto.usable_keys import OctKey
from certworker.errors import BadParameter, Forbidden, Unavailable
from certworker.vault.hsm import IN_HSM, Hsm
from certworker.vault.key_pool import KeyPool
from certworker.vault.keyring import Keyring, object_place
from certworker.vault.objects import KeyVersion, ObjectKind
from certworker.vault.revocation.compromised import refuse_compromised
from certworker.vault.store import Store
from certworker.vault.vaults import Sku, Vault

MOST_LOADED = 1024
UNUSED_AFTER = timedelta(hours=1)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Material:
    """What a version's record holds of its key: see `KeyVersion`."""

    kty: str
    public_key: bytes
    sealed_key: bytes
    hsm_key_id: str | None = None


class HeldKey(Protocol):
    """A record that holds a key: a version of one, or an operation with the key that it will be. See `KeyVersion`."""

    @property
    def vault_id(self) -> str:
        """The vault."""

    @property
    def name(self) -> str:
        """The name of key and certificate."""

    @property
    def version(self) -> str:
        """The version that the key is, or will be."""

    @property
    def public_key(self) -> bytes:
        """The public half."""

    @property
    def sealed_key(self) -> bytes:
        """The private half, or where it is in the token; sealed for its place."""

    @property
    def hsm_key_id(self) -> str | None:
        """The key's id in the token; none where it lies here."""


class Materials:
    """Makes keys outside of transactions, and loads them for use. Loaded keys are kept: what is in a version cannot change."""

    def __init__(
        self,
        store: Store,
        keyring: Keyring,
        hsm: Hsm | None,
        clock: Clock,
        pool: KeyPool,
        most_loaded: int = MOST_LOADED,
    ) -> None:
        self._store = store
        self._keyring = keyring
        self._hsm = hsm
        self._clock = clock
        self._pool = pool
        self._most_loaded = most_loaded
        self._loaded: OrderedDict[tuple[str, str, str, bytes], UsableKey] = OrderedDict()
        self._lock = Lock()

    def make(self, vault: Vault, name: str, version: str, kind: KeyKind, *, in_hsm: bool = False) -> Material:
        """Make a key for a version's place. Raises BadParameter where it is to lie in a token and cannot."""
        if not in_hsm:
            return self._sealed(vault, name, version, kind, self._pool.take(kind) or generate_material(kind))
        hsm = self._token_for(vault)
        key_id = self._note(vault)
        return self._in_token(vault, name, version, kind, key_id, hsm.generate(key_id, kind).public_key)

    def take(self, vault: Vault, name: str, version: str, kind: KeyKind, private: bytes, *, in_hsm: bool = False) -> Material:
        """Take in a key that was made elsewhere: a DER PKCS#8, or the octets of an `oct` key.

        Raises as `make` does, and BadParameter for a key that is known to be compromised.
        """
        if kind.kty != "oct":
            with self._store.reading() as reader:
                refuse_compromised(reader, public_der(private))
        if not in_hsm:
            return self._sealed(vault, name, version, kind, private)
        hsm = self._token_for(vault)
        key_id = self._note(vault)
        return self._in_token(vault, name, version, kind, key_id, hsm.take(key_id, kind, private).public_key)

    def use(self, key: KeyVersion) -> UsableKey:
        """Load a key. Raises SealBroken where it was altered or moved, Unavailable where the token does not answer."""
        # the seal is part of the name: a key that was sealed anew, or restored under its old name, is loaded anew
        name = (key.vault_id, key.name, key.version, key.sealed_key)
        with self._lock:
            loaded = self._loaded.get(name)
            if loaded:
                self._loaded.move_to_end(name)
                return loaded
        loaded = self._load(key)
        with self._lock:
            self._loaded[name] = loaded
            while len(self._loaded) > self._most_loaded:
                self._loaded.popitem(last=False)
        return loaded

    def signer(self, key: HeldKey) -> PrivateKey:
        """Load a key that signs certificates and requests, wherever it lies. Raises as `use` does."""
        opened = self._open(key)
        return signer_of(key.public_key, self._in_hsm(key, opened)) if key.hsm_key_id else load_private(opened)

    def at_version(self, key: HeldKey, version: str) -> Material:
        """Give the same key for the place of another version, which it is to be as well."""
        place = object_place(key.vault_id, ObjectKind.KEY, key.name, version)
        kty = key_kind(key.public_key).kty + (IN_HSM if key.hsm_key_id else "")
        return Material(kty, key.public_key, self._keyring.seal(key.vault_id, self._open(key), place), key.hsm_key_id)

    def private(self, key: HeldKey) -> bytes:
        """Open a key that lies here. Raises Forbidden for one that lies in a token."""
        if key.hsm_key_id:
            raise Forbidden(f"The key {key.name} lies in a hardware token, which it cannot leave.")
        return self._open(key)

    def kind(self, key: KeyVersion) -> KeyKind:
        """Tell what a key is, to make another one of its kind. Raises as `use` does."""
        if key.public_key:
            return key_kind(key.public_key)
        usable = self.use(key)
        return KeyKind("oct", usable.size if isinstance(usable, OctKey) else None)

    def discard(self, material: Material) -> None:
        """Give up a key that was made and never stored. One in a token that cannot be reached now is destroyed later."""
        if material.hsm_key_id:
            self._destroy((material.hsm_key_id,))

    def destroy_unused(self, at: datetime, limit: int) -> int:
        """Destroy keys in the token that belong to nothing: purged ones, and what a process left that died; give the count.

        A key that was noted within the last hour may be about to be used, and is let alone.
        """
        if self._hsm is None:
            return 0
        with self._store.reading() as reader:
            unused = reader.unused_hsm_keys(at - UNUSED_AFTER, limit)
        return self._destroy(unused)

    def _destroy(self, key_ids: tuple[str, ...]) -> int:
        """Destroy keys of the token, as far as it answers."""
        if self._hsm is None:
            return 0
        count = 0
        for key_id in key_ids:
            try:
                self._hsm.destroy(key_id)
            except Unavailable as error:
                _log.warning("a key in the hardware token that is of no use is destroyed later: %s", error)
                break
            with self._store.writing() as writer:
                writer.forget_hsm_key(key_id)
            count += 1
        return count

    def _load(self, key: KeyVersion) -> UsableKey:
        opened = self._open(key)
        if not key.hsm_key_id:
            return load_usable(key.kty, opened)
        return self._in_hsm(key, opened)

    def _in_hsm(self, key: HeldKey, opened: bytes) -> UsableKey:
        if self._hsm is None:
            raise Forbidden(
                f"The key {key.name} lies in a hardware token, and this deployment has none configured (hsm.module)."
            )
        # by what was sealed, not by the column beside it: that could be another key's
        kind = key_kind(key.public_key) if key.public_key else KeyKind("oct")
        return self._hsm.use(opened.decode(), kind, key.public_key)

    def _open(self, key: HeldKey) -> bytes:
        return self._keyring.open(
            key.vault_id, key.sealed_key, object_place(key.vault_id, ObjectKind.KEY, key.name, key.version)
        )

    def _sealed(self, vault: Vault, name: str, version: str, kind: KeyKind, private: bytes) -> Material:
        place = object_place(vault.id, ObjectKind.KEY, name, version)
        public = b"" if kind.kty == "oct" else public_der(private)
        return Material(kind.kty, public, self._keyring.seal(vault.id, private, place))

    def _in_token(self, vault: Vault, name: str, version: str, kind: KeyKind, key_id: str, public_key: bytes) -> Material:
        place = object_place(vault.id, ObjectKind.KEY, name, version)
        return Material(kind.kty + IN_HSM, public_key, self._keyring.seal(vault.id, key_id.encode(), place), key_id)

    def check_token(self, vault: Vault, field: str) -> None:
        """Refuse a key in a token where there is none for this vault. Raises BadParameter with the field's name."""
        self._token_for(vault, field)

    def _token_for(self, vault: Vault, field: str = "kty") -> Hsm:
        if vault.sku is not Sku.PREMIUM:
            raise BadParameter(
                f"{field}: keys of an HSM are for vaults of the premium SKU; {vault.name} is {vault.sku.value}. Ask for the "
                "type without -HSM, or change the vault.",
                field,
            )
        if self._hsm is None:
            raise BadParameter(
                f"{field}: this deployment has no hardware token, so it makes no -HSM keys: configure one (hsm.module), or ask "
                "for the type without -HSM.",
                field,
            )
        return self._hsm

    def _note(self, vault: Vault) -> str:
        """Note the id of a key before it is made: should this process die, the token's key is found and destroyed."""
        key_id = uuid4().hex
        with self._store.writing() as writer:
            writer.note_hsm_key(key_id, vault.id, whole_second(self._clock()))
        return key_id
