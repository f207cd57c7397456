"""Why somebody may do something: what is explained is what is let in, in both models, and only to those who may know."""

from dataclasses import replace

import pytest

from certworker.errors import AuthorizationFailed
from certworker.vault.access import Caller
from certworker.vault.rights.built_in_roles import READER
from certworker.vault.rights.data_actions import DATA_ACTIONS
from certworker.vault.rights.explanation import Explanation, Ground, GroundKind
from certworker.vault.rights.policies import AccessPolicy
from certworker.vault.rights.scopes import object_scope, subscription_scope, vault_scope
from certworker.vault.vaults import Vault
from tests.support.deployment import Deployment
from tests.support.operations import OPERATIONS, assign, go_by_policies, let_in

SECRETS_USER, CRYPTO_USER = "4633458b-17de-408a-b874-0445c86b69e6", "12338af0-0e69-4776-bea7-57ae8d297424"


def explained(found: Explanation) -> set[str]:
    """List the operations that an explanation tells of."""
    rights = {(right.noun, right.permission, right.data_action) for right in found.rights}
    if found.vault.rbac:
        actions = {action for _, _, action in rights}
        return {path for path, one in OPERATIONS.items() if f"Microsoft.KeyVault/vaults/{one.action}" in actions}
    words = {(noun, word) for noun, word, _ in rights}
    return {path for path, one in OPERATIONS.items() if (one.noun, one.word.lower()) in words}


def test_roles_are_explained_as_they_are_decided(deployment: Deployment) -> None:
    """By oneself, by a group of a group, and for a single object where it is named."""
    house, vault = deployment.house, deployment.vault
    ada = Caller("ada", "terminal", vault.tenant_id, user_name="ada@contoso.example")
    with house.store.writing() as writer:
        for group, member in (("inner", "ada"), ("outer", "inner")):
            writer.add_group_member(group, member)
    mine = assign(house, "ada", CRYPTO_USER, object_scope(vault, "keys", "web"))
    ours = assign(house, "outer", SECRETS_USER, subscription_scope(vault.subscription_id))
    found = house.explanations.explain(deployment.administrator, vault, "ada")
    assert (found.groups, explained(found)) == (("inner", "outer"), let_in(house, ada, vault))
    ground = Ground(GroundKind.ROLE_ASSIGNMENT, "outer", ours.scope, "Key Vault Secrets User", ours.id)
    assert {right.permission: right.grounds for right in found.rights} == {"get": (ground,), "list": (ground,)}
    named = house.explanations.explain(deployment.administrator, vault, "ada", name="WEB")
    of_one = {path for path in explained(named) if OPERATIONS[path].of_object}
    assert of_one == {path for path in let_in(house, ada, vault, "web") if OPERATIONS[path].of_object}
    signs = next(right for right in named.rights if right.permission == "sign")
    assert (signs.data_action, signs.grounds[0].assignment_id) == ("Microsoft.KeyVault/vaults/keys/sign/action", mine.id)
    assert house.explanations.explain(ada, vault) == replace(found, application_id=None)


def test_access_policies_are_explained_as_they_are_decided(deployment: Deployment) -> None:
    """The compound identity is told from the user alone."""
    house, tenant = deployment.house, deployment.vault.tenant_id
    vault = go_by_policies(
        house,
        deployment.vault,
        AccessPolicy(tenant, "ada", {"secrets": ("List",), "storage": ("all",)}),
        AccessPolicy(tenant, "ada", {"secrets": ("all",)}, "portal"),
    )
    for application in ("portal", "other", None):
        found = house.explanations.explain(deployment.administrator, vault, "ada", application)
        caller = Caller("ada", application or "", tenant, user_name="ada@contoso.example")
        assert explained(found) == let_in(house, caller, vault)
    grounds = house.explanations.explain(deployment.administrator, vault, "ada", "portal").rights
    of_list = next(right.grounds for right in grounds if right.permission == "list")
    assert [(ground.kind.value, ground.application_id) for ground in of_list] == [
        ("access policy", None),
        ("access policy", "portal"),
    ]


def test_only_who_may_read_role_assignments_is_told_of_others(deployment: Deployment) -> None:
    """Of themselves everybody is, with the groups of their token; a role on data tells nobody of others."""
    house, vault = deployment.house, deployment.vault
    ada = Caller("ada", "terminal", vault.tenant_id, groups=frozenset({"theirs"}))
    assign(house, "theirs", SECRETS_USER, vault_scope(vault))
    own = house.explanations.explain(ada, vault)
    assert ([right.permission for right in own.rights], own.groups) == (["get", "list"], ("theirs",))
    assert house.explanations.explain(ada, vault, "ada", "terminal").rights == own.rights
    with pytest.raises(AuthorizationFailed, match=r"Microsoft\.Authorization/roleAssignments/read"):
        house.explanations.explain(ada, vault, "grace")
    assign(house, "ada", READER, vault_scope(vault))
    assert house.explanations.explain(ada, vault, "grace").rights == ()


@pytest.mark.parametrize("place", ["vault", "caller"])
def test_nobody_is_told_of_another_tenant(deployment: Deployment, place: str) -> None:
    """Neither by a caller of another one, nor of a vault in another one."""
    vault: Vault = replace(deployment.vault, tenant_id="another") if place == "vault" else deployment.vault
    caller = replace(deployment.administrator, tenant_id="another") if place == "caller" else deployment.administrator
    assert deployment.house.explanations.explain(caller, vault).rights == ()


def test_all_that_gives_anybody_something_is_listed(deployment: Deployment) -> None:
    """Roles above the vault, for it and for single objects of it; roles that open nothing are left out, and neighbours too."""
    house, vault, who = deployment.house, deployment.vault, deployment.administrator
    assign(house, "auditors", READER, vault_scope(vault))
    assign(house, "ada", SECRETS_USER, object_scope(vault, "secrets", "web"))
    assign(house, "grace", CRYPTO_USER, object_scope(vault, "secrets", "web"))
    assign(house, "other", SECRETS_USER, vault_scope(replace(vault, name="contoso2")))
    found = {holding.ground.principal_id: holding.permissions for holding in house.explanations.holdings(who, vault)}
    assert found == {"ada": {"secrets": ("get", "list")}, who.object_id: found[who.object_id]}
    assert {(noun, word) for noun, words in found[who.object_id].items() for word in words} == set(DATA_ACTIONS)
    for name, expected in (("WEB", {"ada", who.object_id}), ("web2", {who.object_id})):
        named = house.explanations.holdings(who, vault, name)
        assert {holding.ground.principal_id for holding in named} == expected
    with pytest.raises(AuthorizationFailed):
        house.explanations.holdings(Caller("ada", "terminal", vault.tenant_id), vault)
    policies = (AccessPolicy(vault.tenant_id, "ada", {"keys": ("Sign",)}, "portal"), AccessPolicy(vault.tenant_id, "none", {}))
    (only,) = house.explanations.holdings(who, go_by_policies(house, vault, *policies))
    assert (only.ground.application_id, only.permissions["keys"]) == ("portal", ("sign",))
