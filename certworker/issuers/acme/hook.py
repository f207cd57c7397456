"""TXT records by a program of the operator's own: `PROGRAM ... present|cleanup NAME VALUE`, without a shell."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from threading import Thread
from typing import IO

from certworker.issuers.acme import hook_start
from certworker.issuers.acme.problems import clean
from certworker.issuers.acme.solvers import Unsolved

PREFIX = "CERTWORKER_HOOK_"
PASSED_ON = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR")
"""All that a hook is told of the worker's environment, where passwords may be: it reads those of its own from a file."""

MOST_OUTPUT_BYTES = 2000
_STARTER = (sys.executable, "-I", hook_start.__file__)
_DRAIN_SECONDS = 1.0


class Hook:
    """Runs the program. It has `timeout_seconds`, after which it is killed with all that it started.

    Exit code 0 means that it is done. The environment has the same three as CERTWORKER_HOOK_ACTION, _NAME and _VALUE.
    """

    def __init__(self, command: Sequence[str], timeout_seconds: float, environment: Mapping[str, str] = os.environ) -> None:
        self._command = tuple(command)
        self._timeout_seconds = timeout_seconds
        self._environment = {name: environment[name] for name in PASSED_ON if name in environment}

    def add(self, name: str, value: str) -> None:
        """Have a value added. Raises Unsolved."""
        self._run("present", name, value)

    def remove(self, name: str, value: str) -> None:
        """Have a value removed. Raises Unsolved."""
        self._run("cleanup", name, value)

    def _run(self, action: str, name: str, value: str) -> None:
        program = self._command[0]
        if shutil.which(program, path=self._environment.get("PATH")) is None:
            raise Unsolved(f"The hook {program} cannot be run: there is no such program, or it is not executable.")
        told = {PREFIX + "ACTION": action, PREFIX + "NAME": name, PREFIX + "VALUE": value}
        process = subprocess.Popen(  # noqa: S603  # the operator's own program, and no shell
            [*_STARTER, *self._command, action, name, value],
            env={**self._environment, **told},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that all of it can be killed, and Ctrl-C at the service does not reach it
        )
        with process:
            output = _Output(process.stdout)
            try:
                code = process.wait(self._timeout_seconds)
            except subprocess.TimeoutExpired:
                raise Unsolved(
                    f"The hook {program} did not end within {self._timeout_seconds:g} s ({action} {name})."
                ) from None
            finally:
                if process.returncode is None:
                    _kill(process)
            if code:
                said = clean(output.text(), [value])
                raise Unsolved(f"The hook {program} failed with {_ending(code)} ({action} {name}){': ' if said else '.'}{said}")


class _Output:
    """The first of what a program says; the rest is read and forgotten, so that the program does not wait for a reader."""

    def __init__(self, pipe: IO[bytes] | None) -> None:
        self._pipe = pipe
        self._said = bytearray()
        self._reader = Thread(target=self._read, name="hook-output", daemon=True)
        self._reader.start()

    def text(self) -> str:
        """Give it in one line, without what would turn a terminal's or a console's text about."""
        self._reader.join(_DRAIN_SECONDS)
        said = bytes(self._said).decode("utf-8", "replace")
        return " ".join("".join(letter if letter.isprintable() else " " for letter in said).split())

    def _read(self) -> None:
        # who was started by the hook may hold the pipe open after it; the pipe may be closed from our side then
        with suppress(OSError, ValueError):
            while self._pipe and (part := os.read(self._pipe.fileno(), 65536)):
                self._said += part[: max(0, MOST_OUTPUT_BYTES - len(self._said))]


def _kill(process: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
