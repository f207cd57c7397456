"""Who may do what, told over the API."""

from tests.api.world import Caller

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
    assert call("GET", f"{PATH}?objectId={'x' * 200}").json()["error"]["message"].startswith("objectId is no id")
