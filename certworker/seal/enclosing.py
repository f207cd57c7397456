"""Putting the master key's file under a seal, and taking it off. The key stays the same, so the database does not change."""

from dataclasses import dataclass

from certworker.crypto.passphrases import ScryptCost, check_passphrase
from certworker.crypto.sealing import new_key
from certworker.errors import BadParameter, SetupError
from certworker.seal.master_file import WHAT, MasterFile, next_of, no_wrapping_key
from certworker.seal.private_files import alone_in, make_private, write_private
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


def make_enclosed(seal: Seal, new: NewSeal) -> Enclosed | None:
    """Make a master key under a seal, in its file, unless there is a file. Raises BadParameter, SetupError."""
    enclosed = _enclose(new_key(), new)
    return enclosed if make_private(seal.master_key_file, enclosed.text, WHAT) else None


def enclose(seal: Seal, new: NewSeal) -> Enclosed:
    """Put the plain master key in the file under a seal. Raises BadParameter, SetupError where it is under one already."""
    path = seal.master_key_file
    with alone_in(path.parent):
        _require_settled(seal)
        key = MasterFile(path, SealKind.NONE, no_wrapping_key).key_at(path)
        enclosed = _enclose(key, new)
        write_private(path, enclosed.text, WHAT)
    return enclosed


def change_lock(file: MasterFile, new: NewSeal) -> Enclosed:
    """Put the wrapped master key under another passphrase or other shares of the same kind. Raises SetupError, Sealed."""
    with alone_in(file.path.parent):
        if next_of(file.path).exists():
            raise _unsettled(file.path.name)
        enclosed = _enclose(file.key_at(file.path), new)
        write_private(file.path, enclosed.text, WHAT)
    return enclosed


def disclose(file: MasterFile) -> None:
    """Take the seal off: the file holds the master key itself from now on. Raises SetupError, Sealed."""
    with alone_in(file.path.parent):
        if next_of(file.path).exists():
            raise _unsettled(file.path.name)
        write_private(file.path, file.key_at(file.path).hex() + "\n", WHAT)


def _enclose(key: bytes, new: NewSeal) -> Enclosed:
    match new.kind:
        case SealKind.PASSPHRASE:
            lock, wrapping_key = lock_with_passphrase(check_passphrase(new.passphrase or ""), ScryptCost())
            return Enclosed(wrapping_key, (), wrap_master_key(lock, wrapping_key, key).text())
        case SealKind.SHAMIR:
            split, wrapping_key, shares = lock_with_shares(new.shares, new.threshold)
            return Enclosed(wrapping_key, shares, wrap_master_key(split, wrapping_key, key).text())
    raise BadParameter("A seal is of the kind passphrase or shamir.")


def _require_settled(seal: Seal) -> None:
    if next_of(seal.master_key_file).exists():
        raise _unsettled(seal.master_key_file.name)


def _unsettled(name: str) -> SetupError:
    return SetupError(f"There is a {name}.next: a rotation was broken off. Finish it first: certworker seal rotate-master")
