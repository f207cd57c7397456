"""Rights in the store: groups within groups, policies in order, assignments; and what an older deployment carries over."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from certworker.errors import Conflict
from certworker.store.engine import open_engine, open_store
from certworker.store.migrate import migrate, upgrade
from certworker.vault.rights.built_in_roles import KEY_VAULT_ADMINISTRATOR, OWNER
from certworker.vault.rights.policies import AccessPolicy
from certworker.vault.rights.roles import Permission, PrincipalType, RoleAssignment, RoleDefinition
from certworker.vault.store import Store
from tests.support.clock import START, FakeClock
from tests.support.records import TENANT_ID, VAULT_ID, a_vault

ASSIGNMENT = RoleAssignment(
    "assigned", TENANT_ID, "/subscriptions/One", OWNER, "ada", PrincipalType.USER, START, START, "root", "root"
)
ROLE = RoleDefinition(
    "role",
    "Deployer",
    "Deploys.",
    (Permission(("Microsoft.KeyVault/vaults/deploy/action",), (), ("*",), ("*/delete",)),),
    ("/subscriptions/One",),
    TENANT_ID,
    built_in=False,
    created=START,
    updated=START,
    created_by="root",
    updated_by="root",
)

_OLD_VAULT = text(
    "INSERT INTO vault (id, folded, name, tenant_id, subscription_id, resource_group, location, created, retention_days) "
    "VALUES ('v', 'OLD', 'old', :tenant, 'sub', 'Group', 'here', 5, 90)"
)
_OLD_PRINCIPAL = text(
    "INSERT INTO principal (object_id, client_id, tenant_id, display_name, secret_hash, administrator, created) "
    "VALUES (:name, :name, :tenant, :name, 'x', :administrator, 5)"
)


def test_groups_are_found_through_groups_and_circles_end(store: Store) -> None:
    """Who is in a group of a group is in both; groups that are in each other are each found once."""
    with store.writing() as writer:
        for group, member in (("inner", "ada"), ("outer", "inner"), ("inner", "outer"), ("other", "grace")):
            writer.add_group_member(group, member)
        assert writer.groups_of("ada") == {"inner", "outer"}
        assert writer.groups_of("inner") == {"inner", "outer"}
        assert writer.groups_of("nobody") == frozenset()
    with pytest.raises(Conflict), store.writing() as writer:
        writer.add_group_member("inner", "ada")
    with store.writing() as writer:
        assert writer.delete_group_member("inner", "ada")
        assert not writer.delete_group_member("inner", "ada")
        assert writer.groups_of("ada") == frozenset()
        assert writer.group_members("inner") == ("outer",)


def test_access_policies_keep_their_order_and_are_replaced_whole(store: Store) -> None:
    """A user's policy, and the one of the same user through an application, stand side by side."""
    policies = (
        AccessPolicy(TENANT_ID, "zoe", {"keys": ("get", "List")}),
        AccessPolicy(TENANT_ID, "ada", {"secrets": ("all",)}),
        AccessPolicy(TENANT_ID, "ada", {"secrets": ("get",)}, "application"),
    )
    with store.writing() as writer:
        writer.put_access_policies(VAULT_ID, policies)
    with store.reading() as reader:
        assert reader.access_policies(VAULT_ID) == policies
    with store.writing() as writer:
        writer.put_access_policies(VAULT_ID, policies[1:])
        assert writer.access_policies(VAULT_ID) == policies[1:]
        writer.put_access_policies(VAULT_ID, ())
        assert writer.access_policies(VAULT_ID) == ()


