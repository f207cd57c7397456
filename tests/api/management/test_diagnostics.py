"""Diagnostic settings and the stores that they route to."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from certworker.vault.management.diagnostics import READ_RECORDS, routed_to
from certworker.vault.rights.built_in_roles import (
    CONTRIBUTOR,
    KEY_VAULT_CONTRIBUTOR,
    MONITORING_CONTRIBUTOR,
    OWNER,
    READER,
    STORAGE_BLOB_DATA_READER,
)
from certworker.vault.rights.caller import Caller
from certworker.vault.vaults import Principal
from tests.api.management.arm import INSIGHTS, STORAGE, Arm, told

LOGS = [{"category": "AuditEvent", "enabled": True, "retentionPolicy": {"enabled": False, "days": 0}}]
ACCOUNT = {"location": "local", "sku": {"name": "Standard_LRS"}, "kind": "StorageV2", "properties": {"encryption": {}}}


@pytest.fixture
def store(arm: Arm) -> str:
    """Make a store; give its resource id."""
    return make_store(arm, "contosologs")


def make_store(arm: Arm, name: str) -> str:
    """Make a store; give its resource id."""
    answer = arm("PUT", f"{arm.group}/providers/Microsoft.Storage/storageAccounts/{name}?{STORAGE}", ACCOUNT)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def route(arm: Arm, store: str, name: str = "logs", by: Principal | None = None, **changes: Any) -> Any:  # noqa: ANN401
    """PUT a diagnostic setting of the vault."""
    body = {"properties": {"storageAccountId": store, "logs": LOGS} | changes}
    return arm("PUT", f"{arm.vault}/providers/Microsoft.Insights/diagnosticSettings/{name}?{INSIGHTS}", body, by)


def routed(arm: Arm) -> dict[str, datetime]:
    """Tell the vaults that are routed to the store, and since when."""
    with arm.world.house.store.reading() as reader:
        account = reader.storage_account("ContosoLogs")
        assert account
        return {found.vault.name: found.since for found in routed_to(reader, account)}


def test_a_setting_routes_from_its_making_to_its_end(arm: Arm, store: str) -> None:
    """A vault's records are in a store from when a setting routes them there, whatever changes, until it goes."""
    begun = arm.world.clock().replace(microsecond=0)
    assert routed(arm) == {}
    made = route(arm, store.replace("Microsoft.Storage", "microsoft.Storage"))
    assert made.status_code == 200, made.text
    assert made.json()["properties"]["storageAccountId"] == store
    arm.world.clock.advance(timedelta(hours=1))
    everything = [{"categoryGroup": "allLogs", "enabled": True}]
    assert route(arm, store, logs=everything).json()["properties"]["logs"][0]["categoryGroup"] == "allLogs"
    assert routed(arm) == {arm.world.vault.name: begun}
    off = [{"category": "auditevent", "enabled": False}]
    assert route(arm, store, logs=off).json()["properties"]["logs"][0]["enabled"] is False
    assert routed(arm) == {}
    assert route(arm, store).status_code == 200
    assert routed(arm) == {arm.world.vault.name: begun + timedelta(hours=1)}
    path = f"{arm.vault}/providers/microsoft.insights/diagnosticsettings"
    assert [one["name"] for one in arm("GET", f"{path}?{INSIGHTS}").json()["value"]] == ["logs"]
    assert [arm("DELETE", f"{path}/LOGS?{INSIGHTS}").status_code for _ in range(2)] == [200, 204]
    assert told(arm("GET", f"{path}/logs?{INSIGHTS}")) == (404, "ResourceNotFound")
    assert routed(arm) == {}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"storageAccountId": None}, (400, "BadRequest")),
        ({"workspaceId": "/subscriptions/x"}, (400, "DestinationNotSupported")),
        ({"logs": [{"category": "Everything", "enabled": True}]}, (400, "BadRequest")),
        ({"logs": [{"enabled": True}]}, (400, "BadRequest")),
        (
            {"logs": [{"category": "AuditEvent", "enabled": True, "retentionPolicy": {"enabled": True, "days": 7}}]},
            (400, "BadRequest"),
        ),
        ({"metrics": [{"category": "AllMetrics", "enabled": True}]}, (400, "BadRequest")),
        ({"metrics": [{"category": "AllMetrics", "enabled": False}]}, None),
    ],
)
def test_what_a_setting_may_say(arm: Arm, store: str, changes: dict[str, Any], expected: tuple[int, str] | None) -> None:
    """Records go to a store, all of a vault's or none; what is not done is refused, not passed over."""
    answer = route(arm, store, **changes)
    assert (None if answer.status_code == 200 else told(answer)) == expected


