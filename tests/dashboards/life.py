"""A scripted run of `certworker dev` in which everything happens that dashboards are to show: on real parts, in real time."""

import json
import os
import re
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx

from tests.network.receivers import Receiver, receiving

START_SECONDS, STATE_SECONDS = 60.0, 45.0
ACME, DIGICERT, GLOBALSIGN = "ca-sim-acme", "ca-sim-digicert", "ca-sim-globalsign"
SHORT_SECONDS = 16
"""So long the certificates live that run out during the script."""
SECRETS_IN_10_SECONDS = 20
SERIES = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Life:
    """A running `certworker dev`, its administrator and its simulated CA."""

    dev: Mapping[str, Any]
    client: httpx.Client
    token: str

    @property
    def address(self) -> str:
        """Where it is scraped."""
        return httpx.URL(self.dev["metrics_url"]).netloc.decode()

    def call(self, method: str, path: str, body: object = None, token: str | None = None) -> httpx.Response:
        """Call the vault, as the administrator unless told otherwise."""
        headers = {"Authorization": f"Bearer {token or self.token}"}
        url = f"{self.dev['vault_url']}/{path}?api-version=2025-07-01"
        return self.client.request(method, url, json=body, headers=headers)

    def must(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - whatever it answers
        """Call the vault, which does what it is asked for."""
        answer = self.call(method, path, body)
        assert answer.is_success, f"{path}: {answer.text}"
        return answer.json()

    def create(self, name: str, issuer: str) -> None:
        """Ask for a certificate."""
        host = f"{name}.example.test"
        x509 = {"subject": f"CN={host}", "sans": {"dns_names": [host]}, "key_usage": ["digitalSignature"]}
        policy = {"key_props": {"kty": "EC", "crv": "P-256"}, "x509_props": x509, "issuer": {"name": issuer}}
        self.must("POST", f"certificates/{name}/create", {"policy": policy})

    def own(self, name: str, act: str, body: object = None) -> None:
        """Do what Key Vault has no word for."""
        self.must("POST", f"certworker/v1/certificates/{name}/{act}", body or {})

    def authority(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - whatever it answers
        """Ask the simulated CA's management."""
        answer = self.client.request(method, f"{self.dev['ca_sim']['management_url']}/{path}", json=body)
        assert answer.is_success, f"{path}: {answer.text}"
        return answer.json() if answer.content else None

    def arm(self, kind: str, *at: str, **members: object) -> None:
        """Let something go wrong at the CA."""
        self.authority("POST", "faults", {"kind": kind, "at": list(at), **members})

    def values(self, series: str, **labels: str) -> list[float]:
        """Give what a scrape says now of all series of that name with these labels."""
        text = self.client.get(self.dev["metrics_url"]).text
        found = ((name, dict(LABEL.findall(said or "")), value) for name, said, value in SERIES.findall(text))
        return [float(value) for name, said, value in found if name == series and labels.items() <= said.items()]

    def wait(self, series: str, **labels: str) -> None:
        """Wait until a scrape says more than zero. Raises AssertionError where it does not in time."""
        deadline = time.monotonic() + STATE_SECONDS
        while not any(value > 0 for value in self.values(series, **labels)):
            assert time.monotonic() < deadline, f"{series} {labels} did not come: {self.values(series)}"
            time.sleep(0.25)

    def wait_issued(self, *names: str) -> None:
        """Wait until certificates have a version."""
        deadline = time.monotonic() + STATE_SECONDS
        for name in names:
            while (said := self.must("GET", f"certificates/{name}/pending"))["status"] != "completed":
                assert time.monotonic() < deadline, f"{name} was not issued: {said}"
                time.sleep(0.25)


@contextmanager
def living(folder: Path) -> Iterator[Life]:
    """Run it with a demonstration, a channel for notices that is gone, and limits that are soon reached."""
    with receiving(Receiver(status=HTTPStatus.GONE)) as gone:
        environment = {
            **os.environ,
            "CERTWORKER_WEBHOOKS__GONE__URL": f"http://localhost:{gone.port}/in",
            "CERTWORKER_WEBHOOKS__GONE__HANDSHAKE": "false",
            "CERTWORKER_THROTTLING__ENABLED": "true",
            "CERTWORKER_THROTTLING__SECRET_CREATIONS": str(SECRETS_IN_10_SECONDS),
        }
        home = folder / "home"
        command = [sys.executable, "-m", "certworker.cli.main", "dev", "--home", str(home), "--port", "0", "--demo"]
        output = folder / "output.txt"
        with output.open("w") as said:
            process = subprocess.Popen(command, stdout=said, stderr=said, env=environment)
            try:
                dev = _await(home / "dev.json", process, output)
                with httpx.Client(verify=ssl.create_default_context(cafile=dev["ca_bundle"])) as client:
                    yield Life(dev, client, sign_in(dev, client))
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(20)


def sign_in(dev: Mapping[str, Any], client: httpx.Client) -> str:
    """Get the administrator's token."""
    answer = ask_for_token(dev, client, dev["client_secret"])
    assert answer.is_success, answer.text
    token: str = answer.json()["access_token"]
    return token


def ask_for_token(dev: Mapping[str, Any], client: httpx.Client, secret: str) -> httpx.Response:
    """Ask for a token with a client secret."""
    form = {"grant_type": "client_credentials", "client_id": dev["client_id"], "client_secret": secret}
    url = f"{dev['authority']}/{dev['tenant_id']}/oauth2/v2.0/token"
    return client.post(url, data={**form, "scope": f"https://{dev['vault_suffix']}/.default"})


def play(life: Life) -> None:
    """Let everything happen, and wait until it shows."""
    _issue(life)
    _disturb(life)
    _lose_the_authority(life)


def _issue(life: Life) -> None:
    """Let what goes well go well: certificates of each CA, one of them for seconds only; one is paused, and one disabled."""
    life.arm("wrong-validity", "acme.issue", names=["brief.example.test"], seconds=SHORT_SECONDS)
    for name, issuer in (("shop", ACME), ("blog", ACME), ("mail", GLOBALSIGN), ("held", "Self"), ("off", "Self")):
        life.create(name, issuer)
    life.wait_issued("shop", "blog", "mail", "held", "off")
    life.own("held", "pause", {"why": "A person looks at it first."})
    life.must("PATCH", "certificates/off", {"attributes": {"enabled": False}})


def _disturb(life: Life) -> None:
    """Let clients be refused and throttled, a CA ask for a pause, a validation fail, and lists be broken."""
    assert ask_for_token(life.dev, life.client, "wrong").status_code == HTTPStatus.UNAUTHORIZED
    assert life.call("GET", "secrets", token="none").status_code == HTTPStatus.UNAUTHORIZED
    answers = {
        life.call("PUT", f"secrets/s{number}", {"value": "v"}).status_code for number in range(2 * SECRETS_IN_10_SECONDS)
    }
    assert answers == {HTTPStatus.OK, HTTPStatus.TOO_MANY_REQUESTS}
    life.arm("throttle", "digicert.order", seconds=600)
    life.create("busy", DIGICERT)
    life.arm("validation", "acme.validation", names=["forbidden.example.test"])
    life.create("forbidden", ACME)
    life.own("blog", "revocation/check")
    life.arm("broken", "public.ocsp", "public.crl", breakage="garbage")
    life.own("mail", "revocation/check")
    life.wait("certworker_ca_rate_limited_total", issuer=DIGICERT)
    life.wait("certworker_issuance_failures_total", issuer=ACME)


def _lose_the_authority(life: Life) -> None:
    """Take the CA down: what it revoked, and what runs out, cannot be replaced; a new order waits."""
    life.create("brief", ACME)
    life.wait_issued("brief")
    life.wait("certworker_certificate_renewal_window_end_timestamp_seconds", name="shop")
    life.authority("DELETE", "faults")
    life.arm("error", "acme.*", status=503)
    serial = {tuple(found["names"]): found["serial"] for found in life.authority("GET", "certificates")["certificates"]}
    life.authority("POST", f"certificates/{serial['shop.example.test',]}/revoke", {"reason": "superseded"})
    life.own("shop", "revocation/check")
    life.create("late", ACME)
    life.wait("certworker_certificates", state="revoked")
    life.wait("certworker_notices_dead")
    life.wait("certworker_issuer_gate_closed_until_timestamp_seconds", issuer=ACME)
    life.wait("certworker_certificates_overdue", severity="critical")
    life.wait("certworker_certificates_expired")


def _await(path: Path, process: "subprocess.Popen[bytes]", output: Path) -> dict[str, Any]:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if path.exists():
            found: dict[str, Any] = json.loads(path.read_text())
            return found
        time.sleep(0.05)
    raise AssertionError(f"certworker dev did not come up: {output.read_text()}")
