"""The keyring: seals and opens the records of a vault under the vault's own keys."""

import logging
from collections import OrderedDict
from datetime import datetime
from threading import Lock
from typing import Protocol

from certworker.crypto.sealing import SealingKey, derive_key, key_id, new_key, open_sealed, seal, term_of
from certworker.errors import SealBroken, SetupError
from certworker.vault.objects import ObjectKind, fold_name
from certworker.vault.store import Store
from certworker.vault.vaults import WrappedKey

_MOST_KEYS = 256
_log = logging.getLogger(__name__)


class MasterKey(Protocol):
    """The key that wraps the vault keys, wherever it is: in memory, or in a token that it never leaves."""

    @property
    def id(self) -> str:
        """Name the key without telling anything of it."""

    def wrap(self, key: bytes, place: str) -> bytes:
        """Wrap a key for its place."""

    def unwrap(self, wrapped: bytes, place: str) -> bytes:
        """Unwrap the key at its place. Raises SealBroken where it was altered, moved, or wrapped by another key."""


class SoftwareMasterKey:
    """A master key in memory. Its `repr` never shows it."""

    def __init__(self, key: bytes) -> None:
        self.id = key_id(key)
        self._key = SealingKey(0, key)

    def for_backups(self, salt: bytes) -> SealingKey:
        """Derive the key of one backup, which its salt makes its own."""
        return SealingKey(0, derive_key(self._key.key, salt, "certworker backup"))

    def wrap(self, key: bytes, place: str) -> bytes:
        """Wrap a key for its place."""
        return seal(self._key, key, place)

    def unwrap(self, wrapped: bytes, place: str) -> bytes:
        """Unwrap the key at its place. Raises SealBroken where it was altered, moved, or wrapped by another key."""
        return open_sealed(self._key, wrapped, place)


class Keyring:
    """Seals and opens by vault. Unwrapped vault keys are kept in memory by vault and term, which cannot change."""

    def __init__(self, store: Store, master: MasterKey) -> None:
        self._store = store
        self._master = master
        self._keys: OrderedDict[tuple[str, int], SealingKey] = OrderedDict()
        self._newest: dict[str, int] = {}
        self._lock = Lock()

    def new_vault_key(self, vault_id: str, at: datetime) -> WrappedKey:
        """Make the first key of a vault, to be added in the transaction that adds the vault."""
        wrapped = self._master.wrap(key := new_key(), wrap_place(vault_id, 1))
        self._keep(vault_id, SealingKey(1, key), newest=True)
        return WrappedKey(vault_id, 1, wrapped, self._master.id, at)

    def seal(self, vault_id: str, plaintext: bytes, place: str) -> bytes:
        """Seal `plaintext` for `place` under the vault's newest key."""
        return seal(self._key(vault_id, None), plaintext, place)

    def open(self, vault_id: str, sealed: bytes, place: str) -> bytes:
        """Open what lies at `place`. Raises SealBroken where it was altered or moved."""
        return open_sealed(self._key(vault_id, term_of(sealed)), sealed, place)

    def check(self, vault_id: str) -> None:
        """Make sure that the vault's newest key opens under this master key. Raises SetupError or SealBroken."""
        self._key(vault_id, None)

    def _key(self, vault_id: str, term: int | None) -> SealingKey:
        with self._lock:
            wanted = self._newest.get(vault_id) if term is None else term
            if wanted is not None and (kept := self._keys.get((vault_id, wanted))):
                self._keys.move_to_end((vault_id, wanted))
                return kept
        return self._load(vault_id, term)

    def _load(self, vault_id: str, term: int | None) -> SealingKey:
        with self._store.reading() as reader:
            wrapped_keys = reader.wrapped_keys(vault_id)
        for wrapped in reversed(wrapped_keys):
            if term is None or wrapped.term == term:
                key = SealingKey(wrapped.term, self._unwrap(wrapped))
                self._keep(vault_id, key, newest=wrapped is wrapped_keys[-1])
                return key
        raise SealBroken(f"The vault {vault_id} has no key of the term {term or 'now'}.")

    def _unwrap(self, wrapped: WrappedKey) -> bytes:
        if wrapped.master_key_id != self._master.id:
            raise SetupError(
                f"The database was sealed under the master key {wrapped.master_key_id}, and this one is {self._master.id}. "
                "Start with the master key that belongs to the database."
            )
        return self._master.unwrap(wrapped.wrapped, wrap_place(wrapped.vault_id, wrapped.term))

    def _keep(self, vault_id: str, key: SealingKey, *, newest: bool) -> None:
        with self._lock:
            self._keys[vault_id, key.term] = key
            if newest:
                self._newest[vault_id] = key.term
            while len(self._keys) > _MOST_KEYS:
                self._keys.popitem(last=False)


def object_place(vault_id: str, kind: ObjectKind, name: str, version: str) -> str:
    """Name the place of an object's secret part."""
    return f"{vault_id}/{kind}/{fold_name(name)}/{version}"


def wrap_place(vault_id: str, term: int) -> str:
    """Name the place of a wrapped vault key."""
    return f"{vault_id}/vault-key/{term}"
