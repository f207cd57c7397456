"""The data plane, called in this process: quirks, refusals, and the shape of answers."""

import logging
from pathlib import Path
from typing import Any

import pytest

from certworker.vault.access import SERVICE
from certworker.vault.vaults import SYSTEM_VAULT
from tests.api.world import SELF_SIGNED, VERSION, Caller
from tests.support.clock import START

MANUAL = SELF_SIGNED | {"issuer": {"name": "Unknown"}}


def error_of(answer: Any) -> tuple[int, str, str]:  # noqa: ANN401 - httpx's response
    """Read an error in Key Vault's shape."""
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["message"]


def test_a_bundle_has_every_part(call: Caller) -> None:
    """Ids of key and secret, thumbprint, attributes, policy and pending, all on the caller's host."""
    call.create("Web")
    bundle = call("GET", "/certificates/web").json()
    url, version = call.world.vault_url, bundle["id"].rsplit("/", 1)[1]
    assert len(version) == 32
    assert bundle["id"] == f"{url}/certificates/Web/{version}"
    assert (bundle["kid"], bundle["sid"]) == (f"{url}/keys/Web/{version}", f"{url}/secrets/Web/{version}")
    assert bundle["pending"] == {"id": f"{url}/certificates/Web/pending"}
    assert bundle["preserveCertOrder"] is False
    assert bundle["attributes"] == {
        "enabled": True,
        "nbf": int(START.timestamp()) - 600,
        "exp": int(START.replace(year=START.year + 1).timestamp()),
        "created": int(START.timestamp()),
        "updated": int(START.timestamp()),
        "recoveryLevel": "Recoverable+Purgeable",
        "recoverableDays": 90,
    }
    assert bundle["policy"]["id"] == f"{url}/certificates/Web/policy"


def test_the_answer_to_create_tells_where_to_look(call: Caller) -> None:
    """202 with Location and Retry-After, and the text of a certificate that waits for its owner."""
    answer = call("POST", "/certificates/web/create", {"policy": MANUAL})
    assert answer.status_code == 202
    body = answer.json()
    location = f"{body['id']}?{VERSION}&request_id={body['request_id']}"
    assert (answer.headers["location"], answer.headers["retry-after"]) == (location, "10")
    assert body["status"] == "inProgress"
    assert body["status_details"] == "Pending certificate created. Please Perform Merge to complete the request."
    assert "target" not in body


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_a_request_id_names_one_operation(call: Caller, method: str) -> None:
    """With the id of another request the pending certificate is not found; with its own it is."""
    made = call.create("web", MANUAL)
    body = {"cancellation_requested": True} if method == "PATCH" else None
    other = call(method, "/certificates/web/pending?request_id=0123", body)
    assert error_of(other) == (404, "PendingCertificateNotFound", "Pending certificate not found: web")
    assert call(method, f"/certificates/web/pending?request_id={made['request_id']}", body).status_code == 200


def test_what_is_no_longer_in_progress_cannot_be_cancelled(call: Caller) -> None:
    """A completed operation names its certificate, and refuses a cancellation."""
    assert call.create("web")["status"] == "inProgress"  # a poller that is told of the end at once never asks for the result
    ended = call("GET", "/certificates/web/pending").json()
    assert (ended["status"], ended["target"]) == ("completed", f"{call.world.vault_url}/certificates/web")
    assert "status_details" not in ended
    answer = call("PATCH", "/certificates/web/pending", {"cancellation_requested": True})
    assert error_of(answer) == (403, "Forbidden", "Pending status must be in progress to allow update.")
    assert call("PATCH", "/certificates/web/pending", {"cancellation_requested": False}).status_code == 400


@pytest.mark.parametrize(
    "path",
    ["/secrets/WEB/", "/Secrets//web", "/secrets/web?api%2Dversion=7.0", "/secrets/web?API-VERSION=7.6-preview.2"],
)
def test_paths_are_taken_as_clients_write_them(call: Caller, path: str) -> None:
    """Trailing and doubled slashes, the case of words and names, and encoded query keys do not matter."""
    call.create("web")
    answer = call("GET", path)
    assert answer.status_code == 200
    assert answer.json()["id"].startswith(f"{call.world.vault_url}/secrets/web/")


def test_a_header_overrides_the_verb(call: Caller) -> None:
    """X-HTTP-METHOD makes a POST a DELETE."""
    call.create("web")
    assert call("POST", "/certificates/web", headers={"X-HTTP-METHOD": "DELETE"}).json()["deletedDate"]


