"""A file that appears whole or not at all, for its owner only."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from certworker.errors import Conflict, SetupError


@contextmanager
def whole_file(path: Path, *, force: bool) -> Iterator[BinaryIO]:
    """Open a new file (mode 0600), to be written and read again, that takes the name `path` at the end of the block.

    Until then it is called `.NAME.part`; one that a killed process left is taken over. Raises Conflict where there is such a
    file already (unless `force`) or another process is writing it, SetupError where it cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    if not force and path.exists():
        raise _exists(path)
    try:
        with _locked(part, path) as file:
            try:
                yield file
                file.flush()
                os.fsync(file.fileno())
                _give_name(part, path, force=force)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
        _sync_folder(path.parent)
    except OSError as error:
        raise SetupError(f"{path} cannot be written: {error.strerror}.") from error


@contextmanager
def _locked(part: Path, path: Path) -> Iterator[BinaryIO]:
    with os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held = part.stat().st_ino == os.fstat(file.fileno()).st_ino  # or somebody has just finished it under us
        except (BlockingIOError, FileNotFoundError):
            held = False
        if not held:
            raise Conflict(f"Another process is writing {path}.")
        file.truncate()
        os.fchmod(file.fileno(), 0o600)
        yield file


def _give_name(part: Path, path: Path, *, force: bool) -> None:
    if force:
        part.replace(path)
        return
    try:
        path.hardlink_to(part)  # unlike a rename, it never takes the place of a file that came meanwhile
    except FileExistsError:
        raise _exists(path) from None
    part.unlink()


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _exists(path: Path) -> Conflict:
    return Conflict(f"There is already a file {path}; --force replaces it.")
