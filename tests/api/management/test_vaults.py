"""Vaults on the management plane, as HTTP: shapes, statuses, defaults by api-version, and bad bodies."""

from typing import Any

import httpx
import pytest

from tests.api.world import Caller, World

ARM = "https://management.localhost:8443"
LATEST, BEFORE_ROLES = "2026-02-01", "2025-05-01"


class Arm:
    """Calls the management plane as the administrator."""

    def __init__(self, call: Caller) -> None:
        self.call, self.world = call, call.world
        self.group = f"/subscriptions/{self.world.vault.subscription_id}/resourceGroups/{self.world.vault.resource_group}"
        self.provider = f"/subscriptions/{self.world.vault.subscription_id}/providers/Microsoft.KeyVault"

    def __call__(
        self,
        method: str,
        path: str,
        json: Any = None,  # noqa: ANN401 - any JSON
        version: str = LATEST,
        **more: Any,  # noqa: ANN401 - httpx's
    ) -> httpx.Response:
        """Call; a path without a slash is a vault's."""
        url = path if path.startswith(("https:", "/")) else self.vault(path)
        url = url if url.startswith("https:") else ARM + url
        if "api-version=" not in url:
            url += f"{'&' if '?' in url else '?'}api-version={version}"
        headers = {"Authorization": f"Bearer {self.world.token(audience=ARM)}"}
        return self.call.bare(method, url, json, headers=headers, **more)

    def vault(self, name: str) -> str:
        """Name a vault."""
        return f"{self.group}/providers/Microsoft.KeyVault/vaults/{name}"

    def body(self, **properties: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
        """Say what a plain vault is."""
        plain = {"tenantId": self.world.tenant, "sku": {"family": "A", "name": "standard"}}
        return {"location": "local", "properties": plain | properties}


@pytest.fixture
def arm(call: Caller) -> Arm:
    """Call the management plane."""
    return Arm(call)


def error_of(response: httpx.Response) -> tuple[int, str]:
    """Give status and code."""
    return response.status_code, response.json()["error"]["code"]


def test_a_vault_as_it_is_shown(arm: Arm, world: World) -> None:
    """All properties are there, with the service's words; the id goes without regard to case."""
    rules = {"bypass": "none", "defaultAction": "deny", "ipRules": [{"value": "203.0.113.7"}], "virtualNetworkRules": []}
    sent = arm.body(networkAcls=rules, enabledForDeployment=True, unknown={"a": 1}) | {"tags": {"a": "b"}}
    shown = arm("PUT", "Second", sent)
    assert shown.status_code == 200, shown.text
    at = shown.json()["systemData"]["createdAt"]
    who = {"By": world.administrator.client_id, "ByType": "Application", "At": at}
    assert shown.json() == {
        "id": arm.vault("Second"),
        "name": "Second",
        "type": "Microsoft.KeyVault/vaults",
        "location": "local",
        "tags": {"a": "b"},
        "systemData": {f"created{name}": value for name, value in who.items()}
        | {f"lastModified{name}": value for name, value in who.items()},
        "properties": {
            "sku": {"family": "A", "name": "standard"},
            "tenantId": world.tenant,
            "accessPolicies": [],
            "enabledForDeployment": True,
            "enabledForDiskEncryption": False,
            "enabledForTemplateDeployment": False,
            "enableSoftDelete": True,
            "softDeleteRetentionInDays": 90,
            "enableRbacAuthorization": True,
            "networkAcls": {
                "bypass": "None",
                "defaultAction": "Deny",
                "ipRules": [{"value": "203.0.113.7/32"}],
                "virtualNetworkRules": [],
            },
            "vaultUri": "https://second.vault.localhost:8443/",
            "provisioningState": "Succeeded",
            "publicNetworkAccess": "Enabled",
        },
    }
    again = arm("GET", arm.vault("SECOND").upper().replace("/SUBSCRIPTIONS", "/subscriptions"))
    assert again.json() == shown.json()


def test_who_lets_in_goes_by_the_api_version(arm: Arm) -> None:
    """Roles from 2026-02-01 on, access policies before; what is said goes before both."""
    for name, version, more, expected in (
        ("new", LATEST, {}, True),
        ("old", BEFORE_ROLES, {}, False),
        ("said", BEFORE_ROLES, {"enableRbacAuthorization": True}, True),
    ):
        shown = arm("PUT", name, arm.body(**more), version).json()["properties"]
        assert shown["enableRbacAuthorization"] is expected
        # an older client that knows nothing of it changes nothing by a later PUT
        assert arm("PUT", name, arm.body(), BEFORE_ROLES).json()["properties"]["enableRbacAuthorization"] is expected


@pytest.mark.parametrize(
    ("properties", "status", "code"),
    [
        ({"sku": {"family": "A", "name": "gold"}}, 400, "BadRequest"),
        ({"sku": {"family": "B", "name": "standard"}}, 400, "BadRequest"),
        ({"sku": None}, 400, "BadRequest"),
        ({"tenantId": None}, 400, "BadRequest"),
        ({"tenantId": "another"}, 400, "BadRequest"),
        ({"softDeleteRetentionInDays": 91}, 400, "BadRequest"),
        ({"softDeleteRetentionInDays": "many"}, 400, "BadRequest"),
        ({"enableSoftDelete": False}, 400, "BadRequest"),
        ({"createMode": "purge"}, 400, "BadRequest"),
        ({"publicNetworkAccess": "sometimes"}, 400, "BadRequest"),
        ({"networkAcls": {"defaultAction": "maybe"}}, 400, "BadRequest"),
        ({"networkAcls": {"bypass": "all"}}, 400, "BadRequest"),
        ({"networkAcls": {"ipRules": [{}]}}, 400, "BadRequest"),
        ({"networkAcls": {"ipRules": [{"value": "1.2.3.4/33"}]}}, 400, "BadRequest"),
        ({"networkAcls": {"virtualNetworkRules": [{"id": "subnet"}]}}, 400, "BadRequest"),
        ({"accessPolicies": {}}, 400, "BadRequest"),
        ({"accessPolicies": [{"tenantId": "x", "objectId": "y", "permissions": {}}]}, 400, "BadRequest"),
    ],
)
def test_bad_bodies(arm: Arm, properties: dict[str, Any], status: int, code: str) -> None:
    """Each is refused, and there is no vault after it."""
    assert error_of(arm("PUT", "second", arm.body(**properties))) == (status, code)
    missing = arm("GET", "second")
    assert error_of(missing) == (404, "ResourceNotFound")
    assert missing.json()["error"]["message"].startswith(
        "The Resource 'Microsoft.KeyVault/vaults/second' under resource group 'certworker' was not found."
    )


def test_refusals_have_the_services_codes(arm: Arm) -> None:
    """For names, locations, groups, api-versions and methods."""
    assert error_of(arm("PUT", "a--b", arm.body())) == (400, "VaultNameNotValid")
    assert error_of(arm("PUT", "second", arm.body() | {"location": "moon"})) == (400, "LocationNotAvailableForResourceType")
    assert error_of(arm("PUT", "certworker-system", arm.body())) == (409, "VaultAlreadyExists")
    elsewhere = arm.vault("second").replace("resourceGroups/certworker", "resourceGroups/other")
    assert error_of(arm("PUT", elsewhere, arm.body())) == (404, "ResourceGroupNotFound")
    versions = arm("GET", "contoso", version="2015-01-01")
    assert error_of(versions) == (400, "InvalidApiVersionParameter")
    assert "2026-05-15, " in versions.json()["error"]["message"]
    assert error_of(arm("POST", "contoso", {})) == (405, "MethodNotAllowed")
    assert error_of(arm("PUT", f"{arm.vault('main')}/accessPolicies/merge", {"properties": {}})) == (400, "BadRequest")


def test_lists_come_in_pages(arm: Arm) -> None:
    """By $top; nextLink keeps what was asked, and the vaults of the service itself are in none."""
    name = arm.world.vault.name
    for other in ("b-vault", "a-vault"):
        assert arm("PUT", other, arm.body()).status_code == 200
    for path in (f"{arm.provider}/vaults?$top=2", f"{arm.group}/providers/Microsoft.KeyVault/vaults?$top=2"):
        first = arm("GET", path).json()
        rest = arm("GET", first["nextLink"]).json()
        assert [found["name"] for found in first["value"] + rest["value"]] == sorted(["a-vault", "b-vault", name])
        assert "nextLink" not in rest
        assert len(first["value"]) == 2
    subscription = f"/subscriptions/{arm.world.vault.subscription_id}"
    kind = "resourceType eq 'Microsoft.KeyVault/vaults'"
    for condition, expected in (
        (kind, ["a-vault", "b-vault", name]),
        (f"{kind} and name eq 'A-VAULT'", ["a-vault"]),
        ("resourceType eq 'Microsoft.Compute/disks'", []),
    ):
        found = arm("GET", f"{subscription}/resources", version="2015-11-01", params=None)
        assert found.status_code == 200
        found = arm("GET", f"{subscription}/resources?$filter={condition}", version="2015-11-01")
        assert sorted(item["name"] for item in found.json()["value"] if item["type"] == "Microsoft.KeyVault/vaults") == sorted(
            expected
        )
    refused = arm("GET", f"{subscription}/resources?$filter=name ne 'x'", version="2015-11-01")
    assert error_of(refused) == (400, "InvalidFilterInQueryString")


def test_a_deleted_vault_is_missed_and_comes_back(arm: Arm, call: Caller) -> None:
    """The data plane answers as for a vault that there is not; recover brings it back; a purge is told by its result."""
    assert call("PUT", "/secrets/one", {"value": "its value"}).status_code == 200
    name = arm.world.vault.name
    assert (arm("DELETE", name).status_code, arm("DELETE", name).status_code) == (200, 204)
    assert (
        call("GET", "/secrets/one").status_code == call.bare("GET", "https://nobody.vault.localhost:8443/secrets").status_code
    )
    found = arm("GET", f"{arm.provider}/deletedVaults").json()["value"]
    assert [one["properties"]["vaultId"] for one in found] == [arm.vault(name)]
    assert error_of(arm("PUT", name, arm.body())) == (409, "VaultAlreadyExists")
    assert arm("PUT", name, arm.body(createMode="recover")).status_code == 200
    assert call("GET", "/secrets/one").json()["value"] == "its value"
    arm("DELETE", name)
    here = f"{arm.provider}/locations/local/deletedVaults/{name}"
    assert arm("GET", here).json()["id"] == here
    begun = arm("POST", f"{here}/purge")
    assert begun.status_code == 202
    assert arm("GET", begun.headers["location"]).json()["status"] == "Succeeded"
    assert error_of(arm("GET", here)) == (404, "DeletedVaultNotFound")


def test_secrets_and_keys_as_resources(arm: Arm, call: Caller) -> None:
    """They are made without a right on the data plane; no value comes back; a key that is there is left as it is."""
    secret = f"{arm.vault(arm.world.vault.name)}/secrets/one"
    made = arm("PUT", secret, {"properties": {"value": "its value", "contentType": "text"}, "tags": {"a": "b"}})
    assert made.status_code == 200, made.text
    patched = arm("PATCH", secret, {"tags": {"c": "d"}})
    shown = arm("GET", secret)
    listed = arm("GET", secret.removesuffix("/one"))
    for answer in (made, patched, shown, listed):
        assert "its value" not in answer.text
    assert listed.json()["value"] == [shown.json()]
    assert (shown.json()["id"], shown.json()["tags"]) == (secret, {"c": "d"})
    again = arm("PATCH", secret, {"properties": {"value": "another"}})
    assert again.json()["properties"]["secretUriWithVersion"] != shown.json()["properties"]["secretUriWithVersion"]
    assert call("GET", "/secrets/one").json()["value"] == "another"
    assert error_of(arm("PUT", secret, {"properties": {}})) == (400, "BadRequest")
    assert error_of(arm("GET", f"{secret}-none")) == (404, "ResourceNotFound")
    key = f"{arm.vault(arm.world.vault.name)}/keys/ec"
    body = {"properties": {"kty": "EC", "curveName": "P-256", "keyOps": ["sign"]}}
    first = arm("PUT", key, body).json()
    assert first["properties"]["curveName"] == "P-256"
    assert arm("PUT", key, body).json() == first == arm("GET", key).json()
    (version,) = arm("GET", f"{key}/versions").json()["value"]
    assert version["properties"]["keyUriWithVersion"] == first["properties"]["keyUriWithVersion"]
    assert arm("GET", f"{key}/versions/{version['name']}").json() == version
    assert error_of(arm("GET", f"{key}-none")) == (404, "ResourceNotFound")
    refused = arm("PUT", key, {"properties": {"kty": "EC", "rotationPolicy": {}}})
    assert error_of(refused) == (400, "BadRequest")


def test_what_tools_ask_beside(arm: Arm) -> None:
    """Subscriptions, tenants, locations, providers, operations, groups; lists of what there is not are empty."""
    subscription = f"/subscriptions/{arm.world.vault.subscription_id}"
    vault = arm.vault(arm.world.vault.name)
    one = arm("GET", subscription, version="2022-12-01").json()
    assert (one["id"], one["state"], one["tenantId"]) == (subscription, "Enabled", arm.world.tenant)
    assert arm("GET", "/subscriptions", version="2022-12-01").json()["value"] == [one]
    assert arm("GET", "/tenants", version="2022-12-01").json()["value"][0]["tenantId"] == arm.world.tenant
    locations = arm("GET", f"{subscription}/locations", version="2022-12-01").json()["value"]
    assert "local" in {found["name"] for found in locations}
    for path in (f"{subscription}/providers", "/providers"):
        names = {found["namespace"] for found in arm("GET", path, version="2021-04-01").json()["value"]}
        assert {"Microsoft.KeyVault", "Microsoft.Authorization"} <= names
    registered = arm("POST", f"{subscription}/providers/microsoft.keyvault/register", version="2021-04-01").json()
    assert registered["registrationState"] == "Registered"
    unknown = arm("GET", f"{subscription}/providers/Microsoft.Compute", version="2021-04-01")
    assert error_of(unknown) == (404, "InvalidResourceNamespace")
    operations = {found["name"] for found in arm("GET", "/providers/Microsoft.KeyVault/operations").json()["value"]}
    assert "Microsoft.KeyVault/vaults/deploy/action" in operations
    nothing = [f"{arm.provider}/{name}" for name in ("managedHSMs", "deletedManagedHSMs")]
    nothing += [f"{vault}/{name}" for name in ("privateEndpointConnections", "privateLinkResources")]
    for path in nothing:
        assert arm("GET", path).json() == {"value": []}
    assert error_of(arm("GET", f"{vault}/privateEndpointConnections/one")) == (404, "ResourceNotFound")


def test_resource_groups(arm: Arm) -> None:
    """Made, shown, listed, tagged and deleted; a HEAD tells whether there is one."""
    version = "2021-04-01"
    groups = f"/subscriptions/{arm.world.vault.subscription_id}/resourcegroups"
    body = {"location": "Local", "tags": {"team": "sun and sea"}}
    made = arm("PUT", f"{groups}/second", body, version)
    assert (made.status_code, arm("PUT", f"{groups}/SECOND", body, version).status_code) == (201, 200)
    assert made.json()["id"] == f"{groups.replace('resourcegroups', 'resourceGroups')}/second"
    listed = arm("GET", f"{groups}?$filter=tagName eq 'Team' and tagValue eq 'sun and sea'", version=version).json()["value"]
    assert listed == [made.json()]
    assert arm("PATCH", f"{groups}/second", {"tags": {}}, version).json()["tags"] == {}
    assert arm("HEAD", f"{groups}/second", version=version).status_code == 204
    assert arm("GET", f"{groups}/second/resources", version=version).json() == {"value": []}
    assert arm("DELETE", f"{groups}/second", version=version).status_code == 200
    assert arm("HEAD", f"{groups}/second", version=version).status_code == 404
    assert error_of(arm("GET", f"{groups}/second", version=version)) == (404, "ResourceGroupNotFound")
