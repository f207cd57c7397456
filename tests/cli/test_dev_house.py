"""What a start of `certworker dev` makes, and what it never makes again."""

import json
from pathlib import Path

import pytest

from certworker.cli.dev_house import prepare_home
from certworker.cli.home import Home, Ports, write_private
from certworker.errors import SetupError

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
