"""Subscriptions, tenants, locations, and the resource providers that there are, with their operations."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from starlette.responses import Response

from certworker.api.call import answer
from certworker.api.management.call import ArmCall, listing
from certworker.api.management.resource_types import RESOURCES, SUBSCRIPTIONS, VAULT_VERSIONS, VAULTS
from certworker.api.management.routing import route
from certworker.errors import ResourceNotFound
from certworker.vault.management.places import fold_location
from certworker.vault.rights.scopes import subscription_scope
from certworker.vault.vaults import Subscription

_SUBSCRIPTION: Final = "/subscriptions/{subscription}"
_TYPES: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = MappingProxyType(
    {
        "Microsoft.KeyVault": MappingProxyType(
            dict.fromkeys(
                (
                    "vaults",
                    "vaults/secrets",
                    "vaults/keys",
                    "vaults/accessPolicies",
                    "operations",
                    "deletedVaults",
                    "locations",
                ),
                VAULT_VERSIONS,
            )
        ),
        "Microsoft.Resources": MappingProxyType(
            {"resourceGroups": RESOURCES.versions, "subscriptions": SUBSCRIPTIONS.versions}
        ),
        "Microsoft.Authorization": MappingProxyType(
            {"roleAssignments": ("2022-04-01",), "roleDefinitions": ("2022-04-01", "2022-05-01-preview")}
        ),
        "Microsoft.Insights": MappingProxyType({"diagnosticSettings": ("2021-05-01-preview",)}),
    }
)
_OPERATIONS: Final[tuple[tuple[str, str, str], ...]] = (
    ("operations/read", "Key Vault", "List what there is"),
    ("checkNameAvailability/read", "Key Vault", "Check a name"),
    ("vaults/read", "Key Vault", "Show a vault"),
    ("vaults/write", "Key Vault", "Make or change a vault"),
    ("vaults/delete", "Key Vault", "Delete a vault"),
    ("vaults/deploy/action", "Key Vault", "Let secrets be fetched for a deployment"),
    ("vaults/accessPolicies/write", "Access policy", "Change access policies"),
    ("vaults/secrets/read", "Secret", "Show a secret without its value"),
    ("vaults/secrets/write", "Secret", "Set a secret"),
    ("vaults/keys/read", "Key", "Show a key"),
    ("vaults/keys/write", "Key", "Make the first version of a key"),
    ("vaults/keys/versions/read", "Key version", "Show a key's versions"),
    ("deletedVaults/read", "Deleted vault", "List deleted vaults"),
    ("locations/deletedVaults/read", "Deleted vault", "Show a deleted vault"),
    ("locations/deletedVaults/purge/action", "Deleted vault", "Purge a deleted vault"),
    ("locations/operationResults/read", "Operation", "Show what came of an operation"),
)


async def list_subscriptions(call: ArmCall) -> Response:
    """GET the subscriptions in which the caller has a role."""
    found = await call.run(call.house.resources.groups.subscriptions)
    return call.page(sorted(found, key=lambda one: one.id), lambda one: one.id, subscription_wire)


async def show_subscription(call: ArmCall) -> Response:
    """GET a subscription."""
    return answer(subscription_wire(await call.run(call.house.resources.groups.subscription, call["subscription"])))


async def list_tenants(call: ArmCall) -> Response:
    """GET the caller's tenant."""
    tenant = call.caller.tenant_id
    return listing([{"id": f"/tenants/{tenant}", "tenantId": tenant, "tenantCategory": "Home", "displayName": "certworker"}])


async def list_locations(call: ArmCall) -> Response:
    """GET the locations of a subscription."""
    scope = subscription_scope(call["subscription"])
    return listing(
        [
            {
                "id": f"{scope}/locations/{fold_location(name)}",
                "name": fold_location(name),
                "displayName": name,
                "regionalDisplayName": name,
                "type": "Region",
                "metadata": {"regionType": "Physical", "regionCategory": "Recommended"},
            }
            for name in call.house.resources.groups.locations.names
        ]
    )


async def list_providers(call: ArmCall) -> Response:
    """GET the resource providers."""
    return listing([_provider_wire(call, namespace) for namespace in _TYPES])


async def show_provider(call: ArmCall) -> Response:
    """GET a resource provider, or POST register: each is always there."""
    namespace = next((known for known in _TYPES if known.lower() == call["namespace"].lower()), None)
    if namespace is None:
        message = f"The resource namespace '{call['namespace'][:80]}' is not one of this deployment."
        raise ResourceNotFound(message, "InvalidResourceNamespace")
    return answer(_provider_wire(call, namespace))


async def list_operations(_call: ArmCall) -> Response:
    """GET the operations of Microsoft.KeyVault."""
    return listing(
        [
            {
                "name": f"Microsoft.KeyVault/{action}",
                "isDataAction": False,
                "display": {
                    "provider": "Microsoft Key Vault",
                    "resource": resource,
                    "operation": text,
                    "description": f"{text}.",
                },
            }
            for action, resource, text in _OPERATIONS
        ]
    )


def subscription_wire(subscription: Subscription) -> dict[str, Any]:
    """Show a subscription."""
    return {
        "id": subscription_scope(subscription.id),
        "subscriptionId": subscription.id,
        "tenantId": subscription.tenant_id,
        "displayName": subscription.display_name,
        "state": "Enabled",
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "Internal_2014-09-01",
            "spendingLimit": "Off",
        },
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
    }


def _provider_wire(call: ArmCall, namespace: str) -> dict[str, Any]:
    prefix = subscription_scope(call["subscription"]) if "subscription" in call.params else ""
    locations = list(call.house.resources.groups.locations.names)
    types = [
        {"resourceType": name, "locations": locations, "apiVersions": list(reversed(versions)), "capabilities": "None"}
        for name, versions in _TYPES[namespace].items()
    ]
    return {
        "id": f"{prefix}/providers/{namespace}",
        "namespace": namespace,
        "registrationState": "Registered",
        "registrationPolicy": "RegistrationFree",
        "resourceTypes": types,
    }


ROUTES = (
    route("GET", "/subscriptions", list_subscriptions, SUBSCRIPTIONS),
    route("GET", _SUBSCRIPTION, show_subscription, SUBSCRIPTIONS),
    route("GET", "/tenants", list_tenants, SUBSCRIPTIONS),
    route("GET", f"{_SUBSCRIPTION}/locations", list_locations, SUBSCRIPTIONS),
    route("GET", "/providers", list_providers, RESOURCES),
    route("GET", "/providers/{namespace}", show_provider, RESOURCES),
    route("GET", f"{_SUBSCRIPTION}/providers", list_providers, RESOURCES),
    route("GET", f"{_SUBSCRIPTION}/providers/{{namespace}}", show_provider, RESOURCES),
    route("POST", f"{_SUBSCRIPTION}/providers/{{namespace}}/register", show_provider, RESOURCES),
    route("GET", "/providers/Microsoft.KeyVault/operations", list_operations, VAULTS),
)
