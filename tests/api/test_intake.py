"""Import, update, backup, restore and contacts over HTTP: status codes, fields and errors, in Key Vault's words."""

from typing import Any

import httpx
import pytest

from certworker.api.blobs import MAX_RESTORE_BODY
from certworker.crypto.keys import base64url
from certworker.crypto.x509 import thumbprint
from tests.api.world import SELF_SIGNED, Caller
from tests.support.parcels import Parcel, a_parcel

PARCEL = a_parcel()
UNKNOWN: dict[str, Any] = {**SELF_SIGNED, "issuer": {"name": "Unknown"}}


def error_of(answer: httpx.Response) -> tuple[int, str]:
    """Read status and code of an error."""
    return answer.status_code, answer.json()["error"]["code"]


def bring(call: Caller, name: str = "web", parcel: Parcel = PARCEL, **more: Any) -> httpx.Response:  # noqa: ANN401 - JSON
    """Import a certificate."""
    return call("POST", f"/certificates/{name}/import", {"value": parcel.pfx(), **more})


def test_an_imported_certificate_is_a_bundle_without_pending(call: Caller) -> None:
    """200, with the policy read back, issuer Unknown and EmailContacts; there is no operation to be looked at."""
    answer = bring(call, tags={"a": "b"}, attributes={"enabled": True}, pwd=None, policy=None)
    assert answer.status_code == 200, answer.text
    bundle = answer.json()
    assert bundle["x5t"] == base64url(thumbprint(PARCEL.leaf))
    assert bundle["tags"] == {"a": "b"}
    assert "pending" not in bundle
    policy = bundle["policy"]
    assert policy["issuer"] == {"name": "Unknown"}
    assert policy["key_props"] == {"exportable": True, "kty": "EC", "key_size": 256, "reuse_key": False, "crv": "P-256"}
    assert policy["x509_props"]["subject"] == "CN=brought.test"
    assert policy["x509_props"]["sans"] == {"dns_names": ["brought.test"]}
    assert policy["x509_props"]["validity_months"] == 3
    assert [action["action"] for action in policy["lifetime_actions"]] == [{"action_type": "EmailContacts"}]
    assert call("GET", "/certificates/web").json() == bundle
    assert error_of(call("GET", "/certificates/web/pending")) == (404, "PendingCertificateNotFound")
    assert call("GET", "/keys/web").json()["managed"] is True


def test_what_is_refused_on_import(call: Caller) -> None:
    """400 with the field, 409 for what is in the way; the password is not repeated."""
    protected = PARCEL.pfx("a-secret-word")
    for body, words in (
        ({"value": protected, "pwd": "another-word"}, "does not open"),
        ({"value": protected}, "protected by a password"),
        ({}, "value"),
        ({"value": PARCEL.pfx(), "policy": {"key_props": {"kty": "RSA"}}}, "key_props.kty"),
        ({"value": PARCEL.pfx(), "policy": {"secret_props": {"contentType": "application/x-pem-file"}}}, "contentType"),
    ):
        answer = call("POST", "/certificates/web/import", body)
        assert error_of(answer) == (400, "BadParameter")
        assert words in answer.text
        assert "-word" not in answer.text
    call.create("web", UNKNOWN)
    answer = bring(call)
    assert error_of(answer) == (409, "Forbidden")
    assert "can not be created or imported while a pending" in answer.text


def test_a_version_is_updated(call: Caller) -> None:
    """Attributes, tags and policy by PATCH, with a version and without; its secret follows."""
    call.create("web")
    bundle = call("GET", "/certificates/web").json()
    version = bundle["id"].rpartition("/")[2]
    same = {field: bundle["attributes"][field] for field in ("nbf", "exp")}
    answer = call("PATCH", f"/certificates/web/{version}", {"attributes": {"enabled": False, **same}, "tags": {"a": "b"}})
    assert (answer.status_code, answer.json()["attributes"]["enabled"], answer.json()["tags"]) == (200, False, {"a": "b"})
    assert "pending" in answer.json()
    disabled = call("GET", "/secrets/web")
    assert disabled.json()["error"] == {
        "code": "Forbidden",
        "message": "Operation get is not allowed on a disabled secret.",
        "innererror": {"code": "SecretDisabled"},
    }
    answer = call("PATCH", "/certificates/web/", {"attributes": None, "policy": {"x509_props": {"validity_months": 3}}})
    assert answer.json()["policy"]["x509_props"]["validity_months"] == 3
    assert answer.json()["attributes"]["enabled"] is False
    assert error_of(call("PATCH", "/certificates/web", {"attributes": {"exp": 1}})) == (400, "BadParameter")
    assert error_of(call("PATCH", f"/certificates/web/{'0' * 32}", {})) == (404, "CertificateNotFound")


def test_a_backup_is_restored(call: Caller) -> None:
    """The blob is base64url, with padding or without; a taken name is 409, and what is no backup 400."""
    bring(call)
    before = call("GET", "/certificates/web").json()
    blob = call("POST", "/certificates/web/backup").json()
    assert list(blob) == ["value"]
    assert error_of(call("POST", "/certificates/restore", blob)) == (409, "Conflict")
    assert call("DELETE", "/certificates/web").status_code == 200
    answer = call("POST", "/certificates/restore", blob)
    assert error_of(answer) == (409, "Conflict")
    assert answer.json()["error"]["innererror"] == {"code": "ObjectIsDeletedButRecoverable"}
    assert call("DELETE", "/deletedcertificates/web").status_code == 204
    for value in ("AAAA", "not base64!", blob["value"][:-8]):
        assert error_of(call("POST", "/certificates/restore", {"value": value})) == (400, "BadParameter")
    padded = blob["value"] + "=" * (-len(blob["value"]) % 4)
    answer = call("POST", "/certificates/restore", {"value": padded})
    assert (answer.status_code, answer.json()) == (200, before)
    assert error_of(call("POST", "/certificates/nobody/backup")) == (404, "CertificateNotFound")


