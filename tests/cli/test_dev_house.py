"""What a start of `certworker dev` makes, and what it never makes again."""

import json
from pathlib import Path

import pytest

from ca_sim.settings import load as load_authority_settings
from certworker.bootstrap import open_house
from certworker.cli.dev_house import prepare_home
from certworker.cli.dev_settings import (
    CLIENT,
    DIGICERT_ACCOUNT,
    DIGICERT_KEY,
    GLOBALSIGN_KEY,
    GLOBALSIGN_SECRET,
    authority_settings,
    service_settings,
)
from certworker.cli.home import Home, Ports, write_private
from certworker.errors import SetupError
from certworker.settings import load_settings
from certworker.vault.vaults import SYSTEM_VAULT

PORTS = Ports(1, 2, 3, 4, 5, 6, 7, 8)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Give a home with its settings, as `certworker dev` writes them first."""
    home = Home(tmp_path / "home")
    home.make()
    write_private(home.settings, 'database_url = "sqlite:///certworker.db"\n')
    return home


def test_a_second_start_finds_what_the_first_made(home: Home) -> None:
    """The same administrator with the same secret; all files are their owner's alone."""
    first = prepare_home(home, PORTS)
    assert prepare_home(home, PORTS) == first
    assert home.read_credentials() == first
    for path in (home.master_key, home.credentials, home.ca_bundle, home.settings):
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_start_killed_before_the_credentials_were_kept(home: Home) -> None:
    """The administrator gets a new secret, and stays the same."""
    first = prepare_home(home, PORTS)
    home.credentials.unlink()
    second = prepare_home(home, PORTS)
    assert {name for name in first if first[name] != second[name]} == {"client_secret"}
    assert json.loads(home.credentials.read_text()) == second


def test_a_lost_master_key_is_told_and_not_made_up(home: Home) -> None:
    """A key that opens nothing must not lie where the right one is looked for."""
    prepare_home(home, PORTS)
    home.master_key.unlink()
    with pytest.raises(SetupError, match=r"master\.key cannot be read"):
        prepare_home(home, PORTS)
    assert not home.master_key.exists()


def test_an_issuer_is_there_for_each_api_of_the_simulated_ca(home: Home) -> None:
    """With the client certificate that one of them wants, which a second start does not make anew."""
    versions = []
    for _ in range(2):
        prepare_home(home, PORTS)
        with open_house(load_settings(home.settings)) as house, house.store.reading() as reader:
            vault, system = reader.vault_by_name("dev"), reader.vault_by_name(SYSTEM_VAULT)
            assert vault
            assert system
            found = {issuer.name: issuer.provider for issuer in reader.issuers(vault.id, None, 25).items}
            current = reader.certificate_version(system.id, CLIENT, None)
        assert found == {"ca-sim-acme": "Acme", "ca-sim-digicert": "DigiCert", "ca-sim-globalsign": "GlobalSign"}
        assert current
        versions.append(current.version)
    assert versions[0] == versions[1]


def test_what_a_start_writes_can_be_read(home: Home) -> None:
    """By the service and by the simulated CA, and the two agree."""
    write_private(home.settings, service_settings(PORTS))
    ours = load_settings(home.settings)
    write_private(home.authority_settings, authority_settings(home, PORTS))
    theirs = load_authority_settings(home.authority_settings)
    assert ours.issuer("ca-sim-digicert").url == f"https://localhost:{theirs.digicert.port}/services/v2"
    assert ours.issuer("ca-sim-globalsign").url == f"https://localhost:{theirs.globalsign.port}/v2"
    assert (theirs.digicert.accounts, theirs.globalsign.accounts) == (
        {DIGICERT_ACCOUNT: DIGICERT_KEY},
        {GLOBALSIGN_KEY: GLOBALSIGN_SECRET},
    )
