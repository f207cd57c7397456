"""`ca-sim serve` as its users start it, and what its own book says of the certificates that clients had."""

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from tests.support.ports import free_ports

ROOT = Path(__file__).resolve().parents[3]
START_SECONDS = 20.0
_FREE_PORTS = {"port": 0, "management_port": 0, "public_port": 0, "digicert": {"port": 0}, "globalsign": {"port": 0}}


@dataclass(frozen=True)
class ExternalAccount:
    """An account at the CA's owner that an ACME account is bound to; the key is in base64url."""

    kid: str
    hmac_key: str = field(repr=False)


@dataclass(frozen=True)
class Authority:
    """A running ca-sim: where it is, where it validates, and its external accounts (none: it takes everybody)."""

    directory: str
    management: str
    bundle: Path
    http01_port: int
    tlsalpn01_port: int
    external_accounts: tuple[ExternalAccount, ...] = ()

    def external_account(self, client: str) -> ExternalAccount | None:
        """Give the external account of a client, which binds one ACME account alone."""
        return next((account for account in self.external_accounts if account.kid == client), None)

    def told(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """Ask the management endpoint."""
        return httpx.get(self.management + path, timeout=5).raise_for_status().json()

    def suggest_renewal(self, serial: int) -> None:
        """Say that a certificate should have been renewed an hour ago (RFC 9773)."""
        now = datetime.now(UTC)  # noqa: TID251 - clients go by real time
        window = {"start": (now - timedelta(hours=2)).isoformat(), "end": (now - timedelta(hours=1)).isoformat()}
        httpx.put(f"{self.management}/certificates/{serial:x}/renewal-window", json=window, timeout=5).raise_for_status()

    def revoke(self, serial: int, reason: str) -> None:
        """Revoke a certificate on the authority's own account, for a reason in the word of RFC 5280."""
        answer = httpx.post(f"{self.management}/certificates/{serial:x}/revoke", json={"reason": reason}, timeout=5)
        answer.raise_for_status()

    def book(self, serial: int) -> dict[str, Any]:
        """Give what is written of a certificate."""
        entry: dict[str, Any] = self.told(f"/certificates/{serial:x}")
        return entry


@contextmanager
def serving_authority(folder: Path, *, bound: Sequence[str] = (), **settings: object) -> Iterator[Authority]:
    """Run it on free ports until the block ends; `settings` go into its settings file.

    `bound` names the clients that have an external account; without any, none is asked for.
    """
    folder.mkdir(parents=True, exist_ok=True)
    http01, tlsalpn01 = free_ports(2)
    config, ready, output = folder / "ca-sim.toml", folder / "ready.json", folder / "output.txt"
    accounts = tuple(ExternalAccount(client, secrets.token_urlsafe(32)) for client in bound)
    places = {"state_directory": str(folder / "state"), "http01_port": http01, "tlsalpn01_port": tlsalpn01}
    # What was proven once is proven again for a renewal, and clients look every second whether one is due.
    acme: dict[str, object] = {
        "authorization_reuse": 0,
        "renewal_retry_seconds": 1,
        "external_account_required": bool(accounts),
    }
    acme["external_accounts"] = {account.kid: account.hmac_key for account in accounts}
    config.write_text(_toml(_FREE_PORTS | places | {"acme": acme} | settings))
    config.chmod(0o600)
    reader, writer = os.pipe()
    command = [str(Path(sys.executable).with_name("ca-sim")), "serve", "-c", str(config), "--ready-file", str(ready)]
    with output.open("wb") as said, closing(os.fdopen(writer, "wb")):
        process = subprocess.Popen([*command, "--parent-fd", str(reader)], stderr=said, stdout=said, pass_fds=(reader,))
        os.close(reader)
        try:
            document = _wait(process, ready, output)
            urls = document["acme_directory"], document["management_url"]
            yield Authority(*urls, Path(document["ca_bundle"]), http01, tlsalpn01, accounts)
        finally:
            process.terminate()
            process.wait(10)


def _wait(process: "subprocess.Popen[bytes]", ready: Path, output: Path) -> Any:  # noqa: ANN401 - JSON
    deadline = time.monotonic() + START_SECONDS
    while not ready.exists():
        assert process.poll() is None and time.monotonic() < deadline, output.read_text()  # noqa: PT018 - told alike
        time.sleep(0.02)
    return json.loads(ready.read_text())


def _toml(table: Mapping[str, object], name: str = "") -> str:
    """Write a table; strings, numbers, truth and lists of them are written alike in JSON and in TOML."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in table.items() if not isinstance(value, Mapping)]
    text = "\n".join([f"[{name}]", *lines] if name else lines) + "\n"
    for key, value in table.items():
        if isinstance(value, Mapping):
            text += _toml(value, f"{name}.{key}" if name else key)
    return text
