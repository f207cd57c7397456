"""A hook of the operator's own: what it is told, how long it may take, and what is told of it."""

import os
import stat
import time
from pathlib import Path

import pytest

from certworker.issuers.acme.hook import Hook
from certworker.issuers.acme.solvers import Unsolved
from certworker.network.program import MOST_OUTPUT_BYTES

NAME, VALUE = "_acme-challenge.www.example.test.", "VALUE-that-nobody-reads"


def script(folder: Path, body: str) -> str:
    """Write a shell script."""
    file = folder / "hook"
    file.write_text(f"#!/bin/bash\n{body}\n")
    file.chmod(stat.S_IRWXU)
    return str(file)


def test_it_is_told_what_to_do_and_nothing_else(tmp_path: Path) -> None:
    """The three words come behind its own arguments, untouched by any shell; of the environment it gets what is harmless."""
    told = tmp_path / "told"
    hook = script(tmp_path, f'printf "%s\\n" "$@" >{told}; env >>{told}; cat >>{told}')
    environment = {"PATH": os.environ["PATH"], "CERTWORKER_DATABASE_URL": "postgresql://u:hunter2@h/n", "HOME": "/nowhere"}
    Hook((hook, "--zone", "$HOME; a b"), 10, environment).add(NAME, VALUE)
    lines = told.read_text().splitlines()
    assert lines[:5] == ["--zone", "$HOME; a b", "present", NAME, VALUE]
    assert {"HOME=/nowhere", f"CERTWORKER_HOOK_NAME={NAME}", "CERTWORKER_HOOK_ACTION=present"} <= set(lines)
    assert "hunter2" not in told.read_text()
    Hook((hook,), 10).remove(NAME, VALUE)
    assert told.read_text().splitlines()[0] == "cleanup"


def test_no_signal_is_blocked_in_it(tmp_path: Path) -> None:
    """A worker blocks SIGTERM in all of its threads; what a hook starts must be able to end by it."""
    told = tmp_path / "told"
    Hook((script(tmp_path, f"grep SigBlk /proc/self/status >{told}"),), 10).add(NAME, VALUE)
    assert int(told.read_text().split()[1], 16) == 0


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            "echo no such zone: $3; exit 3",
            r"failed with exit code 3 \(present _acme-challenge\.www\.example\.test\.\): no such zone: \.\.\.",
        ),
        ("exit 1", r"failed with exit code 1 \(present .*\)\.$"),
        ("kill -9 $$", "failed with signal 9"),
        ("echo to both >&2; exit 4", "exit code 4 .*: to both"),
        ("head -c 3000000 /dev/zero | tr '\\0' x; exit 5", r"exit code 5 .*: x{1000}"),
        ("printf '\\xff\\033[2J'; exit 6", "exit code 6"),
    ],
)
def test_a_failure_is_told_without_the_value(tmp_path: Path, body: str, words: str) -> None:
    """Its exit code, and the beginning of what it said in one line."""
    with pytest.raises(Unsolved, match=words) as failure:
        Hook((script(tmp_path, body),), 10).add(NAME, VALUE)
    assert VALUE not in str(failure.value)
    assert len(str(failure.value)) < MOST_OUTPUT_BYTES
    assert str(failure.value).isprintable()


def test_a_hook_that_hangs_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    """After its time neither it nor its children live on."""
    child = tmp_path / "child"
    begun = time.monotonic()
    with pytest.raises(Unsolved, match=r"did not end within 0\.3 s \(cleanup"):
        Hook((script(tmp_path, f"sleep 60 & echo $! >{child}; wait"),), 0.3).remove(NAME, VALUE)
    assert time.monotonic() - begun < 5
    stopped = Path(f"/proc/{child.read_text().strip()}/stat")
    while time.monotonic() - begun < 5 and not is_over(stopped):
        time.sleep(0.01)  # the signal was sent; a busy machine takes a moment to carry it out
    assert is_over(stopped)


def is_over(process: Path) -> bool:
    """Look whether a process has ended, by its file in /proc."""
    try:
        return process.read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_a_hook_that_leaves_somebody_behind_is_not_waited_for(tmp_path: Path) -> None:
    """A child that holds the output open does not hold us."""
    begun = time.monotonic()
    Hook((script(tmp_path, "sleep 3 & exit 0"),), 10).add(NAME, VALUE)
    assert time.monotonic() - begun < 2.5


@pytest.mark.parametrize("kind", ["missing", "folder", "not executable", "no program"])
def test_a_hook_that_cannot_be_run_is_named(tmp_path: Path, kind: str) -> None:
    """With what is wrong with it."""
    file = tmp_path / "hook"
    if kind == "folder":
        file.mkdir()
    elif kind != "missing":
        file.write_text("neither script nor program")
        file.chmod(0o700 if kind == "no program" else 0o600)
    with pytest.raises(Unsolved, match=f"{file} (cannot be run|failed with exit code 126)"):
        Hook((str(file),), 10).add(NAME, VALUE)
