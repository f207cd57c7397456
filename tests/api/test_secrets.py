"""Secrets over HTTP: status codes, fields and errors, in Key Vault's words."""

import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from certworker.api.blobs import MAX_RESTORE_BODY
from tests.api.world import SELF_SIGNED, VERSION, Caller
from tests.support.clock import START, FakeClock

EXP = int((START + timedelta(days=100)).timestamp())
NBF = int(START.timestamp())


def error_of(answer: httpx.Response) -> tuple[int, str, str | None]:
    """Give status, code and inner code."""
    error = answer.json()["error"]
    return answer.status_code, error["code"], error.get("innererror", {}).get("code")


def set_(call: Caller, name: str = "db", **body: Any) -> Any:  # noqa: ANN401 - JSON
    """Set a secret."""
    answer = call("PUT", f"/secrets/{name}", {"value": "hush", **body})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_secret_is_set_and_shown(call: Caller) -> None:
    """Every field comes back; version, times and recovery level are the vault's."""
    attributes = {"enabled": True, "nbf": NBF, "exp": EXP}
    body = {"contentType": "text/plain", "attributes": attributes, "tags": {"team": "ä"}}
    made = set_(call, "Db", **body)
    version = made["id"].rpartition("/")[2]
    assert made == {
        "value": "hush",
        "contentType": "text/plain",
        "id": f"{call.world.vault_url}/secrets/Db/{version}",
        "attributes": {
            **attributes,
            "created": NBF,
            "updated": NBF,
            "recoveryLevel": "Recoverable+Purgeable",
            "recoverableDays": 90,
        },
        "tags": {"team": "ä"},
    }
    assert len(version) == 32
    for path in ("/secrets/db", "/secrets/DB/", f"/secrets/db/{version}", f"/Secrets//db/{version.upper()}"):
        assert call("GET", path).json() == made
    bare = set_(call, "bare")
    assert not {"contentType", "tags", "managed", "kid", "previousVersion"} & bare.keys()


def test_what_is_null_is_absent(call: Caller) -> None:
    """As if it had not been sent."""
    made = set_(call, contentType=None, tags=None, attributes={"enabled": None, "nbf": None, "exp": None})
    assert made["attributes"]["enabled"] is True
    assert "exp" not in made["attributes"]
    changed = call("PATCH", "/secrets/db", {"contentType": None, "tags": None, "attributes": None})
    assert changed.json() == {key: value for key, value in made.items() if key != "value"}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "value: field required"),
        ({"value": None}, "value:"),
        ({"value": 1}, "value:"),
        ({"value": "x" * 25_601}, "value has 25601 bytes in UTF-8; a secret has at most 25600."),
        ({"value": "v", "contentType": "c" * 256}, "contentType has 256 characters"),
        ({"value": "v", "contentType": "\0"}, "contentType:"),
        ({"value": "v", "tags": {"a": 1}}, "tags.a:"),
        ({"value": "v", "tags": {str(n): "" for n in range(16)}}, "tags has 16 entries"),
        ({"value": "v", "attributes": {"exp": -1}}, "attributes.exp:"),
        ({"value": "v", "attributes": {"exp": 10**12}}, "attributes.exp:"),
        ({"value": "v", "attributes": {"nbf": "2026"}}, "attributes.nbf:"),
        ({"value": "v", "attributes": {"enabled": "yes"}}, "attributes.enabled:"),
        ([], "The request body:"),
    ],
)
def test_what_cannot_be_set(call: Caller, body: Any, words: str) -> None:  # noqa: ANN401 - JSON
    """400 BadParameter, with the field's name and without what was sent."""
    answer = call("PUT", "/secrets/db", body)
    assert error_of(answer) == (400, "BadParameter", None)
    assert words in answer.json()["error"]["message"]
    assert "xxx" not in answer.text
    assert call("GET", "/secrets/db").status_code == 404


def test_bodies_that_are_none(call: Caller) -> None:
    """Not JSON, half a surrogate pair, nothing, and a name that nothing may have."""
    for content in (b"", b"{", b'"value"', b'{"value": "\\ud800"}', b'{"value": "\xff"}'):
        assert error_of(call("PUT", "/secrets/db", content=content)) == (400, "BadParameter", None)
    for name in ("a_b", "x" * 128, "a%20b"):
        answer = call("PUT", f"/secrets/{name}", {"value": "hush"})
        assert error_of(answer) == (400, "BadParameter", None)
        assert "The request URI contains an invalid name" in answer.json()["error"]["message"]


