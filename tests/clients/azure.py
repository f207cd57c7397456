"""`certworker dev` as a newcomer starts it, and Azure's own command line, `az`, told of it by `certworker az-setup`."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

AZ = Path(__file__).resolve().parents[2] / ".venv" / "az" / "bin" / "az"
START_SECONDS, STOP_SECONDS, CALL_SECONDS = 90, 30, 90


@dataclass(frozen=True)
class Refused(Exception):  # what az says is no error of the test
    """What az said where it failed."""

    said: str


@dataclass(frozen=True)
class Az:
    """az with a folder of settings of its own: one log-in."""

    folder: Path
    bundle: Path

    def __call__(self, *arguments: str, stdin: str = "") -> Any:  # noqa: ANN401  # az's JSON
        """Run az; give its JSON, or the text of what prints another format. Raises Refused."""
        ended = subprocess.run(
            [AZ, *arguments, *([] if "--output" in arguments else ["--output", "json"]), "--only-show-errors"],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.folder),
                "AZURE_CONFIG_DIR": str(self.folder),
                "REQUESTS_CA_BUNDLE": str(self.bundle),
            },
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=CALL_SECONDS,
        )
        if ended.returncode:
            raise Refused(f"az {' '.join(arguments)}: {ended.stderr}")
        try:
            return json.loads(ended.stdout) if ended.stdout.strip() else None
        except ValueError:
            return ended.stdout

    def refused(self, *arguments: str, saying: str = "Forbidden") -> str:
        """Run az, and see that it is refused with certain words; give what it said."""
        with pytest.raises(Refused) as caught:
            self(*arguments)
        assert saying in caught.value.said, caught.value.said
        return caught.value.said

    def somebody_else(self, name: str) -> "Az":
        """Give an az that knows the same cloud and is logged in as nobody."""
        folder = self.folder.parent / f"az-{name}"
        folder.mkdir(mode=0o700)
        for kept in ("config", "clouds.config"):
            shutil.copy(self.folder / kept, folder / kept)
        return Az(folder, self.bundle)

    def log_in_application(self, tenant_id: str, client_id: str, secret: str) -> Any:  # noqa: ANN401
        """Log in as an application; its secret is in no list of processes."""
        options = ("--username", client_id, "--tenant", tenant_id, "--password", "@-", "--allow-no-subscriptions")
        return self("login", "--service-principal", *options, stdin=secret)

    def log_in_user(self, tenant_id: str, name: str, password: str) -> Any:  # noqa: ANN401
        """Log in as a user."""
        options = ("--username", name, "--tenant", tenant_id, "--password", "@-", "--allow-no-subscriptions")
        return self("login", *options, stdin=password)


@dataclass(frozen=True)
class Dev:
    """A deployment that serves, and az as its administrator. `facts` is what dev.json says."""

    home: Path
    facts: dict[str, Any]
    az: Az
    folder: Path

    @property
    def tenant(self) -> str:
        """The one tenant."""
        return str(self.facts["tenant_id"])

    @property
    def subscription(self) -> str:
        """The resource id of the one subscription."""
        return f"/subscriptions/{self.facts['subscription_id']}"


@contextmanager
def dev_with_az(folder: Path) -> Iterator[Dev]:
    """Start `certworker dev` and tell az of it, until the block ends."""
    home = folder / "home"
    with running(home, folder / "output.txt") as facts:
        certworker("az-setup", "--home", str(home), "--az", str(AZ))
        az = Az(home / "az", home / "az" / "ca-bundle.pem")
        yield Dev(home, facts, az, folder)


@contextmanager
def running(home: Path, output: Path) -> Iterator[dict[str, Any]]:
    """Run `certworker dev` until the block ends; give what dev.json says."""
    command = [sys.executable, "-m", "certworker.cli.main", "dev", "--home", str(home), "--port", "0"]
    with output.open("a") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
        try:
            yield _await(home / "dev.json", process, output)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(STOP_SECONDS)


def certworker(*arguments: str) -> str:
    """Run one of our own commands; give what it printed."""
    command = [sys.executable, "-m", "certworker.cli.main", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=CALL_SECONDS)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def _await(path: Path, process: "subprocess.Popen[bytes]", output: Path) -> dict[str, Any]:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if path.exists():
            found: dict[str, Any] = json.loads(path.read_text())
            return found
        time.sleep(0.05)
    pytest.fail(f"certworker dev did not come up: {output.read_text()}")
