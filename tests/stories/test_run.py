"""The service as an operator runs it: init, run, roles, signals, on SQLite and PostgreSQL."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from azure.identity import ClientSecretCredential
from azure.keyvault.certificates import CertificateClient, CertificatePolicy

from certworker.cli.sockets import free_port

pytestmark = pytest.mark.long

COMMAND = (sys.executable, "-m", "certworker.cli.main")
START_SECONDS = 60.0


class Operator:
    """A folder with settings, and the commands that an operator gives there."""

    def __init__(self, folder: Path, database_url: str = "sqlite:///certworker.db") -> None:
        self.folder = folder
        self.config = folder / "certworker.toml"
        self.port, self.metrics_port = free_port(0), free_port(0)
        self.write_settings(database_url, "info")
        self.database_url = database_url

    def write_settings(self, database_url: str, level: str) -> None:
        """Write the settings file."""
        self.config.write_text(
            f'database_url = "{database_url}"\n[server]\nport = {self.port}\n[metrics]\nport = {self.metrics_port}\n'
            f'[worker]\ntick_seconds = 0.2\n[log]\nlevel = "{level}"\n'
        )

    def init(self) -> dict[str, Any]:
        """Set the deployment up, and keep the credentials."""
        done = subprocess.run([*COMMAND, "init", "-c", str(self.config)], capture_output=True, text=True, check=True)
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    @contextmanager
    def running(self, *arguments: str, metrics_port: int | None = None) -> Iterator["subprocess.Popen[str]"]:
        """Run the service until the block ends, and stop it with SIGTERM."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager, (self.folder / "output.txt").open("a") as output:
            address = f"@certworker-test-{os.getpid()}-{metrics_port or self.metrics_port}"
            manager.bind("\0" + address[1:])
            manager.settimeout(START_SECONDS)
            process = subprocess.Popen(
                [*COMMAND, "run", "-c", str(self.config), *arguments],
                stdout=output,
                stderr=output,
                text=True,
                env={**os.environ, "NOTIFY_SOCKET": address},
            )
            try:
                assert manager.recv(64) == b"READY=1", self.output()
                yield process
                process.send_signal(signal.SIGTERM)
                assert process.wait(20) == 0, self.output()
            finally:
                process.kill()
                process.wait()

    def output(self) -> str:
        """Give what the service printed."""
        return (self.folder / "output.txt").read_text()

    def client(self, credentials: dict[str, Any], port: int | None = None) -> CertificateClient:
        """Make an Azure client for the first vault."""
        port = port or self.port
        bundle = self.folder / "ca.pem"
        bundle.write_bytes(
            subprocess.run([*COMMAND, "ca-bundle", "-c", str(self.config)], capture_output=True, check=True).stdout
        )
        credential = ClientSecretCredential(
            credentials["tenant_id"],
            credentials["client_id"],
            credentials["client_secret"],
            authority=f"https://login.localhost:{port}",
            disable_instance_discovery=True,
            connection_verify=str(bundle),
        )
        return CertificateClient(f"https://main.vault.localhost:{port}", credential, connection_verify=str(bundle))


@pytest.fixture(params=["sqlite", "postgresql"])
def operator(request: pytest.FixtureRequest, tmp_path: Path) -> Operator:
    """Give an operator with a database of either kind."""
    if request.param == "sqlite":
        return Operator(tmp_path)
    url: str = request.getfixturevalue("postgresql_url")
    return Operator(tmp_path, url)


def policy(host: str) -> CertificatePolicy:
    """Make a self-signed policy."""
    return CertificatePolicy("Self", subject=f"CN={host}", san_dns_names=[host], key_type="EC", key_curve_name="P-256")


def until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)


def test_a_service_is_set_up_and_run(operator: Operator) -> None:
    """Init shows the credentials once; run serves the SDK, and a further API process works beside it on the same database."""
    credentials = operator.init()
    again = subprocess.run([*COMMAND, "init", "-c", str(operator.config)], capture_output=True, text=True, check=False)
    assert (again.returncode, again.stdout) == (5, "")
    assert "set up already" in again.stderr
    second_port, second_metrics = free_port(0), free_port(0)
    with operator.running() as _:
        with operator.client(credentials) as client:
            client.begin_create_certificate("first", policy("first.example.test")).result()
        beside = operator.running(
            "--role", "api", "--port", str(second_port), "--metrics-port", str(second_metrics), metrics_port=second_metrics
        )
        with beside, operator.client(credentials, second_port) as client:
            assert client.get_certificate("first").name == "first"
            assert httpx.get(f"http://127.0.0.1:{second_metrics}/readyz").status_code == 200
        scrape = httpx.get(f"http://127.0.0.1:{operator.metrics_port}/metrics").text
        assert 'certworker_certificate_not_after_timestamp_seconds{issuer="Self",name="first",vault="main"}' in scrape
    assert credentials["client_secret"] not in operator.output()


def test_hang_up_reloads(tmp_path: Path) -> None:
    """SIGHUP takes new settings up while the service goes on, and keeps the old ones where the new cannot be used."""
    operator = Operator(tmp_path)
    operator.init()
    ready = f"http://127.0.0.1:{operator.metrics_port}/readyz"
    with operator.running() as process:
        operator.config.write_text("[server]\nprot = 1\n")
        process.send_signal(signal.SIGHUP)
        until(lambda: "The settings stay as they were" in operator.output())
        assert "server.prot: there is no such setting" in operator.output()
        assert httpx.get(ready).status_code == 200
        operator.write_settings(operator.database_url, "debug")
        process.send_signal(signal.SIGHUP)
        until(lambda: "The settings were read again" in operator.output())
        assert httpx.get(ready).status_code == 200


def test_run_before_init_says_what_to_do(tmp_path: Path) -> None:
    """Without a master key, and without a set-up, the service says in one line what is missing."""
    operator = Operator(tmp_path)
    command = [*COMMAND, "run", "-c", str(operator.config)]
    missing = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert missing.returncode == 1
    assert "master.key cannot be read" in missing.stderr
    (tmp_path / "master.key").write_text("00" * 32)
    (tmp_path / "master.key").chmod(0o600)
    empty = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert empty.returncode == 1
    assert "certworker init" in empty.stderr


def test_a_rotation_reaches_new_connections(tmp_path: Path) -> None:
    """The server's certificate is renewed under an open client: that one goes on, and a new connection sees the new one."""
    operator = Operator(tmp_path)
    operator.init()
    with operator.running():
        before = ssl.get_server_certificate(("localhost", operator.port))
        with httpx.Client(verify=False, base_url=f"https://localhost:{operator.port}") as client:  # noqa: S501
            assert client.get("/secrets").status_code == 401
            rotate(operator)
            until(lambda: ssl.get_server_certificate(("localhost", operator.port)) != before, 60.0)
            assert client.get("/secrets").status_code == 401


def rotate(operator: Operator) -> None:
    """Ask for the renewal of the server's certificate, which the worker begins within seconds."""
    from certworker.bootstrap import open_house  # noqa: PLC0415
    from certworker.settings import load_settings  # noqa: PLC0415

    with open_house(load_settings(operator.config, {})) as house, house.store.writing() as writer:
        vault = writer.vault_by_name("certworker-system")
        assert vault is not None
        house.lifecycle.planner.request(writer, vault.id, "server", house.clock())
