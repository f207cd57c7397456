"""Reading everything back: what a restored deployment is worth is known only once each of its records was opened."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from certworker.crypto.keys import OCT_SIZES, public_der
from certworker.crypto.x509 import read_certificate
from certworker.errors import CertworkerError, SealBroken
from certworker.vault.keyring import Keyring, MasterKeyInForce, object_place, wrap_place
from certworker.vault.objects import CertificateVersion, KeyVersion, ObjectHead, ObjectKind
from certworker.vault.sealed_records import SealedKind, SealedRecord
from certworker.vault.store import Page, Reader, Store
from certworker.vault.vaults import Vault, WrappedKey

MOST_FAULTS: Final = 100
"""So many faults are told one by one."""
_PAGE: Final = 100
_OCTETS: Final = frozenset(size // 8 for size in OCT_SIZES)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What was opened, by kind; how many keys fit their public halves, and how many certificates their keys.

    `in_token` counts the versions of keys that lie in a hardware token: their ids were opened, the keys themselves are there.
    """

    opened: Mapping[str, int]
    keys: int
    certificates: int
    in_token: int
    faults: tuple[str, ...]
    fault_count: int


class Recovery:
    """Reads a deployment back. What does not open, or does not fit, is a fault that is told; the rest is read all the same."""

    def __init__(self, store: Store, keyring: Keyring, master: MasterKeyInForce) -> None:
        self._store = store
        self._keyring = keyring
        self._master = master
        self._count: Counter[str] = Counter()
        self._faults: list[str] = []

    def read_back(self) -> ReadBack:
        """Open every sealed record of every vault, and check that keys are keys and certificates fit theirs."""
        with self._store.reading() as reader:
            for vault in reader.every_vault():
                self._read_vault(reader, vault)
        opened = {kind: self._count[kind] for kind in ("vault-key", *SealedKind)}
        return ReadBack(
            opened,
            keys=self._count["fitting keys"],
            certificates=self._count["fitting certificates"],
            in_token=self._count["in token"],
            faults=tuple(self._faults),
            fault_count=self._count["faults"],
        )

    def _read_vault(self, reader: Reader, vault: Vault) -> None:
        for wrapped in reader.wrapped_keys(vault.id):
            with self._counted("vault-key", wrap_place(vault.id, wrapped.term)):
                self._unwrap(wrapped)
        for kind in SealedKind:
            for record in _records(reader, vault, kind):
                with self._counted(kind, record.place):
                    self._open(record)
        for head in _heads(reader, vault, ObjectKind.KEY):
            for key in _all(partial(reader.key_versions, vault.id, head.name, limit=_PAGE)):
                self._count["in token"] += key.hsm_key_id is not None
                with self._counted("fitting keys", object_place(vault.id, ObjectKind.KEY, key.name, key.version)):
                    self._check_key(key)
        for head in _heads(reader, vault, ObjectKind.CERTIFICATE):
            for found in _all(partial(reader.certificate_versions, vault.id, head.name, limit=_PAGE)):
                with self._counted("fitting certificates", object_place(vault.id, head.kind, found.name, found.version)):
                    _check_certificate(found, reader.key(vault.id, found.name, found.version))

    @contextmanager
    def _counted(self, name: str, place: str) -> Iterator[None]:
        """Count what goes well, and tell of what does not."""
        try:
            yield
        except (CertworkerError, ValueError) as error:
            self._count["faults"] += 1
            if len(self._faults) < MOST_FAULTS:
                told = error if isinstance(error, CertworkerError) else "It cannot be read."
                self._faults.append(f"{place}: {told}")
        else:
            self._count[name] += 1

    def _unwrap(self, wrapped: WrappedKey) -> None:
        self._master.turn_to(wrapped.master_key_id).unwrap(wrapped.wrapped, wrap_place(wrapped.vault_id, wrapped.term))

    def _open(self, record: SealedRecord) -> None:
        opened = self._keyring.open(record.vault_id, record.sealed, record.place)
        if record.kind is SealedKind.SECRET:
            opened.decode()

    def _check_key(self, key: KeyVersion) -> None:
        place = object_place(key.vault_id, ObjectKind.KEY, key.name, key.version)
        opened = self._keyring.open(key.vault_id, key.sealed_key, place)
        if key.hsm_key_id is not None:
            fits = opened == key.hsm_key_id.encode()
        elif not key.public_key:
            fits = len(opened) in _OCTETS
        else:
            fits = public_der(opened) == key.public_key
        if not fits:
            raise SealBroken("The key is not the one that its record tells of.")


def _check_certificate(found: CertificateVersion, key: KeyVersion | None) -> None:
    if key is None or read_certificate(found.der).public_key != key.public_key:
        raise SealBroken("The certificate has no key, or one that it was not made for.")


def _records(reader: Reader, vault: Vault, kind: SealedKind) -> Iterator[SealedRecord]:
    last: SealedRecord | None = None
    while found := reader.sealed_records(vault.id, kind, last, _PAGE):
        yield from found
        last = found[-1]


def _heads(reader: Reader, vault: Vault, kind: ObjectKind) -> Iterator[ObjectHead]:
    for deleted in (False, True):
        yield from _all(partial(reader.heads, vault.id, kind, limit=_PAGE, deleted=deleted))


def _all(page: Callable[..., Page[T]]) -> Iterator[T]:
    """Read a list to its end; `page` takes what to begin `after`."""
    after, more = None, True
    while more:
        found = page(after=after)
        yield from found.items
        after, more = found.next, found.next is not None
