"""`certworker az-setup` as far as it goes without az: what it would do, and what it refuses."""

from pathlib import Path

import pytest

from certworker.cli.azure_cli import AzureCli, Deployment, script
from certworker.cli.logins import Login
from certworker.errors import SettingsError, SetupError
from tests.cli.terminal import Terminal

LOGIN = Login(
    vault_url="https://dev.vault.example.com:8443",
    tenant_id="the-tenant",
    client_id="the-client",
    client_secret="not to be shown",
    ca_bundle="/somewhere/ca.pem",
)


def test_every_plane_is_named_by_the_address_of_a_vault() -> None:
    """Domain and port of the vault are those of all endpoints and suffixes."""
    found = " ".join(Deployment.of(LOGIN).names())
    for name in ("management", "graph", "login"):
        assert f"https://{name}.example.com:8443" in found
    assert "--suffix-keyvault-dns .vault.example.com:8443" in found


def test_no_argument_and_no_script_carries_the_secret(tmp_path: Path) -> None:
    """It is read from standard input."""
    deployment = Deployment.of(LOGIN)
    text = script(deployment, AzureCli("az", tmp_path / "az"))
    assert LOGIN.client_secret not in text
    assert "--password @-" in " ".join(deployment.commands(registered=False, alone=True)[-1])
    assert not (tmp_path / "az").exists()


def test_a_folder_with_spaces_stays_one_word(tmp_path: Path) -> None:
    """The script can be run as it is."""
    assert f"export AZURE_CONFIG_DIR='{tmp_path}/of az'\n" in script(Deployment.of(LOGIN), AzureCli("az", tmp_path / "of az"))


@pytest.mark.parametrize("url", ["https://localhost:8443", "https://vault.example.com", "https://keys.example.com"])
def test_an_address_that_tells_no_domain_is_refused(url: str) -> None:
    """Where the planes cannot be told from the vault's address, nothing is guessed."""
    with pytest.raises(SettingsError, match=r"NAME\.vault\.DOMAIN"):
        Deployment.of(Login(vault_url=url))


def test_an_az_that_is_not_there_is_told(tmp_path: Path) -> None:
    """It is said how to install it."""
    with pytest.raises(SetupError, match="install azure-cli"):
        AzureCli(str(tmp_path / "no-az"), tmp_path).run(("cloud", "list"))


def test_what_az_says_is_told_without_the_secret(tmp_path: Path) -> None:
    """An az that fails is quoted, but not where it repeats what it was given."""
    program = tmp_path / "az"
    program.write_text('#!/bin/sh\necho "cannot use $(cat)" >&2\nexit 1\n')
    program.chmod(0o700)
    with pytest.raises(SetupError) as caught:
        AzureCli(str(program), tmp_path).run(("login", "--service-principal"), stdin="not to be shown")
    assert str(caught.value) == "az login --service-principal failed: cannot use ***"


def test_the_bundle_holds_our_authorities_and_those_that_az_would_trust(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is one file that az reads, so both are in it; a second set-up does not pile them up."""
    (tmp_path / "own.pem").write_text("ours\n")
    (tmp_path / "system.pem").write_text("theirs\n")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "system.pem"))
    cli = AzureCli("az", tmp_path)
    cli.write_bundle(str(tmp_path / "own.pem"))
    assert cli.bundle.read_text() == "ours\ntheirs\n"
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(cli.bundle))
    cli.write_bundle(str(tmp_path / "own.pem"))
    assert cli.bundle.read_text().count("ours") == 1


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--home", "/nowhere/at/all"), 4, "No `certworker dev` serves in /nowhere/at/all"),
        (("--home", "/nowhere/at/all", "--remove"), 1, "az was not set up in /nowhere/at/all/az"),
    ],
)
def test_what_cannot_be_done_is_told(terminal: Terminal, words: tuple[str, ...], code: int, said: str) -> None:
    """Without a deployment, or without an earlier set-up, nothing is written."""
    answer = terminal.bare("az-setup", *words)
    assert (answer.code, said in answer.err) == (code, True), answer
