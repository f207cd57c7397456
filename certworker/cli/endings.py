"""How a command ends, whatever its streams are and whatever signal comes: in order, and with a line at most."""

import errno
import io
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from certworker.cli.exits import ExitCode
from certworker.cli.output import tell


@contextmanager
def ended_in_order() -> Iterator[None]:
    """Let a signal that ends this process be an exception, after which nothing is left behind: no file, no hidden cursor."""
    # one that is ignored, as nohup has it, stays so
    ends = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is signal.SIG_DFL]
    before = {number: signal.signal(number, _end) for number in ends}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, _: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


@contextmanager
def told_in_a_line() -> Iterator[None]:
    """Have what cannot be read or written told in a line: a full disk, or a standard output that takes nothing."""
    try:
        try:
            yield
        finally:
            # here, and not after everything, where nobody could tell what becomes of it
            sys.stdout.flush()
    except BrokenPipeError:
        _give_up_output()
        raise SystemExit(ExitCode.ERROR) from None
    except OSError as error:
        _give_up_output()
        what = error.filename or "a file or a standard stream"
        tell(f"certworker: {what} cannot be read or written: {error.strerror or error}.")
        raise SystemExit(ExitCode.ERROR) from None


def _give_up_output() -> None:
    """Let what nobody takes go nowhere, when it is written at the very end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def keep_to_ascii(environment: Mapping[str, str] = os.environ) -> None:
    """Send nothing but ASCII to a terminal whose locale says that it knows no more. Pipes and files get UTF-8 in any case.

    Python takes UTF-8 for the locale C, and says so in LC_CTYPE (PEP 538, PEP 540).
    """
    known = environment.get("LC_ALL") or environment.get("LC_CTYPE", "").replace("C.UTF-8", "") or environment.get("LANG")
    for stream in (sys.stdout, sys.stderr):
        if known in {"C", "POSIX"} and stream.isatty() and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="ascii", errors="backslashreplace")


def open_closed_streams() -> None:
    """Open what the caller has closed: errors go nowhere, and whoever reads or writes the others is told that they are closed.

    A file or a connection that is opened later would take the number of the stream, and be written into.
    """
    for number, mode in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError as error:
            if error.errno != errno.EBADF:
                raise
            os.open(os.devnull, mode)  # takes the lowest number there is
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  # for as long as the process lasts
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
