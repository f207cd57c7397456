"""certbot, as it comes from PyPI, at the simulated authority."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.clients.acme.authority import Authority
from tests.clients.acme.programs import INSTALLED, PROGRAMS, assert_issued, assert_renewed, assert_revoked, run
from tests.support.named import Named

HOOK = Path(__file__).with_name("dns_hook.py")

pytestmark = pytest.mark.installed(INSTALLED)


@dataclass(frozen=True)
class Certbot:
    """The program with folders of its own."""

    authority: Authority
    folder: Path
    client: str
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, *arguments: str) -> str:
        """Run one command of it."""
        folders = [f"--{kind}-dir={self.folder / kind}" for kind in ("config", "work", "logs")]
        server = ["--non-interactive", "--server", self.authority.directory]
        environment = {"REQUESTS_CA_BUNDLE": str(self.authority.bundle), **self.environment}
        return run([PROGRAMS / "certbot", *arguments, *server, *folders], environment)

    def obtain(self, *arguments: str) -> str:
        """Run `certonly` with a new account."""
        account = ["--agree-tos", "--email", "admin@example.com", "--no-eff-email"]
        if bound := self.authority.external_account(self.client):
            account += ["--eab-kid", bound.kid, "--eab-hmac-key", bound.hmac_key]
        return self.run("certonly", *account, *arguments)

    def renew(self, *arguments: str) -> str:
        """Run `renew` for all that was obtained."""
        return self.run("renew", "--no-random-sleep-on-renew", *arguments)

    def chain(self, name: str) -> bytes:
        """Read the certificate and its chain."""
        return (self.folder / "config" / "live" / name / "fullchain.pem").read_bytes()

    def revoke(self, name: str, *arguments: str) -> str:
        """Run `revoke` for a name's certificate, by the account's key."""
        file = self.folder / "config" / "live" / name / "cert.pem"
        return self.run("revoke", "--cert-path", str(file), *arguments, "--no-delete-after-revoke")


def listening(authority: Authority) -> list[str]:
    """Let its own web server listen where the authority validates."""
    return ["--standalone", "--http-01-address", "127.0.0.1", "--http-01-port", str(authority.http01_port)]


def test_http01(authority: Authority, tmp_path: Path) -> None:
    """Its own web server proves control of two names; the certificate is renewed, and revoked with a reason."""
    certbot, names = Certbot(authority, tmp_path, "certbot-http-01"), ("certbot.example.com", "www.certbot.example.com")
    certbot.obtain(*listening(authority), "--domains", ",".join(names))
    first = assert_issued(authority, certbot.chain(names[0]), *names)
    certbot.renew("--force-renewal")
    second = assert_renewed(authority, certbot.chain(names[0]), first, *names)
    certbot.revoke(names[0], "--reason", "superseded")
    assert_revoked(authority, second, "superseded")


def test_it_renews_when_the_authority_says_so(authority: Authority, tmp_path: Path) -> None:
    """Its daily run does nothing for a new certificate, and renews one that the authority wants renewed (RFC 9773)."""
    certbot, name = Certbot(authority, tmp_path, "certbot-daily"), "daily.certbot.example.com"
    certbot.obtain(*listening(authority), "--domains", name)
    first = assert_issued(authority, certbot.chain(name), name)
    authority.suggest_renewal(first)
    certbot.renew()
    second = assert_renewed(authority, certbot.chain(name), first, name)
    assert "not due for renewal" in certbot.renew()
    assert assert_issued(authority, certbot.chain(name), name) == second


@pytest.mark.system("named")
def test_dns01(asking_authority: Authority, named: Named, tmp_path: Path) -> None:
    """Its manual plugin calls a script that proves control of a name and of all below it, at once."""
    zone = {"DNS_PORT": str(named.port), "DNS_ZONE": named.zone, "TSIG_KEY": named.key, "TSIG_SECRET": named.secret}
    certbot, name = Certbot(asking_authority, tmp_path, "certbot", zone), f"certbot.{named.zone}"
    hooks = [
        f"--manual-{part}-hook={sys.executable} {HOOK} {word}" for part, word in (("auth", "present"), ("cleanup", "cleanup"))
    ]
    certbot.obtain("--manual", "--preferred-challenges", "dns", *hooks, "--domains", f"{name},*.{name}")
    first = assert_issued(asking_authority, certbot.chain(name), name, f"*.{name}")
    certbot.renew("--force-renewal")
    second = assert_renewed(asking_authority, certbot.chain(name), first, name, f"*.{name}")
    certbot.revoke(name, "--reason", "keycompromise")
    assert_revoked(asking_authority, second, "keyCompromise")
    assert not named.texts(f"_acme-challenge.{name}")
