"""New keys for what is sealed: a new master key wraps the vault keys anew, a new term of vault keys seals the records anew.

Both go on while the service works, and can be taken up again wherever they were broken off: a master key is changed in one
transaction, and a record is exchanged only where nobody has changed it since it was read.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from certworker.clock import Clock, whole_second
from certworker.errors import Conflict, SealBroken, SetupError
from certworker.vault.keyring import Keyring, MasterKey, wrap_place
from certworker.vault.sealed_records import SealedKind, SealedRecord
from certworker.vault.store import Reader, Store, Writer
from certworker.vault.vaults import Vault, WrappedKey

BATCH = 100
"""So many records are exchanged in one transaction: short enough for those who wait to write."""
_MOST_TRIES = 5
_MOST_PASSES = 5
Told = Callable[[int, int], None]
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class VaultTerms:
    """How a vault stands: its newest term, how many terms it has, and its records, all and those under older terms."""

    vault: Vault
    newest: int
    terms: int
    records: int
    under_older: int


@dataclass(frozen=True, slots=True)
class Resealed:
    """What was done in a vault. `broken` are the places of records that do not open, which stay as they are."""

    vault: Vault
    term: int
    is_new_term: bool
    records: int
    remaining: int
    broken: tuple[str, ...]


class MasterKeyRotation:
    """Puts a new master key in force."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def put_in_force(self, old: MasterKey, new: MasterKey) -> int:
        """Wrap every vault key anew, and put the new master key in force, all in one transaction; count the vault keys.

        Without effect where that was done already. Raises SetupError where neither of the two is in force, SealBroken where a
        vault key does not open, Conflict where vault keys are being made all the time.
        """
        for _ in range(_MOST_TRIES):
            with self._store.reading() as reader:
                in_force, wrapped = reader.master_key_id(), _wrapped_keys(reader)
            if in_force == new.id:
                return 0
            if in_force not in (None, old.id):
                raise SetupError(f"The database wants the master key {in_force}, which is neither {old.id} nor {new.id}.")
            # outside of the transaction: a master key may be in a token
            fresh = [_wrap_anew(key, old, new) for key in wrapped]
            if self._exchange(new.id, wrapped, fresh):
                return len(fresh)
        raise Conflict("Vault keys are being made all the time. Try again.")

    def _exchange(self, key_id: str, wrapped: tuple[WrappedKey, ...], fresh: list[WrappedKey]) -> bool:
        try:
            with self._store.writing() as writer:
                # first: whoever adds a vault key now waits for this, or has been waited for
                writer.set_master_key_id(key_id, whole_second(self._clock()))
                _require_same(writer, wrapped)
                for key in fresh:
                    writer.replace_wrapped_key(key)
        except _MovedOnError:
            return False
        return True


class _MovedOnError(Exception):
    """The vault keys are not those that were wrapped anew."""


class VaultKeyRotation:
    """Gives vaults new keys, and seals their records anew. Older terms stay readable, for backups and for stragglers."""

    def __init__(self, store: Store, keyring: Keyring, clock: Clock, batch: int = BATCH) -> None:
        self._store = store
        self._keyring = keyring
        self._clock = clock
        self._batch = batch

    def rotate(self, vault: Vault, *, anew: bool = False, told: Told = lambda _done, _total: None) -> Resealed:
        """Give a vault a new term and seal its records anew under it.

        Where records remain under older terms, an earlier rotation was broken off: it is finished instead, unless `anew`.
        `told` is told how many records are done, and of how many.
        """
        with self._store.reading() as reader:
            before = _terms(reader, vault)
        is_new = anew or not before.under_older
        term = self._new_term(vault) if is_new else before.newest
        total = before.records if is_new else before.under_older
        done, broken = 0, set[str]()
        for _ in range(_MOST_PASSES):
            broken = set()
            for changed, unopened in self._reseal(vault, term):
                done += changed
                broken.update(unopened)
                told(done, total)
            with self._store.reading() as reader:
                remaining = _count(reader, vault, term)
            # others may have written under the older term what they had begun before
            if remaining <= len(broken):
                break
        return Resealed(vault, term, is_new, done, remaining, tuple(sorted(broken)))

    def _new_term(self, vault: Vault) -> int:
        def add() -> int:
            with self._store.reading() as reader:
                newest = reader.wrapped_keys(vault.id)[-1].term
            key = self._keyring.new_vault_key(vault.id, whole_second(self._clock()), newest + 1)
            with self._store.writing() as writer:
                writer.add_wrapped_key(key)
            return key.term

        return self._keyring.adding(add)

    def _reseal(self, vault: Vault, term: int) -> Iterator[tuple[int, list[str]]]:
        for kind in SealedKind:
            after: SealedRecord | None = None
            while True:
                with self._store.reading() as reader:
                    records = reader.sealed_records(vault.id, kind, after, self._batch, term)
                if not records:
                    break
                after = records[-1]
                fresh, broken = self._open_and_seal(records)
                with self._store.writing() as writer:
                    changed = sum(writer.exchange_sealed(record, sealed) for record, sealed in fresh)
                yield changed, broken

    def _open_and_seal(self, records: tuple[SealedRecord, ...]) -> tuple[list[tuple[SealedRecord, bytes]], list[str]]:
        fresh, broken = [], []
        for record in records:
            try:
                opened = self._keyring.open(record.vault_id, record.sealed, record.place)
            except SealBroken as error:
                _log.error("A record stays as it is: %s", error)
                broken.append(record.place)
                continue
            fresh.append((record, self._keyring.seal(record.vault_id, opened, record.place)))
        return fresh, broken


def vault_terms(store: Store) -> tuple[VaultTerms, ...]:
    """Tell how every vault stands, by name."""
    with store.reading() as reader:
        return tuple(_terms(reader, vault) for vault in reader.every_vault())


def _require_same(writer: Writer, wrapped: tuple[WrappedKey, ...]) -> None:
    if _wrapped_keys(writer) != wrapped:
        raise _MovedOnError


def _wrapped_keys(reader: Reader | Writer) -> tuple[WrappedKey, ...]:
    return tuple(key for vault in reader.every_vault() for key in reader.wrapped_keys(vault.id))


def _wrap_anew(key: WrappedKey, old: MasterKey, new: MasterKey) -> WrappedKey:
    place = wrap_place(key.vault_id, key.term)
    return replace(key, wrapped=new.wrap(old.unwrap(key.wrapped, place), place), master_key_id=new.id)


def _terms(reader: Reader, vault: Vault) -> VaultTerms:
    keys = reader.wrapped_keys(vault.id)
    newest = keys[-1].term if keys else 0
    return VaultTerms(vault, newest, len(keys), _count(reader, vault), _count(reader, vault, newest))


def _count(reader: Reader, vault: Vault, before_term: int | None = None) -> int:
    return sum(reader.count_sealed(vault.id, kind, before_term) for kind in SealedKind)
