"""lego, as it comes from Debian, at the simulated authority."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.clients.acme.authority import Authority, serving_authority
from tests.clients.acme.programs import assert_issued, assert_renewed, assert_revoked, run
from tests.support.named import Named

pytestmark = pytest.mark.system("lego")


@dataclass(frozen=True)
class Lego:
    """The program with a folder of its own, and how it proves control."""

    authority: Authority
    folder: Path
    client: str
    names: tuple[str, ...]
    proof: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, *arguments: str) -> str:
        """Run one command of it."""
        command: list[str | Path] = [
            "lego",
            "--path",
            self.folder,
            "--server",
            self.authority.directory,
            "--email",
            "admin@example.com",
        ]
        if bound := self.authority.external_account(self.client):
            command += ["--eab", "--kid", bound.kid, "--hmac", bound.hmac_key]
        command += ["--accept-tos", *self.proof, *(f"--domains={name}" for name in self.names), *arguments]
        return run(command, {"LEGO_CA_CERTIFICATES": str(self.authority.bundle), **self.environment})

    @property
    def chain(self) -> bytes:
        """Read the certificate and its chain."""
        return (self.folder / "certificates" / f"{self.names[0].replace('*', '_')}.crt").read_bytes()

    def obtain_renew_revoke(self) -> None:
        """Go the whole way."""
        self.run("run")
        first = assert_issued(self.authority, self.chain, *self.names)
        self.run("renew", "--days", "3650", "--no-random-sleep")
        second = assert_renewed(self.authority, self.chain, first, *self.names)
        self.run("revoke", "--keep", "--reason", "5")
        assert_revoked(self.authority, second, "cessationOfOperation")


def test_http01(authority: Authority, tmp_path: Path) -> None:
    """Its own web server proves control of two names."""
    proof = ("--http", "--http.port", f"127.0.0.1:{authority.http01_port}")
    names = ("lego.example.com", "www.lego.example.com")
    Lego(authority, tmp_path, "lego-http-01", names, proof).obtain_renew_revoke()


def test_a_stranger_is_refused(tmp_path: Path) -> None:
    """Without the external account that the authority asks for, nothing is obtained, and it is said why."""
    with serving_authority(tmp_path / "authority", bound=["another-client"]) as authority:
        proof = ("--http", "--http.port", f"127.0.0.1:{authority.http01_port}")
        lego = Lego(authority, tmp_path, "lego", ("lego.example.com",), proof)
        with pytest.raises(AssertionError, match="Server requires External Account Binding"):
            lego.run("run")
        assert authority.told("/status")["counts"]["accounts"] == 0


def test_tlsalpn01(authority: Authority, tmp_path: Path) -> None:
    """Its own TLS server proves control of two names."""
    proof = ("--tls", "--tls.port", f"127.0.0.1:{authority.tlsalpn01_port}")
    names = ("tls.lego.example.com", "www.tls.lego.example.com")
    Lego(authority, tmp_path, "lego-tls-alpn-01", names, proof).obtain_renew_revoke()


@pytest.mark.system("named")
def test_dns01(asking_authority: Authority, named: Named, tmp_path: Path) -> None:
    """Dynamic updates of a real name server prove control of a name and of all below it."""
    environment = {
        "RFC2136_NAMESERVER": named.address,
        "RFC2136_TSIG_KEY": f"{named.key}.",
        "RFC2136_TSIG_SECRET": named.secret,
        "RFC2136_TSIG_ALGORITHM": f"{named.algorithm}.",
        "RFC2136_POLLING_INTERVAL": "1",
        "RFC2136_TTL": "1",
        "RFC2136_SEQUENCE_INTERVAL": "1",
    }
    name = f"lego.{named.zone}"
    # Whether all authoritative servers show the record would be asked on port 53.
    proof = ("--dns", "rfc2136", "--dns.resolvers", named.address, "--dns.disable-cp")
    Lego(asking_authority, tmp_path, "lego", (f"*.{name}", name), proof, environment).obtain_renew_revoke()
    assert not named.texts(f"_acme-challenge.{name}")
