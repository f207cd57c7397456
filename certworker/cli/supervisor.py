"""The supervisor: starts the processes, starts them again when they fall, and stops them in order.

Processes are spawned, never forked with open handles; listening sockets are bound here and inherited.
"""

import logging
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from certworker.errors import SetupError

READY_SECONDS = 30.0
POLL_SECONDS = 0.2
READY_POLL_SECONDS = 0.02
_LONGEST_PAUSE = 30.0
_STEADY_SECONDS = 60.0
"""A process that lived this long begins its back-off anew."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Program:
    """A process to keep alive. `{ready}` and `{parent}` in its command become the descriptors of its pipes.

    It writes a byte to `ready` (or the file `ready_file`, where one is named) when it serves, and ends when `parent` comes to
    its end, however the supervisor died. What it prints goes to the file `output`, where one is named. `environment` is what it
    has besides the supervisor's own. `role` is what it is for, where several do the same.
    """

    name: str
    command: tuple[str, ...]
    inherited: tuple[int, ...] = ()
    ready_file: Path | None = None
    output: Path | None = None
    environment: tuple[tuple[str, str], ...] = ()
    role: str = ""


@dataclass(slots=True)
class _Child:
    program: Program
    process: subprocess.Popen[bytes]
    ready: int
    started: float
    falls: int = 0


@dataclass(slots=True)
class _Fallen:
    program: Program
    again_at: float
    falls: int = field(default=1)


class StopAskedError(Exception):
    """A stop was asked for while programs were starting."""


class Supervisor:
    """Keeps programs running until it is told to stop. `stop_asked` is looked at while programs start.

    `ended` is told the id of each process that has ended while others go on; `fell` the role and the return code (negative: the
    signal) of each that nobody had asked to.
    """

    def __init__(
        self,
        stop_seconds: float,
        stop_asked: Callable[[], bool] = lambda: False,
        ended: Callable[[int], None] = lambda _pid: None,
        fell: Callable[[str, int], None] = lambda _role, _code: None,
    ) -> None:
        self._stop_seconds = stop_seconds
        self._stop_asked = stop_asked
        self._ended = ended
        self._fell = fell
        # held open for as long as this process lives: its end tells the children
        self._lifeline = os.pipe()
        self._children: list[_Child] = []
        self._fallen: list[_Fallen] = []

    def start(self, programs: Sequence[Program]) -> None:
        """Start programs and wait until they serve. Raises SetupError where one does not, StopAskedError."""
        children = [self._spawn(program) for program in programs]
        self._children += children
        deadline = monotonic() + READY_SECONDS
        for child in children:
            self._await_ready(child, deadline)

    def replace(self, programs: Sequence[Program]) -> None:
        """Start programs in the place of all that run, which end once the new ones serve.

        Raises SetupError where a new one does not serve, StopAskedError; the old ones then go on.
        """
        old = self._children
        fresh = [self._spawn(program) for program in programs]
        deadline = monotonic() + READY_SECONDS
        try:
            for child in fresh:
                self._await_ready(child, deadline)
        except (SetupError, StopAskedError):
            self._end(fresh)
            self._tell_ended(fresh)
            raise
        self._children, self._fallen = fresh, []
        self._end(old)
        self._tell_ended(old)

    def look(self) -> None:
        """Look once after everybody: start again what fell, after a pause that grows."""
        now = monotonic()
        for child in [child for child in self._children if child.process.poll() is not None]:
            self._children.remove(child)
            self._close(child)
            self._tell_ended([child])
            falls = 1 if now - child.started > _STEADY_SECONDS else child.falls + 1
            pause = min(2.0 ** (falls - 1) / 2, _LONGEST_PAUSE)
            code = child.process.returncode
            _log.error("The %s process ended (%s); it is started again in %.1f s.", child.program.name, _ending(code), pause)
            self._fallen.append(_Fallen(child.program, now + pause, falls))
            self._fell(child.program.role, code)
        for fallen in [fallen for fallen in self._fallen if fallen.again_at <= now]:
            self._fallen.remove(fallen)
            child = self._spawn(fallen.program)
            child.falls = fallen.falls
            self._children.append(child)

    def stop(self) -> None:
        """End every process: asked first, killed when its time is up."""
        self._end(self._children)
        self._children = []
        for end in self._lifeline:
            os.close(end)

    def _spawn(self, program: Program) -> _Child:
        ready, told = os.pipe()
        command = [part.format(ready=told, parent=self._lifeline[0]) for part in program.command]
        inherited = (told, self._lifeline[0], *program.inherited)
        with ExitStack() as stack:
            stack.callback(os.close, told)
            output = stack.enter_context(program.output.open("ab")) if program.output else None
            process = subprocess.Popen(  # noqa: S603  # our own programs
                command,
                pass_fds=inherited,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env={**os.environ, **dict(program.environment)},
            )
        return _Child(program, process, ready, monotonic())

    def _await_ready(self, child: _Child, deadline: float) -> None:
        while not self._is_ready(child):
            if self._stop_asked():
                raise StopAskedError
            if child.process.poll() is not None or monotonic() > deadline:
                what = "did not become ready in time" if child.process.poll() is None else "ended while starting"
                raise SetupError(f"The {child.program.name} process {what}; what it said above tells why.")

    def _is_ready(self, child: _Child) -> bool:
        file = child.program.ready_file
        # the end of the pipe makes it readable as well: then there is nothing to read
        readable, _, _ = select.select([child.ready], [], [], READY_POLL_SECONDS)
        return file.exists() if file else bool(readable and os.read(child.ready, 1))

    def _end(self, children: Sequence[_Child]) -> None:
        for child in children:
            if child.process.poll() is None:
                child.process.send_signal(signal.SIGTERM)
        deadline = monotonic() + self._stop_seconds
        for child in children:
            try:
                child.process.wait(max(0.0, deadline - monotonic()))
            except subprocess.TimeoutExpired:
                _log.warning("The %s process did not end in time, and is killed.", child.program.name)
                child.process.kill()
                child.process.wait()
            self._close(child)

    def _tell_ended(self, children: Sequence[_Child]) -> None:
        for child in children:
            self._ended(child.process.pid)

    def _close(self, child: _Child) -> None:
        if child.ready >= 0:
            os.close(child.ready)
            child.ready = -1


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def python(module: str, *arguments: str) -> tuple[str, ...]:
    """Build the command that runs a module of ours in this interpreter."""
    return (sys.executable, "-m", module, *arguments)