def test_settings_do_not_meet(arm: Arm, store: str) -> None:
    """A store is named by one setting of a vault; what is no store, or not there, by none."""
    assert route(arm, store).status_code == 200
    assert told(route(arm, store, "again")) == (409, "Conflict")
    assert told(route(arm, f"{store}x", "other")) == (404, "ResourceNotFound")
    assert told(route(arm, arm.vault, "other")) == (400, "BadRequest")
    elsewhere = f"{arm.group}/providers/Microsoft.Insights/diagnosticSettings/x?{INSIGHTS}"
    assert told(arm("GET", elsewhere)) == (400, "ResourceTypeNotSupported")


def test_who_turns_logging_on(arm: Arm, store: str) -> None:
    """Key Vault Contributors manage the vault and not its log; with Monitoring Contributor they do."""
    manager = arm.somebody("manager", (KEY_VAULT_CONTRIBUTOR, arm.group))
    assert told(route(arm, store, by=manager)) == (403, "AuthorizationFailed")
    both = arm.somebody("both", (KEY_VAULT_CONTRIBUTOR, arm.group), (MONITORING_CONTRIBUTOR, arm.group))
    assert route(arm, store, by=both).status_code == 200
    reader = arm.somebody("reader", (READER, arm.group))
    path = f"{arm.vault}/providers/Microsoft.Insights/diagnosticSettings"
    assert arm("GET", f"{path}?{INSIGHTS}", principal=reader).status_code == 200
    assert told(arm("DELETE", f"{path}/logs?{INSIGHTS}", principal=reader)) == (403, "AuthorizationFailed")
    categories = arm("GET", f"{path}Categories?{INSIGHTS}", principal=reader).json()["value"]
    assert [one["name"] for one in categories] == ["AuditEvent"]


def test_who_reads_a_store(arm: Arm, store: str) -> None:
    """Owning a store is not to read it: that is a data action, which Storage Blob Data Readers have."""
    for role, may in ((OWNER, False), (STORAGE_BLOB_DATA_READER, True)):
        principal = arm.somebody(role, (role, store))
        caller = Caller(principal.object_id, principal.client_id, arm.world.tenant)
        assert arm.world.house.access.may(caller, store, READ_RECORDS, data=True) is may


def test_a_store_from_its_making_to_its_end(arm: Arm) -> None:
    """A store is made, found, listed, changed, and deleted once nothing is routed to it. It has no keys."""
    name = {"name": "contosologs", "type": "Microsoft.Storage/storageAccounts"}
    check = f"{arm.subscription}/providers/Microsoft.Storage/checkNameAvailability?{STORAGE}"
    assert arm("POST", check, name).json() == {"nameAvailable": True}
    store = make_store(arm, "contosologs")
    assert arm("POST", check, name).json()["reason"] == "AlreadyExists"
    assert arm("POST", check, {"name": "Not A Name"}).json()["reason"] == "AccountNameInvalid"
    path = f"{store}?{STORAGE}"
    shown = arm("GET", path).json()
    assert (shown["kind"], shown["sku"]["tier"], shown["properties"]["provisioningState"]) == (
        "StorageV2",
        "Standard",
        "Succeeded",
    )
    assert arm("PATCH", path, {"tags": {"team": "audit"}}).json()["tags"] == {"team": "audit"}
    for within in (arm.subscription, arm.group):
        listed = arm("GET", f"{within}/providers/Microsoft.Storage/storageAccounts?{STORAGE}").json()["value"]
        assert [one["id"] for one in listed] == [store]
    assert told(arm("POST", f"{store}/listKeys?{STORAGE}")) == (403, "AuthorizationFailed")
    assert route(arm, store).status_code == 200
    assert told(arm("DELETE", path)) == (409, "StorageAccountInUse")
    assert arm("DELETE", f"{arm.vault}/providers/Microsoft.Insights/diagnosticSettings/logs?{INSIGHTS}").status_code == 200
    assert [arm("DELETE", path).status_code for _ in range(2)] == [200, 204]
    assert told(arm("GET", path)) == (404, "ResourceNotFound")


