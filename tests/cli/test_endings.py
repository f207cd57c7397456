"""How commands end: streams that are closed or full, pipes that break, signals, questions that are not answered."""

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from certworker.cli.endings import ended_in_order
from tests.cli.terminal import Terminal

COMMAND = (sys.executable, "-m", "certworker.cli.main")


@pytest.fixture
def environment(terminal: Terminal, tmp_path: Path) -> Mapping[str, str]:
    """Give an environment in which the vault of the tests is known."""
    return {**os.environ, **terminal.environment(), "HOME": str(tmp_path), "TERM": "xterm-256color"}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("settings >&-", 1, "cannot be read or written: Bad file descriptor."),
        ("settings >/dev/full", 1, "cannot be read or written: No space left on device."),
        ("--help >/dev/full", 1, "cannot be read or written: No space left on device."),
        ("settings 2>&- <&-", 0, ""),
        ("settings | true", 0, ""),
    ],
)
def test_a_stream_that_is_closed_or_full_is_told_in_a_line(words: str, code: int, said: str) -> None:
    """And never by a traceback; what nobody reads is no error."""
    shell = ["sh", "-c", f'"$0" -m certworker.cli.main {words}', sys.executable]
    for unbuffered in ("", "1"):
        environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
        ended = subprocess.run(shell, capture_output=True, text=True, check=False, timeout=30, env=environment)
        assert ended.returncode == code
        assert ended.stderr.count("\n") == (1 if said else 0)
        assert said in ended.stderr


def test_a_ci_that_names_itself_gets_no_colours_into_a_pipe() -> None:
    """Whoever wants them says so."""
    for name, colours in (("GITHUB_ACTIONS", False), ("FORCE_COLOR", True)):
        environment = {**os.environ, name: "1"}
        said = subprocess.run([*COMMAND, "status", "--help"], capture_output=True, check=True, timeout=30, env=environment)
        assert (b"\x1b" in said.stdout) is colours


def on_a_terminal(words: str, environment: Mapping[str, str], until: bytes, keys: bytes, number: int = 0) -> tuple[int, bytes]:
    """Run a command on a terminal until it has shown something, then press keys or send a signal; give its end and output."""
    child, terminal = pty.fork()
    if child == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # what runs in the background of a shell ignores it
        os.execvpe(COMMAND[0], [*COMMAND, *words.split()], dict(environment))  # noqa: S606  # a shell would be in the way
    output, deadline = b"", time.monotonic() + 90
    try:
        while select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))[0]:
            output += os.read(terminal, 65536)
            if until and until in output:
                until = b""
                if keys:
                    os.write(terminal, keys)
                else:
                    os.kill(child, number)
    except OSError:
        pass  # this is how the end of a terminal is told
    finally:
        os.close(terminal)  # whoever still runs then is hung up on
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), output


@pytest.mark.parametrize(("keys", "number", "code"), [(b"\x03", 0, 0), (b"", signal.SIGTERM, 128 + signal.SIGTERM)])
def test_a_watch_leaves_the_terminal_as_it_was(environment: Mapping[str, str], keys: bytes, number: int, code: int) -> None:
    """By Ctrl-C and by a signal alike, the cursor is seen again, and what stood there before."""
    ended, output = on_a_terminal("status --watch --every 0.2", environment, b"Ctrl-C ends", keys, number)
    assert ended == code
    assert output.rindex(b"\x1b[?25h") > output.rindex(b"\x1b[?25l")
    assert output.rindex(b"\x1b[?1049l") > output.rindex(b"\x1b[?1049h")
    assert b"Traceback" not in output


def test_a_watch_ends_when_nobody_reads_it(environment: Mapping[str, str]) -> None:
    """At once, and not at the next change, which may be days away."""
    watch = subprocess.Popen([*COMMAND, "status", "--watch", "--every", "3600"], env=environment, stdout=subprocess.PIPE)
    assert watch.stdout is not None
    assert watch.stdout.readline().endswith(b"0 certificates, 0 to attend to\n")
    watch.stdout.close()
    assert watch.wait(20) == 1


def test_signals_are_as_they_were_afterwards() -> None:
    """One that ends a process is an exception meanwhile; one that is ignored, as nohup has it, stays so."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN), signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        with ended_in_order():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            with pytest.raises(SystemExit) as ended:
                signal.raise_signal(signal.SIGTERM)
        assert ended.value.code == 128 + signal.SIGTERM
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        for number, handler in zip((signal.SIGHUP, signal.SIGTERM), before, strict=True):
            signal.signal(number, handler)


def test_ctrl_c_at_a_question_ends_as_elsewhere(environment: Mapping[str, str]) -> None:
    """With 130, as shells have it; nothing was purged."""
    ended, output = on_a_terminal("secret purge web", environment, b"[y/N]", b"\x03")
    assert ended == 130
    assert b"Traceback" not in output
