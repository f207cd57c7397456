"""Storage accounts over HTTP: stores of audit records, in the shape that tools know. They have no blobs and no keys."""

from typing import Any, Final

from starlette.responses import Response

from certworker.api.bodies import Body, Text
from certworker.api.call import answer
from certworker.api.management.call import ArmCall, no_content
from certworker.api.management.routing import ResourceType, route
from certworker.api.management.times import iso
from certworker.errors import InvalidResource
from certworker.vault.management.storage_accounts import KIND, NewAccount
from certworker.vault.management.stores import STORAGE_PROVIDER, StorageAccount

TYPE: Final = f"{STORAGE_PROVIDER}/storageAccounts"
ACCOUNTS = ResourceType(
    TYPE,
    (
        "2015-06-15",
        "2016-01-01",
        "2016-05-01",
        "2016-12-01",
        "2017-06-01",
        "2017-10-01",
        "2018-02-01",
        "2018-07-01",
        "2018-11-01",
        "2019-04-01",
        "2019-06-01",
        "2020-08-01-preview",
        "2021-01-01",
        "2021-02-01",
        "2021-04-01",
        "2021-05-01",
        "2021-06-01",
        "2021-08-01",
        "2021-09-01",
        "2022-05-01",
        "2022-09-01",
        "2023-01-01",
        "2023-04-01",
        "2023-05-01",
        "2024-01-01",
        "2025-01-01",
        "2025-06-01",
        "2025-08-01",
    ),
)
_OF_SUBSCRIPTION: Final = f"/subscriptions/{{subscription}}/providers/{STORAGE_PROVIDER}"
_OF_GROUP: Final = f"/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{TYPE}"
_ONE: Final = f"{_OF_GROUP}/{{name}}"


class SkuBody(Body):
    """`sku`."""

    name: Text


class AccountBody(Body):
    """What makes a store, or changes it. What concerns blobs is left alone."""

    location: Text | None = None
    sku: SkuBody | None = None
    kind: Text | None = None
    tags: dict[Text, Text] | None = None

    def account(self) -> NewAccount:
        """Say it in the service's terms."""
        return NewAccount(self.location, self.sku.name if self.sku else None, self.kind, self.tags)


class NameBody(Body):
    """What asks for a name."""

    name: Text
    type: Text | None = None


async def list_all(call: ArmCall) -> Response:
    """GET the stores of a subscription that the caller may see."""
    found = await call.run(call.house.governance.storage_accounts.list, call["subscription"])
    return call.page(found, lambda account: account.name, account_wire)


async def list_of_group(call: ArmCall) -> Response:
    """GET the stores of a resource group."""
    found = await call.run(call.house.governance.storage_accounts.list, call["subscription"], call["group"])
    return call.page(found, lambda account: account.name, account_wire)


async def show(call: ArmCall) -> Response:
    """GET a store."""
    found = await call.run(call.house.governance.storage_accounts.get, *_place(call))
    return answer(account_wire(found))


async def put(call: ArmCall) -> Response:
    """PUT a store."""
    new = (await call.body(AccountBody)).account()
    return answer(account_wire(await call.run(call.house.governance.storage_accounts.put, *_place(call), new)))


async def patch(call: ArmCall) -> Response:
    """PATCH a store's tags and SKU."""
    new = (await call.body(AccountBody)).account()
    service = call.house.governance.storage_accounts
    return answer(account_wire(await call.run(service.put, *_place(call), new, only_change=True)))


async def delete(call: ArmCall) -> Response:
    """DELETE a store."""
    gone = await call.run(call.house.governance.storage_accounts.delete, *_place(call))
    return no_content(200 if gone else 204)


async def refuse_keys(call: ArmCall) -> Response:
    """POST listKeys, regenerateKey: there are none."""
    await call.run(call.house.governance.storage_accounts.refuse_keys, *_place(call))
    return no_content()


async def check_name(call: ArmCall) -> Response:
    """POST checkNameAvailability."""
    body = await call.body(NameBody)
    if body.type and body.type.lower() != TYPE.lower():
        raise InvalidResource("InvalidType", f"type has the value '{body.type[:64]}': it is {TYPE}.", "type")
    found = await call.run(call.house.governance.storage_accounts.why_not, call["subscription"], body.name)
    if found is None:
        return answer({"nameAvailable": True})
    return answer({"nameAvailable": False, "reason": found[0], "message": found[1]})


def account_wire(account: StorageAccount) -> dict[str, Any]:
    """Show a store."""
    return {
        "sku": {"name": account.sku, "tier": account.sku.partition("_")[0]},
        "kind": KIND,
        "id": account.resource_id,
        "name": account.name,
        "type": TYPE,
        "location": account.location,
        "tags": dict(account.tags),
        "properties": {
            "provisioningState": "Succeeded",
            "creationTime": iso(account.created),
            "primaryLocation": account.location,
            "statusOfPrimary": "available",
            "accessTier": "Hot",
            "allowBlobPublicAccess": False,
            "allowSharedKeyAccess": False,
            "minimumTlsVersion": "TLS1_2",
            "supportsHttpsTrafficOnly": True,
        },
    }


def _place(call: ArmCall) -> tuple[str, str, str]:
    return call["subscription"], call["group"], call["name"]


ROUTES = (
    route("GET", f"{_OF_SUBSCRIPTION}/storageAccounts", list_all, ACCOUNTS),
    route("POST", f"{_OF_SUBSCRIPTION}/checkNameAvailability", check_name, ACCOUNTS),
    route("GET", _OF_GROUP, list_of_group, ACCOUNTS),
    route("GET", _ONE, show, ACCOUNTS),
    route("PUT", _ONE, put, ACCOUNTS),
    route("PATCH", _ONE, patch, ACCOUNTS),
    route("DELETE", _ONE, delete, ACCOUNTS),
    route("POST", f"{_ONE}/listKeys", refuse_keys, ACCOUNTS),
    route("POST", f"{_ONE}/regenerateKey", refuse_keys, ACCOUNTS),
)
