"""Keys over HTTP: bodies, answers and errors as Key Vault has them."""

from typing import Any, Final

import pytest

from certworker.crypto.keys import base64url
from tests.api.world import Caller
from tests.support.clock import START
from tests.support.records import RELEASE_RULES

NOW: Final = int(START.timestamp())
DAY: Final = 86_400
OCT: Final = {"kty": "oct", "k": base64url(b"0123456789abcdef")}
RELEASE: Final = {"data": base64url(RELEASE_RULES.encode())}
QUARTERLY: Final = {
    "lifetimeActions": [{"trigger": {"timeAfterCreate": "P3M", "timeBeforeExpiry": None}, "action": {"type": "rotate"}}],
    "attributes": {"expiryTime": "P1Y"},
}


def error_of(answer: Any) -> tuple[int, str, str | None, str]:  # noqa: ANN401 - httpx's response
    """Read an error in Key Vault's shape."""
    error = answer.json()["error"]
    return answer.status_code, error["code"], error.get("innererror", {}).get("code"), error["message"]


def create(call: Caller, name: str = "k", **body: Any) -> Any:  # noqa: ANN401 - JSON
    """Make a key, of EC unless told otherwise."""
    answer = call("POST", f"/keys/{name}/create", {"kty": "EC"} | body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_key_has_every_part(call: Caller) -> None:
    """Its public half, what it may do, attributes and tags; nothing that it has not."""
    made = create(call, "Key", crv="P-521", attributes={"nbf": NOW, "exp": NOW + 90 * DAY}, tags={"a": "b"})
    version = made["key"]["kid"].rsplit("/", 1)[1]
    assert made["key"].pop("kid") == f"{call.world.vault_url}/keys/Key/{version}"
    assert {name: len(made["key"].pop(name)) for name in ("x", "y")} == {"x": 88, "y": 88}
    assert made == {
        "key": {"kty": "EC", "crv": "P-521", "key_ops": ["sign", "verify"]},
        "attributes": {
            "enabled": True,
            "nbf": NOW,
            "exp": NOW + 90 * DAY,
            "created": NOW,
            "updated": NOW,
            "recoveryLevel": "Recoverable+Purgeable",
            "recoverableDays": 90,
            "exportable": False,
            "hsmPlatform": "0",
        },
        "tags": {"a": "b"},
    }
    for path in ("/keys/key", f"/keys/KEY/{version}"):
        found = call("GET", path).json()
        assert found["attributes"] == made["attributes"]


@pytest.mark.parametrize(
    ("version", "known"), [("7.0", set()), ("7.4", {"exportable"}), ("7.5", {"exportable", "hsmPlatform"})]
)
def test_older_clients_see_what_they_know(call: Caller, version: str, known: set[str]) -> None:
    """Fields that came later are left out."""
    create(call)
    attributes = call("GET", f"/keys/k?api-version={version}").json()["attributes"]
    assert {"exportable", "hsmPlatform"} & set(attributes) == known


def test_an_oct_key_shows_nothing(call: Caller) -> None:
    """Neither when it is made nor when it is imported."""
    assert set(create(call, kty="oct")["key"]) == {"kid", "kty", "key_ops"}
    taken = call("PUT", "/keys/k", {"key": OCT | {"key_ops": ["encrypt"]}, "Hsm": False}).json()
    assert taken["key"].pop("kid")
    assert taken["key"] == {"kty": "oct", "key_ops": ["encrypt"]}


def test_lists_are_as_key_vault_has_them(call: Caller) -> None:
    """Names without a version in one, versions in the other, in pages; no public key in either."""
    made = {create(call, name)["key"]["kid"] for name in ("b", "A", "b")}
    keys = call("GET", "/keys?maxresults=1").json()
    (first,) = keys["value"]
    assert first["kid"] == f"{call.world.vault_url}/keys/A"
    assert set(first) == {"kid", "attributes"}
    (second,) = call("GET", keys["nextLink"].removeprefix(call.world.vault_url)).json()["value"]
    assert second["kid"] == f"{call.world.vault_url}/keys/b"
    versions = call("GET", "/keys/b/versions").json()
    assert versions["nextLink"] is None
    assert {version["kid"] for version in versions["value"]} == {kid for kid in made if "/b/" in kid}
    assert call("GET", "/keys/missing/versions").json() == {"value": [], "nextLink": None}


def test_an_update_is_a_patch(call: Caller) -> None:
    """What is null or absent stays; one version is named, or the current one meant."""
    version = create(call, tags={"a": "b"}, attributes={"exp": NOW + DAY})["key"]["kid"].rsplit("/", 1)[1]
    call.world.clock.set(START.replace(minute=1))
    changed = call("PATCH", f"/keys/k/{version}", {"attributes": {"enabled": False, "exp": None}, "key_ops": ["sign"]}).json()
    assert changed["key"]["key_ops"] == ["sign"]
    assert changed["tags"] == {"a": "b"}
    attributes = changed["attributes"]
    assert (attributes["enabled"], attributes["exp"], attributes["updated"]) == (False, NOW + DAY, NOW + 60)
    assert "tags" not in call("PATCH", "/keys/k/", {"tags": {}}).json()


def test_a_deleted_key_says_where_it_is(call: Caller) -> None:
    """Until when it can be recovered; and then it is gone, or back."""
    kid = create(call)["key"]["kid"]
    deleted = call("DELETE", "/keys/k").json()
    when = {
        "recoveryId": f"{call.world.vault_url}/deletedkeys/k",
        "deletedDate": NOW,
        "scheduledPurgeDate": NOW + 90 * DAY,
    }
    assert {name: deleted[name] for name in when} == when
    assert deleted["key"]["kid"] == kid
    assert call("GET", "/deletedkeys/K").json() == deleted
    (item,) = call("GET", "/deletedkeys").json()["value"]
    assert {name: item[name] for name in when} == when
    assert "key" not in item
    assert call("POST", "/deletedkeys/k/recover").json()["key"]["kid"] == kid
    call("DELETE", "/keys/k")
    answer = call("DELETE", "/deletedkeys/k")
    assert (answer.status_code, answer.content) == (204, b"")
    assert error_of(call("GET", "/deletedkeys/k")) == (404, "KeyNotFound", None, "Deleted Key not found: k")


def test_names_that_are_taken_are_409(call: Caller) -> None:
    """By a deleted key, in the service's words; and by a certificate."""
    create(call)
    call("DELETE", "/keys/k")
    words = (
        "Key k is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the key can only "
        "be recovered or purged."
    )
    for answer in (call("POST", "/keys/k/create", {"kty": "EC"}), call("PUT", "/keys/k", {"key": OCT})):
        assert error_of(answer) == (409, "Conflict", "ObjectIsDeletedButRecoverable", words)
    call.create("web")
    assert error_of(call("POST", "/keys/web/create", {"kty": "EC"}))[:3] == (409, "Conflict", None)
    for method, path in (("PATCH", "/keys/web"), ("DELETE", "/keys/web"), ("POST", "/keys/web/rotate")):
        assert error_of(call(method, path, {}))[:2] == (403, "Forbidden")
    assert error_of(call("POST", "/deletedkeys/web/recover"))[:3] == (403, "Forbidden", "AccessDenied")


def test_live_keys_are_not_purged(call: Caller) -> None:
    """The error says that the key is there."""
    create(call)
    for method, path in (("POST", "/deletedkeys/k/recover"), ("DELETE", "/deletedkeys/k")):
        inner = "RequestNotAllowedOnNonDeletedObject"
        assert error_of(call(method, path)) == (400, "MethodNotAllowed", inner, "Key exists already: k")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "kty"),
        ({"kty": None}, "kty"),
        ({"kty": 7}, "kty"),
        ({"kty": "RSA", "key_size": "2048"}, "key_size"),
        ({"kty": "RSA", "key_size": 1024}, "key_size"),
        ({"kty": "RSA", "key_size": 2**80}, "key_size"),
        ({"kty": "RSA", "public_exponent": 3}, "public_exponent"),
        ({"kty": "EC", "crv": "P-257"}, "crv"),
        ({"kty": "EC", "key_ops": ["encrypt"]}, "key_ops"),
        ({"kty": "EC", "key_ops": "sign"}, "key_ops"),
        ({"kty": "EC", "attributes": {"exp": -1}}, "attributes.exp"),
        ({"kty": "EC", "attributes": {"exp": 2**60}}, "attributes.exp"),
        ({"kty": "EC", "attributes": {"nbf": NOW, "exp": NOW}}, "attributes.exp"),
        ({"kty": "EC", "attributes": {"exportable": True}}, "release_policy"),
        ({"kty": "EC", "release_policy": RELEASE}, "Non-exportable keys must not have release policy."),
        ({"kty": "EC", "attributes": {"exportable": True}, "release_policy": {}}, "release_policy.data"),
        ({"kty": "EC", "attributes": {"exportable": True}, "release_policy": {"data": "_w"}}, "release_policy.data"),
        ({"kty": "EC", "tags": {"": "x"}}, "tags"),
        ({"kty": "EC-HSM"}, "premium SKU"),
    ],
)
def test_what_cannot_be_is_400(call: Caller, body: dict[str, Any], field: str) -> None:
    """The error says which field, and what would be right."""
    status, code, _, message = error_of(call("POST", "/keys/k/create", body))
    assert (status, code) == (400, "BadParameter")
    assert field in message
    assert call("GET", "/keys").json()["value"] == []


