"""Who may do what, told over the API."""

from certworker.vault.rights.policies import AccessPolicy
from tests.api.world import Caller
from tests.support.operations import go_by_policies

PATH = "/certworker/v1/access"
ADMINISTRATOR, OWNER = "Key Vault Administrator", "Owner"


def test_the_administrator_learns_why(call: Caller) -> None:
    """Which role lets them do what, and where it is assigned."""
    found = call("GET", PATH).json()
    assert (found["vault"], found["model"], found["groups"]) == ("contoso", "roles", [])
    assert found["objectId"] == call.world.administrator.object_id
    purge = next(right for right in found["value"] if (right["noun"], right["permission"]) == ("secrets", "purge"))
    assert purge["dataAction"] == "Microsoft.KeyVault/vaults/secrets/purge/action"
    assert [(ground["kind"], ground["role"]) for ground in purge["by"]] == [("role assignment", ADMINISTRATOR)]
    assert purge["by"][0]["scope"] == f"/subscriptions/{call.world.vault.subscription_id}"


def test_others_are_told_of_to_those_who_may_know(call: Caller) -> None:
    """A guest learns that they may do nothing, and nothing of anybody else."""
    guest, _ = call.world.add_principal("curious", administrator=False)
    headers = {"Authorization": f"Bearer {call.world.token(guest)}"}
    assert call("GET", f"{PATH}?objectid={guest.object_id}").json()["value"] == []
    assert call("GET", PATH, headers=headers).json()["value"] == []
    refused = call("GET", f"{PATH}?objectId={call.world.administrator.object_id}", headers=headers)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "AuthorizationFailed")
    assert call.bare("GET", PATH).status_code == 401


def test_what_cannot_be_asked_is_400(call: Caller) -> None:
    """A name that nothing can have, and an id that is none."""
    assert call("GET", f"{PATH}?name=a_b").status_code == 400
    assert call("GET", f"{PATH}?objectId=ada@contoso.test").status_code == 400
    assert call("GET", f"{PATH}?objectId={'x' * 200}").json()["error"]["message"].startswith("objectId is no id")


def test_a_vault_that_goes_by_access_policies_refuses_in_its_own_words(call: Caller) -> None:
    """Whoever has other permissions is refused by policy, whoever has none is denied access; both are told who they are."""
    world = call.world
    user, _ = world.add_principal("by-policy", administrator=False)
    headers = {"Authorization": f"Bearer {world.token(user)}"}
    policy = AccessPolicy(world.tenant, user.object_id, {"secrets": ("Set",)})
    plain = go_by_policies(world.house, world.vault, policy)
    try:
        assert call("PUT", "/secrets/by-policy", {"value": "1"}, headers=headers).status_code == 200
        error = call("GET", "/secrets/by-policy", headers=headers).json()["error"]
        assert (error["code"], error["innererror"]["code"]) == ("Forbidden", "ForbiddenByPolicy")
        who = f"appid={user.client_id};oid={user.object_id};numgroups=0;iss={world.issuer}"
        vault = "Vault: contoso;location=local"
        assert error["message"] == f'Operation is not allowed.\r\nOperation: "get"\r\nCaller: {who}\r\n{vault}'
        error = call("GET", "/keys", headers=headers).json()["error"]
        assert (error["code"], error["innererror"]["code"]) == ("Forbidden", "AccessDenied")
        said = (
            f"The user, group or application '{who}' does not have keys list permission on key vault 'contoso;location=local'."
        )
        assert error["message"] == said
        assert call("GET", "/secrets/by-policy").json()["error"]["innererror"]["code"] == "AccessDenied"
    finally:
        go_by_policies(world.house, plain)
        with world.house.store.writing() as writer:
            writer.replace_vault(world.vault)
    assert call("GET", "/secrets/by-policy").json()["value"] == "1"
