"""A deployment behind its API: called in this process, or over TLS as any client would."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from certworker.api.app import build_app
from certworker.api.serve import BackgroundServer
from certworker.bootstrap import House, make_master_key, open_house
from certworker.cli.sockets import bind, port_of
from certworker.settings import AuditSettings, HsmSettings, IdentitySettings, Network, Seal, Server, Settings
from certworker.vault.founding import assign_administrator
from certworker.vault.notification.audience import Audience
from certworker.vault.sign_in.clients import Proof
from certworker.vault.sign_in.scopes import Resource, ResourceKind
from certworker.vault.vaults import Principal, Sku, Vault
from tests.support.clock import FakeClock
from tests.support.deployment import ScriptedAuthority
from tests.support.templates import ADMINISTRATOR, VAULT, put_database, put_deployment

VERSION = "api-version=2026-04-01"
BEGIN, END = datetime(2020, 1, 1, tzinfo=UTC), datetime(2060, 1, 1, tzinfo=UTC)
SELF_SIGNED: dict[str, Any] = {
    "key_props": {"kty": "EC"},
    "x509_props": {"subject": "CN=web.example", "sans": {"dns_names": ["web.example"]}, "key_usage": ["digitalSignature"]},
    "issuer": {"name": "Self"},
}
"""A policy whose certificate is there at once."""


@dataclass(frozen=True)
class World:
    """A house that was founded, with what its administrator knows."""

    house: House
    clock: FakeClock
    vault: Vault
    administrator: Principal
    client_secret: str
    authority: ScriptedAuthority
    tokens: dict[datetime, str] = field(default_factory=dict, repr=False)

    @property
    def tenant(self) -> str:
        """The one tenant."""
        return self.vault.tenant_id

    @property
    def vault_url(self) -> str:
        """The vault's address."""
        return f"https://{self.vault.name}.{self.house.settings.vault_suffix}"

    @property
    def issuer(self) -> str:
        """The issuer of the tenant's tokens."""
        return f"{self.house.settings.authority}/{self.tenant}/v2.0"

    def token(self, principal: Principal | None = None, audience: str | None = None, issuer: str | None = None) -> str:
        """Sign a token, the right one unless told otherwise."""
        settings = self.house.settings
        who = principal or self.administrator
        resource = Resource(audience or settings.resource, ResourceKind.VAULTS)
        return self.house.sign_in.mint.for_application(who, resource, issuer or self.issuer, Proof.SECRET).token

    def bearer(self) -> dict[str, str]:
        """Give the header of a caller who was let in: as clients do, it keeps its token, here until the clock moves."""
        at = self.clock()
        if at not in self.tokens:
            self.tokens[at] = self.token()
        return {"Authorization": f"Bearer {self.tokens[at]}"}

    def add_principal(self, name: str, *, administrator: bool) -> tuple[Principal, str]:
        """Add another application; give its client secret."""
        with self.house.store.writing() as writer:
            principal, secret = self.house.directory.add_application(writer, self.tenant, name, administrator=administrator)
            if administrator:
                assign_administrator(writer, principal, self.vault.subscription_id, self.house.clock())
        return principal, secret


@contextmanager
def open_world(
    folder: Path,
    clock: FakeClock,
    port: int = 8443,
    hsm: HsmSettings | None = None,
    *,
    anew: bool = False,
    audience: Audience | None = None,
    identity: IdentitySettings | None = None,
    network: Network | None = None,
) -> Iterator[World]:
    """Found a deployment in `folder`; where it has a token, its vault is of the premium SKU.

    One that is founded `anew` shares neither ids nor keys with others of the same test.
    """
    settings = Settings(
        database_url=f"sqlite:///{folder}/certworker.db",
        seal=Seal(master_key_file=folder / "master.key"),
        server=Server(port=port),
        hsm=hsm or HsmSettings(),
        audit=AuditSettings(folder=folder / "audit"),
        **({"identity": identity} if identity else {}),
        **({"network": network} if network else {}),
    )
    put_up = None if anew else put_deployment(folder, clock)
    if not settings.seal.master_key_file.exists():
        make_master_key(settings.seal.master_key_file)
    put_database(folder / "certworker.db")
    authority = ScriptedAuthority()
    # what a test has in a file of its own need not outlive a power cut
    with open_house(settings, clock, Random(1), {"scripted": authority}, audience=audience, durable=False) as house:
        founded = put_up or house.founding.found(VAULT, ADMINISTRATOR)
        vault = founded.vault
        if hsm:
            vault = replace(vault, sku=Sku.PREMIUM)
            with house.store.writing() as writer:
                writer.replace_vault(vault)
        yield World(house, clock, vault, founded.administrator, founded.client_secret, authority)


