"""The first day, as a newcomer has it: `certworker dev` on real parts, and the unmodified Azure SDKs."""

import base64
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import SystemRandom
from typing import Any

import httpx
import pytest
from azure.identity import ClientSecretCredential
from azure.keyvault.certificates import CertificateClient, CertificatePolicy, KeyVaultCertificate
from azure.keyvault.secrets import SecretClient
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.verification import PolicyBuilder, Store

from certworker.cli.sockets import free_port

Dev = dict[str, Any]
START_SECONDS = 60
DEV_FIELDS = {
    "tenant_id",
    "subscription_id",
    "client_id",
    "client_secret",
    "object_id",
    "authority",
    "management_url",
    "vault_url",
    "vault_suffix",
    "ca_bundle",
    "metrics_url",
    "console_url",
    "ca_sim",
}
AUTHORITY_FIELDS = {"acme_directory", "rest_url", "management_url", "ca_bundle", "http01_port"}


@contextmanager
def running(home: Path, port: int, *arguments: str) -> Iterator[tuple["subprocess.Popen[str]", Dev]]:
    """Run `certworker dev` until the block ends; give the process and what dev.json says."""
    command = [sys.executable, "-m", "certworker.cli.main", "dev", "--home", str(home), "--port", str(port), *arguments]
    with (home.parent / "output.txt").open("a+") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, text=True)
        try:
            yield process, await_dev_json(home, process, output.name)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                assert process.wait(20) == 0
    assert not (home / "dev.json").exists() or process.returncode < 0