def test_versions_and_lists(call: Caller, clock: FakeClock) -> None:
    """Ids in lists have no version, those of versions do; no value in either; pages go on."""
    versions = []
    for _ in range(3):
        versions.append(set_(call, contentType="a")["id"].rpartition("/")[2])
        clock.advance(timedelta(seconds=1))
    for name in ("b", "A"):
        set_(call, name)
    page = call("GET", "/secrets?maxresults=2").json()
    rest = call.bare("GET", page["nextLink"], headers=call.world.bearer()).json()
    assert rest["nextLink"] is None
    items = page["value"] + rest["value"]
    assert [item["id"] for item in items] == [f"{call.world.vault_url}/secrets/{name}" for name in ("A", "b", "db")]
    assert all("value" not in item for item in items)
    assert items[2]["contentType"] == "a"
    listed = call("GET", "/secrets/DB/versions").json()["value"]
    assert [item["id"].rpartition("/")[2] for item in listed] == sorted(versions)
    assert call("GET", "/secrets/nobody/versions").json() == {"value": [], "nextLink": None}
    assert call("GET", "/secrets/db").json()["id"].endswith(versions[-1])


def test_an_update(call: Caller, clock: FakeClock) -> None:
    """What is sent changes, the rest stays; the answer has no value. Without a version it is the current one."""
    old = set_(call, tags={"a": "b"})
    new = set_(call, value="two")
    clock.advance(timedelta(minutes=1))
    version = old["id"].rpartition("/")[2]
    changed = call("PATCH", f"/secrets/db/{version}", {"contentType": "c", "attributes": {"exp": EXP}})
    assert changed.status_code == 200
    attributes = {**old["attributes"], "exp": EXP, "updated": NBF + 60}
    assert changed.json() == {"contentType": "c", "id": old["id"], "attributes": attributes, "tags": {"a": "b"}}
    assert call("GET", "/secrets/db").json() == new
    for path in ("/secrets/db", "/secrets/db/"):
        assert call("PATCH", path, {"attributes": {"enabled": False}}).json()["id"] == new["id"]
    answer = call("GET", "/secrets/db")
    assert error_of(answer) == (403, "Forbidden", "SecretDisabled")
    assert answer.json()["error"]["message"] == "Operation get is not allowed on a disabled secret."
    for path in ("/secrets/nobody", f"/secrets/db/{'0' * 32}"):
        assert error_of(call("PATCH", path, {})) == (404, "SecretNotFound", None)


def test_deleted_recovered_purged(call: Caller) -> None:
    """In the shapes and with the words of the service."""
    made, url = set_(call, contentType="a"), call.world.vault_url
    deleted = call("DELETE", "/secrets/DB").json()
    about = {
        "recoveryId": f"{url}/deletedsecrets/db",
        "deletedDate": NBF,
        "scheduledPurgeDate": NBF + 90 * 86400,
    }
    shown = {key: value for key, value in made.items() if key != "value"}
    assert deleted == {**shown, **about}
    assert call("GET", "/deletedsecrets/db").json() == deleted
    (item,) = call("GET", "/deletedsecrets").json()["value"]
    assert item == {**shown, "id": f"{url}/secrets/db", **about}
    assert error_of(call("GET", "/secrets/db")) == (404, "SecretNotFound", None)
    answer = call("PUT", "/secrets/db", {"value": "x"})
    assert error_of(answer) == (409, "Conflict", "ObjectIsDeletedButRecoverable")
    assert answer.json()["error"]["message"] == (
        "Secret db is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the secret "
        "can only be recovered or purged."
    )
    assert call("POST", "/deletedsecrets/db/recover").json() == shown
    assert call("GET", "/secrets/db").json() == made
    for method, path in (("POST", "/deletedsecrets/db/recover"), ("DELETE", "/deletedsecrets/db")):
        answer = call(method, path)
        assert error_of(answer) == (400, "MethodNotAllowed", "RequestNotAllowedOnNonDeletedObject")
        assert answer.json()["error"]["message"] == "Secret exists already: db"
    call("DELETE", "/secrets/db")
    purged = call("DELETE", "/deletedsecrets/db")
    assert (purged.status_code, purged.content) == (204, b"")
    answer = call("GET", "/deletedsecrets/db")
    assert error_of(answer) == (404, "SecretNotFound", None)
    assert answer.json()["error"]["message"] == "Deleted Secret not found: db"


