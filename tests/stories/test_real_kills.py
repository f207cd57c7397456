"""Real processes, real sockets, real SIGKILLs: a sample of what test_every_step goes through one by one."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from certworker.api.challenges import build_challenge_app
from certworker.api.serve import BackgroundServer
from certworker.bootstrap import House, make_master_key, open_house
from certworker.cli.sockets import bind
from certworker.clock import utc_now, whole_second
from certworker.crypto.x509 import read_certificate
from certworker.settings import load_settings
from certworker.vault.access import SERVICE
from certworker.vault.issuers import IssuerParameters
from certworker.vault.objects import ObjectKind
from certworker.vault.vaults import Vault
from tests.clients.acme.authority import Authority, serving_authority
from tests.support.deployment import ISSUER, policy_for
from tests.support.postgresql import Server

pytestmark = pytest.mark.long

SAMPLE = (3, 11, 19, 27, 34)
"""At which of the things that happen to it a process is killed; an issuance has about forty."""


class Machine:
    """A folder with settings, and workers that come and go over it."""

    def __init__(self, folder: Path, authority: Authority, database_url: str) -> None:
        self.config = folder / "certworker.toml"
        self.config.write_text(
            f'database_url = "{database_url}"\n[network]\nallow_private = ["127.0.0.0/8", "::1", "localhost"]\n'
            f'[challenges]\nhttp01_listen = ["127.0.0.1"]\nhttp01_port = {authority.http01_port}\n'
            f'[issuers.{ISSUER}]\nca_bundle = "{authority.bundle}"\n[spare_keys]\ncount = 0\n'
        )
        self.authority = authority

    @contextmanager
    def house(self) -> Iterator[tuple[House, Vault]]:
        """Open the house, as a command does; it is set up where that has not been done."""
        settings = load_settings(self.config, {})
        make_master_key(settings.seal.master_key_file)
        with open_house(settings) as house:
            if not house.founding.is_done():
                house.founding.found("contoso", "administrator")
            with house.store.reading() as reader:
                vault = reader.vault_by_name("contoso")
            assert vault is not None
            house.issuers.set(SERVICE, vault, ISSUER, IssuerParameters("Acme", self.authority.directory))
            yield house, vault

    @contextmanager
    def answering(self, house: House) -> Iterator[None]:
        """Answer the CA's challenges, whichever worker is alive."""
        settings = house.settings.challenges
        responder = BackgroundServer(build_challenge_app(house), bind(settings.http01_listen, settings.http01_port, "the test"))
        responder.start()
        yield
        responder.stop()

    def work(self, vault: Vault, name: str, *dies_at: int) -> int:
        """Let a worker's process live; give its exit code."""
        command = [sys.executable, "-m", "tests.support.mortal_worker", str(self.config), vault.id, name, *map(str, dies_at)]
        done = subprocess.run(command, check=False, timeout=60, capture_output=True, text=True)
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        return done.returncode


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_worker_that_is_killed_leaves_nothing_half_done(tmp_path: Path, kind: str, request: pytest.FixtureRequest) -> None:
    """Killed at a sample of steps, each renewal is brought to its end by the next process: one certificate, one key."""
    server: Server | None = request.getfixturevalue("postgresql") if kind == "postgresql" else None
    url = server.create() if server else f"sqlite:///{tmp_path}/certworker.db"
    with serving_authority(tmp_path / "ca") as authority:
        machine = Machine(tmp_path, authority, url)
        with machine.house() as (house, vault), machine.answering(house):
            for dies_at in SAMPLE:
                name = f"web-{dies_at}"
                house.certificates.create(SERVICE, vault, name, policy_for(f"{name}.example.test"), tags={})
                assert machine.work(vault, name) == 0
                fall_due(house, vault, name)
                if machine.work(vault, name, dies_at) == -signal.SIGKILL:
                    assert machine.work(vault, name) == 0
                check(machine, house, vault, name)
    if server:
        server.drop(url)


def fall_due(house: House, vault: Vault, name: str) -> None:
    """Let a renewal fall due now, as one does that somebody asked for and that failed, of a version that came an hour ago."""
    at = whole_second(utc_now())
    with house.store.writing() as writer:
        certificate, version = writer.certificate(vault.id, name), writer.certificate_version(vault.id, name, None)
        assert certificate is not None
        assert version is not None
        # nothing is renewed within seconds of its issuance
        attributes = replace(version.attributes, created=at - timedelta(hours=1))
        writer.set_attributes(vault.id, ObjectKind.CERTIFICATE, name, version.version, attributes, version.tags)
        due = replace(certificate.renewal, due_at=at, deadline=at, requested_at=at)
        writer.set_renewal(vault.id, name, None, due)


def check(machine: Machine, house: House, vault: Vault, name: str) -> None:
    """Two versions, each with its own key, and two certificates in the CA's book."""
    with house.store.reading() as reader:
        versions = reader.certificate_versions(vault.id, name, None, 25).items
        keys = {read_certificate(found.der).public_key for found in versions}
        assert (len(versions), len(keys)) == (2, 2)
        for found in versions:
            key = reader.key(vault.id, name, found.version)
            assert key is not None
            assert key.public_key == read_certificate(found.der).public_key
            assert reader.secret(vault.id, name, found.version) is not None
    book = machine.authority.told("/certificates?limit=1000")
    entries = book["certificates"] if isinstance(book, dict) else book
    assert len([entry for entry in entries if f"{name}.example.test" in str(entry)]) == 2