@pytest.mark.parametrize("name", ["a_b", "a.b", "x" * 128, "%20"])
def test_a_name_that_no_key_can_have_is_400(call: Caller, name: str) -> None:
    """In the service's words."""
    for answer in (call("POST", f"/keys/{name}/create", {"kty": "EC"}), call("PUT", f"/keys/{name}", {"key": OCT})):
        status, code, _, message = error_of(answer)
        assert (status, code) == (400, "BadParameter")
        assert message.startswith("The request URI contains an invalid name: ")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "key"),
        ({"key": {}}, "key.kty"),
        ({"key": {"kty": "oct"}}, "key.k"),
        ({"key": {"kty": "oct", "k": 5}}, "key.k"),
        ({"key": {"kty": "oct", "k": "AAAA"}}, "key.k"),
        ({"key": {"kty": "RSA", "n": "AQAB", "e": "AQAB", "d": "AQAB"}}, "key.n"),
        ({"key": {"kty": "EC", "crv": "P-256", "x": "AQ", "y": "AQ", "d": "AQ"}}, "key.x"),
        ({"key": OCT | {"key_ops": ["export"]}}, "key_ops"),
        ({"key": OCT, "Hsm": True}, "premium SKU"),
        ({"key": {"kty": "RSA-HSM", "key_hsm": "AQAB"}}, "key.key_hsm"),
    ],
)
def test_an_import_that_cannot_be_is_400(call: Caller, body: dict[str, Any], field: str) -> None:
    """The member is named, and its value is not repeated."""
    status, code, _, message = error_of(call("PUT", "/keys/k", body))
    assert (status, code) == (400, "BadParameter")
    assert field in message
    assert "AQAB" not in message