def test_purge_protection(call: Caller) -> None:
    """403 in the service's words, and a recovery level that tells of it beforehand."""
    with call.world.house.store.writing() as writer:
        writer.replace_vault(replace(call.world.vault, retention_days=7, purge_protection=True))
    attributes = set_(call)["attributes"]
    assert (attributes["recoveryLevel"], attributes["recoverableDays"]) == ("CustomizedRecoverable", 7)
    deleted = call("DELETE", "/secrets/db").json()
    assert deleted["scheduledPurgeDate"] - deleted["deletedDate"] == 7 * 86400
    answer = call("DELETE", "/deletedsecrets/db")
    assert error_of(answer) == (403, "Forbidden", None)
    assert answer.json()["error"]["message"] == (
        'Operation "purge" is not allowed because purge protection is enabled for this vault. Key Vault service will '
        "automatically purge it after the retention period has passed"
    )


@pytest.mark.parametrize(("stored", "asked"), [("pkcs12", "pem-file"), ("pem-file", "pkcs12")])
def test_the_secret_of_a_certificate(call: Caller, clock: FakeClock, stored: str, asked: str) -> None:
    """Managed, with its key's id and the version before; in the other form where asked by who knows that it can be."""
    policy = {**SELF_SIGNED, "secret_props": {"contentType": f"application/x-{stored}"}}
    call.create("web", policy)
    first = call("GET", "/secrets/web").json()
    assert first["managed"] is True
    assert first["kid"] == first["id"].replace("/secrets/", "/keys/")
    assert "previousVersion" not in first
    clock.advance(timedelta(seconds=1))
    call.create("web", policy)
    second = call("GET", "/secrets/web").json()
    assert second["previousVersion"] == first["id"].rpartition("/")[2]
    assert "previousVersion" not in call("GET", "/secrets/web?api-version=7.6").json()
    form = f"outContentType=application/x-{asked}"
    other = call("GET", f"/secrets/web?{form}").json()
    assert other["contentType"] == f"application/x-{asked}"
    assert other["value"] != second["value"]
    assert call("GET", f"/secrets/web?{form}&api-version=7.6").json()["contentType"] == f"application/x-{stored}"
    set_(call)
    for path in ("/secrets/db?" + form, "/secrets/web?outContentType=text/plain"):
        assert error_of(call("GET", path)) == (400, "BadParameter", None)


def test_a_managed_secret_is_not_touched_alone(call: Caller) -> None:
    """409 for a set over it, 403 for the rest."""
    call.create("web")
    assert error_of(call("PUT", "/secrets/web", {"value": "x"}))[:2] == (409, "Conflict")
    for method, path in (("PATCH", "/secrets/web"), ("DELETE", "/secrets/web"), ("POST", "/secrets/web/backup")):
        assert error_of(call(method, path, {}))[:2] == (403, "Forbidden"), (method, path)
    call("DELETE", "/certificates/web")
    assert [item["managed"] for item in call("GET", "/deletedsecrets").json()["value"]] == [True]
    assert error_of(call("DELETE", "/deletedsecrets/web"))[:2] == (403, "Forbidden")


def test_backup_and_restore(call: Caller) -> None:
    """Opaque base64url; put back with its versions, and in nobody's way; every kind is named where it does not fit."""
    made = set_(call, tags={"a": "b"})
    call("POST", "/keys/sign/create", {"kty": "EC"})
    blobs = {kind: call("POST", f"/{kind}/backup").json()["value"] for kind in ("secrets/db", "keys/sign")}
    assert call("POST", "/secrets/nobody/backup").status_code == 404
    assert error_of(call("POST", "/secrets/restore", {"value": blobs["secrets/db"]}))[:2] == (409, "Conflict")
    for collection, name in (("secrets", "db"), ("keys", "sign")):
        call("DELETE", f"/{collection}/{name}")
        call("DELETE", f"/deleted{collection}/{name}")
    wrong = call("POST", "/secrets/restore", {"value": blobs["keys/sign"]})
    assert error_of(wrong) == (400, "BadParameter", None)
    assert "it is a backup of a key, and not of a secret" in wrong.json()["error"]["message"]
    restored = call("POST", "/secrets/restore", {"value": blobs["secrets/db"] + "=="})
    assert restored.json() == {key: value for key, value in made.items() if key != "value"}
    assert call("GET", "/secrets/db").json() == made
    key = call("POST", "/keys/restore", {"value": blobs["keys/sign"]}).json()
    assert call("GET", "/keys/sign").json() == key
    for value in ("", "junk", "A" * 2_000_000, "ä", blobs["secrets/db"][:-2]):
        assert error_of(call("POST", "/secrets/restore", {"value": value})) == (400, "BadParameter", None)
    too_large = call("POST", "/secrets/restore", {"value": "A" * MAX_RESTORE_BODY})
    assert error_of(too_large)[:2] == (413, "RequestEntityTooLarge")