@pytest.mark.parametrize(
    ("name", "changes", "expected"),
    [
        ("Capital", {}, (400, "AccountNameInvalid")),
        ("contosologs", {"kind": "BlobStorage"}, (400, "InvalidAccountKind")),
        ("contosologs", {"sku": {"name": "Huge_LRS"}}, (400, "InvalidSku")),
        ("contosologs", {"sku": None}, (400, "InvalidRequestContent")),
        ("contosologs", {"location": None}, (400, "LocationRequired")),
        ("contosologs", {"location": "the moon"}, (400, "LocationNotAvailableForResourceType")),
    ],
)
def test_what_a_store_may_be(arm: Arm, name: str, changes: dict[str, Any], expected: tuple[int, str]) -> None:
    """Names, kinds, SKUs and locations are those that there are."""
    path = f"{arm.group}/providers/Microsoft.Storage/storageAccounts/{name}?{STORAGE}"
    assert told(arm("PUT", path, ACCOUNT | changes)) == expected


def test_who_makes_stores(arm: Arm) -> None:
    """Contributors of a group make stores there, and ask for names; readers do neither."""
    path = f"{arm.group}/providers/Microsoft.Storage/storageAccounts/teamlogs?{STORAGE}"
    check = f"{arm.subscription}/providers/Microsoft.Storage/checkNameAvailability?{STORAGE}"
    reader = arm.somebody("reader", (KEY_VAULT_CONTRIBUTOR, arm.group))
    assert told(arm("PUT", path, ACCOUNT, reader)) == (403, "AuthorizationFailed")
    assert told(arm("POST", check, {"name": "teamlogs"}, reader)) == (403, "AuthorizationFailed")
    contributor = arm.somebody("contributor", (CONTRIBUTOR, arm.group))
    assert arm("POST", check, {"name": "teamlogs"}, contributor).status_code == 200
    assert arm("PUT", path, ACCOUNT, contributor).status_code == 200


@pytest.mark.parametrize("gone", ["store", "group", "%C5%BFtores"])
def test_a_name_that_is_taken_anew_has_no_roles(arm: Arm, gone: str) -> None:
    """What was assigned at a store, or at its group, ends with it, by whichever spelling of the name it is deleted."""
    groups, version = f"{arm.subscription}/resourceGroups", "api-version=2021-04-01"
    group = f"{groups}/stores"
    store = f"{group}/providers/Microsoft.Storage/storageAccounts/teamlogs"
    places = {f"{group}?{version}": {"location": "local"}, f"{store}?{STORAGE}": ACCOUNT}
    for path, body in places.items():
        assert arm("PUT", path, body).status_code in {200, 201}
    at = store if gone == "store" else group
    somebody = arm.somebody("somebody", (STORAGE_BLOB_DATA_READER, store), (CONTRIBUTOR, at))
    path = f"{store}?{STORAGE}" if gone == "store" else f"{groups}/{gone.replace('group', 'stores')}?{version}"
    assert arm("DELETE", path).status_code == 200
    for path, body in places.items():
        assert arm("PUT", path, body).status_code in {200, 201}
    assert told(arm("GET", f"{store}?{STORAGE}", principal=somebody)) == (403, "AuthorizationFailed")
    caller = Caller(somebody.object_id, somebody.client_id, arm.world.tenant)
    assert not arm.world.house.access.may(caller, store, READ_RECORDS, data=True)
