"""The dev home is for one at a time, and says what is wrong with it."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from certworker.cli.home import Home, write_json, write_private
from certworker.cli.systemd import notify
from certworker.errors import SetupError

HOLD = (
    "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); sys.stdin.read()"
)


def test_a_home_that_another_process_has_is_refused(tmp_path: Path) -> None:
    """While the process that wrote dev.json lives, nobody waits for it; afterwards the home is free."""
    home = Home(tmp_path / "home")
    home.make()
    command = [sys.executable, "-I", "-S", "-c", HOLD, str(home.folder / "lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "held\n"
        write_json(home.dev_json, {"pid": other.pid})
        with pytest.raises(SetupError, match="Another certworker is running"):
            home.lock()
        other.communicate("")
    assert not home.dev_json_is_live()
    os.close(home.lock())


def test_a_home_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "home"):
        with pytest.raises(SetupError, match=r"cannot be written to: .* Choose another one with --home"):
            Home(folder).make()


def test_a_home_is_private(tmp_path: Path) -> None:
    """The folder and what is written into it are for its owner only, and whole or not at all."""
    home = Home(tmp_path / "a" / "home")
    home.make()
    assert home.folder.stat().st_mode & 0o777 == 0o700
    write_json(home.credentials, {"client_secret": "s"})
    write_private(home.settings, "x")
    assert {file.stat().st_mode & 0o777 for file in home.folder.iterdir()} == {0o600}
    assert json.loads(home.credentials.read_text()) == home.read_credentials() == {"client_secret": "s"}
    assert sorted(file.name for file in home.folder.iterdir()) == ["administrator.json", "certworker.toml"]


def test_credentials_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    """Missing is none; broken is an error that names the file."""
    home = Home(tmp_path)
    assert home.read_credentials() is None
    home.credentials.write_text("{")
    with pytest.raises(SetupError, match=r"administrator\.json cannot be read"):
        home.read_credentials()


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, abstract: bool) -> None:
    """One datagram to the socket that it named, in the file system or beside it."""
    name = f"certworker-test-{os.getpid()}"
    address = f"@{name}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(f"\0{name}" if abstract else address)
        receiver.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        notify("READY=1")
        assert receiver.recv(100) == b"READY=1"


@pytest.mark.parametrize("address", ["", "/nowhere/notify"])
def test_without_systemd_nobody_is_told(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """A service manager that is not there, or went away, is no reason to stop."""
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    notify("READY=1")
