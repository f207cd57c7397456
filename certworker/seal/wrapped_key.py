"""A master key that is wrapped: what its file holds under a seal, and how it is opened.

The file is JSON. All that it says of itself (which kind of seal, its cost or its shares, the master key's id) is bound to the
wrapped key as associated data, so nothing of it can be changed without notice.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from certworker.crypto.passphrases import MOST_LOG_N, ScryptCost, derive_from_passphrase, new_salt
from certworker.crypto.sealing import SealingKey, key_id, new_key, open_sealed, seal
from certworker.crypto.shares import ShareSet, split_key
from certworker.errors import BadParameter, SealBroken, SetupError
from certworker.settings import SealKind

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class PassphraseLock:
    """A wrapping key that a passphrase gives."""

    salt: bytes
    cost: ScryptCost
    kind: ClassVar[SealKind] = SealKind.PASSPHRASE

    def wrapping_key(self, passphrase: str) -> bytes:
        """Derive the wrapping key; half a second of work."""
        return derive_from_passphrase(passphrase, self.salt, self.cost)

    def values(self) -> dict[str, Any]:
        """Give what the file says of it."""
        return {"salt": self.salt.hex(), "log_n": self.cost.log_n, "r": self.cost.r, "p": self.cost.p}


@dataclass(frozen=True, slots=True)
class ShamirLock:
    """A random wrapping key that was split into shares."""

    shares: ShareSet
    kind: ClassVar[SealKind] = SealKind.SHAMIR

    def values(self) -> dict[str, Any]:
        """Give what the file says of it."""
        return {"set": self.shares.id, "threshold": self.shares.threshold, "hashes": list(self.shares.hashes)}


Lock = PassphraseLock | ShamirLock


@dataclass(frozen=True, slots=True)
class WrappedMasterKey:
    """A master key under a lock. `id` is the master key's."""

    lock: Lock
    id: str
    wrapped: bytes

    def open(self, wrapping_key: bytes) -> bytes:
        """Open the master key. Raises BadParameter where the wrapping key is another."""
        try:
            return open_sealed(SealingKey(0, wrapping_key), self.wrapped, _place(self.lock, self.id))
        except SealBroken:
            raise BadParameter("The master key does not open with this; or its file was altered.") from None

    def text(self) -> str:
        """Write what the file holds."""
        return json.dumps({**_values(self.lock, self.id), "wrapped": self.wrapped.hex()}, indent=1) + "\n"


def lock_with_passphrase(passphrase: str, cost: ScryptCost) -> tuple[PassphraseLock, bytes]:
    """Make a lock for a passphrase; give the wrapping key as well."""
    lock = PassphraseLock(new_salt(), cost)
    return lock, lock.wrapping_key(passphrase)


def lock_with_shares(shares: int, threshold: int) -> tuple[ShamirLock, bytes, tuple[str, ...]]:
    """Make a lock for a new wrapping key that is split; give the wrapping key and the shares as well."""
    wrapping_key = new_key()
    found, texts = split_key(wrapping_key, shares, threshold)
    return ShamirLock(found), wrapping_key, texts


def wrap_master_key(lock: Lock, wrapping_key: bytes, master_key: bytes) -> WrappedMasterKey:
    """Wrap a master key under a lock."""
    name = key_id(master_key)
    return WrappedMasterKey(lock, name, seal(SealingKey(0, wrapping_key), master_key, _place(lock, name)))


def read_wrapped(text: str, where: str) -> WrappedMasterKey:
    """Read what a file holds. Raises SetupError where it is something else."""
    try:
        values = json.loads(text)
        if values.pop("format") != _FORMAT:
            raise SetupError(f"{where} was written by a newer release of certworker.")
        return WrappedMasterKey(_lock(values), str(values["master_key_id"]), bytes.fromhex(values["wrapped"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SetupError(f"{where} is damaged: it holds no master key, wrapped or not.") from None


def _lock(values: Mapping[str, Any]) -> Lock:
    if (kind := SealKind(values["seal"])) is SealKind.SHAMIR:
        return ShamirLock(ShareSet(str(values["set"]), int(values["threshold"]), tuple(map(str, values["hashes"]))))
    cost = ScryptCost(int(values["log_n"]), int(values["r"]), int(values["p"]))
    if kind is not SealKind.PASSPHRASE or not (1 <= cost.log_n <= MOST_LOG_N and cost.r * cost.p <= 2 * ScryptCost().r):
        raise ValueError
    return PassphraseLock(bytes.fromhex(values["salt"]), cost)


def _values(lock: Lock, name: str) -> dict[str, Any]:
    return {"format": _FORMAT, "seal": lock.kind.value, "master_key_id": name, **lock.values()}


def _place(lock: Lock, name: str) -> str:
    return "master-key/" + json.dumps(_values(lock, name), sort_keys=True)
