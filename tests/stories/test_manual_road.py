"""The manual road, with the openssl command line as the CA: from the request to a TLS server that a client believes."""

import asyncio
import base64
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from azure.identity import ClientSecretCredential
from azure.keyvault.certificates import CertificateClient, CertificateOperation, CertificatePolicy
from azure.keyvault.certificates._shared import http_challenge_cache
from azure.keyvault.secrets import SecretClient

from certworker.clock import utc_now
from tests.api.world import TestAuthority, World, make_authority, serve_world
from tests.support.clock import FakeClock

HOST = "manual.localhost"
CONFIGURATION = """
[authority]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash

[leaf]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature, keyEncipherment
extendedKeyUsage = serverAuth, clientAuth
subjectAltName = DNS:manual.localhost
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""

pytestmark = pytest.mark.system("openssl")


@dataclass(frozen=True)
class OpensslAuthority:
    """A root and an intermediate, each made and used by the openssl command line."""

    folder: Path

    def run(self, *arguments: str) -> str:
        """Run openssl in the folder, and give what it says."""
        done = subprocess.run(["openssl", *arguments], cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def set_up(self) -> None:
        """Make the root, and an intermediate that it signs."""
        (self.folder / "openssl.cnf").write_text(CONFIGURATION)
        for name in ("root", "intermediate"):
            self.run("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", f"{name}.key")
            self.run("req", "-new", "-key", f"{name}.key", "-subj", f"/CN=openssl {name}", "-out", f"{name}.csr")
        self.sign("root", "authority", 3650, "-signkey", "root.key")
        self.sign("intermediate", "authority", 3650, "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial")

    def sign(self, name: str, section: str, days: int, *by: str) -> None:
        """Sign a request with the extensions of a section."""
        extensions = ("-extfile", "openssl.cnf", "-extensions", section)
        self.run("x509", "-req", "-in", f"{name}.csr", *by, *extensions, "-days", str(days), "-out", f"{name}.pem")

    def sign_leaf(self, csr: bytes, days: int = 365) -> bytes:
        """Sign the vault's request; give the leaf as PEM."""
        (self.folder / "leaf.der").write_bytes(csr)
        self.run("req", "-inform", "DER", "-in", "leaf.der", "-verify", "-out", "leaf.csr")
        self.sign("leaf", "leaf", days, "-CA", "intermediate.pem", "-CAkey", "intermediate.key", "-CAcreateserial")
        return (self.folder / "leaf.pem").read_bytes()

    def read(self, name: str) -> bytes:
        """Read a file."""
        return (self.folder / name).read_bytes()


@pytest.fixture
def openssl(tmp_path: Path) -> OpensslAuthority:
    """Set a CA up."""
    folder = tmp_path / "openssl"
    folder.mkdir()
    authority = OpensslAuthority(folder)
    authority.set_up()
    return authority


@pytest.fixture
def authority(tmp_path: Path) -> TestAuthority:
    """Give the CA that the vault's own server is checked by."""
    return make_authority(tmp_path)


@pytest.fixture
def world(tmp_path: Path, authority: TestAuthority) -> Iterator[World]:
    """Serve a deployment a little ahead of the present, since openssl signs from now on."""
    http_challenge_cache.clear()
    with serve_world(tmp_path, FakeClock(utc_now() + timedelta(hours=1)), authority) as world:
        yield world
    http_challenge_cache.clear()


@pytest.fixture
def credential(world: World, authority: TestAuthority) -> ClientSecretCredential:
    """Log in as the administrator."""
    return ClientSecretCredential(
        world.tenant,
        world.administrator.client_id,
        world.client_secret,
        authority=world.house.settings.authority,
        disable_instance_discovery=True,
        connection_verify=str(authority.bundle),
    )


@pytest.mark.parametrize("content_type", ["application/x-pkcs12", "application/x-pem-file"])
def test_the_manual_road(
    world: World,
    authority: TestAuthority,
    credential: ClientSecretCredential,
    openssl: OpensslAuthority,
    content_type: str,
) -> None:
    """A request by the SDK, a signature and a chain by openssl, a merge, and the secret serves TLS."""
    verify = {"connection_verify": str(authority.bundle)}
    policy = CertificatePolicy("Unknown", subject=f"CN={HOST}", san_dns_names=[HOST], content_type=content_type)
    with CertificateClient(world.vault_url, credential, **verify) as client:
        operation = client.begin_create_certificate("manual", policy).result()
        assert isinstance(operation, CertificateOperation)
        leaf = openssl.sign_leaf(bytes(operation.csr or b""))
        merged = client.merge_certificate("manual", [openssl.read("root.pem"), leaf, openssl.read("intermediate.pem")])
        assert bytes(merged.cer or b"") == ssl.PEM_cert_to_DER_cert(leaf.decode())
        done = client.get_certificate_operation("manual")
        assert (done.status, done.status_details) == ("completed", None)
    with SecretClient(world.vault_url, credential, **verify) as secrets:
        value = secrets.get_secret("manual").value or ""
    unpack(openssl, value, content_type)
    assert openssl.run("verify", "-CAfile", "root.pem", "-untrusted", "served.pem", "-verify_hostname", HOST, "served.pem")
    assert asyncio.run(greet(openssl.folder)) == b"hello"


def test_pkcs7_of_openssl_is_merged(
    world: World, authority: TestAuthority, credential: ClientSecretCredential, openssl: OpensslAuthority
) -> None:
    """A .p7b as CAs send it; what is shorter than asked is told."""
    policy = CertificatePolicy("Unknown", subject=f"CN={HOST}", san_dns_names=[HOST])
    with CertificateClient(world.vault_url, credential, connection_verify=str(authority.bundle)) as client:
        operation = client.begin_create_certificate("manual", policy).result()
        assert isinstance(operation, CertificateOperation)
        openssl.sign_leaf(bytes(operation.csr or b""), days=90)
        files = ("-certfile", "root.pem", "-certfile", "intermediate.pem", "-certfile", "leaf.pem")
        openssl.run("crl2pkcs7", "-nocrl", *files, "-out", "all.p7b")
        merged = client.merge_certificate("manual", [openssl.read("all.p7b")])
        assert bytes(merged.cer or b"") == ssl.PEM_cert_to_DER_cert(openssl.read("leaf.pem").decode())
        assert client.get_certificate_operation("manual").status_details == "Asked for 12 months, got 90 days."


def unpack(openssl: OpensslAuthority, value: str, content_type: str) -> None:
    """Write the secret as PEM, with openssl where it is a PFX."""
    if content_type == "application/x-pem-file":
        (openssl.folder / "served.key").write_text(value)
        (openssl.folder / "served.pem").write_text(value[value.index("-----BEGIN CERTIFICATE") :])
        return
    (openssl.folder / "served.pfx").write_bytes(base64.b64decode(value))
    openssl.run("pkcs12", "-in", "served.pfx", "-passin", "pass:", "-nodes", "-nocerts", "-out", "served.key")
    openssl.run("pkcs12", "-in", "served.pfx", "-passin", "pass:", "-nokeys", "-out", "served.pem")


async def greet(folder: Path) -> bytes:
    """Serve TLS with the secret, and fetch a greeting as a client that believes the root only."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()
        await writer.wait_closed()

    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(folder / "served.pem", folder / "served.key")
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=serving)
    async with server:
        asking = ssl.create_default_context(cafile=folder / "root.pem")
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=asking, server_hostname=HOST)
        greeting = await reader.read()
        writer.close()
        await writer.wait_closed()
    return greeting