def test_a_release_policy_is_shown_as_it_was_sent(call: Caller) -> None:
    """With the content type that it has by default; once it is immutable it stays so."""
    made = create(call, attributes={"exportable": True}, release_policy=RELEASE)
    shown = RELEASE | {"contentType": "application/json; charset=utf-8", "immutable": False}
    assert (made["attributes"]["exportable"], made["release_policy"]) == (True, shown)
    fixed = shown | {"immutable": True}
    assert call("PATCH", "/keys/k", {"release_policy": fixed}).json()["release_policy"] == fixed
    assert error_of(call("PATCH", "/keys/k", {"release_policy": shown}))[:2] == (400, "BadParameter")
    assert call("GET", "/keys/k").json()["release_policy"] == fixed
    assert "release_policy" not in call("GET", "/keys").json()["value"][0]


def test_the_default_rotation_policy(call: Caller) -> None:
    """A key whose owner has set none is told of 30 days before its end; a missing key has none."""
    create(call)
    assert call("GET", "/keys/K/rotationpolicy").json() == {
        "id": f"{call.world.vault_url}/keys/K/rotationpolicy",
        "lifetimeActions": [{"trigger": {"timeBeforeExpiry": "P30D"}, "action": {"type": "Notify"}}],
        "attributes": {},
    }
    for method, body in (("GET", None), ("PUT", QUARTERLY)):
        assert error_of(call(method, "/keys/missing/rotationpolicy", body))[:2] == (404, "KeyNotFound")


