"""The keyring: seals and opens the records of a vault under the vault's own keys."""

import logging
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from threading import Lock
from typing import Protocol, TypeVar

from certworker.crypto.sealing import SealingKey, key_id, new_key, open_sealed, seal, term_of
from certworker.errors import MasterKeyChanged, SealBroken, SetupError
from certworker.vault.objects import ObjectKind, fold_name
from certworker.vault.store import Store
from certworker.vault.vaults import WrappedKey

T = TypeVar("T")
_MOST_KEYS = 256
_MOST_TRIES = 3
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

    def wrap(self, key: bytes, place: str) -> bytes:
        """Wrap a key for its place."""
        return seal(self._key, key, place)

    def unwrap(self, wrapped: bytes, place: str) -> bytes:
        """Unwrap the key at its place. Raises SealBroken where it was altered, moved, or wrapped by another key."""
        return open_sealed(self._key, wrapped, place)


class MasterKeyInForce:
    """The master key that the database wants. Another process may have put a new one in force: then its source is read again.

    `read` gives the master key of an id, or the one that there is where nothing is wanted yet; it raises SetupError.
    """

    def __init__(self, read: Callable[[str | None], MasterKey], wanted: str | None = None) -> None:
        self._read = read
        self._key = read(wanted)
        self._lock = Lock()

    @property
    def id(self) -> str:
        """Name the key."""
        return self._key.id

    def wrap(self, key: bytes, place: str) -> bytes:
        """Wrap a key for its place."""
        return self._key.wrap(key, place)

    def unwrap(self, wrapped: bytes, place: str) -> bytes:
        """Unwrap the key at its place. Raises SealBroken."""
        return self._key.unwrap(wrapped, place)

    def turn_to(self, key_id: str) -> MasterKey:
        """Give the master key of this id; it is the one in force from now on. Raises SetupError where there is no such key."""
        with self._lock:
            if self._key.id != key_id:
                self._key = self._read(key_id)
                _log.info("The master key in force is %s now.", key_id)
            return self._key


class Keyring:
    """Seals and opens by vault. Unwrapped vault keys are kept in memory by vault and term, which cannot change."""

    def __init__(self, store: Store, master: MasterKey) -> None:
        self._store = store
        self._master = master if isinstance(master, MasterKeyInForce) else MasterKeyInForce(_only(master))
        self._keys: OrderedDict[tuple[str, int], SealingKey] = OrderedDict()
        self._lock = Lock()

    def new_vault_key(self, vault_id: str, at: datetime, term: int = 1) -> WrappedKey:
        """Make a key for a vault, to be added in a transaction; where it is a new vault, in the one that adds it."""
        master = self._master.turn_to(self._master.id)
        wrapped = master.wrap(key := new_key(), wrap_place(vault_id, term))
        if term == 1:
            # what is sealed for a vault that is not committed yet: nobody else can look its key up
            self._keep(vault_id, SealingKey(term, key))
        return WrappedKey(vault_id, term, wrapped, master.id, at)

    def adding(self, add: Callable[[], T]) -> T:
        """Carry out what makes and adds vault keys; again where another master key was put in force meanwhile."""
        for _ in range(_MOST_TRIES):
            try:
                return add()
            except MasterKeyChanged as changed:
                self._master.turn_to(changed.key_id)
        return add()

    def seal(self, vault_id: str, plaintext: bytes, place: str) -> bytes:
        """Seal `plaintext` for `place` under the vault's newest key, whichever process made it."""
        return seal(self._key(vault_id, None), plaintext, place)

    def open(self, vault_id: str, sealed: bytes, place: str) -> bytes:
        """Open what lies at `place`. Raises SealBroken where it was altered or moved."""
        return open_sealed(self._key(vault_id, term_of(sealed)), sealed, place)

    def forget(self, vault_id: str) -> None:
        """Let go of the keys of a vault that was purged."""
        with self._lock:
            for place in [place for place in self._keys if place[0] == vault_id]:
                del self._keys[place]

    def check(self, vault_id: str) -> None:
        """Make sure that the vault's newest key opens under this master key. Raises SetupError or SealBroken."""
        self._key(vault_id, None)

    def _key(self, vault_id: str, term: int | None) -> SealingKey:
        if term is None:
            with self._store.glance() as reader:
                known = reader.wrapped_keys(vault_id)
            wanted = known[-1].term if known else 1
        else:
            wanted = term
        with self._lock:
            if kept := self._keys.get((vault_id, wanted)):
                self._keys.move_to_end((vault_id, wanted))
                return kept
        return self._load(vault_id, wanted)

    def _load(self, vault_id: str, term: int) -> SealingKey:
        wrapped = self._wrapped(vault_id, term)
        try:
            master = self._master.turn_to(wrapped.master_key_id)
        except SetupError:
            # between the look and this, another process may have put a new master key in force
            wrapped = self._wrapped(vault_id, term)
            master = self._master.turn_to(wrapped.master_key_id)
        key = SealingKey(term, master.unwrap(wrapped.wrapped, wrap_place(vault_id, term)))
        self._keep(vault_id, key)
        return key

    def _wrapped(self, vault_id: str, term: int) -> WrappedKey:
        with self._store.reading() as reader:
            for wrapped in reader.wrapped_keys(vault_id):
                if wrapped.term == term:
                    return wrapped
        raise SealBroken(f"The vault {vault_id} has no key of the term {term}.")

    def _keep(self, vault_id: str, key: SealingKey) -> None:
        with self._lock:
            self._keys[vault_id, key.term] = key
            while len(self._keys) > _MOST_KEYS:
                self._keys.popitem(last=False)


def _only(master: MasterKey) -> Callable[[str | None], MasterKey]:
    def read(wanted: str | None) -> MasterKey:
        if wanted not in (None, master.id):
            raise SetupError(f"The database was sealed under the master key {wanted}, and this one is {master.id}.")
        return master

    return read


def object_place(vault_id: str, kind: ObjectKind, name: str, version: str) -> str:
    """Name the place of an object's secret part."""
    return f"{vault_id}/{kind}/{fold_name(name)}/{version}"


def wrap_place(vault_id: str, term: int) -> str:
    """Name the place of a wrapped vault key."""
    return f"{vault_id}/vault-key/{term}"
