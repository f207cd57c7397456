"""Files that hold keys: for their owner only, and written so that a power cut leaves the old content or the new one, whole."""

import fcntl
import glob
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from certworker.errors import Conflict, SetupError

OPEN_TO_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def read_private(path: Path, what: str) -> str:
    """Read a file, without the space around its content. Raises SetupError where it cannot be read, or others can."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            mode, content = os.fstat(handle).st_mode, file.read()
    except OSError as error:
        raise SetupError(f"{what} {path} cannot be read: {error.strerror}.") from error
    if mode & OPEN_TO_OTHERS:
        raise SetupError(f"{what} {path} is open to others than its owner; run: chmod 600 {path}")
    return content.decode("ascii", "replace").strip()


def write_private(path: Path, content: str, what: str, like: Path | None = None) -> None:
    """Write a file (mode 0600), whole or not at all, and onto the disk. Raises SetupError.

    Written by root, it belongs to the owner of the file `like`, or else of the one in whose place it comes: a service that has
    another user must be able to read it.
    """
    temporary = path.with_name(path.name + ".new")
    try:
        _fill(temporary, content, like or path)
        os.replace(temporary, path)  # noqa: PTH105  # the calls that a crash can come between are all of `os`
        sync_folder(path.parent)
    except OSError as error:
        raise SetupError(f"{what} {path} cannot be written: {error.strerror}.") from error


def make_private(path: Path, content: str, what: str) -> bool:
    """Write a file likewise unless there is one; tell whether it was written. Raises SetupError."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        _fill(temporary, content, path)
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        finally:
            temporary.unlink()
        sync_folder(path.parent)
    except OSError as error:
        raise SetupError(f"{what} {path} cannot be made: {error.strerror}.") from error
    return True


def remove_leftovers(path: Path) -> None:
    """Remove what writers of a file and its successor left that were killed: a plain key may be in it. Raises SetupError."""
    for left in [path.with_name(path.name + ".new"), *path.parent.glob(glob.escape(path.name) + ".*.new")]:
        try:
            left.unlink(missing_ok=True)
        except OSError as error:
            raise SetupError(f"The file {left}, which may hold a key, cannot be removed: {error.strerror}.") from error


def _fill(path: Path, content: str, like: Path) -> None:
    path.unlink(missing_ok=True)  # a broken off attempt's; or a link that somebody has put there
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w") as file:
        os.fchmod(handle, 0o600)
        if os.geteuid() == 0:
            owner = (like if like.exists() else path.parent).stat()
            os.fchown(handle, owner.st_uid, owner.st_gid)
        file.write(content)
        file.flush()
        os.fsync(handle)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder onto the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep other commands that change the keys of a folder out for as long as this lasts. Raises Conflict, SetupError."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise SetupError(f"The folder {folder} cannot be opened: {error.strerror}.") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Conflict(f"Another command is changing the master key in {folder}. Wait until it has ended.") from None
    else:
        yield
    finally:
        os.close(handle)
