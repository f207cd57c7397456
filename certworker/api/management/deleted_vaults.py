"""Deleted vaults: listed, shown and purged."""

from typing import Final
from urllib.parse import quote

from starlette.responses import Response

from certworker.api.call import answer
from certworker.api.management.call import ArmCall, no_content
from certworker.api.management.resource_types import VAULTS
from certworker.api.management.routing import route
from certworker.api.management.vaults import IN_SUBSCRIPTION
from certworker.api.management.wire_vaults import deleted_vault_wire, iso
from certworker.vault.objects import fold_name

_LOCATION: Final = f"{IN_SUBSCRIPTION}/locations/{{location}}"
_RETRY: Final = "1"


async def list_all(call: ArmCall) -> Response:
    """GET deleted vaults."""
    found = await call.run(call.house.resources.deleted_vaults.list_, call["subscription"])
    return call.page(found, lambda vault: fold_name(vault.name), deleted_vault_wire)


async def show(call: ArmCall) -> Response:
    """GET a deleted vault."""
    service = call.house.resources.deleted_vaults
    return answer(deleted_vault_wire(await call.run(service.get, call["subscription"], call["location"], call["vault"])))


async def purge(call: ArmCall) -> Response:
    """POST purge: what came of it is asked for at `Location`."""
    service = call.house.resources.deleted_vaults
    purged = await call.run(service.purge, call["subscription"], call["location"], call["vault"])
    path = f"/subscriptions/{call['subscription']}/providers/Microsoft.KeyVault/locations/{call['location']}"
    result = f"{call.place.url}{quote(path)}/operationResults/{purged.id}?api-version={call.api_version}"
    return no_content(202, {"Location": result, "Retry-After": _RETRY})


async def show_result(call: ArmCall) -> Response:
    """GET what came of a purge."""
    done = await call.run(call.house.resources.deleted_vaults.is_purged, call["subscription"], call["operation"])
    at = iso(call.house.clock())
    content = {"createdDateTime": at, "lastActionDateTime": at, "status": "Succeeded" if done else "NotStarted"}
    return answer(content) if done else answer(content, 202, {"Retry-After": _RETRY})


ROUTES = (
    route("GET", f"{IN_SUBSCRIPTION}/deletedVaults", list_all, VAULTS),
    route("GET", f"{_LOCATION}/deletedVaults/{{vault}}", show, VAULTS),
    route("POST", f"{_LOCATION}/deletedVaults/{{vault}}/purge", purge, VAULTS),
    route("GET", f"{_LOCATION}/operationResults/{{operation}}", show_result, VAULTS),
)
