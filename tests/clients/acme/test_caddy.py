"""Caddy, as it comes from PyPI, at the simulated authority: it gets its certificates by itself while it serves."""

import os
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509

from tests.clients.acme.authority import Authority, serving_authority
from tests.clients.acme.programs import INSTALLED, PROGRAMS, assert_issued, assert_renewed

pytestmark = pytest.mark.installed(INSTALLED)

SECONDS = 30.0
_SETTINGS = """{{
	admin off
	skip_install_trust
	storage file_system "{folder}/storage"
	log {{
		output file "{folder}/log.json"
		level DEBUG
	}}
	default_bind 127.0.0.1
	http_port {http}
	https_port {https}
	email admin@example.com
	acme_ca {directory}
	acme_ca_root "{bundle}"
	{external_account}
	renew_interval 500ms
	ocsp_interval 500ms
}}
{name} {{
	tls {{
		issuer acme {{
			{other_challenge}
		}}
	}}
	respond "served by caddy"
}}
"""
OTHER_CHALLENGE = {"http-01": "disable_tlsalpn_challenge", "tls-alpn-01": "disable_http_challenge"}


@dataclass(frozen=True)
class Caddy:
    """A running server, and the name that it serves."""

    authority: Authority
    folder: Path
    name: str

    def served(self) -> x509.Certificate:
        """Connect as a client that trusts the authority alone, and give the certificate; raises OSError until there is one."""
        trust = ssl.create_default_context(cafile=str(self.authority.bundle))
        with (
            socket.create_connection(("127.0.0.1", self.authority.tlsalpn01_port), timeout=5) as plain,
            trust.wrap_socket(plain, server_hostname=self.name) as connection,
        ):
            der = connection.getpeercert(binary_form=True)
        assert der
        return x509.load_der_x509_certificate(der)

    def chain(self) -> bytes:
        """Read the chain from its storage."""
        (file,) = (self.folder / "storage" / "certificates").glob(f"*/{self.name}/{self.name}.crt")
        return file.read_bytes()

    def next_certificate(self, former: int | None = None) -> int:
        """Wait until it serves another certificate than the former, by its serial number; give the new one."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            try:
                serial = self.served().serial_number
            except OSError:
                serial = former or 0
            if serial and serial != former:
                return serial
            time.sleep(0.05)
        raise AssertionError((self.folder / "log.json").read_text()[-4000:])


@contextmanager
def serving_caddy(authority: Authority, folder: Path, name: str, challenge: str) -> Iterator[Caddy]:
    """Run it with one site until the block ends."""
    bound = authority.external_account(f"caddy-{challenge}")
    settings = {
        "folder": folder,
        "http": authority.http01_port,
        "https": authority.tlsalpn01_port,
        "directory": authority.directory,
        "bundle": authority.bundle,
        "external_account": f"acme_eab {{\n\t\tkey_id {bound.kid}\n\t\tmac_key {bound.hmac_key}\n\t}}" if bound else "",
        "name": name,
        "other_challenge": OTHER_CHALLENGE[challenge],
    }
    (folder / "Caddyfile").write_text(_SETTINGS.format(**settings))
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
    }
    command = [str(PROGRAMS / "caddy"), "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
    with (folder / "output.txt").open("wb") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, env=environment)
        try:
            yield Caddy(authority, folder, name)
            assert process.poll() is None, (folder / "output.txt").read_text()
        finally:
            process.terminate()
            process.wait(20)


@pytest.mark.parametrize("challenge", ["http-01", "tls-alpn-01"])
def test_it_renews_when_the_authority_says_so(authority: Authority, tmp_path: Path, challenge: str) -> None:
    """A site gets its certificate when the server starts, and another one long before the end of the first, as it was told."""
    name = f"{challenge}.caddy.example.com"
    with serving_caddy(authority, tmp_path, name, challenge) as caddy:
        first = caddy.next_certificate()
        assert assert_issued(authority, caddy.chain(), name) == first
        authority.suggest_renewal(first)
        second = caddy.next_certificate(first)
        assert assert_renewed(authority, caddy.chain(), first, name) == second


def test_it_replaces_what_was_revoked(tmp_path: Path) -> None:
    """It asks the OCSP responder about what it serves, and gets another certificate when the first one is revoked."""
    (tmp_path / "caddy").mkdir()
    with (
        # It is the responder that tells it: renewal information holds for hours here.
        serving_authority(tmp_path / "authority", authority={"ocsp_lifetime_seconds": 2}, acme={}) as authority,
        serving_caddy(authority, tmp_path / "caddy", "revoked.caddy.example.com", "http-01") as caddy,
    ):
        first = caddy.next_certificate()
        authority.revoke(first, "keyCompromise")
        second = caddy.next_certificate(first)
        assert assert_renewed(authority, caddy.chain(), first, caddy.name) == second
