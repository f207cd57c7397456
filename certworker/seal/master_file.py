"""The master key in a file: plain, or wrapped where there is a seal; and the next one beside it while it is rotated.

The next key is written first (`master.key.next`). Then the database puts it in force, in one transaction. Then it is renamed
into the old one's place. Whoever comes in between, after a crash too, sees by the database's key id which of the two it wants.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from certworker.crypto.sealing import KEY_SIZE, new_key
from certworker.errors import BadParameter, Conflict, SealBroken, SetupError
from certworker.seal.private_files import alone_in, make_private, read_private, sync_folder, write_private
from certworker.seal.wrapped_key import WrappedMasterKey, read_wrapped, wrap_master_key
from certworker.settings import SealKind
from certworker.vault.keyring import SoftwareMasterKey

WHAT = "The master key file"
_LOOKS = 3


def next_of(path: Path) -> Path:
    """Name the file of the next master key."""
    return path.with_name(path.name + ".next")


def parse_key(text: str, where: str) -> bytes:
    """Read a master key in hex. Raises SetupError; what was there is not repeated."""
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_SIZE:
        raise SetupError(f"{where} does not hold {KEY_SIZE} bytes in hex.")
    return key


def make_master_key(path: Path) -> bool:
    """Make a plain master key file (mode 0600) unless there is one; tell whether it was made.

    It must be kept apart from the database, and backed up.
    """
    return make_private(path, new_key().hex() + "\n", WHAT)


def read_master_key(path: Path) -> SoftwareMasterKey:
    """Read a plain master key. Raises SetupError where it is missing, no key, wrapped, or open to others."""
    return SoftwareMasterKey(MasterFile(path, SealKind.NONE, no_wrapping_key).key_at(path))


def no_wrapping_key() -> bytes:
    """Stand where no wrapping key is needed. Raises SealBroken."""
    raise SealBroken("Nothing opens a wrapped master key here.")


class MasterFile:
    """The file. `wrapping_key` gives what opens it under a seal; it raises Sealed while nobody has brought that."""

    def __init__(self, path: Path, kind: SealKind, wrapping_key: Callable[[], bytes]) -> None:
        # where it is a link, its next one and what takes its place belong beside the key itself
        self.path = path.resolve()
        self.kind = kind
        self._wrapping_key = wrapping_key

    def __str__(self) -> str:
        """Say where the key is."""
        return f"the file {self.path}"

    def read(self, wanted: str | None) -> SoftwareMasterKey:
        """Give the master key of the id that the database wants; any one that is there, where it wants none yet.

        A rotation that was interrupted after the database had changed is finished. Raises SetupError, Sealed.
        """
        key = self._load(self.path, wanted)
        for _ in range(_LOOKS):
            if wanted in (None, key.id):
                return key
            if next_of(self.path).exists():
                following = self._load(next_of(self.path), wanted)
                if following.id == wanted:
                    self._finish(following.id)
                    return following
            # another process may have renamed it between the two looks
            key = self._load(self.path, wanted)
        raise SetupError(
            f"The database was sealed under the master key {wanted}, and this one is {key.id} ({self}). "
            "Start with the master key that belongs to the database."
        )

    def begin_next(self) -> SoftwareMasterKey:
        """Make the next master key beside this one, on the disk, or go on with the one there is. Raises SetupError, Sealed."""
        path = next_of(self.path)
        if not path.exists():
            # the seal may have been put on or changed since this one was read: the next key belongs under what is there now
            self.key_at(self.path)
            key = new_key()
            write_private(path, self._text(key), WHAT, like=self.path)
        return self._load(path, None)

    def put_next_in_place(self) -> None:
        """Put the next master key in the old one's place, for who is alone in the folder (`private_files.alone_in`)."""
        try:
            os.replace(next_of(self.path), self.path)  # noqa: PTH105  # as in private_files
        except FileNotFoundError:
            return  # it was done before
        except OSError as error:
            raise SetupError(f"{WHAT} {next_of(self.path)} cannot be renamed to {self.path}: {error.strerror}.") from error
        sync_folder(self.path.parent)

    def wrapped(self) -> WrappedMasterKey:
        """Read the wrapped key, without opening it. Raises SetupError where there is none, or a plain one."""
        return self._read_wrapped(self.path)

    def key_at(self, path: Path, wanted: str | None = None) -> bytes:
        """Open the key in this file or the next one. Raises SetupError, Sealed."""
        if self.kind is not SealKind.NONE:
            return self._open(self._read_wrapped(path, wanted))
        text = _read(path, wanted)
        if text.startswith("{"):
            raise SetupError(
                f"{WHAT} {path} is wrapped by a {read_wrapped(text, str(path)).lock.kind} seal; set that as `kind` in [seal]."
            )
        return parse_key(text, f"{WHAT} {path}")

    def _finish(self, key_id: str) -> None:
        """Finish a rotation that was broken off. One that is under way finishes itself: the next key may be its own already."""
        with suppress(Conflict), alone_in(self.path.parent):
            if next_of(self.path).exists() and self._load(next_of(self.path), key_id).id == key_id:
                self.put_next_in_place()

    def _load(self, path: Path, wanted: str | None) -> SoftwareMasterKey:
        return SoftwareMasterKey(self.key_at(path, wanted))

    def _read_wrapped(self, path: Path, wanted: str | None = None) -> WrappedMasterKey:
        text = _read(path, wanted)
        if not text.startswith("{"):
            raise SetupError(
                f"{WHAT} {path} is not wrapped, and the settings say that it is ([seal] kind = {self.kind}). "
                f"Run: certworker seal enable --kind {self.kind}"
            )
        wrapped = read_wrapped(text, f"{WHAT} {path}")
        if wrapped.lock.kind is not self.kind:
            raise SetupError(f"{WHAT} {path} is wrapped by a {wrapped.lock.kind} seal, and the settings say {self.kind}.")
        return wrapped

    def _open(self, wrapped: WrappedMasterKey) -> bytes:
        try:
            return wrapped.open(self._wrapping_key())
        except BadParameter as error:
            raise SetupError(f"{WHAT} {self.path}: {error}") from None

    def _text(self, key: bytes) -> str:
        if self.kind is SealKind.NONE:
            return key.hex() + "\n"
        return wrap_master_key(self.wrapped().lock, self._wrapping_key(), key).text()


def _read(path: Path, wanted: str | None) -> str:
    try:
        return read_private(path, WHAT)
    except SetupError as error:
        if path.exists():
            raise
        hint = f"the database wants the master key {wanted}" if wanted else "`certworker init` makes one on the first start"
        raise SetupError(f"{error} Bring it back: {hint}." if wanted else f"{error} {hint}.") from None
