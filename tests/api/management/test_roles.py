"""Roles and their assignments over HTTP: who may, what is refused, and what assigning does."""

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest

from certworker.vault.rights.built_in_roles import (
    CONTRIBUTOR,
    KEY_VAULT_ADMINISTRATOR,
    OWNER,
    READER,
    USER_ACCESS_ADMINISTRATOR,
)
from certworker.vault.rights.caller import Caller
from certworker.vault.rights.roles import PrincipalType
from certworker.vault.vaults import Principal
from tests.api.management.arm import AUTHORIZATION, ROLES, Arm, told

SECRETS_USER = "4633458b-17de-408a-b874-0445c86b69e6"
DATA_ACCESS_ADMINISTRATOR = "8b54135c-b56d-4d72-a534-26097cfdc8d8"
STRANGER = "11111111-2222-3333-4444-555555555555"


def assign(
    arm: Arm,
    scope: str,
    role: str,
    principal_id: str,
    by: Principal | None = None,
    name: str = "",
    **more: Any,  # noqa: ANN401 - JSON
) -> httpx.Response:
    """PUT a role assignment."""
    path = f"{'' if scope == '/' else scope}/providers/{AUTHORIZATION}/roleAssignments/{name or uuid4()}?{ROLES}"
    role_id = f"{arm.subscription}/providers/{AUTHORIZATION}/roleDefinitions/{role}"
    return arm("PUT", path, {"properties": {"roleDefinitionId": role_id, "principalId": principal_id, **more}}, by)


