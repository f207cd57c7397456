"""OpenBao in its development mode on loopback, whose PKI engine serves ACME."""

import os
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.clients.acme.programs import PROGRAMS
from tests.support.ports import free_ports

START_SECONDS = 30.0
_TOKEN = "root"
_HEADERS = ["Last-Modified", "Location", "Replay-Nonce", "Link"]


@dataclass(frozen=True)
class OpenBao:
    """A running OpenBao: its ACME directory, the CA bundle of its TLS, and how it is managed."""

    directory: str
    bundle: Path
    client: httpx.Client

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 - JSON
        """Ask its API."""
        answer = self.client.request(method, path, json=body)
        assert answer.is_success, f"{method} {path}: {answer.text}"
        return answer.json().get("data") if answer.content else None

    def require_external_account(self) -> str:
        """Take new accounts only from those it knows; make such a one, and give it as `kid:hmac`."""
        self.configure(eab_policy="new-account-required")
        made = self.ask("POST", "pki/acme/new-eab", {})
        return f"{made['id']}:{made['key']}"

    def configure(self, **changed: object) -> None:
        """Set up its ACME server."""
        self.ask("POST", "pki/config/acme", {"enabled": True, "eab_policy": "not-required"} | changed)

    def is_revoked(self, serial: str) -> bool:
        """Tell whether a certificate, by its serial number in hexadecimal, is revoked."""
        whole = serial.rjust(len(serial) + len(serial) % 2, "0")
        found = self.ask("GET", "pki/cert/" + ":".join(whole[start : start + 2] for start in range(0, len(whole), 2)))
        return bool(found["revocation_time"])


@contextmanager
def serving_openbao(folder: Path, dns_server: str) -> Iterator[OpenBao]:
    """Run it until the block ends; it looks names up at `dns_server` (address:port)."""
    folder.mkdir(parents=True, exist_ok=True)
    (port,) = free_ports(1)
    base, bundle, output = f"https://127.0.0.1:{port}/v1/", folder / "vault-ca.pem", folder / "output.txt"
    command = [str(PROGRAMS / "bao"), "server", "-dev-tls", f"-dev-tls-cert-dir={folder}", "-dev-no-store-token"]
    command += [f"-dev-root-token-id={_TOKEN}", f"-dev-listen-address=127.0.0.1:{port}"]
    with output.open("wb") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, env={**os.environ, "HOME": str(folder)})
        try:
            _wait(process, output)
            trust = ssl.create_default_context(cafile=str(bundle))
            with httpx.Client(base_url=base, headers={"X-Vault-Token": _TOKEN}, verify=trust, timeout=30) as client:
                running = OpenBao(f"{base}pki/acme/directory", bundle, client)
                _set_up(running, base, dns_server)
                yield running
        finally:
            process.terminate()
            process.wait(20)


def _set_up(running: OpenBao, base: str, dns_server: str) -> None:
    """Mount a PKI engine with a root, tell it its own URL, and let ACME's headers pass."""
    running.ask("POST", "sys/mounts/pki", {"type": "pki", "config": {"max_lease_ttl": "87600h"}})
    tuned = {"passthrough_request_headers": ["If-Modified-Since"], "allowed_response_headers": _HEADERS}
    running.ask("POST", "sys/mounts/pki/tune", tuned)
    running.ask("POST", "pki/root/generate/internal", {"common_name": "A root of OpenBao", "ttl": "87600h", "key_type": "ec"})
    running.ask("POST", "pki/config/cluster", {"path": f"{base}pki", "aia_path": f"{base}pki"})
    running.configure(dns_resolver=dns_server)


def _wait(process: "subprocess.Popen[bytes]", output: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while "server started!" not in output.read_text():
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(output.read_text())
        time.sleep(0.05)
