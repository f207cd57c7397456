"""What the commands read and write: a file, or `-` for standard input and output."""

import os
import re
import stat
import sys
from pathlib import Path

import typer

from certworker.errors import BadParameter, SetupError

STANDARD = "-"
MOST_BYTES = 32 * 1024 * 1024
EMPTY_INPUT = "Standard input is empty: whatever was to write it gave nothing."
_TEXT = re.compile(rb"[\t\n\r -~]*")
"""What a terminal only shows; others wrote it, and it may hold what moves the cursor."""


def read_bytes(name: str) -> bytes:
    """Read a file, or standard input for `-`. Raises typer's BadParameter for what cannot be read."""
    try:
        if name == STANDARD:
            content = sys.stdin.buffer.read(MOST_BYTES + 1)
        else:
            with Path(name).open("rb") as file:
                content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise typer.BadParameter(f"{name} cannot be read: {error.strerror}") from None
    if len(content) > MOST_BYTES:
        raise typer.BadParameter(f"{name} has more than {MOST_BYTES} bytes")
    return content


def read_filled(name: str) -> bytes:
    """Read a file or standard input likewise, in which there must be something. Raises BadParameter where there is nothing."""
    content = read_bytes(name)
    if not content.strip():
        raise BadParameter(f"{EMPTY_INPUT} Nothing was changed." if name == STANDARD else f"{name} is empty.")
    return content


def read_text(name: str) -> str:
    """Read a file of text likewise."""
    try:
        return read_bytes(name).decode()
    except UnicodeDecodeError:
        raise typer.BadParameter(f"{name} is not text in UTF-8") from None


def read_password(name: str | None) -> str | None:
    """Read a password from the first line of a file; none where no file is named."""
    if name is None:
        return None
    return read_text(name).split("\n", 1)[0].removesuffix("\r")


def write_bytes(name: str | None, content: bytes, *, private: bool = False) -> None:
    """Write a file, or standard output for none and `-`. What is `private` gets a file for its owner only.

    Raises BadParameter where a terminal would get what is no text, SetupError for a file that cannot be written.
    """
    if name is None or name == STANDARD:
        if sys.stdout.isatty() and not _TEXT.fullmatch(content):
            raise BadParameter("This is not text, and not for a terminal: name a file with -o FILE.")
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
        return
    path = Path(name)
    try:
        _write_private(path, content) if private else path.write_bytes(content)
    except OSError as error:
        raise SetupError(f"{path} cannot be written: {error.strerror}.") from error


def _write_private(path: Path, content: bytes) -> None:
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):
        path.write_bytes(content)  # a pipe or a device: nothing to be replaced
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