def await_dev_json(home: Path, process: "subprocess.Popen[str]", output: str) -> Dev:
    """Wait until everything serves."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if (home / "dev.json").exists() and json.loads((home / "dev.json").read_text())["pid"] == process.pid:
            found: Dev = json.loads((home / "dev.json").read_text())
            return found
        time.sleep(0.05)
    pytest.fail(f"certworker dev did not come up: {Path(output).read_text()}")


def clients(dev: Dev) -> tuple[CertificateClient, SecretClient]:
    """Make the Azure clients, as their documentation says."""
    credential = ClientSecretCredential(
        dev["tenant_id"],
        dev["client_id"],
        dev["client_secret"],
        authority=dev["authority"],
        disable_instance_discovery=True,
        connection_verify=dev["ca_bundle"],
    )
    return (
        CertificateClient(dev["vault_url"], credential, connection_verify=dev["ca_bundle"]),
        SecretClient(dev["vault_url"], credential, connection_verify=dev["ca_bundle"]),
    )


def readme_example(home: Path) -> str:
    """Give the README's Python examples, of which each goes on from the one before, for this home."""
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    code = "".join(re.findall(r"^```python\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL))
    assert "~/.certworker/dev.json" in code
    return code.replace("~/.certworker/dev.json", str(home / "dev.json"))


def secrets_of(dev: Dev, name: str) -> str | None:
    """Read a secret's value."""
    certificates, secrets = clients(dev)
    with certificates, secrets:
        return secrets.get_secret(name).value


def assert_chain_verifies(leaf: x509.Certificate, chain: list[x509.Certificate], root: Path, host: str) -> None:
    """Check a leaf and its chain as a TLS client would."""
    store = Store(x509.load_pem_x509_certificates(root.read_bytes()))
    PolicyBuilder().store(store).build_server_verifier(x509.DNSName(host)).verify(leaf, chain)


@pytest.fixture
def port() -> int:
    """Find a port that is free with the four after it, below those that the system gives to connections going out."""
    for _ in range(100):
        first = 10 * SystemRandom().randrange(2000, 3200)
        if all(free_port(first + offset) == first + offset for offset in range(5)):
            return first
    pytest.fail("no five ports in a row are free")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Give a home folder that is not there yet."""
    return tmp_path / "home"


@pytest.mark.long
def test_first_day(home: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newcomer starts it, and gets a self-signed and an ACME certificate through the unmodified SDK."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "")  # the example sets it, and this puts it back
    with running(home, port) as (_, dev):
        assert (home / "dev.json").stat().st_mode & 0o777 == 0o600
        assert set(dev) >= DEV_FIELDS
        assert set(dev["ca_sim"]) >= AUTHORITY_FIELDS
        certificates, secrets = clients(dev)
        with certificates, secrets:
            own = CertificatePolicy("Self", subject="CN=own.example.test", san_dns_names=["own.example.test"])
            certificate = certificates.begin_create_certificate("own", own).result()
            assert isinstance(certificate, KeyVaultCertificate)
            assert certificate.properties is not None
            thumbprint = hashlib.sha1(certificate.cer or b"", usedforsecurity=False).digest()
            assert certificate.properties.x509_thumbprint == thumbprint
            secret = secrets.get_secret("own")
            key, leaf, _ = pkcs12.load_key_and_certificates(base64.b64decode(secret.value or ""), None)
            assert key is not None
            assert leaf is not None
            assert leaf.public_key() == key.public_key()

            example: dict[str, Any] = {}
            exec(compile(readme_example(home), "README.md", "exec"), example)  # noqa: S102  # what the README tells people to run
            assert secrets.get_secret("db").value == "correct horse battery staple"
            assert example["signer"].verify("ES256", example["digest"], example["signature"]).is_valid
            secret = secrets.get_secret("shop")
            key, leaf, chain = pkcs12.load_key_and_certificates(base64.b64decode(secret.value or ""), b"")
            assert key is not None
            assert leaf is not None
            assert_chain_verifies(leaf, chain, Path(dev["ca_sim"]["ca_bundle"]), "shop.example.test")

            policy = CertificatePolicy(
                dev["ca_sim"]["issuer"],
                subject="CN=mail.example.test",
                san_dns_names=["mail.example.test"],
                content_type="application/x-pem-file",
            )
            certificates.begin_create_certificate("mail", policy, _polling_interval=0.5, request_id="a-day.mail").result()
            pem = (secrets.get_secret("mail").value or "").encode()
            assert pem.startswith(b"-----BEGIN PRIVATE KEY-----")
            first, *rest = x509.load_pem_x509_certificates(pem)
            assert_chain_verifies(first, rest, Path(dev["ca_sim"]["ca_bundle"]), "mail.example.test")
        metrics = httpx.get(dev["metrics_url"]).text
        assert 'certworker_issuance_attempts_total{issuer="ca-sim-acme",result="issued",vault="dev"} 2.0' in metrics
        assert "shop" in httpx.get(dev["console_url"]).text
        output = (home.parent / "output.txt").read_text()
        assert_story_is_told([json.loads(line) for line in output.splitlines() if line.startswith("{")])
        assert not [secret for secret in (dev["client_secret"], "correct horse", "PRIVATE KEY", "eyJ") if secret in output]


def assert_story_is_told(lines: list[Any]) -> None:
    """Check that one id finds all that came of a request, in order: at the API, in the worker, and at the CA."""
    story = [line for line in lines if line.get("correlation_id") == "a-day.mail"]
    made = [line for line in story if line["role"] == "api" and line.get("event") == "OperationCreated"]
    assert [line["name"] for line in made] == ["mail"]
    worked = [line for line in story if line["role"] == "worker"]
    assert {line["operation_id"] for line in worked} == {made[0]["operation_id"]}
    assert lines.index(made[0]) < lines.index(worked[0])
    asked = [line for line in worked if line["logger"] == "certworker.outgoing"]
    assert {line["status"] for line in asked} <= {200, 201}
    assert all(line["path"] and line["attempt"] == 1 for line in asked)
    steps = [line["step"] for line in worked if line.get("event") == "OperationStep"]
    assert [step for step in steps if step in ("ordered", "answered", "finalized")] == ["ordered", "answered", "finalized"]
    assert worked[-1]["event"] == "CertificateNewVersionCreated"
    own = [
        line
        for line in lines
        if line.get("vault") == "certworker-system" and line.get("event") == "CertificateNewVersionCreated"
    ]
    assert {line["name"] for line in own if line.get("operation_id", "") == line.get("correlation_id")} == {
        "server",
        "ca-sim-client",
    }
    requests = [line for line in story if line["logger"] == "certworker.access"]
    assert (requests[0]["method"], requests[0]["path"], requests[0]["status"]) == ("POST", "/certificates/mail/create", 202)


@pytest.mark.long
def test_second_start_goes_on(home: Path, port: int) -> None:
    """After a kill -9 of the supervisor a second start has the same data, the same administrator and the same CA."""
    with running(home, port, "--demo") as (process, before):
        certificates, _ = clients(before)
        with certificates:
            known = {found.name for found in certificates.list_properties_of_certificates(include_pending=True)}
            secret = secrets_of(before, "internal")
        assert known == {"internal", "web", "partner"}
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
    with running(home, port) as (_, after):
        volatile = ("pid",)
        assert {key: after[key] for key in after if key not in volatile} == {
            key: before[key] for key in before if key not in volatile
        }
        certificates, secrets = clients(after)
        with certificates, secrets:
            assert known == {found.name for found in certificates.list_properties_of_certificates(include_pending=True)}
            assert secrets.get_secret("internal").value == secret


@pytest.mark.long
def test_one_home_serves_one(home: Path, port: int) -> None:
    """A second service in the same home, and another program on the port, are told so in one line."""
    with running(home, port):
        command = [sys.executable, "-m", "certworker.cli.main", "dev", "--port", str(port)]
        second = subprocess.run([*command, "--home", str(home)], capture_output=True, text=True, check=False, timeout=60)
        assert (second.returncode, second.stdout) == (1, "")
        assert "Another certworker is running" in second.stderr.splitlines()[-1]
        elsewhere = home.parent / "elsewhere"
        third = subprocess.run([*command, "--home", str(elsewhere)], capture_output=True, text=True, check=False, timeout=60)
        assert third.returncode == 1
        assert f"Port {port}" in third.stderr.splitlines()[-1]