def test_an_assignment_is_there_once_whatever_the_case_of_its_scope(store: Store) -> None:
    """The same role for the same principal at the same scope is refused, and so is another one of the same id."""
    with store.writing() as writer:
        writer.add_role_assignment(ASSIGNMENT)
    for twin in (replace(ASSIGNMENT, id="other", scope="/SUBSCRIPTIONS/one/"), replace(ASSIGNMENT, principal_id="grace")):
        with pytest.raises(Conflict), store.writing() as writer:
            writer.add_role_assignment(twin)
    with store.reading() as reader:
        assert reader.role_assignments(TENANT_ID, frozenset({"ada", "grace"})) == (ASSIGNMENT,)
        assert reader.role_assignments("another", frozenset({"ada"})) == ()
        assert reader.role_assignments(TENANT_ID, frozenset()) == ()
    with store.writing() as writer:
        writer.delete_role_assignment(TENANT_ID, "assigned")
        assert writer.all_role_assignments(TENANT_ID) == ()


def test_a_custom_role_is_kept_whole(store: Store) -> None:
    """All four lists, the scopes and who made it come back; another tenant has it not."""
    with store.writing() as writer:
        writer.put_role_definition(ROLE)
    with store.reading() as reader:
        assert reader.role_definition(TENANT_ID, "role") == ROLE
        assert reader.role_definitions(TENANT_ID) == (ROLE,)
        assert reader.role_definition("another", "role") is None
    with store.writing() as writer:
        writer.delete_role_definition(TENANT_ID, "role")
        assert writer.role_definitions(TENANT_ID) == ()


def test_a_glance_forgets_a_decision_when_an_assignment_goes(store: Store) -> None:
    """What was decided is remembered over glances, until anything changes that it may rest on."""
    asked = []

    def decide() -> bool:
        asked.append(1)
        return True

    def ask() -> None:
        with store.glance() as glance:
            glance.remember(("decision",), decide)

    ask()
    ask()
    assert len(asked) == 1
    with store.writing() as writer:
        writer.add_role_assignment(ASSIGNMENT)
    ask()
    ask()
    assert len(asked) == 2


def test_an_older_deployments_administrator_keeps_every_right(empty_url: str, clock: FakeClock) -> None:
    """The migration makes the subscription and its group, and assigns to every administrator the roles that do as much."""
    engine = open_engine(empty_url)
    vault = a_vault()
    with engine.begin() as connection:
        upgrade(connection, "0004")
        connection.execute(_OLD_VAULT, {"tenant": TENANT_ID})
        for name in ("boss", "clerk"):
            connection.execute(_OLD_PRINCIPAL, {"tenant": TENANT_ID, "name": name, "administrator": name == "boss"})
    engine.dispose()
    migrate(empty_url)
    store = open_store(empty_url, clock)
    with store.reading() as reader:
        assigned = reader.all_role_assignments(TENANT_ID)
        assert {(found.principal_id, found.role_id, found.scope) for found in assigned} == {
            ("boss", role, "/subscriptions/sub") for role in (OWNER, KEY_VAULT_ADMINISTRATOR)
        }
        old = reader.vault_by_name("OLD")
        assert old is not None
        assert (old.rbac, old.network, old.deployment, old.tags) == (True, vault.network, vault.deployment, {})
        (group,) = reader.resource_groups("sub")
        assert reader.resource_group("sub", "gROUP") == group
        assert (group.name, group.location, group.created) == ("Group", "here", old.created)
        assert [found.id for found in reader.subscriptions(TENANT_ID)] == ["sub"]
    store.close()


def test_a_deleted_vault_is_only_found_as_one(store: Store, clock: FakeClock) -> None:
    """It is in no list of vaults, and its name stays taken."""
    with store.writing() as writer:
        gone = replace(a_vault(), deleted=clock(), purge_at=clock() + timedelta(days=90), tags={"team": "red"})
        writer.replace_vault(gone)
    with store.reading() as reader:
        assert reader.vault_by_name(gone.name) is None
        assert reader.vaults() == ()
        assert reader.deleted_vaults(gone.subscription_id) == (gone,)
        assert reader.deleted_vault(gone.name.upper()) == gone
    with pytest.raises(Conflict, match="already in use"), store.writing() as writer:
        writer.add_vault(replace(a_vault(), id="another"))