class Caller:
    """Calls the app in this process, as the administrator unless told otherwise."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._app = build_app(world.house)

    def __call__(
        self,
        method: str,
        path: str,
        json: Any = None,  # noqa: ANN401 - any JSON
        *,
        headers: dict[str, str] | None = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        """Call the latest api-version, unless the path names one."""
        if "version=" not in path:
            path += ("&" if "?" in path else "?") + VERSION
        return self.bare(method, path, json, headers=self.world.bearer() | (headers or {}), content=content)

    def bare(
        self,
        method: str,
        url: str,
        json: Any = None,  # noqa: ANN401 - any JSON
        **more: Any,  # noqa: ANN401 - httpx's
    ) -> httpx.Response:
        """Call without a token; a path alone is one of the vault."""

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url=self.world.vault_url) as client:
                return await client.request(method, url, json=json, **more)

        return asyncio.run(send())

    def create(self, name: str, policy: dict[str, Any] | None = None) -> Any:  # noqa: ANN401 - JSON
        """Create a certificate, a self-signed one unless told otherwise."""
        answer = self("POST", f"/certificates/{name}/create", {"policy": policy or SELF_SIGNED})
        assert answer.status_code == 202, answer.text
        return answer.json()


@dataclass(frozen=True)
class TestAuthority:
    """A CA of the tests' own, in a file, and a context with a leaf of it for every name that the service has."""

    __test__ = False

    bundle: Path
    context: ssl.SSLContext


def make_authority(folder: Path) -> TestAuthority:
    """Make a CA and a leaf for localhost and the names below it."""
    root_key, leaf_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name = x509.Name.from_rfc4514_string("CN=Root of the tests")
    root = (
        x509.CertificateBuilder(root_name, root_name, root_key.public_key(), 1, BEGIN, END)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(root_key.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=False,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=True,
                crl_sign=True,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .sign(root_key, hashes.SHA256())
    )
    hosts = ("localhost", "login.localhost", "management.localhost", "graph.localhost", "*.vault.localhost")
    names = [x509.DNSName(host) for host in hosts]
    leaf = (
        x509.CertificateBuilder(root_name, x509.Name([]), leaf_key.public_key(), 2, BEGIN, END)
        .add_extension(x509.SubjectAlternativeName(names), critical=True)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    bundle, chain = folder / "ca.pem", folder / "server.pem"
    bundle.write_bytes(root.public_bytes(Encoding.PEM))
    private = leaf_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    chain.write_bytes(private + leaf.public_bytes(Encoding.PEM) + root.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return TestAuthority(bundle, context)


@contextmanager
def serve_world(
    folder: Path,
    clock: FakeClock,
    authority: TestAuthority,
    hsm: HsmSettings | None = None,
    audience: Audience | None = None,
    identity: IdentitySettings | None = None,
    network: Network | None = None,
) -> Iterator[World]:
    """Found a deployment and serve it over TLS, on a free port of loopback."""
    sockets, before = bind(("127.0.0.1",), 0, "tests"), set(threading.enumerate())
    with open_world(folder, clock, port_of(sockets), hsm, audience=audience, identity=identity, network=network) as world:
        server = BackgroundServer(build_app(world.house), sockets, authority.context)
        server.start()
        try:
            yield world
        finally:
            server.stop()
        left = [found for found in threading.enumerate() if found not in before and found.name.startswith(("api", "server"))]
        assert not left, "threads outlive the server"