def custom(arm: Arm, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Describe a custom role."""
    permission = {"actions": ["Microsoft.KeyVault/vaults/read"], "notActions": [], "dataActions": [], "notDataActions": []}
    role = {"roleName": "Watcher", "type": "CustomRole", "permissions": [permission], "assignableScopes": [arm.subscription]}
    return {"properties": role | changes}


def put_role(arm: Arm, role_id: str, role: dict[str, Any], by: Principal | None = None, scope: str = "") -> httpx.Response:
    """PUT a role."""
    within = scope or arm.subscription
    return arm("PUT", f"{within}/providers/{AUTHORIZATION}/roleDefinitions/{role_id}?{ROLES}", role, by)


def test_what_is_made_is_recorded_with_its_status(arm: Arm) -> None:
    """The record of a role and that of an assignment, which are written before the answers, say 201 as those do."""
    put_role(arm, str(uuid4()), custom(arm))
    assign(arm, arm.vault, READER, arm.somebody("reader").object_id)
    with arm.world.house.store.reading() as reader:
        records = [json.loads(one.text) for one in reader.pending_records(1000)]
    told = {one["operationName"]: one["properties"]["httpStatusCode"] for one in records}
    assert (told["RoleDefinitionPut"], told["RoleAssignmentPut"]) == (201, 201)


def test_an_assignment_lets_in_and_its_end_shuts_out(arm: Arm) -> None:
    """A role for one secret lets its principal read that secret at once, and no other; taken back, nothing."""
    for name in ("mine", "other"):
        assert arm.call("PUT", f"/secrets/{name}", {"value": "v"}).status_code == 200
    reader = arm.somebody("reader")
    headers = {"Authorization": f"Bearer {arm.world.token(reader)}"}

    def statuses() -> list[int]:
        return [arm.call("GET", f"/secrets/{name}", headers=headers).status_code for name in ("mine", "other")]

    assert statuses() == [403, 403]
    made = assign(arm, f"{arm.vault.upper()}/secrets/mine", SECRETS_USER, reader.object_id, description="to deploy")
    assert made.status_code == 201, made.text
    assert made.json()["properties"]["scope"] == f"{arm.vault}/secrets/mine"
    assert made.json()["properties"]["principalType"] == "ServicePrincipal"
    assert statuses() == [200, 403]
    path = f"{made.json()['id']}?{ROLES}"
    assert arm("GET", path).json() == made.json()
    assert arm("DELETE", path).json() == made.json()
    assert statuses() == [403, 403]
    assert arm("DELETE", path).status_code == 204
    assert told(arm("GET", path)) == (404, "RoleAssignmentNotFound")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"principalId": STRANGER}, (400, "PrincipalNotFound")),
        ({"principalId": STRANGER, "principalType": "Group"}, None),
        ({"principalId": "nobody"}, (400, "InvalidGuid")),
        ({"principalType": "User"}, (400, "UnmatchedPrincipalType")),
        ({"principalType": "Robot"}, (400, "InvalidPrincipalType")),
        ({"roleDefinitionId": "Reader"}, (400, "InvalidRoleDefinitionId")),
        ({"roleDefinitionId": f"/providers/{AUTHORIZATION}/roleDefinitions/{STRANGER}"}, (404, "RoleDefinitionDoesNotExist")),
        ({"condition": "@Resource[x] StringEquals 'y'"}, (400, "ConditionNotSupported")),
    ],
)
def test_what_an_assignment_may_say(arm: Arm, change: dict[str, str], expected: tuple[int, str] | None) -> None:
    """Principals, types and roles that are not there are refused; foreign principals need a type."""
    more: dict[str, Any] = {**change}
    answer = assign(arm, arm.vault, READER, arm.somebody("somebody").object_id, **more)
    assert (None if answer.status_code == 201 else told(answer)) == expected


def test_the_same_twice_and_changes(arm: Arm) -> None:
    """The same again is no change, by another name a conflict; principal and role stay, the description need not."""
    somebody, name = arm.somebody("somebody").object_id, str(uuid4())
    assert assign(arm, arm.group, READER, somebody, name=name).status_code == 201
    again = assign(arm, arm.group, READER, somebody, name=name, description="why")
    assert (again.status_code, again.json()["properties"]["description"]) == (200, "why")
    assert told(assign(arm, arm.group, READER, somebody)) == (409, "RoleAssignmentExists")
    assert told(assign(arm, arm.group, CONTRIBUTOR, somebody, name=name)) == (400, "RoleAssignmentUpdateNotPermitted")


@pytest.mark.parametrize(
    ("scope", "code"),
    [
        ("{subscription}/resourceGroups/nowhere", "ResourceGroupNotFound"),
        ("{group}/providers/Microsoft.KeyVault/vaults/nowhere", "ResourceNotFound"),
        ("{group}/providers/Microsoft.Compute/virtualMachines/vm", "ResourceNotFound"),
        ("{vault}/rubbish/name", "ResourceNotFound"),
        ("{group}/providers/Microsoft.KeyVault/vaults/certworker-system", "ResourceNotFound"),
        ("/subscriptions/00000000-0000-0000-0000-000000000000", "SubscriptionNotFound"),
    ],
)
def test_scopes_that_are_not_there(arm: Arm, scope: str, code: str) -> None:
    """Nothing is assigned where nothing is."""
    place = scope.format(subscription=arm.subscription, group=arm.group, vault=arm.vault)
    assert told(assign(arm, place, READER, arm.somebody("somebody").object_id)) == (404, code)


def test_nobody_gives_what_they_may_not(arm: Arm) -> None:
    """Contributors assign nothing; User Access Administrators assign below where they are, and not above."""
    contributor = arm.somebody("contributor", (CONTRIBUTOR, arm.subscription))
    giver = arm.somebody("giver", (USER_ACCESS_ADMINISTRATOR, arm.group))
    refused = (403, "AuthorizationFailed")
    assert told(assign(arm, arm.vault, OWNER, contributor.object_id, contributor)) == refused
    assert told(assign(arm, arm.subscription, READER, giver.object_id, giver)) == refused
    assert told(assign(arm, "/", READER, giver.object_id, giver)) == refused
    assert assign(arm, arm.vault, READER, giver.object_id, giver).status_code == 201


def test_conditions_of_a_built_in_role_hold(arm: Arm) -> None:
    """Key Vault Data Access Administrators give and take the vaults' data roles, and no others."""
    giver = arm.somebody("giver", (DATA_ACCESS_ADMINISTRATOR, arm.subscription))
    other = arm.somebody("other")
    assert told(assign(arm, arm.vault, OWNER, giver.object_id, giver)) == (403, "AuthorizationFailed")
    made = assign(arm, arm.vault, SECRETS_USER, other.object_id, giver)
    assert made.status_code == 201
    assert arm("DELETE", f"{made.json()['id']}?{ROLES}", principal=giver).status_code == 200
    owners = assign(arm, arm.vault, OWNER, other.object_id).json()["id"]
    assert told(arm("DELETE", f"{owners}?{ROLES}", principal=giver)) == (403, "AuthorizationFailed")


def test_the_last_owner_stays(arm: Arm) -> None:
    """A subscription has an Owner: the last one cannot be removed, and one of two can."""
    path = f"{arm.subscription}/providers/{AUTHORIZATION}/roleAssignments?$filter=atScope()&{ROLES}"
    owners = [one for one in arm("GET", path).json()["value"] if one["properties"]["roleDefinitionId"].endswith(OWNER)]
    assert told(arm("DELETE", f"{owners[0]['id']}?{ROLES}")) == (409, "LastOwnerCannotBeRemoved")
    other = arm.somebody("other", (OWNER, arm.subscription))
    assert arm("DELETE", f"{owners[0]['id']}?{ROLES}").status_code == 200
    assert arm("GET", path, principal=other).status_code == 200


def test_lists_have_what_is_above_and_below(arm: Arm) -> None:
    """A list has what is inherited, and what is below unless atScope() is asked for; by principal, with groups or without."""
    member, group_id = arm.somebody("member", (READER, arm.vault)), str(uuid4())
    with arm.world.house.store.writing() as writer:
        writer.add_group_member(group_id, member.object_id)
    assert assign(arm, arm.group, CONTRIBUTOR, group_id, principalType=PrincipalType.GROUP.value).status_code == 201

    def roles(scope: str, wanted: str) -> list[str]:
        path = f"{scope}/providers/{AUTHORIZATION}/roleAssignments?$filter={wanted}&{ROLES}"
        found = arm("GET", path).json()["value"]
        return sorted(one["properties"]["roleDefinitionId"].rsplit("/", 1)[1] for one in found)

    of_founder = [OWNER, KEY_VAULT_ADMINISTRATOR]
    assert roles(arm.vault, "atScope()") == sorted([*of_founder, CONTRIBUTOR, READER])
    assert roles(arm.subscription, "atScope()") == sorted(of_founder)
    assert roles(arm.subscription, "") == sorted([*of_founder, CONTRIBUTOR, READER])
    assert roles(arm.subscription, f"principalId eq '{member.object_id}'") == [READER]
    assert roles(arm.subscription, f"assignedTo('{member.object_id}')") == sorted([READER, CONTRIBUTOR])
    assert roles(arm.subscription, f"atScope() and assignedTo('{member.object_id}')") == []
    path = f"{arm.subscription}/providers/{AUTHORIZATION}/roleAssignments?{ROLES}"
    assert told(arm("GET", f"{path}&$filter=rubbish")) == (400, "InvalidFilterInQueryString")
    assert told(arm("GET", path, principal=member)) == (403, "AuthorizationFailed")


def test_a_custom_role_from_its_making_to_its_end(arm: Arm) -> None:
    """A custom role permits what it says, keeps its id when it changes, and goes when nobody has it any more."""
    role_id, watcher = str(uuid4()), arm.somebody("watcher")
    made = put_role(arm, role_id, custom(arm))
    assert made.status_code == 201, made.text
    assert assign(arm, arm.group, role_id, watcher.object_id).status_code == 201
    may = Caller(watcher.object_id, watcher.client_id, arm.world.tenant)
    assert arm.world.house.access.may(may, arm.vault, "Microsoft.KeyVault/vaults/read")
    assert not arm.world.house.access.may(may, arm.vault, "Microsoft.KeyVault/vaults/write")
    path = f"{arm.subscription}/providers/{AUTHORIZATION}/roleDefinitions/{role_id}?{ROLES}"
    assert told(arm("DELETE", path)) == (409, "RoleDefinitionHasAssignments")
    elsewhere = custom(arm, assignableScopes=[arm.vault])
    assert told(put_role(arm, role_id, elsewhere)) == (409, "RoleDefinitionHasAssignments")
    changed = put_role(arm, role_id, custom(arm, roleName="Onlooker"))
    assert (changed.status_code, changed.json()["properties"]["roleName"]) == (201, "Onlooker")
    listed = arm("GET", f"{arm.vault}/providers/{AUTHORIZATION}/roleDefinitions?$filter=roleName eq 'onlooker'&{ROLES}")
    assert [one["name"] for one in listed.json()["value"]] == [role_id]
    assignments = f"{arm.group}/providers/{AUTHORIZATION}/roleAssignments?$filter=principalId eq '{watcher.object_id}'&{ROLES}"
    assert arm("DELETE", f"{arm('GET', assignments).json()['value'][0]['id']}?{ROLES}").status_code == 200
    assert arm("DELETE", path).json()["name"] == role_id
    assert arm("DELETE", path).status_code == 204
    assert told(arm("GET", path)) == (404, "RoleDefinitionDoesNotExist")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"roleName": "reader"}, (409, "RoleDefinitionWithSameNameExists")),
        ({"roleName": " "}, (400, "InvalidRoleName")),
        ({"type": "BuiltInRole"}, (400, "InvalidRoleType")),
        ({"permissions": []}, (400, "MissingPermissions")),
        ({"permissions": [{"actions": ["read everything"]}]}, (400, "InvalidActionOrNotAction")),
        ({"permissions": [{"dataActions": ["Microsoft.KeyVault"]}]}, (400, "InvalidActionOrNotAction")),
        ({"permissions": [{"actions": ["*"], "condition": "x"}]}, (400, "ConditionNotSupported")),
        ({"assignableScopes": []}, (400, "InvalidAssignableScopes")),
        ({"assignableScopes": ["/"]}, (403, "AuthorizationFailed")),
        ({"permissions": [{"actions": ["*/read", "Microsoft.*/vaults/deploy/action"]}]}, None),
    ],
)
def test_what_a_custom_role_may_say(arm: Arm, change: dict[str, Any], expected: tuple[int, str] | None) -> None:
    """Names are unique, actions are actions, and the tenant itself is for built-in roles."""
    answer = put_role(arm, str(uuid4()), custom(arm, **change))
    assert (None if answer.status_code == 201 else told(answer)) == expected