def test_every_answer_has_the_services_headers(call: Caller) -> None:
    """Request ids, region, version, network, and nothing that may be kept or guessed."""
    headers = call("GET", "/certificates", headers={"x-ms-client-request-id": "mine"}).headers
    assert headers["x-ms-client-request-id"] == "mine"
    assert len(headers["x-ms-request-id"]) == 36
    assert headers["x-ms-keyvault-region"] == "local"
    assert headers["x-ms-keyvault-network-info"] == "conn_type=Ipv4;addr=127.0.0.1;act_addr_fam=InterNetwork;"
    assert headers["x-ms-keyvault-service-version"]
    assert headers["cache-control"] == "no-cache"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["strict-transport-security"].startswith("max-age=")


@pytest.mark.parametrize("version", ["2016-10-01", "7.0", "7.4", "7.6-preview.2", "2025-07-01", "2026-04-01"])
def test_api_versions_are_taken(call: Caller, version: str) -> None:
    """From the first to the newest; only newer ones speak of the order of certificates."""
    call.create("web")
    bundle = call("GET", f"/certificates/web?api-version={version}").json()
    assert ("preserveCertOrder" in bundle) == (version in {"7.6-preview.2", "2025-07-01", "2026-04-01"})


def test_an_api_version_is_needed(call: Caller) -> None:
    """Without one, and with one that does not exist, it is 400 in the service's words."""
    status, code, message = error_of(call.bare("GET", "/certificates", headers=call.world.bearer()))
    assert (status, code) == (400, "BadParameter")
    assert message.startswith("api-version must be specified")
    assert error_of(call("GET", "/certificates?api-version=9.9")) == (
        400,
        "BadParameter",
        "The specified version (9.9) is not recognized. Consider using the latest supported version (2026-04-01).",
    )


def test_lists_are_paged(call: Caller) -> None:
    """A nextLink is on the caller's host, keeps what was asked for, and is null on the last page."""
    for name in ("b", "A", "c"):
        call.create(name)
    call.create("d", MANUAL)
    first = call("GET", "/certificates?maxresults=2&includePending=true").json()
    assert [item["id"].rsplit("/", 1)[1] for item in first["value"]] == ["A", "b"]
    assert first["nextLink"].startswith(f"{call.world.vault_url}/certificates?{VERSION}&$skiptoken=")
    second = call("GET", first["nextLink"]).json()
    assert [item["id"].rsplit("/", 1)[1] for item in second["value"]] == ["c", "d"]
    assert second["nextLink"] is None
    assert "recoveryLevel" not in first["value"][0]["attributes"]
    assert "recoveryLevel" in call("GET", "/secrets").json()["value"][0]["attributes"]


@pytest.mark.parametrize("query", ["maxresults=0", "maxresults=26", "maxresults=x", "$skiptoken=!", "includePending=maybe"])
def test_a_page_that_cannot_be_is_refused(call: Caller, query: str) -> None:
    """Sizes outside 1 to 25 and tokens that nobody gave out are 400."""
    assert error_of(call("GET", f"/certificates?{query}"))[:2] == (400, "BadParameter")


def test_the_key_of_a_certificate_is_shown(call: Caller) -> None:
    """A JWK with its id, what it may do, and that it is managed."""
    call.create("web")
    key = call("GET", "/keys/web").json()
    assert key["managed"] is True
    assert key["key"]["kty"] == "EC"
    assert key["key"]["crv"] == "P-256"
    assert key["key"]["key_ops"] == ["sign", "verify"]
    assert "d" not in key["key"]
    assert [item["kid"] for item in call("GET", "/keys/web/versions").json()["value"]] == [key["key"]["kid"]]
    assert call("GET", "/keys").json()["value"][0]["kid"] == f"{call.world.vault_url}/keys/web"


def test_versions_of_what_is_missing_are_none(call: Caller) -> None:
    """200 with an empty list, where the object itself is 404."""
    for collection, code in (("certificates", "CertificateNotFound"), ("secrets", "SecretNotFound"), ("keys", "KeyNotFound")):
        assert call("GET", f"/{collection}/nope/versions").json() == {"value": [], "nextLink": None}
        assert error_of(call("GET", f"/{collection}/nope"))[:2] == (404, code)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "The request has no body"),
        (b"{", "The request body is not JSON."),
        (b"[1]", "The request body: "),
        (b"\xff\xfe", "The request body is not JSON."),
        (b"[" * 100_000, "The request body is not JSON."),
        (b'{"policy": ' + b'{"x":' * 5000 + b"1" + b"}" * 5000 + b"}", "The request body is not JSON."),
        (b'{"policy": {"issuer": 7}}', "policy.issuer: "),
        (b'{"policy": {"x509_props": {"subject": "CN=a\\u0000"}}}', "policy.x509_props.subject: "),
        (b'{"policy": {"x509_props": {"validity_months": 1e400}}}', "policy.x509_props.validity_months: "),
        (b'{"tags": {"a": null}}', "tags.a: "),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(call: Caller, body: bytes, text: str) -> None:
    """Not JSON, not an object, too deep, wrong types: 400, with the field where there is one."""
    status, code, message = error_of(call("POST", "/certificates/web/create", content=body))
    assert (status, code) == (400, "BadParameter")
    assert message.startswith(text)


