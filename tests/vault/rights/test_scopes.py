"""Where rights hold and how they come to somebody: single objects and scopes above, groups in groups, custom roles, tenants."""

from dataclasses import replace

import pytest

from certworker.bootstrap import House
from certworker.errors import Forbidden, ForbiddenByPolicy, ForbiddenByRoles
from certworker.vault.access import Caller
from certworker.vault.rights.built_in_roles import KEY_VAULT_ADMINISTRATOR
from certworker.vault.rights.policies import AccessPolicy
from certworker.vault.rights.roles import Permission, RoleDefinition
from certworker.vault.rights.scopes import group_scope, object_scope, subscription_scope, vault_scope
from certworker.vault.secrets import NewSecret
from tests.support.clock import START
from tests.support.deployment import Deployment, policy_for
from tests.support.operations import OPERATIONS, assign, go_by_policies, let_in

SECRETS_USER, SECRETS_OFFICER = "4633458b-17de-408a-b874-0445c86b69e6", "b86a8fe4-44ce-4948-aee5-eccb2c155cd7"
READER_OF_KEY_VAULT = "21090545-7ca7-4776-b22c-e363652d74d2"
ALL = set(OPERATIONS)


@pytest.fixture
def ada(deployment: Deployment) -> Caller:
    """Give somebody who may do nothing yet."""
    return Caller("ada", "terminal", deployment.vault.tenant_id, user_name="ada@contoso.example")


def put_role(house: House, tenant: str, *permissions: Permission) -> str:
    """Make a custom role; give its id."""
    role_id = f"role-{len(permissions)}"
    role = RoleDefinition(role_id, role_id, "", permissions, ("/",), tenant, built_in=False, created=START, updated=START)
    with house.store.writing() as writer:
        writer.put_role_definition(role)
    return role_id


def test_a_role_for_one_object_holds_for_it_alone(deployment: Deployment, ada: Caller) -> None:
    """In any case of its name; not for one whose name begins alike, for another noun, for lists, nor for restores."""
    house, vault = deployment.house, deployment.vault
    assign(house, "ada", KEY_VAULT_ADMINISTRATOR, object_scope(vault, "Secrets", "Web"))
    mine = {path for path, operation in OPERATIONS.items() if operation.noun == "secrets" and operation.of_object}
    assert let_in(house, ada, vault, "web") == let_in(house, ada, vault, "WEB") == mine
    for name in ("web2", "we", "web-", "we/b", "web/x", ""):
        assert let_in(house, ada, vault, name) == set(), name
    house.secrets.set(ada, vault, "web", NewSecret("value"))
    assert house.secrets.get(ada, vault, "wEb").value == "value"
    assert [item.version for item in house.secrets.versions(ada, vault, "web", None, 25).items]
    with pytest.raises(ForbiddenByRoles, match="vaults/contoso/secrets/web2'"):
        house.secrets.get(ada, vault, "Web2")


def test_the_key_and_the_secret_of_a_certificate_are_objects_of_their_own(deployment: Deployment, ada: Caller) -> None:
    """A role for the certificate alone opens neither, and the other way round."""
    house, vault = deployment.house, deployment.vault
    deployment.create("web", policy_for("web.test", "Self"))
    assignment = assign(house, "ada", KEY_VAULT_ADMINISTRATOR, object_scope(vault, "certificates", "web"))
    assert house.certificates.get(ada, vault, "web")
    with pytest.raises(ForbiddenByRoles):
        house.secrets.get(ada, vault, "web")
    with pytest.raises(ForbiddenByRoles):
        house.keys.get(ada, vault, "web")
    with house.store.writing() as writer:
        writer.delete_role_assignment(vault.tenant_id, assignment.id)
    assign(house, "ada", KEY_VAULT_ADMINISTRATOR, object_scope(vault, "secrets", "web"))
    assert house.secrets.get(ada, vault, "web").secret.managed
    with pytest.raises(ForbiddenByRoles):
        house.certificates.get(ada, vault, "web")


def test_a_role_holds_below_its_scope(deployment: Deployment, ada: Caller) -> None:
    """Of the tenant, the subscription, the group and the vault, in any case; not of a neighbour that begins alike."""
    house, vault = deployment.house, deployment.vault
    subscription, group = vault.subscription_id, vault.resource_group
    for scope, holds in (
        ("/", True),
        (subscription_scope(subscription).upper(), True),
        (subscription_scope(subscription + "0"), False),
        (subscription_scope(subscription[:-1]), False),
        (group_scope(subscription, group.upper()), True),
        (group_scope(subscription, group + "2"), False),
        (group_scope(subscription, group[:-1]), False),
        (vault_scope(vault) + "/", True),
        (vault_scope(replace(vault, name="contoso2")), False),
        (vault_scope(replace(vault, name="contos")), False),
        (vault_scope(vault).replace("vaults", "managedHSMs"), False),
    ):
        assignment = assign(house, "ada", KEY_VAULT_ADMINISTRATOR, scope)
        assert let_in(house, ada, vault) == (ALL if holds else set()), scope
        with house.store.writing() as writer:
            writer.delete_role_assignment(vault.tenant_id, assignment.id)
    assert let_in(house, ada, vault) == set()