def test_a_custom_role_needs_the_right_wherever_it_is_for(arm: Arm) -> None:
    """Whoever may make roles in one group makes none for the subscription, and does not take over one that is for it."""
    role_id = str(uuid4())
    giver = arm.somebody("giver", (USER_ACCESS_ADMINISTRATOR, arm.group))
    refused = (403, "AuthorizationFailed")
    assert told(put_role(arm, role_id, custom(arm), giver, arm.group)) == refused
    assert told(put_role(arm, role_id, custom(arm, assignableScopes=[]), arm.somebody("nobody"))) == refused
    assert put_role(arm, role_id, custom(arm)).status_code == 201
    taken_over = custom(arm, assignableScopes=[arm.group])
    assert told(put_role(arm, role_id, taken_over, giver, arm.group)) == refused
    path = f"{arm.group}/providers/{AUTHORIZATION}/roleDefinitions/{role_id}?{ROLES}"
    assert told(arm("DELETE", path, principal=giver)) == refused
    assert told(put_role(arm, READER, custom(arm))) == refused


def test_a_role_is_assigned_within_its_scopes(arm: Arm) -> None:
    """A custom role for one vault cannot be assigned above it."""
    role_id, somebody = str(uuid4()), arm.somebody("somebody").object_id
    assert put_role(arm, role_id, custom(arm, assignableScopes=[arm.vault])).status_code == 201
    refused = (400, "RoleAssignmentScopeNotAssignableToRoleDefinition")
    assert told(assign(arm, arm.group, role_id, somebody)) == refused
    assert assign(arm, f"{arm.vault}/keys/k", role_id, somebody).status_code == 201


