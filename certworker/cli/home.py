"""The dev home: a folder with everything that `certworker dev` keeps, locked while it is in use."""

import fcntl
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from certworker.errors import SetupError

LOCK_SECONDS = 10.0
"""How long a start waits for the processes of a service that was killed: they end when they notice."""

VAULT = "dev"
ISSUER = "ca-sim-acme"
DIGICERT_ISSUER, GLOBALSIGN_ISSUER = "ca-sim-digicert", "ca-sim-globalsign"


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of a dev home."""

    https: int
    metrics: int
    acme: int
    acme_management: int
    http01: int
    authority_public: int
    digicert: int
    globalsign: int


class Home:
    """The folder and its files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.settings = self.folder / "certworker.toml"
        self.authority_settings = self.folder / "ca_sim.toml"
        self.authority_state = self.folder / "ca_sim"
        self.master_key = self.folder / "master.key"
        self.ca_bundle = self.folder / "ca.pem"
        self.credentials = self.folder / "administrator.json"
        self.log = self.folder / "certworker.log"
        self.dev_json = self.folder / "dev.json"

    def make(self) -> None:
        """Make the folder, for its owner only. Raises SetupError."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            probe = self.folder / ".write-probe"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise SetupError(
                f"The home folder {self.folder} cannot be written to: {error.strerror}. Choose another one with --home."
            ) from error

    def lock(self) -> int:
        """Lock the home, and give the lock's descriptor; the children inherit it, so it is free only when all have ended.

        Raises SetupError where it is in use for longer than the processes of a killed service need to end.
        """
        try:
            handle = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise SetupError(f"The lock file {self.folder / 'lock'} cannot be opened: {error.strerror}.") from error
        deadline = monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if monotonic() < deadline and not self.dev_json_is_live():
                    sleep(0.1)
                    continue
                os.close(handle)
                raise SetupError(
                    f"Another certworker is running in {self.folder}. Stop it first, or choose another folder with --home."
                ) from None
            return handle

    def dev_json_is_live(self) -> bool:
        """Whether the process that wrote dev.json still runs."""
        try:
            pid = int(json.loads(self.dev_json.read_text())["pid"])
            os.kill(pid, 0)
        except (OSError, ValueError, KeyError, TypeError):
            return False
        return True

    def prepared_with(self) -> str | None:
        """Give the settings that the home was made ready with last; none where it never was, or not to the end."""
        if not self.ca_bundle.exists() or not self.settings.exists():
            return None
        return self.settings.read_text()

    def dev_vault_is_made(self) -> bool:
        """Whether an earlier start has set the deployment up."""
        return self.credentials.exists()

    def read_credentials(self) -> dict[str, str] | None:
        """Read the administrator's credentials, where the first start left them."""
        try:
            found: dict[str, str] = json.loads(self.credentials.read_text())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise SetupError(f"{self.credentials} cannot be read: {error}") from error
        return found

    def remove_dev_json(self) -> None:
        """Take dev.json away: it is there only while everything serves."""
        self.dev_json.unlink(missing_ok=True)


def write_private(path: Path, content: str) -> None:
    """Write a file for its owner only (mode 0600), whole or not at all."""
    temporary = path.with_name(path.name + ".new")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def write_json(path: Path, values: Mapping[str, object]) -> None:
    """Write a JSON file for its owner only, whole or not at all."""
    write_private(path, json.dumps(values, indent=2) + "\n")


def resolves(name: str) -> bool:
    """Whether this machine resolves `name`."""
    try:
        socket.getaddrinfo(name, None)
    except OSError:
        return False
    return True


HOSTS_HINT = (
    "This machine does not resolve names under localhost, which the Azure SDKs need. Do one of these, as root:\n"
    "  apt-get install libnss-myhostname        (Debian and Ubuntu; for good, and for every name)\n"
    f"  echo '127.0.0.1 {VAULT}.vault.localhost login.localhost management.localhost graph.localhost' >> /etc/hosts\n"
    "Meanwhile clients that turn the challenge check off can use plain localhost."
)
