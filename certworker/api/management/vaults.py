"""Vaults: made, changed, shown, listed, deleted, their access policies, and whether a name is free."""

from functools import partial
from typing import Final

from starlette.responses import Response

from certworker.api.call import answer
from certworker.api.management.call import ArmCall, listing, no_content
from certworker.api.management.resource_types import MANAGED_HSMS, ROLES_FROM, VAULTS
from certworker.api.management.routing import route
from certworker.api.management.wire_vaults import (
    NameBody,
    PoliciesBody,
    VaultBody,
    WholeVaultBody,
    policies_wire,
    vault_wire,
)
from certworker.errors import InvalidResource, ResourceNotFound
from certworker.vault.management.places import VaultPlace
from certworker.vault.management.vaults import ShownVault
from certworker.vault.objects import fold_name
from certworker.vault.rights.policy_lists import PolicyChange

IN_SUBSCRIPTION: Final = "/subscriptions/{subscription}/providers/Microsoft.KeyVault"
IN_GROUP: Final = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.KeyVault"
VAULT: Final = f"{IN_GROUP}/vaults/{{vault}}"


def place_of(call: ArmCall) -> VaultPlace:
    """Read where a vault is out of the path."""
    return VaultPlace(call["subscription"], call["group"], call["vault"])


async def put(call: ArmCall) -> Response:
    """PUT a vault."""
    wish = (await call.body(WholeVaultBody)).wish()
    by_roles = call.api_version >= ROLES_FROM
    shown = await call.run(call.house.resources.vaults.put, place_of(call), wish, rbac_by_default=by_roles)
    return _answer(call, shown)


async def patch(call: ArmCall) -> Response:
    """PATCH a vault."""
    wish = (await call.body(VaultBody)).wish()
    return _answer(call, await call.run(call.house.resources.vaults.patch, place_of(call), wish))


async def show(call: ArmCall) -> Response:
    """GET a vault."""
    return _answer(call, await call.run(call.house.resources.vaults.get, place_of(call)))


async def delete(call: ArmCall) -> Response:
    """DELETE a vault."""
    return no_content(200 if await call.run(call.house.resources.vaults.delete, place_of(call)) else 204)


async def list_in_group(call: ArmCall) -> Response:
    """GET the vaults of a resource group."""
    found = await call.run(call.house.resources.vaults.list_in_group, call["subscription"], call["group"])
    return _page(call, found)


async def list_in_subscription(call: ArmCall) -> Response:
    """GET the vaults of a subscription."""
    return _page(call, await call.run(call.house.resources.vaults.list_in_subscription, call["subscription"]))


async def change_policies(call: ArmCall) -> Response:
    """PUT access policies: add, replace or remove."""
    word = call["change"].lower()
    if word not in set(PolicyChange):
        words = ", ".join(PolicyChange)
        raise InvalidResource("BadRequest", f"Access policies are changed by one of {words}, and not by '{word[:40]}'.")
    body = await call.body(PoliciesBody)
    sent = body.properties.policies
    if sent is None:
        raise InvalidResource("BadRequest", "The property accessPolicies is required.", "properties.accessPolicies")
    service = call.house.resources.vaults
    return answer(policies_wire(await call.run(service.change_policies, place_of(call), sent, PolicyChange(word))))


async def check_name(call: ArmCall) -> Response:
    """POST checkNameAvailability."""
    body = await call.body(NameBody)
    found = await call.run(call.house.resources.names.check, call["subscription"], body.name, body.type)
    wire = {"nameAvailable": found.available}
    return answer(wire if found.available else {**wire, "reason": found.reason, "message": found.message})


async def list_nothing_of_vault(call: ArmCall) -> Response:
    """GET what a vault never has here: private endpoints, and what they could be linked to."""
    await call.run(call.house.resources.vaults.get, place_of(call))
    return listing([])


async def show_no_connection(call: ArmCall) -> Response:
    """GET a private endpoint's connection, of which there is none."""
    await call.run(call.house.resources.vaults.get, place_of(call))
    raise ResourceNotFound(f"The vault has no private endpoint connection '{call['connection'][:80]}'.")


async def list_no_hsms(_call: ArmCall) -> Response:
    """GET managed HSMs, of which there are none."""
    return listing([])


def _answer(call: ArmCall, shown: ShownVault) -> Response:
    return answer(vault_wire(shown, call.house.settings))


def _page(call: ArmCall, found: tuple[ShownVault, ...]) -> Response:
    return call.page(found, lambda shown: fold_name(shown.vault.name), partial(vault_wire, settings=call.house.settings))


ROUTES = (
    route("PUT", VAULT, put, VAULTS),
    route("PATCH", VAULT, patch, VAULTS),
    route("GET", VAULT, show, VAULTS),
    route("DELETE", VAULT, delete, VAULTS),
    route("GET", f"{IN_GROUP}/vaults", list_in_group, VAULTS),
    route("GET", f"{IN_SUBSCRIPTION}/vaults", list_in_subscription, VAULTS),
    route("PUT", f"{VAULT}/accessPolicies/{{change}}", change_policies, VAULTS),
    route("POST", f"{IN_SUBSCRIPTION}/checkNameAvailability", check_name, VAULTS),
    route("GET", f"{VAULT}/privateEndpointConnections", list_nothing_of_vault, VAULTS),
    route("GET", f"{VAULT}/privateLinkResources", list_nothing_of_vault, VAULTS),
    route("GET", f"{VAULT}/privateEndpointConnections/{{connection}}", show_no_connection, VAULTS),
    route("GET", f"{IN_SUBSCRIPTION}/managedHSMs", list_no_hsms, MANAGED_HSMS),
    route("GET", f"{IN_SUBSCRIPTION}/deletedManagedHSMs", list_no_hsms, MANAGED_HSMS),
    route("GET", f"{IN_GROUP}/managedHSMs", list_no_hsms, MANAGED_HSMS),
)
