"""The files of one chain: appended to, brought to disk, and followed by the next one in time."""

import contextlib
import errno
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final

SUFFIX: Final = ".jsonl"
_FOLDER_MODE: Final = 0o700
_FILE_MODE: Final = 0o600
_BLOCK: Final = 4096
"""A file system gives room away by blocks of so many bytes: fewer may fit into what a file has already."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """When a file is followed by the next one."""

    size: int
    age: timedelta


class ChainFiles:
    """Where the lines of one chain go. Calls of `write` take turns; `sync` may run beside one, itself taking turns."""

    def __init__(self, folder: Path, chain_id: str, rotation: Rotation, at: datetime) -> None:
        self.is_torn = False
        """Half a line could not be taken back, or lines may be lost: what follows needs a chain of its own."""
        self._folder = folder
        self._chain_id = chain_id
        self._rotation = rotation
        self._number = 0
        self._size = 0
        self._begun = at
        self._retired: list[int] = []
        folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        self._file = self._begin(at)

    def write(self, lines: bytes, at: datetime) -> None:
        """Give whole lines to the operating system, in one piece. Raises OSError, and then none of them counts."""
        if self._is_due(len(lines), at):
            self._rotate(at)
        try:
            written = os.write(self._file, lines)
            while written < len(lines):
                # a disk that is nearly full takes a part, and says why with the next one
                written += os.write(self._file, lines[written:])
        except OSError:
            self._take_back()
            raise
        self._size += len(lines)

    def sync(self) -> None:
        """Bring all that was written before this to disk. Raises OSError, also where somebody took away what was written."""
        retired, self._retired = self._retired, []
        file, size = self._file, self._size
        os.fdatasync(file)
        found = os.fstat(file)
        if file == self._file and (not found.st_nlink or found.st_size < size):
            raise OSError(errno.ENOENT, "the file was deleted or cut while it was written")
        # a file that was rotated away was brought to disk then; it is closed here, where nobody is at it
        for file in retired:
            os.close(file)

    def try_out(self) -> None:
        """Write some bytes beside the files, where a record would go, and leave nothing. Raises OSError."""
        with TemporaryFile(dir=self._folder, prefix=".try-", buffering=0) as file:
            file.write(bytes(_BLOCK))

    def close(self) -> None:
        """Close the files, and remove the one of a chain that never had a line. Nobody writes or syncs any more."""
        if self._number == 1 and self._size == 0:
            with contextlib.suppress(OSError):
                self._path.unlink()
        for file in (*self._retired, self._file):
            with contextlib.suppress(OSError):
                os.close(file)

    def _is_due(self, more: int, at: datetime) -> bool:
        is_full = self._size + more > self._rotation.size
        return self._size > 0 and (is_full or at - self._begun >= self._rotation.age)

    def _rotate(self, at: datetime) -> None:
        try:
            os.fdatasync(self._file)
        except OSError:
            # the system tells of it once: a later sync would succeed, and what this one was for may be gone
            self.is_torn = True
            raise
        former, self._file = self._file, self._begin(at)
        self._retired.append(former)

    def _begin(self, at: datetime) -> int:
        name = f"{at.astimezone(UTC):%Y%m%dT%H%M%S}-{self._chain_id}-{self._number + 1}{SUFFIX}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._path = self._folder / name
        file = os.open(self._path, flags, _FILE_MODE)
        try:
            sync_folder(self._folder)
        except OSError:
            os.close(file)
            self._path.unlink()
            raise
        self._number, self._size, self._begun = self._number + 1, 0, at
        return file

    def _take_back(self) -> None:
        try:
            os.ftruncate(self._file, self._size)
        except OSError:
            self.is_torn = True


def sync_folder(folder: Path) -> None:
    """Bring the folder's list of files to disk: without that, a power cut could lose a whole file. Raises OSError."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
