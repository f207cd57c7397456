"""Vaults as resources: who may make, change, delete and recover them, and by which rules."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from certworker.errors import (
    AuthorizationFailed,
    BadParameter,
    CertworkerError,
    Forbidden,
    InvalidResource,
    ResourceConflict,
    ResourceNotFound,
)
from certworker.vault.access import Caller
from certworker.vault.management.places import VaultPlace
from certworker.vault.management.vaults import ShownVault, VaultWish
from certworker.vault.rights.built_in_roles import CONTRIBUTOR, KEY_VAULT_CONTRIBUTOR, OWNER, READER
from certworker.vault.rights.policy_lists import PolicyChange
from certworker.vault.rights.roles import PrincipalType, RoleAssignment
from certworker.vault.rights.scopes import group_scope
from certworker.vault.secrets import NewSecret
from certworker.vault.vault_properties import VaultUpdate
from certworker.vault.vaults import SYSTEM_VAULT, NetworkRules, Sku, Vault
from tests.support.clock import FakeClock
from tests.support.deployment import Deployment, policy_for

GROUP = "certworker"


def place(deployment: Deployment, name: str, group: str = GROUP) -> VaultPlace:
    """Say where a vault is."""
    return VaultPlace(deployment.vault.subscription_id, group, name)


def wish(deployment: Deployment, **changes: Any) -> VaultWish:  # noqa: ANN401 - of any field
    """Say what a plain vault is."""
    return replace(VaultWish("local", deployment.vault.tenant_id), **changes)


def make(deployment: Deployment, name: str, **changes: Any) -> ShownVault:  # noqa: ANN401 - of any field
    """Make a vault as the administrator."""
    service = deployment.house.resources.vaults
    return service.put(deployment.administrator, place(deployment, name), wish(deployment, **changes), rbac_by_default=True)


def somebody(deployment: Deployment, role_id: str | None, scope: str | None = None) -> Caller:
    """Give a caller a role at the resource group, unless told otherwise."""
    caller = Caller(str(uuid4()), str(uuid4()), deployment.vault.tenant_id)
    at = deployment.house.clock()
    if role_id:
        scope = scope or group_scope(deployment.vault.subscription_id, GROUP)
        kind = PrincipalType.SERVICE_PRINCIPAL
        with deployment.house.store.writing() as writer:
            writer.add_role_assignment(
                RoleAssignment(str(uuid4()), caller.tenant_id, scope, role_id, caller.object_id, kind, at, at)
            )
    return caller


def policy(deployment: Deployment, caller: Caller, **permissions: list[str]) -> dict[str, Any]:
    """Write an access policy as it is sent."""
    return {"tenantId": deployment.vault.tenant_id, "objectId": caller.object_id, "permissions": permissions}


def test_a_new_vault_works_at_once(deployment: Deployment) -> None:
    """It has keys of its own, whoever has a right at the subscription has it there, and nobody else."""
    made = make(deployment, "Second", update=VaultUpdate(sku=Sku.PREMIUM, retention_days=7, tags={"team": "a"}))
    vault = made.vault
    assert made.is_new
    assert (vault.name, vault.sku, vault.retention_days, vault.rbac, vault.tags) == (
        "Second",
        Sku.PREMIUM,
        7,
        True,
        {"team": "a"},
    )
    assert (vault.created_by, vault.location) == (deployment.administrator.client_id, "local")
    secrets = deployment.house.secrets
    secrets.set(deployment.administrator, vault, "one", NewSecret("its value"))
    assert secrets.get(deployment.administrator, vault, "one").value == "its value"
    with pytest.raises(Forbidden):
        secrets.get(somebody(deployment, KEY_VAULT_CONTRIBUTOR), vault, "one")
    deployment.house.certificates.create(deployment.administrator, vault, "web", policy_for("web.test", "Self"), tags={})
    assert deployment.house.resources.vaults.get(deployment.administrator, place(deployment, "second")).vault == vault


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("ab", {}, "VaultNameNotValid"),
        ("1st", {}, "VaultNameNotValid"),
        ("a--b", {}, "VaultNameNotValid"),
        ("contoso", {"update": VaultUpdate()}, None),
        (SYSTEM_VAULT, {}, "VaultAlreadyExists"),
        ("second", {"location": None}, "LocationRequired"),
        ("second", {"location": "the moon"}, "LocationNotAvailableForResourceType"),
        ("second", {"tenant_id": None}, "BadRequest"),
        ("second", {"tenant_id": str(uuid4())}, "BadRequest"),
        ("second", {"soft_delete": False}, "BadRequest"),
        ("second", {"recover": True}, "BadRequest"),
        ("second", {"update": VaultUpdate(retention_days=6)}, None),
        ("second", {"update": VaultUpdate(network=NetworkRules(addresses=("10.0.0.1/8",)))}, "BadRequest"),
        ("second", {"update": VaultUpdate(network=NetworkRules(addresses=("example.test",)))}, "BadRequest"),
        ("second", {"update": VaultUpdate(network=NetworkRules(subnets=("/subscriptions/s/x",)))}, "BadRequest"),
        ("second", {"update": VaultUpdate(tags={f"t{number}": "" for number in range(51)})}, "InvalidTagCount"),
        ("second", {"update": VaultUpdate(tags={"a": "x" * 257})}, "InvalidTagValue"),
        ("second", {"update": VaultUpdate(tags={"a/b": ""})}, "InvalidTagName"),
        ("second", {"update": VaultUpdate(tags={"a": "", "A": ""})}, "DuplicateTags"),
        ("second", {"policies": "all"}, None),
    ],
)
def test_what_cannot_be_made(deployment: Deployment, name: str, changes: Mapping[str, Any], reason: str | None) -> None:
    """Each is refused with the word that clients know, and nothing is made."""
    if name == "contoso":
        name = "second"
        changes = {"policies": [{"tenantId": "another", "objectId": "x", "permissions": {}}]}
    with pytest.raises(CertworkerError) as refused:
        make(deployment, name, **changes)
    assert isinstance(refused.value, BadParameter | ResourceConflict)
    assert getattr(refused.value, "reason", None) == reason
    with deployment.house.store.reading() as reader:
        assert {vault.name for vault in reader.every_vault()} == {"contoso", SYSTEM_VAULT}
        assert len(reader.wrapped_keys(deployment.vault.id)) == 1


def test_names_are_unique_and_groups_have_to_be_there(deployment: Deployment) -> None:
    """A name that another group has, or a deleted vault, is refused with what to do; so is a group that there is not."""
    house, administrator = deployment.house, deployment.administrator
    subscription = deployment.vault.subscription_id
    with pytest.raises(ResourceNotFound) as missing:
        house.resources.vaults.put(administrator, place(deployment, "second", "other"), wish(deployment), rbac_by_default=True)
    assert missing.value.reason == "ResourceGroupNotFound"
    house.resources.groups.put(administrator, subscription, "other", "local", {})
    with pytest.raises(ResourceConflict, match="already in use"):
        house.resources.vaults.put(administrator, place(deployment, "CONTOSO", "other"), wish(deployment), rbac_by_default=True)
    assert house.resources.vaults.delete(administrator, place(deployment, "contoso"))
    with pytest.raises(ResourceConflict, match="was deleted and can still be recovered") as held:
        make(deployment, "contoso")
    assert held.value.reason == "VaultAlreadyExists"
    check = house.resources.names.check
    taken = check(administrator, subscription, "contoso", "Microsoft.KeyVault/vaults")
    assert (taken.available, taken.reason) == (False, "AlreadyExists")
    assert check(administrator, subscription, "a--b", "Microsoft.KeyVault/vaults").reason == "AccountNameInvalid"
    assert check(administrator, subscription, "free", "microsoft.keyvault/VAULTS").available
    with pytest.raises(InvalidResource):
        check(administrator, subscription, "free", "Microsoft.Compute/disks")


def test_what_is_put_again_changes_what_was_said(deployment: Deployment) -> None:
    """What was not said stays, tags are replaced; retention stays fixed, and purge protection stays on."""
    make(deployment, "second", update=VaultUpdate(retention_days=30, tags={"a": "1"}, machines=True))
    rules = NetworkRules(allow_by_default=False, addresses=("203.0.113.7", "203.0.113.7/32", "2001:db8::/32"))
    vault = make(deployment, "second", update=VaultUpdate(network=rules, purge_protection=True, public_access=False)).vault
    assert vault.network == replace(rules, addresses=("203.0.113.7/32", "2001:db8::/32"))
    assert (vault.retention_days, vault.purge_protection, vault.public_access, vault.tags) == (30, True, False, {})
    assert vault.deployment.machines
    for update in (VaultUpdate(retention_days=31), VaultUpdate(purge_protection=False)):
        with pytest.raises(BadParameter, match=r"has been set already|irreversible"):
            make(deployment, "second", update=update)
    with pytest.raises(InvalidResource, match="cannot be moved"):
        make(deployment, "second", location="eastus")
    patched = deployment.house.resources.vaults.patch(
        deployment.administrator, place(deployment, "second"), VaultWish(update=VaultUpdate(tags={"b": "2"}))
    )
    assert patched.vault.tags == {"b": "2"}
    assert patched.vault.network == vault.network


def test_who_may_what(deployment: Deployment) -> None:
    """A reader reads, Key Vault Contributor manages and does not purge; roles at a group end there; strangers see nothing."""
    house, vaults = deployment.house, deployment.house.resources.vaults
    here, subscription = place(deployment, "contoso"), deployment.vault.subscription_id
    reader, contributor, nobody = (somebody(deployment, role) for role in (READER, KEY_VAULT_CONTRIBUTOR, None))
    assert vaults.get(reader, here).vault.name == "contoso"
    assert [shown.vault.name for shown in vaults.list_in_group(reader, subscription, "CERTWORKER")] == ["contoso"]
    for refused in (
        lambda: vaults.put(reader, here, wish(deployment), rbac_by_default=True),
        lambda: vaults.patch(reader, here, VaultWish()),
        lambda: vaults.delete(reader, here),
        lambda: vaults.change_policies(reader, here, [], PolicyChange.ADD),
        lambda: vaults.get(nobody, here),
        lambda: vaults.list_in_group(nobody, subscription, GROUP),
        lambda: vaults.list_in_subscription(reader, subscription),
        lambda: house.resources.groups.put(contributor, subscription, "new", "local", {}),
        lambda: house.resources.groups.delete(contributor, subscription, GROUP),
        lambda: house.resources.deleted_vaults.list_(contributor, subscription),
        lambda: house.resources.names.check(contributor, subscription, "free", "Microsoft.KeyVault/vaults"),
    ):
        with pytest.raises(AuthorizationFailed):
            refused()
    assert vaults.list_readable(nobody, subscription) == ()
    assert [vault.name for vault in vaults.list_readable(reader, subscription)] == ["contoso"]
    assert house.resources.groups.subscriptions(nobody) == ()
    assert [one.id for one in house.resources.groups.subscriptions(reader)] == [subscription]
    assert vaults.delete(contributor, here)
    everywhere = somebody(deployment, KEY_VAULT_CONTRIBUTOR, f"/subscriptions/{subscription}")
    assert [vault.name for vault in house.resources.deleted_vaults.list_(everywhere, subscription)] == ["contoso"]
    with pytest.raises(AuthorizationFailed):
        house.resources.deleted_vaults.purge(everywhere, subscription, "local", "contoso")
    assert vaults.put(contributor, here, wish(deployment, recover=True), rbac_by_default=True).is_new


def test_access_policies_grant_only_where_they_hold(deployment: Deployment) -> None:
    """Key Vault Contributor sets them, which grants in a vault of theirs, and nothing in one that goes by roles."""
    house, vaults = deployment.house, deployment.house.resources.vaults
    contributor = somebody(deployment, KEY_VAULT_CONTRIBUTOR)
    here = place(deployment, "second")
    mine = policy(deployment, contributor, secrets=["set", "GET"])
    made = vaults.put(
        contributor, here, wish(deployment, policies=[mine], update=VaultUpdate(rbac=False)), rbac_by_default=True
    ).vault
    house.secrets.set(contributor, made, "one", NewSecret("a value"))
    assert house.secrets.get(contributor, made, "one").value == "a value"
    vaults.change_policies(contributor, here, [policy(deployment, contributor, secrets=["get"])], PolicyChange.REMOVE)
    with pytest.raises(Forbidden):
        house.secrets.get(contributor, made, "one")
    shown = vaults.change_policies(contributor, here, [policy(deployment, contributor, keys=["all"])], PolicyChange.ADD)
    assert [found.permissions for found in shown.policies] == [{"secrets": ("set",), "keys": ("all",)}]
    vaults.change_policies(contributor, place(deployment, "contoso"), [mine], PolicyChange.ADD)
    with pytest.raises(Forbidden):
        house.secrets.set(contributor, deployment.vault, "one", NewSecret("a value"))


@pytest.mark.parametrize(("role_id", "may"), [(KEY_VAULT_CONTRIBUTOR, False), (CONTRIBUTOR, False), (OWNER, True)])
def test_from_roles_to_access_policies_and_back(deployment: Deployment, role_id: str, may: bool) -> None:  # noqa: FBT001
    """Only who may assign roles switches: whoever only manages vaults would let themselves in by it."""
    caller, vaults = somebody(deployment, role_id), deployment.house.resources.vaults
    here, update = place(deployment, "contoso"), VaultWish(update=VaultUpdate(rbac=False))
    if may:
        assert not vaults.patch(caller, here, update).vault.rbac
        return
    with pytest.raises(AuthorizationFailed, match="roleAssignments/write"):
        vaults.patch(caller, here, update)
    assert vaults.patch(caller, here, VaultWish(update=VaultUpdate(rbac=True))).vault.rbac


def test_the_services_own_vault_is_no_resource(deployment: Deployment) -> None:
    """Nobody sees, changes or deletes it, not even with its resource group."""
    house, administrator = deployment.house, deployment.administrator
    vaults, own = house.resources.vaults, place(deployment, SYSTEM_VAULT)
    assert [shown.vault.name for shown in vaults.list_in_subscription(administrator, own.subscription_id)] == ["contoso"]
    with pytest.raises(ResourceNotFound):
        vaults.get(administrator, own)
    with pytest.raises(ResourceNotFound):
        vaults.patch(administrator, own, VaultWish(update=VaultUpdate(rbac=False)))
    with pytest.raises(ResourceNotFound):
        vaults.change_policies(administrator, own, [], PolicyChange.ADD)
    assert not vaults.delete(administrator, own)
    house.resources.groups.delete(administrator, own.subscription_id, GROUP)
    with house.store.reading() as reader:
        assert [vault.name for vault in reader.vaults()] == [SYSTEM_VAULT]
        assert [vault.name for vault in reader.deleted_vaults(own.subscription_id)] == ["contoso"]


def test_a_resource_group_goes_with_what_is_in_it(deployment: Deployment, clock: FakeClock) -> None:
    """Its vaults can be recovered once there is a group of the name again; roles at the old one do not come back."""
    house, administrator, groups = deployment.house, deployment.administrator, deployment.house.resources.groups
    subscription, reader = deployment.vault.subscription_id, somebody(deployment, READER)
    groups.delete(administrator, subscription, "CertWorker")
    with pytest.raises(ResourceNotFound):
        make(deployment, "contoso", recover=True)
    clock.advance(timedelta(days=89))
    groups.put(administrator, subscription, GROUP, "local", {"a": "b"})
    with pytest.raises(ResourceConflict, match="cannot be moved"):
        groups.put(administrator, subscription, GROUP, "westus", {})
    for name in ("", "ends.", "a b", "x" * 91):
        with pytest.raises(InvalidResource):
            groups.put(administrator, subscription, name, "local", {})
    recovered: Vault = make(deployment, "contoso", recover=True).vault
    assert recovered.deleted is None
    with pytest.raises(AuthorizationFailed):
        house.resources.vaults.get(reader, place(deployment, "contoso"))
