"""The pool of keys that are made ahead of need: an RSA key takes up to a second, and many can be needed at once."""

import logging
from datetime import datetime
from typing import Final
from uuid import uuid4

from certworker.clock import Clock, whole_second
from certworker.crypto.keys import KeyKind, generate_material
from certworker.errors import SealBroken
from certworker.vault.keyring import Keyring
from certworker.vault.places import spare_key_place
from certworker.vault.spare_keys import SpareKey
from certworker.vault.store import Store
from certworker.vault.vaults import SYSTEM_VAULT, Vault

_log = logging.getLogger(__name__)

MOST_AT_ONCE: Final = 4
"""So many are made in one run of the round: of 4096 bits that takes seconds."""


class KeyPool:
    """Keeps `count` keys of each of some sizes in bits."""

    def __init__(self, store: Store, keyring: Keyring, clock: Clock, sizes: tuple[int, ...], count: int) -> None:
        self._store = store
        self._keyring = keyring
        self._clock = clock
        self._kinds = {_word(kind): kind for size in sizes if (kind := KeyKind("RSA", size))}
        self._count = count
        self._vault: Vault | None = None

    def take(self, kind: KeyKind) -> bytes | None:
        """Take a key (DER PKCS#8), for good; none where there is no spare one of this kind, or the one there was is broken."""
        if self._count == 0 or self._kinds.get(_word(kind)) != kind:
            return None
        with self._store.reading() as reader:
            if not reader.count_spare_keys(_word(kind)):
                return None
        with self._store.writing() as writer:
            taken = writer.take_spare_key(_word(kind))
        vault = self._system_vault() if taken else None
        if taken is None or vault is None:
            return None
        try:
            return self._keyring.open(vault.id, taken.sealed_key, spare_key_place(taken.id))
        except SealBroken:
            _log.error("The spare key %s was altered or moved, and is thrown away.", taken.id)
            return None

    def refill(self, _at: datetime) -> int:
        """Make what is missing, some of it at the most; count."""
        made = 0
        for word, kind in self._kinds.items():
            with self._store.reading() as reader:
                missing = self._count - reader.count_spare_keys(word)
            while made < MOST_AT_ONCE and missing > 0 and self._make(word, kind):
                made, missing = made + 1, missing - 1
        return made

    def _make(self, word: str, kind: KeyKind) -> bool:
        vault, key_id = self._system_vault(), uuid4().hex
        if vault is None:
            return False
        sealed = self._keyring.seal(vault.id, generate_material(kind), spare_key_place(key_id))
        with self._store.writing() as writer:
            writer.add_spare_key(SpareKey(key_id, word, sealed, whole_second(self._clock())))
        return True

    def _system_vault(self) -> Vault | None:
        if self._vault is None:
            with self._store.reading() as reader:
                self._vault = reader.vault_by_name(SYSTEM_VAULT)
        return self._vault


def _word(kind: KeyKind) -> str:
    return f"{kind.kty}-{kind.size}"
