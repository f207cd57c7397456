"""Revocation from the command line."""

from certworker.vault.revocation.standing import Standing, Status, write_status
from certworker.vault.watches import Watch, WatchKind
from tests.cli.terminal import Terminal
from tests.support.clock import START

WEB = ("certificate", "create", "web", "--dns", "web.example", "--curve", "P-256")


def put(terminal: Terminal, status: Status) -> None:
    """Put on record what a look has found."""
    world = terminal.world
    with world.house.store.writing() as writer:
        current = writer.certificate_version(world.vault.id, "web", None)
        assert current is not None
        watch = Watch(WatchKind.REVOCATION, world.vault.id, "web", current.version, None, write_status(status))
        writer.put_watch(watch)


def test_certificates_are_listed_with_what_is_known(terminal: Terminal) -> None:
    """Before the first look, and after it; nothing that a CA said reaches the terminal as more than text."""
    terminal(*WEB)
    assert "not looked at yet" in terminal("revocation", "list").out
    put(terminal, Status(Standing.REVOKED, START, "Told.", "superseded", START, source="crl", host="ca\x1b[31m.test"))
    said = terminal("revocation", "list").out
    assert "revoked" in said
    assert "superseded" in said
    assert "2026-01-01T00:00:00Z" in said
    assert "\x1b" not in said
    assert "revoked, superseded, since 2026-01-01T00:00:00Z" in terminal("certificate", "show", "web").out
    assert terminal("revocation", "list", "--json").json["value"][0]["reason"] == "superseded"


def test_a_look_fails_where_something_is_wrong(terminal: Terminal) -> None:
    """Scripts go by the exit code."""
    terminal(*WEB)
    assert "self-signed" in terminal("revocation", "check", "web").out
    put(terminal, Status(Standing.REVOKED, START, "Told.", "superseded", START, source="owner"))
    found = terminal.try_("revocation", "check")
    assert found.code == 1
    assert "superseded" in found.out
    assert terminal.try_("revocation", "check", "nothing").code == 3
