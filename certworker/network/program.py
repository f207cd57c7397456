"""Programs of the operator's own: run without a shell, told little, and killed with all that they started when time is up."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Thread
from typing import IO

from certworker.errors import CertworkerError
from certworker.network import program_start

PASSED_ON = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR")
"""All that a program is told of the worker's environment, where passwords may be: it reads those of its own from a file."""

MOST_OUTPUT_BYTES = 2000
_STARTER = (sys.executable, "-I", program_start.__file__)
_DRAIN_SECONDS = 1.0


class NotRun(CertworkerError):
    """The program cannot be run, or did not end in time. The message names it."""

    code = "not_run"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended: its exit code, below zero for a signal, and the beginning of what it said, in one line."""

    code: int
    said: str

    @property
    def how(self) -> str:
        """Say how it ended."""
        return f"signal {-self.code}" if self.code < 0 else f"exit code {self.code}"


class Program:
    """A program with the arguments that it always has. It has `timeout_seconds`, after which it is killed with its children."""

    def __init__(self, command: Sequence[str], timeout_seconds: float, environment: Mapping[str, str] = os.environ) -> None:
        self._command = tuple(command)
        self._timeout_seconds = timeout_seconds
        self._environment = {name: environment[name] for name in PASSED_ON if name in environment}

    @property
    def name(self) -> str:
        """The program, as it was named."""
        return self._command[0]

    def run(self, arguments: Sequence[str] = (), told: Mapping[str, str] | None = None, content: bytes = b"") -> Ended:
        """Run it to its end, with further arguments, environment, and what is on its standard input. Raises NotRun."""
        if shutil.which(self.name, path=self._environment.get("PATH")) is None:
            raise NotRun(f"{self.name} cannot be run: there is no such program, or it is not executable")
        with tempfile.TemporaryFile() as stdin:  # a pipe would have to be filled while the program may not read
            stdin.write(content)
            stdin.seek(0)
            process = subprocess.Popen(  # noqa: S603  # the operator's own program, and no shell
                [*_STARTER, *self._command, *arguments],
                env={**self._environment, **(told or {})},
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that all of it can be killed, and Ctrl-C at the service does not reach it
            )
        with process:
            output = _Output(process.stdout)
            try:
                code = process.wait(self._timeout_seconds)
            except subprocess.TimeoutExpired:
                raise NotRun(f"{self.name} did not end within {self._timeout_seconds:g} s") from None
            finally:
                if process.returncode is None:
                    _kill(process)
            return Ended(code, output.text() if code else "")


class _Output:
    """The first of what a program says; the rest is read and forgotten, so that the program does not wait for a reader."""

    def __init__(self, pipe: IO[bytes] | None) -> None:
        self._pipe = pipe
        self._said = bytearray()
        self._reader = Thread(target=self._read, name="program-output", daemon=True)
        self._reader.start()

    def text(self) -> str:
        """Give it in one line, without what would turn a terminal's or a console's text about."""
        self._reader.join(_DRAIN_SECONDS)
        said = bytes(self._said).decode("utf-8", "replace")
        return " ".join("".join(letter if letter.isprintable() else " " for letter in said).split())

    def _read(self) -> None:
        # who was started by the program may hold the pipe open after it; the pipe may be closed from our side then
        with suppress(OSError, ValueError):
            while self._pipe and (part := os.read(self._pipe.fileno(), 65536)):
                self._said += part[: max(0, MOST_OUTPUT_BYTES - len(self._said))]


def _kill(process: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