def test_groups_hand_on_what_they_have(deployment: Deployment, ada: Caller) -> None:
    """Groups in groups, and in a circle, in both models; whoever is out of one is refused at once."""
    house, vault, scope = deployment.house, deployment.vault, vault_scope(deployment.vault)
    members = (("inner", "ada"), ("outer", "inner"), ("inner", "outer"))
    assign(house, "outer", SECRETS_USER, scope)
    expected = {path for path, one in OPERATIONS.items() if one.noun == "secrets" and one.word in ("get", "list")}
    policy = AccessPolicy(vault.tenant_id, "outer", {"secrets": ("get", "list")})
    for place in (vault, go_by_policies(house, vault, policy)):
        assert let_in(house, ada, place) == set()
        with house.store.writing() as writer:
            for group, member in members:
                writer.add_group_member(group, member)
        assert let_in(house, ada, place) == expected
        assert let_in(house, replace(ada, object_id="grace"), place) == set()
        with house.store.writing() as writer:
            for group, member in members:
                writer.delete_group_member(group, member)
        assert let_in(house, ada, place) == set()
        assert let_in(house, replace(ada, groups=frozenset({"outer"})), place) == expected


def test_roles_add_up(deployment: Deployment, ada: Caller) -> None:
    """What one takes out another one grants; roles by a group and by oneself are counted together."""
    house, vault, scope = deployment.house, deployment.vault, vault_scope(deployment.vault)
    no_secrets = Permission(
        ("*",), (), ("Microsoft.KeyVault/vaults/*",), ("Microsoft.KeyVault/vaults/secrets/*", "*/PURGE/action")
    )
    assign(house, "ada", put_role(house, vault.tenant_id, no_secrets), scope)
    purges = {path for path, one in OPERATIONS.items() if one.word == "purge"}
    secrets = {path for path, one in OPERATIONS.items() if one.noun == "secrets"}
    assert let_in(house, ada, vault) == ALL - purges - secrets
    with house.store.writing() as writer:
        writer.add_group_member("team", "ada")
    assign(house, "team", SECRETS_OFFICER, object_scope(vault, "secrets", "web"))
    of_one = {path for path in secrets if OPERATIONS[path].of_object}
    assert let_in(house, ada, vault, "web") == (ALL - purges - secrets) | of_one
    assert let_in(house, ada, vault, "web2") == ALL - purges - secrets


def test_a_custom_role_is_changed_and_deleted(deployment: Deployment, ada: Caller) -> None:
    """The next request goes by what it is then. Actions of the management plane open nothing."""
    house, vault, tenant = deployment.house, deployment.vault, deployment.vault.tenant_id
    role_id = put_role(house, tenant, Permission(("*",)))
    assign(house, "ada", role_id, subscription_scope(vault.subscription_id))
    assert let_in(house, ada, vault) == set()
    put_role(house, tenant, Permission((), (), ("microsoft.keyvault/vaults/SECRETS/get*/action",)))
    assert let_in(house, ada, vault) == {"secrets.get"}
    with house.store.writing() as writer:
        writer.delete_role_definition(tenant, role_id)
    assert let_in(house, ada, vault) == set()


def test_refusals_tell_a_lack_of_this_from_a_lack_of_anything(deployment: Deployment, ada: Caller) -> None:
    """As the service does: whoever has other permissions of the kind is refused by policy, others are denied access."""
    house = deployment.house
    vault = go_by_policies(house, deployment.vault, AccessPolicy(ada.tenant_id, "ada", {"keys": ("sign",), "secrets": ()}))
    with pytest.raises(
        ForbiddenByPolicy, match=r'^Operation is not allowed\.\r\nOperation: "unwrapKey"\r\nCaller: appid=terminal;oid=ada;'
    ):
        house.key_operations.unwrap(ada, vault, "web", None, "RSA-OAEP", b"")
    with pytest.raises(
        Forbidden, match=r"oid=ada;numgroups=0;iss=' does not have secrets get permission on key vault 'contoso;loc"
    ):
        house.secrets.get(ada, vault, "web")


def test_the_mode_of_a_vault_is_changed(deployment: Deployment, ada: Caller) -> None:
    """The next request goes by the other model, and by that one alone."""
    house, vault = deployment.house, deployment.vault
    policy = AccessPolicy(vault.tenant_id, "ada", {"secrets": ("set",)})
    assign(house, "ada", READER_OF_KEY_VAULT, vault_scope(vault))
    by_policies = go_by_policies(house, vault, policy)
    assert let_in(house, ada, by_policies) == {"secrets.set", "secrets.update"}
    with house.store.writing() as writer:
        writer.replace_vault(vault)
    with house.store.glance() as glance:
        found = glance.vault_by_name(vault.name)
    assert found == vault
    assert "secrets.set" not in let_in(house, ada, vault)
    assert "secrets.list_" in let_in(house, ada, vault)


def test_nobody_has_rights_in_another_tenant(deployment: Deployment, ada: Caller) -> None:
    """Not by a token of another tenant, nor in a vault of one; nor in the service's own vault."""
    house, vault = deployment.house, deployment.vault
    assign(house, "ada", KEY_VAULT_ADMINISTRATOR, "/")
    system = house.founding.system_vault()
    assert system is not None
    assert let_in(house, ada, vault) == ALL
    assert let_in(house, replace(ada, tenant_id="another"), vault) == set()
    assert let_in(house, ada, replace(vault, tenant_id="another")) == set()
    assert let_in(house, replace(ada, tenant_id="another"), replace(vault, tenant_id="another")) == set()
    assert let_in(house, ada, system) == let_in(house, ada, replace(system, rbac=False)) == set()
