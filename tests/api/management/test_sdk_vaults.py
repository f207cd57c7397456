"""azure-mgmt-keyvault, as it comes from PyPI, against a real server over TLS: the whole life of a vault."""

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.identity import ClientSecretCredential
from azure.keyvault.secrets import SecretClient
from azure.mgmt.keyvault import KeyVaultManagementClient

from tests.api.world import TestAuthority, World

POLLING: Any = {"polling_interval": 0}


@pytest.fixture
def credential(served: World, authority: TestAuthority) -> ClientSecretCredential:
    """Log in as the administrator."""
    return ClientSecretCredential(
        served.tenant,
        served.administrator.client_id,
        served.client_secret,
        authority=served.house.settings.authority,
        disable_instance_discovery=True,
        connection_verify=str(authority.bundle),
    )


@pytest.fixture
def client(served: World, authority: TestAuthority, credential: ClientSecretCredential) -> KeyVaultManagementClient:
    """Give the client of a subscription."""
    url = served.house.settings.management_url
    return KeyVaultManagementClient(
        credential,
        served.vault.subscription_id,
        base_url=url,
        credential_scopes=[f"{url}/.default"],
        connection_verify=str(authority.bundle),
    )


def parameters(world: World, **properties: Any) -> Any:  # noqa: ANN401 - the SDK's own
    """Say what a plain vault is."""
    plain = {"tenantId": world.tenant, "sku": {"family": "A", "name": "standard"}}
    return {"location": "local", "properties": plain | properties}


def test_the_life_of_a_vault(
    served: World, authority: TestAuthority, client: KeyVaultManagementClient, credential: ClientSecretCredential
) -> None:
    """Check the name, make, use, change, list, delete, recover and purge it."""
    group = served.vault.resource_group
    name: Any = {"name": "second", "type": "Microsoft.KeyVault/vaults"}
    assert client.vaults.check_name_availability(name).name_available
    made = client.vaults.begin_create_or_update(group, "second", parameters(served), **POLLING).result()
    assert made.properties.enable_rbac_authorization
    assert made.properties.provisioning_state == "Succeeded"
    assert made.system_data
    assert made.system_data.created_by == served.administrator.client_id
    assert not client.vaults.check_name_availability(name).name_available
    assert made.properties.vault_uri
    verify: Any = {"connection_verify": str(authority.bundle)}
    with SecretClient(made.properties.vault_uri, credential, **verify) as secrets:
        secrets.set_secret("one", "its value")
        update: Any = {"tags": {"a": "b"}, "properties": {"enabledForTemplateDeployment": True}}
        changed = client.vaults.update(group, "second", update)
        assert (changed.tags, changed.properties.enabled_for_template_deployment) == ({"a": "b"}, True)
        names = {"second", served.vault.name}
        assert {found.name for found in client.vaults.list_by_subscription(top=1)} == names
        assert {found.name for found in client.vaults.list_by_resource_group(group)} == names
        assert names <= {found.name for found in client.vaults.list(top=1)}
        client.vaults.delete(group, "second")
        with pytest.raises(ResourceNotFoundError):
            client.vaults.get(group, "second")
        with pytest.raises(ResourceExistsError):
            client.vaults.begin_create_or_update(group, "second", parameters(served), **POLLING)
        (deleted,) = client.vaults.list_deleted()
        assert deleted.properties
        assert deleted.properties.vault_id == made.id
        recover = parameters(served, createMode="recover")
        assert client.vaults.begin_create_or_update(group, "second", recover, **POLLING).result().tags == {"a": "b"}
        assert secrets.get_secret("one").value == "its value"
    client.vaults.delete(group, "second")
    assert client.vaults.get_deleted("second", "local").name == "second"
    client.vaults.begin_purge_deleted("second", "local", **POLLING).result()
    with pytest.raises(ResourceNotFoundError):
        client.vaults.get_deleted("second", "local")


def test_access_policies_and_refusals(served: World, client: KeyVaultManagementClient) -> None:
    """Policies are added, replaced and removed; what cannot be is told with the service's code."""
    group, who = served.vault.resource_group, served.administrator.object_id
    body = parameters(served, enableRbacAuthorization=False, accessPolicies=[])
    client.vaults.begin_create_or_update(group, "second", body, **POLLING).result()

    def policies(**permissions: list[str]) -> Any:  # noqa: ANN401 - the SDK's own
        entry = {"tenantId": served.tenant, "objectId": who, "permissions": permissions}
        return {"properties": {"accessPolicies": [entry]}}

    client.vaults.update_access_policy(group, "second", "add", policies(keys=["get"], secrets=["all"]))
    client.vaults.update_access_policy(group, "second", "remove", policies(secrets=["all"]))
    client.vaults.update_access_policy(group, "second", "add", policies(keys=["list"]))
    (entry,) = client.vaults.get(group, "second").properties.access_policies or []
    assert (entry.object_id, list(entry.permissions.keys_property or entry.permissions["keys"])) == (who, ["get", "list"])
    for wrong, code in (
        (parameters(served, softDeleteRetentionInDays=7), "BadRequest"),
        (parameters(served, sku={"family": "A", "name": "gold"}), "BadRequest"),
    ):
        with pytest.raises(HttpResponseError) as refused:
            client.vaults.begin_create_or_update(group, "second", wrong, **POLLING)
        assert refused.value.error
        assert refused.value.error.code == code


def test_children_and_what_there_is_not(served: World, client: KeyVaultManagementClient) -> None:
    """Secrets and keys by resource id, the operations, and lists that are empty."""
    group, vault = served.vault.resource_group, served.vault.name
    secret: Any = {"properties": {"value": "its value"}}
    made = client.secrets.create_or_update(group, vault, "one", secret)
    assert made.properties.value is None
    assert [found.name for found in client.secrets.list(group, vault)] == ["one"]
    key: Any = {"properties": {"kty": "EC", "curveName": "P-256"}}
    assert client.keys.create_if_not_exist(group, vault, "ec", key).properties.kty == "EC"
    assert [found.name for found in client.keys.list(group, vault)] == ["ec"]
    assert len(list(client.keys.list_versions(group, vault, "ec"))) == 1
    assert list(client.managed_hsms.list_by_subscription()) == []
    assert list(client.private_endpoint_connections.list_by_resource(group, vault)) == []
    assert client.private_link_resources.list_by_vault(group, vault).value == []
    assert "Microsoft.KeyVault/vaults/write" in {found.name for found in client.operations.list()}
