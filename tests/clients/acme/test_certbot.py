"""certbot, as it comes from PyPI, at the simulated authority."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.clients.acme.authority import Authority
from tests.clients.acme.programs import INSTALLED, PROGRAMS, assert_issued, assert_renewed, assert_revoked, run

HOOK = Path(__file__).with_name("dns_hook.py")

pytestmark = pytest.mark.installed(INSTALLED)


@dataclass(frozen=True)
class Certbot:
    """The program with folders of its own."""

    authority: Authority
    folder: Path
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
        if bound := self.authority.external_account("certbot"):
            account += ["--eab-kid", bound.kid, "--eab-hmac-key", bound.hmac_key]
        return self.run("certonly", *account, *arguments)

    def renew(self) -> str:
        """Run `renew` for all that was obtained."""
        return self.run("renew", "--force-renewal", "--no-random-sleep-on-renew")

    def chain(self, name: str) -> bytes:
        """Read the certificate and its chain."""
        return (self.folder / "config" / "live" / name / "fullchain.pem").read_bytes()

    def revoke(self, name: str, *arguments: str) -> str:
        """Run `revoke` for a name's certificate, by the account's key."""
        file = self.folder / "config" / "live" / name / "cert.pem"
        return self.run("revoke", "--cert-path", str(file), *arguments, "--no-delete-after-revoke")


def test_http01(authority: Authority, tmp_path: Path) -> None:
    """Its own web server proves control of two names; the certificate is renewed, and revoked with a reason."""
    certbot, names = Certbot(authority, tmp_path), ("certbot.example.com", "www.certbot.example.com")
    listen = ["--http-01-address", "127.0.0.1", "--http-01-port", str(authority.http01_port)]
    certbot.obtain("--standalone", *listen, "--domains", ",".join(names))
    first = assert_issued(authority, certbot.chain(names[0]), *names)
    certbot.renew()
    second = assert_renewed(authority, certbot.chain(names[0]), first, *names)
    certbot.revoke(names[0], "--reason", "superseded")
    assert_revoked(authority, second, "superseded")