def test_a_rotation_policy_is_shown_as_it_was_set(call: Caller) -> None:
    """Durations as they were sent, actions in Key Vault's spelling; a rotation then gives the new version its end."""
    create(call)
    answer = call("PUT", "/keys/k/rotationpolicy", QUARTERLY)
    assert answer.status_code == 200
    assert (
        answer.json()
        == call("GET", "/keys/k/rotationpolicy").json()
        == {
            "id": f"{call.world.vault_url}/keys/k/rotationpolicy",
            "lifetimeActions": [
                {"trigger": {"timeAfterCreate": "P3M"}, "action": {"type": "Rotate"}},
                {"trigger": {"timeBeforeExpiry": "P30D"}, "action": {"type": "Notify"}},
            ],
            "attributes": {"expiryTime": "P1Y", "created": NOW, "updated": NOW},
        }
    )
    rotated = call("POST", "/keys/k/rotate").json()
    assert rotated["attributes"]["exp"] == NOW + 365 * DAY
    assert call("GET", "/keys/k").json()["key"]["kid"] == rotated["key"]["kid"]
    assert len(call("GET", "/keys/k/versions").json()["value"]) == 2


def action(word: str, **trigger: str | None) -> dict[str, Any]:
    """Make a policy with one action."""
    return {"lifetimeActions": [{"trigger": trigger, "action": {"type": word}}]}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (action("Rotate"), "lifetimeActions.trigger"),
        (action("Rotate", timeAfterCreate="P90D", timeBeforeExpiry="P30D"), "lifetimeActions.trigger"),
        (action("Notify", timeAfterCreate="P90D"), "lifetimeActions.trigger"),
        (action("Notify"), "lifetimeActions.trigger"),
        (action("Purge", timeAfterCreate="P90D"), "lifetimeActions"),
        (action("Rotate", timeAfterCreate="90"), "lifetimeActions.trigger.timeAfterCreate"),
        (action("Rotate", timeBeforeExpiry="P30D"), "attributes.expiryTime"),
        ({"attributes": {"expiryTime": "P1W"}}, "attributes.expiryTime"),
        ({"lifetimeActions": action("Notify", timeBeforeExpiry="P30D")["lifetimeActions"] * 2}, "lifetimeActions"),
        ({"lifetimeActions": [{}]}, "lifetimeActions.0.trigger"),
        ({"lifetimeActions": "none"}, "lifetimeActions"),
    ],
)
def test_a_rotation_policy_that_cannot_be_is_400(call: Caller, body: dict[str, Any], field: str) -> None:
    """And the default one stays."""
    create(call)
    status, code, _, message = error_of(call("PUT", "/keys/k/rotationpolicy", body))
    assert (status, code) == (400, "BadParameter")
    assert message.startswith(field)
    assert call("GET", "/keys/k/rotationpolicy").json()["attributes"] == {}


def test_whoever_may_not_gets_403(call: Caller) -> None:
    """Of each operation, with the data action that is missing."""
    principal, _ = call.world.add_principal("nobody", administrator=False)
    headers = {"Authorization": f"Bearer {call.world.token(principal)}"}
    asked = {
        "keys/create/action": ("POST", "/keys/k/create", {"kty": "EC"}),
        "keys/import/action": ("PUT", "/keys/k", {"key": OCT}),
        "keys/read": ("GET", "/keys/k", None),
        "keys/update/action": ("PATCH", "/keys/k", {}),
        "keys/delete": ("DELETE", "/keys/k", None),
        "keys/recover/action": ("POST", "/deletedkeys/k/recover", None),
        "keys/purge/action": ("DELETE", "/deletedkeys/k", None),
        "keys/rotate/action": ("POST", "/keys/k/rotate", None),
        "keyrotationpolicies/read": ("GET", "/keys/k/rotationpolicy", None),
        "keyrotationpolicies/write": ("PUT", "/keys/k/rotationpolicy", QUARTERLY),
    }
    for action, (method, path, body) in asked.items():
        status, code, inner, message = error_of(call(method, path, body, headers=headers))
        assert (status, code, inner) == (403, "Forbidden", "ForbiddenByRbac")
        assert f"Action: 'Microsoft.KeyVault/vaults/{action}'" in message