def test_a_huge_body_is_refused(call: Caller) -> None:
    """More than a MiB is not kept, and the connection ends with the answer."""
    answer = call("POST", "/certificates/web/create", content=b" " * (1024 * 1024 + 1))
    assert error_of(answer)[:2] == (413, "RequestEntityTooLarge")
    assert answer.headers["connection"] == "close"
    assert call("POST", "/certificates/web/create", content=b" " * 20_000_000).status_code == 413


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"key_props": {"kty": "RSA", "crv": "P-256"}}, "key_props.crv"),
        ({"key_props": {"kty": "EC", "key_size": 2048}}, "key_props.key_size"),
        ({"key_props": {"kty": "oct"}}, "key_props.kty"),
        ({"key_props": {"kty": "RSA-HSM"}}, "key_props.kty"),
        ({"x509_props": {"subject": ""}}, "x509_props.subject"),
        ({"x509_props": {"subject": "no name"}}, ""),
        ({"x509_props": {"subject": "CN=a", "validity_months": 0}}, "x509_props.validity_months"),
        ({"x509_props": {"subject": "CN=a", "key_usage": ["fly"]}}, "x509_props.key_usage"),
        ({"secret_props": {"contentType": "text/plain"}}, "secret_props.contentType"),
        (
            {"lifetime_actions": [{"trigger": {}, "action": {"action_type": "AutoRenew"}}]},
            "lifetime_actions.trigger",
        ),
        (
            {
                "issuer": {"name": "Unknown"},
                "lifetime_actions": [{"trigger": {"lifetime_percentage": 50}, "action": {"action_type": "AutoRenew"}}],
            },
            "lifetime_actions",
        ),
    ],
)
def test_a_policy_that_contradicts_itself_is_refused(call: Caller, change: dict[str, Any], field: str) -> None:
    """400 that names the field."""
    status, code, message = error_of(call("POST", "/certificates/web/create", {"policy": SELF_SIGNED | change}))
    assert (status, code) == (400, "BadParameter")
    assert message.startswith(field)


@pytest.mark.parametrize("name", ["a_b", "a" * 128, "caf%C3%A9", "a.b", "a%20b"])
def test_a_bad_name_is_refused(call: Caller, name: str) -> None:
    """Names have 1 to 127 letters, digits and hyphens, wherever they stand."""
    for method, path in (("POST", f"/certificates/{name}/create"), ("GET", f"/secrets/{name}"), ("GET", f"/keys/{name}")):
        body = {"policy": SELF_SIGNED} if method == "POST" else None
        status, code, message = error_of(call(method, path, body))
        assert (status, code) == (400, "BadParameter")
        assert message.startswith("The request URI contains an invalid name: ")


def test_a_taken_name_is_a_conflict(call: Caller) -> None:
    """While one is in progress there is no second; a deleted one holds its name; only the deleted are recovered."""
    call.create("web", MANUAL)
    body = {"policy": SELF_SIGNED}
    status, code, message = error_of(call("POST", "/certificates/WEB/create", body))
    assert (status, code) == (409, "Forbidden")
    assert message.startswith("A new key vault certificate can not be created or imported while a pending")
    assert call("DELETE", "/certificates/web/pending").status_code == 200
    call.create("web")
    answer = call("POST", "/deletedcertificates/web/recover").json()["error"]
    assert (answer["code"], answer["innererror"]["code"]) == ("MethodNotAllowed", "RequestNotAllowedOnNonDeletedObject")
    deleted = call("DELETE", "/certificates/web").json()
    assert deleted["recoveryId"] == f"{call.world.vault_url}/deletedcertificates/web"
    assert deleted["scheduledPurgeDate"] - deleted["deletedDate"] == 90 * 86400
    answer = call("POST", "/certificates/web/create", body).json()["error"]
    assert (answer["code"], answer["innererror"]["code"]) == ("Conflict", "ObjectIsDeletedButRecoverable")
    assert call("GET", "/secrets/web").status_code == 404
    purged = call("DELETE", "/deletedcertificates/web")
    assert (purged.status_code, purged.content) == (204, b"")


