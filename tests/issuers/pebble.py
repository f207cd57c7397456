"""Pebble, the test CA of Let's Encrypt, on free ports of loopback."""

import json
import os
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx

from certworker.crypto.extensions import SubjectNames
from certworker.crypto.keys import generate_key, private_pem
from certworker.crypto.x509 import CertificateRequest, read_certificate, self_sign, split_pem, to_pem
from tests.support.ports import free_ports

BINDING_KEY = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"


@dataclass(frozen=True)
class Pebble:
    """A running Pebble."""

    directory: str
    ca_bundle: str
    management: str = ""

    def root(self, number: int) -> str:
        """Tell the common name of a root."""
        return read_certificate(split_pem(self.ask_management(f"/roots/{number}"))[0]).subject.removeprefix("CN=")

    def status(self, certificate: bytes) -> tuple[str, int | None]:
        """Tell what became of a DER certificate, and the reason of its revocation."""
        serial = read_certificate(certificate).serial
        found = json.loads(self.ask_management(f"/cert-status-by-serial/{serial}"))
        return found["Status"], found.get("Reason")

    def ask_management(self, path: str) -> bytes:
        """Ask for something that only Pebble's management shows."""
        context = ssl.create_default_context(cafile=self.ca_bundle)
        return httpx.get(self.management + path, verify=context, trust_env=False, timeout=5).raise_for_status().content


@contextmanager
def running_pebble(
    folder: Path,
    http_port: int,
    binding: bool = False,  # noqa: FBT001, FBT002
    tls_port: int = 1,
    name_server: str = "",
    **knobs: str,
) -> Iterator[Pebble]:
    """Start Pebble and its name server, unless another one is given; `knobs` are variables of its environment."""
    port, management, dns, dns_management = free_ports(4)
    key, certificate = write_certificate(folder)
    config = {
        "listenAddress": f"127.0.0.1:{port}",
        "managementListenAddress": f"127.0.0.1:{management}",
        "certificate": str(certificate),
        "privateKey": str(key),
        "httpPort": http_port,
        "tlsPort": tls_port,
        "ocspResponderURL": "",
        "externalAccountBindingRequired": binding,
        "externalAccountMACKeys": {"kid-1": BINDING_KEY} if binding else {},
        "domainBlocklist": ["blocked.example.test"],
    }
    file = folder / "pebble.json"
    file.write_text(json.dumps({"pebble": config}))
    names = ["pebble-challtestsrv", "-dns01", f"127.0.0.1:{dns}", "-management", f"127.0.0.1:{dns_management}"]
    names += ["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", ""]
    environment = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_AUTHZREUSE": "0"} | {f"PEBBLE_{k}": v for k, v in knobs.items()}
    command = ["pebble", "-config", str(file), "-dnsserver", name_server or f"127.0.0.1:{dns}"]
    with (
        nullcontext() if name_server else _process(names, {}, dns_management),
        _process(command, environment, port),
    ):
        yield Pebble(f"https://localhost:{port}/dir", str(certificate), f"https://localhost:{management}")


def write_certificate(folder: Path) -> tuple[Path, Path]:
    """Write a server's key and self-signed certificate for `localhost`."""
    key = generate_key("EC", None, "P-256")
    request = CertificateRequest("CN=localhost", SubjectNames(dns_names=("localhost",)), ("digitalSignature",), ())
    made = self_sign(key, request, datetime(2020, 1, 1, tzinfo=UTC), datetime(2120, 1, 1, tzinfo=UTC))
    key_file, certificate_file = folder / "key.pem", folder / "certificate.pem"
    key_file.write_bytes(private_pem(key))
    certificate_file.write_bytes(to_pem([made]))
    return key_file, certificate_file


@contextmanager
def _process(command: list[str], environment: Mapping[str, str], port: int) -> Iterator[None]:
    process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(process, port)
        yield
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(process: "subprocess.Popen[bytes]", port: int) -> None:
    for _ in range(400):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert process.poll() is None, "the program ended at once"
            time.sleep(0.025)
        else:
            return
    raise AssertionError(f"nothing listens on port {port}")
