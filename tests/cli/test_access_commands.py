"""Rights from the command line."""

from certworker.vault.rights.scopes import object_scope
from tests.cli.terminal import Terminal
from tests.support.operations import assign

ADA = "8f7c1f5e-53d8-4c5e-8fd5-3c7d6bb1c1a2"
SECRETS_USER = "4633458b-17de-408a-b874-0445c86b69e6"


def test_it_tells_what_somebody_may_do_and_why(terminal: Terminal) -> None:
    """For one object; as a table and as JSON; that somebody may do nothing is said in words."""
    vault, house = terminal.world.vault, terminal.world.house
    with house.store.writing() as writer:
        writer.add_group_member("security", ADA)
    assign(house, "security", SECRETS_USER, object_scope(vault, "secrets", "db"))
    told = terminal("access", "check", "--object-id", ADA, "--name", "db")
    assert [row[:2] for row in told.table()] == [["secrets", "get"], ["secrets", "list"]]
    assert f"Key Vault Secrets User at {object_scope(vault, 'secrets', 'db')} of the group security" in told.out
    found = terminal("access", "check", "--object-id", ADA, "--name", "db", "--json").json
    assert [right["permission"] for right in found["value"]] == ["get", "list"]
    assert f"{ADA} may do nothing in contoso, which goes by roles." in terminal("access", "check", "--object-id", ADA).out
    assert "Key Vault Administrator at /subscriptions/" in terminal("access", "check").out
    listed = terminal("access", "list", "--name", "db")
    assert ["security", "secrets", "get", "list"] in [row[:4] for row in listed.table()]
    assert terminal("access", "list", "--json").json["value"][-1]["permissions"] == {"secrets": ["get", "list"]}
