"""Putting the master key's file under a seal, and taking it off. The key stays the same, so the database does not change."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from certworker.crypto.passphrases import ScryptCost, check_passphrase
from certworker.crypto.sealing import new_key
from certworker.errors import BadParameter, SetupError
from certworker.seal.master_file import WHAT, MasterFile, next_of, no_wrapping_key
from certworker.seal.private_files import alone_in, make_private, remove_leftovers, write_private
from certworker.seal.wrapped_key import lock_with_passphrase, lock_with_shares, wrap_master_key
from certworker.settings import Seal, SealKind


@dataclass(frozen=True, slots=True, repr=False)
class NewSeal:
    """What a seal is made of: a passphrase, or the numbers of shares."""

    kind: SealKind
    passphrase: str | None = None
    shares: int = 5
    threshold: int = 3


@dataclass(frozen=True, slots=True, repr=False)
class Enclosed:
    """What was made: the key that opens the file, and the shares of it, which are shown this once."""

    wrapping_key: bytes
    shares: tuple[str, ...]
    text: str


HandOut = Callable[[Enclosed], None]
"""Shows what opens a seal. It is called before the seal is put on: a key under shares that nobody has is lost."""


def make_enclosed(seal: Seal, new: NewSeal) -> Enclosed | None:
    """Make a master key under a seal, in its file, unless there is a file. Raises BadParameter, SetupError."""
    enclosed = _enclose(new_key(), new)
    return enclosed if make_private(seal.master_key_file, enclosed.text, WHAT) else None


def enclose(seal: Seal, new: NewSeal, hand_out: HandOut) -> Enclosed:
    """Put the plain master key in the file under a seal. Raises BadParameter, SetupError where it is under one already."""
    return _put_on(MasterFile(seal.master_key_file, SealKind.NONE, no_wrapping_key), new, hand_out)


def change_lock(file: MasterFile, new: NewSeal, hand_out: HandOut) -> Enclosed:
    """Put the wrapped master key under another passphrase or other shares of the same kind. Raises SetupError, Sealed."""
    return _put_on(file, new, hand_out)


def disclose(file: MasterFile) -> None:
    """Take the seal off: the file holds the master key itself from now on. Raises SetupError, Sealed."""
    with alone_in(file.path.parent):
        _require_settled(file.path)
        write_private(file.path, file.key_at(file.path).hex() + "\n", WHAT)


def _put_on(file: MasterFile, new: NewSeal, hand_out: HandOut) -> Enclosed:
    with alone_in(file.path.parent):
        _require_settled(file.path)
        enclosed = _enclose(file.key_at(file.path), new)
        hand_out(enclosed)
        write_private(file.path, enclosed.text, WHAT)
    return enclosed


def _enclose(key: bytes, new: NewSeal) -> Enclosed:
    match new.kind:
        case SealKind.PASSPHRASE:
            lock, wrapping_key = lock_with_passphrase(check_passphrase(new.passphrase or ""), ScryptCost())
            return Enclosed(wrapping_key, (), wrap_master_key(lock, wrapping_key, key).text())
        case SealKind.SHAMIR:
            split, wrapping_key, shares = lock_with_shares(new.shares, new.threshold)
            return Enclosed(wrapping_key, shares, wrap_master_key(split, wrapping_key, key).text())
    raise BadParameter("A seal is of the kind passphrase or shamir.")


def _require_settled(path: Path) -> None:
    if next_of(path).exists():
        raise SetupError(
            f"There is a {path.name}.next: a rotation was broken off. Finish it first: certworker seal rotate-master"
        )
    remove_leftovers(path)
