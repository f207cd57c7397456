"""Issuers from the command line."""

from certworker.vault.issuance import KeyRoll
from tests.cli.terminal import Terminal


def test_an_issuer_is_set_shown_and_deleted(terminal: Terminal) -> None:
    """Its password goes in by a file or standard input, and never comes out."""
    file = terminal.folder / "eab"
    file.write_text("kid:a-password-of-its-own\nand a note\n")
    words = ("issuer", "set", "ca", "--provider", "Acme", "--account-id", "https://ca.example/directory")
    said = terminal(*words, "--password-file", str(file), "--json")
    assert said.json["credentials"] == {"account_id": "https://ca.example/directory"}
    world = terminal.world
    with world.house.store.reading() as reader:
        issuer = reader.issuer(world.vault.id, "ca")
    assert issuer is not None
    assert world.house.issuers.credential(issuer) == "kid:a-password-of-its-own"
    assert "account id  https://ca.example/directory" in terminal("issuer", "show", "ca").out
    assert terminal("issuer", "list").table() == [["ca", "Acme"]]
    assert terminal("issuer", "list", "--json").json["value"][0]["provider"] == "Acme"
    terminal(*words, "--password-file", "-", "--disabled", stdin="kid:other")
    assert terminal("issuer", "show", "ca", "--json").json["attributes"]["enabled"] is False
    assert terminal("issuer", "delete", "ca").out == "The issuer ca is deleted.\n"
    assert terminal.try_("issuer", "show", "ca").code == 3


def test_the_organization_of_an_issuer_is_set_and_stays(terminal: Terminal) -> None:
    """Setting an issuer again without it changes nothing of it, and whoever asks the CA is told of it."""
    words = ("issuer", "set", "ca", "--provider", "DigiCert", "--account-id", "1000001")
    terminal(*words, "--organization-id", "117")
    terminal(*words, "--disabled")
    assert "organization id  117" in terminal("issuer", "show", "ca").out
    world = terminal.world
    assert world.house.issuers.request(world.house.issuers.find(world.vault, "ca")).organization == '{"id":"117"}'
    terminal(*words, "--organization-id", "")
    assert "organization" not in terminal("issuer", "show", "ca").out


def test_a_provider_that_is_not_there_is_refused(terminal: Terminal) -> None:
    """The service names those that are; without one the command line is wrong."""
    said = terminal.try_("issuer", "set", "ca", "--provider", "Nobody")
    assert said.code == 1
    assert "this deployment has acme" in said.err
    assert terminal.try_("issuer", "set", "ca").code == 2
    assert terminal.try_("issuer", "set", "ca", "--provider", "Acme", "--password-file", "/no/such").code == 2


def test_an_issuer_is_tested(terminal: Terminal) -> None:
    """Only what passed ends with 0; a provider that cannot look says so."""
    terminal("issuer", "set", "ca", "--provider", "Scripted")
    said = terminal.try_("issuer", "test", "ca")
    assert said.code == 1
    assert "has no test" in said.out
    assert "ca: untested" in said.out
    terminal("issuer", "set", "acme", "--provider", "Acme", "--account-id", "https://127.0.0.1:1/directory")
    failed = terminal.try_("issuer", "test", "acme", "--json")
    assert (failed.code, failed.json["result"]) == (1, "failed")
    assert terminal.try_("issuer", "test", "nobody").code == 3


def test_the_key_of_an_account_is_exchanged(terminal: Terminal) -> None:
    """What the CA has against it is the command's error."""
    terminal("issuer", "set", "ca", "--provider", "Scripted")
    assert terminal("issuer", "roll-key", "ca").out == "The account of ca has a new key.\n"
    assert terminal("issuer", "roll-key", "ca", "--json").json["provider"] == "Scripted"
    terminal.world.authority.exchanges.append(KeyRoll(done=False, message="Not today."))
    refused = terminal.try_("issuer", "roll-key", "ca")
    assert (refused.code, "Not today." in refused.err) == (5, True)
    assert terminal.try_("issuer", "roll-key", "nobody").code == 3
