"""azure-mgmt-authorization, as it comes from PyPI, against a real server over TLS."""

from uuid import uuid4

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError
from azure.identity import ClientSecretCredential
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.authorization.v2022_04_01.models import RoleAssignmentCreateParameters
from azure.mgmt.authorization.v2022_05_01_preview.models import Permission, RoleDefinition

from certworker.vault.rights.built_in_roles import OWNER
from tests.api.world import TestAuthority, World


def client(world: World, authority: TestAuthority, **options: str) -> AuthorizationManagementClient:
    """Make a client that is the administrator's."""
    verify = {"connection_verify": str(authority.bundle)}
    url = world.house.settings.management_url
    credential = ClientSecretCredential(
        world.tenant,
        world.administrator.client_id,
        world.client_secret,
        authority=world.house.settings.authority,
        disable_instance_discovery=True,
        **verify,
    )
    scopes = [f"{url}/.default"]
    return AuthorizationManagementClient(
        credential, world.vault.subscription_id, base_url=url, credential_scopes=scopes, **verify, **options
    )


def test_role_assignments(served: World, authority: TestAuthority) -> None:
    """Roles are assigned, found, listed and taken back by the client's own calls."""
    arm, subscription = client(served, authority), f"/subscriptions/{served.vault.subscription_id}"
    scope = (
        f"{subscription}/resourceGroups/{served.vault.resource_group}/providers/Microsoft.KeyVault/vaults/{served.vault.name}"
    )
    guest, _ = served.add_principal("guest", administrator=False)
    roles = list(arm.role_definitions.list(scope, filter="roleName eq 'Key Vault Secrets User'"))
    assert [role.role_name for role in roles] == ["Key Vault Secrets User"]
    wish = RoleAssignmentCreateParameters(
        role_definition_id=roles[0].id, principal_id=guest.object_id, principal_type="ServicePrincipal"
    )
    made = arm.role_assignments.create(scope, str(uuid4()), wish)
    assert (made.scope, made.principal_type, made.role_definition_id) == (scope, "ServicePrincipal", roles[0].id)
    assert arm.role_assignments.get_by_id(made.id) == made
    mine = f"principalId eq '{guest.object_id}'"
    assert [one.id for one in arm.role_assignments.list_for_subscription(filter=mine)] == [made.id]
    assert [one.id for one in arm.role_assignments.list_for_resource_group(served.vault.resource_group, filter=mine)] == [
        made.id
    ]
    of_vault = arm.role_assignments.list_for_resource(
        served.vault.resource_group, "Microsoft.KeyVault", "vaults", served.vault.name, filter="atScope()"
    )
    assert made.id in {one.id for one in of_vault}
    with pytest.raises(ResourceExistsError, match="RoleAssignmentExists"):
        arm.role_assignments.create(scope, str(uuid4()), wish)
    assert arm.role_assignments.delete_by_id(made.id).id == made.id
    assert arm.role_assignments.delete(scope, made.name) is None
    assert list(arm.role_assignments.list_for_scope(scope, filter=mine)) == []
    permissions = list(arm.permissions.list_for_resource_group(served.vault.resource_group))
    assert ["*"] in [one.actions for one in permissions]
    assert list(arm.deny_assignments.list()) == []
    assert list(arm.classic_administrators.list()) == []


def test_role_definitions(served: World, authority: TestAuthority) -> None:
    """A custom role is made, found by its name and deleted; a built-in one cannot be."""
    arm = client(served, authority, api_version="2022-05-01-preview")
    subscription, role_id = f"/subscriptions/{served.vault.subscription_id}", str(uuid4())
    wish = RoleDefinition(
        role_name="Deployer",
        role_type="CustomRole",
        description="Has secrets fetched while it deploys.",
        permissions=[Permission(actions=["Microsoft.KeyVault/vaults/deploy/action"], not_actions=[])],
        assignable_scopes=[subscription],
    )
    made = arm.role_definitions.create_or_update(subscription, role_id, wish)
    assert made.permissions[0].actions == ["Microsoft.KeyVault/vaults/deploy/action"]
    wish.role_name = "Releaser"
    assert arm.role_definitions.create_or_update(subscription, role_id, wish).role_name == "Releaser"
    assert arm.role_definitions.get_by_id(made.id).role_name == "Releaser"
    assert [role.name for role in arm.role_definitions.list(subscription, filter="type eq 'CustomRole'")] == [role_id]
    assert len(list(arm.role_definitions.list(subscription))) > 15
    assert arm.role_definitions.delete(subscription, role_id).name == role_id
    with pytest.raises(HttpResponseError, match="built in"):
        arm.role_definitions.delete(subscription, OWNER)
