"""The properties of a vault from the command line, where the database is: at the first start, and later."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from certworker.cli.main import app


def run(*words: str) -> Result:
    """Call a command."""
    result = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def config(tmp_path: Path) -> str:
    """Write a settings file."""
    file = tmp_path / "certworker.toml"
    database, key = f"sqlite:///{tmp_path}/certworker.db", tmp_path / "master.key"
    file.write_text(f'database_url = "{database}"\n[seal]\nmaster_key_file = "{key}"\n')
    return str(file)


def shown(config: str) -> Any:  # noqa: ANN401 - JSON
    """Show the vault's properties as JSON."""
    said = run("vault", "show", "-c", config, "main", "--json")
    assert said.exit_code == 0, said.output
    return json.loads(said.stdout)["properties"]


def test_a_plain_start(config: str) -> None:
    """Standard, 90 days, no purge protection, as Key Vault has it."""
    assert run("init", "-c", config).exit_code == 0
    found = shown(config)
    assert found["sku"] == {"family": "A", "name": "standard"}
    assert (found["softDeleteRetentionInDays"], found["enablePurgeProtection"]) == (90, False)
    assert found["vaultUri"] == "https://main.vault.localhost:8443/"


def test_a_start_with_more(config: str) -> None:
    """Each of the three can be said at once."""
    options = ("--sku", "premium", "--retention-days", "7", "--purge-protection")
    assert run("init", "-c", config, *options).exit_code == 0
    found = shown(config)
    assert found["sku"]["name"] == "premium"
    assert (found["softDeleteRetentionInDays"], found["enablePurgeProtection"]) == (7, True)
    told = run("vault", "show", "-c", config, "main").stdout
    assert "purge protection  on" in told
    assert "7 days" in told


@pytest.mark.parametrize("options", [("--sku", "gold"), ("--retention-days", "6"), ("--retention-days", "91")])
def test_what_cannot_be(config: str, options: tuple[str, str]) -> None:
    """A wrong command line, and nothing is made."""
    for words in (("init", "-c", config), ("vault", "update", "-c", config, "main")):
        assert run(*words, *options).exit_code == 2
    assert not list(Path(config).parent.glob("*.db"))
    assert not (Path(config).parent / "master.key").exists()


def test_an_update(config: str) -> None:
    """What is named changes; what cannot be taken back is refused in one line."""
    assert run("init", "-c", config).exit_code == 0
    update = ("vault", "update", "-c", config, "main")
    assert run(*update).exit_code == 2
    assert run(*update, "--sku", "premium", "--retention-days", "30").exit_code == 0
    said = run(*update, "--purge-protection", "--json")
    assert json.loads(said.stdout)["properties"]["enablePurgeProtection"] is True
    for options in (("--no-purge-protection",), ("--retention-days", "90")):
        said = run(*update, *options)
        assert said.exit_code == 1
        assert said.stderr.startswith("certworker: The property")
        assert len(said.stderr.splitlines()) == 1
    assert shown(config)["softDeleteRetentionInDays"] == 30
    assert run("vault", "show", "-c", config, "nobody").exit_code == 3