def test_a_broken_seal_is_500_without_a_word(call: Caller, caplog: pytest.LogCaptureFixture) -> None:
    """The caller learns the request id, and the log which record it is; lists go on."""
    one, two = set_(call, "one", value="first-value"), set_(call, "two", value="second-value")
    with call.world.house.store.writing() as writer:
        connection = writer._connection  # type: ignore[attr-defined]
        rows = dict(connection.exec_driver_sql("SELECT folded, sealed_value FROM secret_version").all())
        moved = "UPDATE secret_version SET sealed_value = ? WHERE folded = 'ONE'"
        connection.exec_driver_sql(moved, (rows["TWO"],))
        flipped = bytes([*rows["TWO"][:-1], rows["TWO"][-1] ^ 1])
        connection.exec_driver_sql("UPDATE secret_version SET sealed_value = ? WHERE folded = 'TWO'", (flipped,))
    for made in (one, two):
        name, _, version = made["id"].rpartition("/secrets/")[2].partition("/")
        caplog.clear()
        for path in (f"/secrets/{name}", f"/secrets/{name}/{version}"):
            answer = call("GET", path)
            assert error_of(answer) == (500, "InternalServerError", None)
            request_id = answer.headers["x-ms-request-id"]
            assert request_id in answer.text
            assert version not in answer.json()["error"]["message"]
        assert f"secret/{name.upper()}/{version} was altered, moved" in caplog.text
        assert "-value" not in caplog.text
    assert len(call("GET", "/secrets").json()["value"]) == 2
    assert error_of(call("POST", "/secrets/one/backup"))[0] == 500


def test_the_broken_seal_of_a_key_is_500_without_a_word(call: Caller, caplog: pytest.LogCaptureFixture) -> None:
    """Moved to another key's row, or altered, it is neither used nor backed up, though it was loaded before."""
    ids = [call("POST", f"/keys/{name}/create", {"kty": "EC"}).json()["key"]["kid"] for name in ("one", "two")]
    sign = {"alg": "ES256", "value": "A" * 43}
    for name in ("one", "two"):
        assert call("POST", f"/keys/{name}/sign", sign).status_code == 200
    with call.world.house.store.writing() as writer:
        connection = writer._connection  # type: ignore[attr-defined]
        rows = dict(connection.exec_driver_sql("SELECT folded, sealed_key FROM key_version").all())
        connection.exec_driver_sql("UPDATE key_version SET sealed_key = ? WHERE folded = 'ONE'", (rows["TWO"],))
        flipped = bytes([*rows["TWO"][:-1], rows["TWO"][-1] ^ 1])
        connection.exec_driver_sql("UPDATE key_version SET sealed_key = ? WHERE folded = 'TWO'", (flipped,))
    for kid in ids:
        name, _, version = kid.rpartition("/keys/")[2].partition("/")
        for path, body in ((f"/keys/{name}/sign", sign), (f"/keys/{name}/backup", None)):
            caplog.clear()
            answer = call("POST", path, body)
            assert error_of(answer) == (500, "InternalServerError", None)
            assert version not in answer.json()["error"]["message"]
            assert f"key/{name.upper()}/{version} was altered, moved" in caplog.text


def test_nothing_of_a_secret_is_logged(call: Caller, caplog: pytest.LogCaptureFixture) -> None:
    """Not of what was set, and not of what could not be."""
    with caplog.at_level(logging.DEBUG):
        set_(call, value="correct horse", tags={"hush-tag": "x"})
        call("GET", "/secrets/db")
        call("PUT", "/secrets/a_b", {"value": "correct horse"})
        call("PUT", "/secrets/db", {"value": ["correct horse"], "tags": {"correct horse": 1}})
    assert "correct horse" not in caplog.text


def test_every_old_api_version_sets(call: Caller) -> None:
    """Since the first."""
    for version in ("2016-10-01", "7.0", "7.6-preview.2", "2026-04-01"):
        answer = call("PUT", f"/secrets/db?api-version={version}", {"value": version})
        assert answer.status_code == 200
    assert call("GET", f"/secrets/db?{VERSION}").json()["value"] == "2026-04-01"