def test_permissions_are_the_callers_own(arm: Arm) -> None:
    """Everybody may ask what they may do; whoever may nothing is told so."""
    path = f"{arm.group}/providers/{AUTHORIZATION}/permissions?{ROLES}"
    assert {"*"} in [set(one["actions"]) for one in arm("GET", path).json()["value"]]
    assert arm("GET", path, principal=arm.somebody("nobody")).json() == {"value": []}


def test_the_directorys_administrator_reaches_the_tenant(arm: Arm) -> None:
    """At the tenant itself nobody may assign, until whoever administers the directory raises themselves; nobody else may."""
    guest = arm.somebody("guest")
    elevate = f"/providers/{AUTHORIZATION}/elevateAccess?api-version=2016-07-01"
    assert told(arm("POST", elevate, principal=guest)) == (403, "AuthorizationFailed")
    assert told(assign(arm, "/", READER, guest.object_id)) == (403, "AuthorizationFailed")
    assert [arm("POST", elevate).status_code for _ in range(2)] == [200, 200]
    made = assign(arm, "/", READER, guest.object_id)
    assert (made.status_code, made.json()["properties"]["scope"]) == (201, "/")
    assert made.json()["id"].startswith(f"/providers/{AUTHORIZATION}/roleAssignments/")
    assert arm("GET", f"{made.json()['id']}?{ROLES}", principal=guest).json() == made.json()