def test_a_disabled_secret_does_not_open(call: Caller) -> None:
    """403 SecretDisabled, as for any disabled secret."""
    body = {"policy": SELF_SIGNED, "attributes": {"enabled": False}}
    assert call("POST", "/certificates/web/create", body).status_code == 202
    answer = call("GET", "/secrets/web")
    assert error_of(answer) == (403, "Forbidden", "Operation get is not allowed on a disabled secret.")
    assert answer.json()["error"]["innererror"] == {"code": "SecretDisabled"}


def test_issuers_keep_their_secrets(call: Caller) -> None:
    """What is set comes back, save the password; its organization too."""
    body = {
        "provider": "Scripted",
        "credentials": {"account_id": "me", "pwd": "hush"},
        "org_details": {"id": "o", "admin_details": [{"first_name": "Ada", "email": "ada@contoso.example"}]},
    }
    answer = call("PUT", "/certificates/issuers/MyCA", body)
    assert answer.status_code == 200
    shown = answer.json()
    assert "hush" not in answer.text
    assert shown["id"] == f"{call.world.vault_url}/certificates/issuers/MyCA"
    assert shown["org_details"] == body["org_details"]
    assert call("GET", "/certificates/issuers/myca").json() == shown
    assert call("GET", "/certificates/issuers").json()["value"] == [{"id": shown["id"], "provider": "Scripted"}]
    assert call("DELETE", "/certificates/issuers/myca").json() == shown
    assert error_of(call("GET", "/certificates/issuers/myca")) == (404, "CertificateIssuerNotFound", "Issuer not found")
    issuer = call.world.house.issuers
    assert issuer.list_(SERVICE, call.world.vault, None, 25).items == ()


def test_what_nobody_knows_is_not_found(call: Caller) -> None:
    """An unknown path is 404, a wrong verb 405 with the right ones."""
    assert error_of(call("GET", "/nothing/here"))[:2] == (404, "NotFound")
    answer = call("POST", "/secrets/web")
    assert error_of(answer)[:2] == (405, "MethodNotAllowed")
    assert answer.headers["allow"] == "DELETE, GET, HEAD, PATCH, PUT"


def test_hosts_lead_to_planes(call: Caller) -> None:
    """An unknown vault, the service's own, and planes that are not there say where to go."""
    for host in (f"nope.{call.world.house.settings.vault_suffix}", f"{SYSTEM_VAULT}.vault.localhost", "elsewhere.example"):
        status, code, message = error_of(call.bare("GET", f"https://{host}/secrets/a?{VERSION}"))
        assert (status, code) == (404, "VaultNotFound")
        assert "https://NAME.vault.localhost:8443" in message
    for plane in ("management", "graph"):
        assert call.bare("GET", f"https://{plane}.localhost:8443/nothing").status_code == 401


def test_the_bare_domain_is_the_first_vault(call: Caller) -> None:
    """Data under localhost, with ids on localhost; and the challenge leads to where localhost answers for tokens."""
    call.create("web")
    bundle = call("GET", "https://localhost:8443/certificates/web").json()
    assert bundle["id"].startswith("https://localhost:8443/certificates/web/")
    challenge = call.bare("GET", "https://127.0.0.1:8443/secrets").headers["www-authenticate"]
    assert f'authorization="https://127.0.0.1:8443/{call.world.tenant}"' in challenge


def test_the_log_tells_no_secret(call: Caller, caplog: pytest.LogCaptureFixture) -> None:
    """One line for each request, without query string, token or body."""
    with caplog.at_level(logging.INFO, "certworker.access"):
        request_id = call("GET", "/secrets/web?$skiptoken=hush").headers["x-ms-request-id"]
    lines = [record.getMessage() for record in caplog.records if record.name == "certworker.access"]
    assert len(lines) == 1
    assert lines[0].startswith("GET contoso.vault.localhost:8443/secrets/web 404 ")
    assert lines[0].endswith(request_id)


def test_a_database_that_does_not_answer_is_503(call: Caller, tmp_path: Path) -> None:
    """The caller is asked to come back, and nothing of the database is told."""
    headers = call.world.bearer()
    call.world.house.store.close()
    for file in tmp_path.glob("certworker.db*"):
        file.unlink()
    (tmp_path / "certworker.db").mkdir()
    answer = call.bare("GET", f"/secrets/web?{VERSION}", headers=headers)
    assert error_of(answer)[:2] == (503, "ServiceUnavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert str(tmp_path) not in answer.text
    token = call.bare("GET", f"https://login.localhost:8443/{call.world.tenant}/discovery/v2.0/keys")
    assert (token.status_code, token.json()["error"]) == (503, "temporarily_unavailable")
