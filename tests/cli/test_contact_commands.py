"""Contacts from the command line."""

from tests.cli.terminal import Terminal


def test_contacts_are_added_listed_and_removed(terminal: Terminal) -> None:
    """The last one takes the list with it; an address is compared without its case."""
    assert terminal("contact", "list").table() == []
    assert terminal("contact", "add", "ann@example.test", "--name", "Ann", "--phone", "1").out == (
        "ann@example.test is a contact.\n"
    )
    added = terminal("contact", "add", "bob@example.test", "--json").json
    assert [contact["email"] for contact in added["contacts"]] == ["ann@example.test", "bob@example.test"]
    terminal("contact", "add", "BOB@example.test", "--name", "Bob")
    assert terminal("contact", "list").table() == [["ann@example.test", "Ann", "1"], ["BOB@example.test", "Bob", "-"]]
    assert terminal("contact", "remove", "bob@example.test").out == "bob@example.test is no contact any more.\n"
    assert len(terminal("contact", "list", "--json").json["contacts"]) == 1
    terminal("contact", "remove", "ann@example.test", "--json")
    assert terminal("contact", "list", "--json").json["contacts"] == []


def test_a_contact_that_is_not_there_is_not_removed(terminal: Terminal) -> None:
    """Nor is one added that is no address."""
    assert terminal.try_("contact", "remove", "ann@example.test").code == 3
    assert terminal.try_("contact", "add", "nonsense").code == 1
    assert terminal.try_("contact", "add").code == 2