def test_a_restore_takes_a_larger_body_and_no_larger_one(call: Caller) -> None:
    """Two megabytes are read and refused as no backup; more than the largest backup is 413."""
    assert error_of(call("POST", "/certificates/restore", {"value": "A" * 2_000_000})) == (400, "BadParameter")
    assert error_of(call("POST", "/certificates/restore", {"value": "A" * MAX_RESTORE_BODY})) == (413, "RequestEntityTooLarge")
    assert error_of(call("POST", "/certificates/web/import", {"value": "A" * 2_000_000})) == (413, "RequestEntityTooLarge")


def test_contacts_over_http(call: Caller) -> None:
    """Set, show and delete answer with all of them; without any it is 404."""
    for method in ("GET", "DELETE"):
        answer = call(method, "/certificates/contacts")
        assert error_of(answer) == (404, "ContactsNotFound")
        assert answer.json()["error"]["message"] == "Contacts not found"
    sent = {"contacts": [{"email": "ada@contoso.example", "name": "Ada", "phone": "1"}, {"email": "b@contoso.example"}]}
    shown = {"id": f"{call.world.vault_url}/certificates/contacts", **sent}
    assert call("PUT", "/certificates/contacts", sent).json() == shown
    assert call("GET", "/certificates/contacts").json() == shown
    assert error_of(call("PUT", "/certificates/contacts", {"contacts": [{"email": "nobody"}]})) == (400, "BadParameter")
    assert call("DELETE", "/certificates/contacts").json() == shown
    assert call("GET", "/certificates/contacts").status_code == 404


def test_an_issuer_is_changed_in_part(call: Caller) -> None:
    """Only what is sent changes; the password is kept, replaced or ended, and never shown."""
    administrator = {"first_name": "Ada", "last_name": "L", "email": "ada@contoso.example", "phone": "1"}
    whole = {
        "provider": "Scripted",
        "credentials": {"account_id": "me", "pwd": "first-word"},
        "org_details": {"id": "org", "admin_details": [administrator]},
    }
    before = call("PUT", "/certificates/issuers/MyCA", whole).json()
    assert before["org_details"] == whole["org_details"]
    path, issuers = "/certificates/issuers/myca", call.world.house.issuers

    def credential() -> str | None:
        with call.world.house.store.reading() as reader:
            issuer = reader.issuer(call.world.vault.id, "MyCA")
        assert issuer is not None
        return issuers.credential(issuer)

    changed = call("PATCH", path, {"attributes": {"enabled": False}, "credentials": None}).json()
    assert changed == {**before, "attributes": {**before["attributes"], "enabled": False}}
    assert credential() == "first-word"
    changed = call("PATCH", path, {"org_details": {"admin_details": []}, "credentials": {"pwd": "second-word"}}).json()
    assert (changed["org_details"], changed["credentials"]) == ({"id": "org", "admin_details": []}, {"account_id": "me"})
    assert credential() == "second-word"
    assert (
        call("PATCH", path, {"provider": "Local", "credentials": {"account_id": "you", "pwd": ""}}).json()["provider"]
        == "Local"
    )
    assert credential() is None
    assert error_of(call("PATCH", path, {"provider": "Nobody"})) == (400, "BadParameter")
    assert error_of(call("PATCH", "/certificates/issuers/other", {})) == (404, "CertificateIssuerNotFound")
    assert call("GET", path).json()["attributes"]["enabled"] is False


def test_companions_cannot_be_written_to(call: Caller) -> None:
    """A managed secret is refused to whoever would change it alone."""
    call.create("web")
    for method, path, status in (
        ("PUT", "/secrets/web", 409),
        ("PATCH", "/secrets/web", 403),
        ("DELETE", "/secrets/web", 403),
    ):
        assert call(method, path, {"value": "x"}).status_code == status
    assert call("GET", "/secrets/web").status_code == 200


@pytest.mark.parametrize("preserve", [True, False])
def test_the_order_is_kept_where_asked(call: Caller, *, preserve: bool) -> None:
    """`preserveCertOrder` comes back with the bundle."""
    turned = PARCEL.pfx(chain=PARCEL.chain[::-1])
    answer = call("POST", "/certificates/web/import", {"value": turned, "preserveCertOrder": preserve})
    assert answer.json()["preserveCertOrder"] is preserve
    found = call.world.house
    with found.store.reading() as reader:
        version = reader.certificate_version(call.world.vault.id, "web", None)
    assert version is not None
    assert version.chain == (PARCEL.chain[::-1] if preserve else PARCEL.chain)


def test_what_is_null_is_as_good_as_absent(call: Caller) -> None:
    """Sections of a policy and of an issuer too, as some clients send what they have no value for."""
    nothing = dict.fromkeys(("key_props", "secret_props", "x509_props", "lifetime_actions", "issuer", "attributes"))
    assert bring(call, policy=nothing).status_code == 200
    assert call("PATCH", "/certificates/web", {"policy": nothing, "tags": None, "attributes": None}).status_code == 200
    issuer = {"provider": "Scripted", "credentials": None, "org_details": None, "attributes": None}
    assert call("PUT", "/certificates/issuers/MyCA", issuer).status_code == 200
