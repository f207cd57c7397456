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


def test_a_role_is_assigned_and_taken_back(terminal: Terminal) -> None:
    """For one secret, for the vault, for another scope; it counts at once, and only what is assigned there is taken back."""
    administrator = terminal.world.administrator
    ada = terminal("identity", "user", "create", "ada@contoso.test", "--generate", "--json").json["id"]
    said = terminal("access", "assign", "key vault secrets user", ada, "--secret", "db")
    assert f"{ada} has the role key vault secrets user at /subscriptions/" in said.err
    rows = terminal("access", "check", "--object-id", ada, "--name", "db").table()
    assert [row[:2] for row in rows] == [["secrets", "get"], ["secrets", "list"]]
    assert "may do nothing" in terminal("access", "check", "--object-id", ada).out
    made = terminal("access", "assign", SECRETS_USER, ada, "--json").json
    assert made["properties"]["principalId"] == ada
    assert terminal.try_("access", "assign", SECRETS_USER, ada).code == 5, "it is there already"
    group = f"/subscriptions/{terminal.world.vault.subscription_id}/resourceGroups/certworker"
    terminal("access", "assign", "Reader", ada, "--scope", group)
    terminal("access", "unassign", SECRETS_USER, ada)
    terminal("access", "unassign", SECRETS_USER, ada, "--secret", "db")
    assert "may do nothing" in terminal("access", "check", "--object-id", ada, "--name", "db").out
    again = terminal.try_("access", "unassign", SECRETS_USER, ada)
    assert (again.code, "does not have the role" in again.err) == (3, True)
    assert administrator.object_id != ada


def test_what_cannot_be_assigned_is_told(terminal: Terminal) -> None:
    """A role that there is not, somebody who is not there, two scopes at once, a name that is none."""
    unknown = terminal.try_("access", "assign", "Emperor", ADA)
    assert (unknown.code, "Key Vault Secrets User" in unknown.err) == (3, True)
    assert terminal.try_("access", "assign", "Reader", ADA).code != 0
    assert terminal.try_("access", "assign", "Reader", ADA, "--secret", "db", "--key", "db").code == 2
    assert terminal.try_("access", "unassign", "Reader", "o'brien").code == 3
