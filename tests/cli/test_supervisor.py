"""The supervisor keeps small real programs running, replaces them, and leaves none behind."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from certworker.cli.supervisor import Program, StopAskedError, Supervisor, _Child
from certworker.errors import SetupError

SERVES = "import os, sys; os.write(int(sys.argv[1]), b'1'); os.read(int(sys.argv[2]), 1)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SERVES}"
SILENT = "import os, sys; os.read(int(sys.argv[2]), 1)"
FALLS = "raise SystemExit(3)"
SERVES_ONCE = f"import os, sys; os.write(int(sys.argv[1]), b'1'); {FALLS}"
ROOT = Path(__file__).resolve().parents[2]

SUPERVISES = """
import sys
from certworker.cli.supervisor import Program, Supervisor
supervisor = Supervisor(1)
supervisor.start([Program("child", tuple(sys.argv[1:]))])
print(supervisor._children[0].process.pid, flush=True)
sys.stdin.read()
"""


def program(code: str, name: str = "child") -> Program:
    """Make a tiny program. What it is for is what its name says before any number."""
    command = (sys.executable, "-I", "-S", "-c", code, "{ready}", "{parent}")
    return Program(name, command, role=name.partition("-")[0])


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    """Give a supervisor and end its processes afterwards."""
    made = Supervisor(0.2)
    yield made
    made.stop()


def only(supervisor: Supervisor) -> _Child:
    """Give the only process."""
    (child,) = supervisor._children
    return child


def test_start_comes_back_when_everybody_serves(supervisor: Supervisor) -> None:
    """Each in a process of its own, and still there."""
    supervisor.start([program(SERVES, "one"), program(SERVES, "two")])
    assert [child.process.poll() for child in supervisor._children] == [None, None]
    assert len({os.getsid(child.process.pid) for child in supervisor._children}) == 2


def test_a_program_that_ends_while_starting_is_told(supervisor: Supervisor) -> None:
    """By its name."""
    with pytest.raises(SetupError, match="The broken process ended while starting"):
        supervisor.start([program(FALLS, "broken")])


def test_what_falls_is_started_again_after_a_pause_that_grows(supervisor: Supervisor, caplog: pytest.LogCaptureFixture) -> None:
    """Half a second, a second, two; the log tells how it ended."""
    supervisor.start([program(SERVES)])
    for pause in ("0.5", "1.0", "2.0"):
        fallen = only(supervisor)
        fallen.process.kill()
        fallen.process.wait()
        supervisor.look()
        assert supervisor._children == []
        supervisor.look()
        assert supervisor._children == []
        assert f"The child process ended (signal 9); it is started again in {pause} s." in caplog.text
        supervisor._fallen[0].again_at = 0
        supervisor.look()
        assert only(supervisor).process.poll() is None
        assert only(supervisor).process.pid != fallen.process.pid


def test_who_falls_is_told_with_what_it_ended_with() -> None:
    """A kill by its signal, an end by its code; who is replaced or stopped has not fallen."""
    told: list[tuple[str, int]] = []
    supervisor = Supervisor(0.2, fell=lambda role, code: told.append((role, code)))
    supervisor.start([program(SERVES, "api-1"), program(SERVES_ONCE, "worker")])
    supervisor._children[0].process.kill()
    for child in supervisor._children:
        child.process.wait()
    supervisor.look()
    supervisor.look()
    assert sorted(told) == [("api", -signal.SIGKILL), ("worker", 3)]
    supervisor.replace([program(SERVES)])
    supervisor.replace([program(SERVES)])
    supervisor.stop()
    assert len(told) == 2


def test_replacing_ends_the_old_once_the_new_serve(supervisor: Supervisor) -> None:
    """All of them: with fewer in the new settings, none of the old is left over."""
    supervisor.start([program(SERVES, "api-1"), program(SERVES, "api-2")])
    old = [child.process for child in supervisor._children]
    supervisor.replace([program(SERVES, "api-1")])
    assert [process.poll() for process in old] == [-signal.SIGTERM, -signal.SIGTERM]
    assert only(supervisor).program.name == "api-1"
    assert only(supervisor).process.poll() is None


def test_a_stop_is_heard_while_programs_start() -> None:
    """Nobody waits for what never becomes ready, at the start or at a replacement."""
    asked = False
    supervisor = Supervisor(1, lambda: asked)
    supervisor.start([program(SERVES)])
    asked = True
    with pytest.raises(StopAskedError):
        supervisor.replace([program(SILENT)])
    assert only(supervisor).process.poll() is None
    supervisor.stop()


def test_a_replacement_that_does_not_serve_changes_nothing(supervisor: Supervisor) -> None:
    """The old one goes on."""
    supervisor.start([program(SERVES)])
    old = only(supervisor)
    with pytest.raises(SetupError):
        supervisor.replace([program(FALLS)])
    assert only(supervisor) is old
    assert old.process.poll() is None


def test_stop_asks_first_and_kills_then(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever does not listen is ended all the same, and nothing stays open."""
    before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208
    supervisor = Supervisor(0.2)
    supervisor.start([program(SERVES, "polite"), program(STUBBORN, "stubborn")])
    processes = [child.process for child in supervisor._children]
    supervisor.stop()
    assert [process.returncode for process in processes] == [-signal.SIGTERM, -signal.SIGKILL]
    assert "The stubborn process did not end in time" in caplog.text
    assert set(os.listdir("/proc/self/fd")) <= before  # noqa: PTH208


def test_a_ready_file_counts_as_well(supervisor: Supervisor, tmp_path: Path) -> None:
    """For programs that know nothing of pipes."""
    file = tmp_path / "ready"
    code = f"import os, sys; open('{file}', 'w').close(); os.read(int(sys.argv[2]), 1)"
    command = program(code).command
    supervisor.start([Program("child", command, ready_file=file)])
    assert file.exists()


def test_children_end_when_their_supervisor_is_killed() -> None:
    """However it died: their end of the pipe closes with it."""
    command = [sys.executable, "-c", SUPERVISES, *program(SERVES).command]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout
        child = os.pidfd_open(int(killed.stdout.readline()))
        with closing(os.fdopen(child, closefd=True)):
            killed.kill()
            assert select.select([child], [], [], 10)[0] == [child]
