"""The identity provider, called in this process."""

import base64
from typing import Any

import httpx
import jwt
import pytest

from tests.api.world import VERSION, Caller

LOGIN = "https://login.localhost:8443"


def form_of(call: Caller, changes: dict[str, str | None]) -> dict[str, str]:
    """Fill in the form for a token, as MSAL does."""
    form = {
        "grant_type": "client_credentials",
        "client_id": call.world.administrator.client_id,
        "client_secret": call.world.client_secret,
        "scope": "https://vault.localhost:8443/.default",
        "client_info": "1",
    }
    return {name: value for name, value in (form | changes).items() if value is not None}


def ask(call: Caller, changes: dict[str, str | None] | None = None, headers: dict[str, str] | None = None) -> httpx.Response:
    """Ask for a token."""
    url = f"{LOGIN}/{call.world.tenant}/oauth2/v2.0/token"
    return call.bare("POST", url, data=form_of(call, changes or {}), headers=headers or {})


@pytest.mark.parametrize("host", [LOGIN, "https://localhost:8443", "https://[::1]:8443"])
def test_the_discovery_document_is_on_the_host_that_was_called(call: Caller, host: str) -> None:
    """Its URLs lead back to the caller's host; the issuer is the same everywhere."""
    document = call.bare("GET", f"{host}/{call.world.tenant}/v2.0/.well-known/openid-configuration").json()
    assert document["issuer"] == f"{LOGIN}/{call.world.tenant}/v2.0"
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
        assert document[name].startswith(f"{host}/{call.world.tenant}/")
    key_set = call.bare("GET", document["jwks_uri"]).json()
    assert [key["use"] for key in key_set["keys"]] == ["sig"]


def test_a_token_is_checked_by_the_published_keys(call: Caller) -> None:
    """Anybody can check a token with the key set, and the vault lets its bearer in."""
    answer = ask(call)
    assert answer.status_code == 200
    assert answer.headers["cache-control"].startswith("no-store")
    body = answer.json()
    assert (body["token_type"], body["expires_in"], body["ext_expires_in"]) == ("Bearer", 3600, 3600)
    keys = jwt.PyJWKSet.from_dict(call.bare("GET", f"{LOGIN}/{call.world.tenant}/discovery/v2.0/keys").json())
    options: Any = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}
    claims = jwt.decode(
        body["access_token"],
        keys[jwt.get_unverified_header(body["access_token"])["kid"]],
        algorithms=["RS256"],
        audience="https://vault.localhost:8443",
        issuer=call.world.issuer,
        options=options,
    )
    assert claims["oid"] == call.world.administrator.object_id
    bearer = {"Authorization": f"Bearer {body['access_token']}"}
    assert call.bare("GET", f"/secrets?{VERSION}", headers=bearer).status_code == 200


@pytest.mark.parametrize(
    "scope",
    [
        "https://vault.localhost:8443/.default",
        "https://vault.localhost:8443//.default",
        "https://management.localhost:8443/.default",
        "https://management.localhost:8443//.default",
    ],
)
def test_the_audience_is_the_resource_as_it_was_asked_for(call: Caller, scope: str) -> None:
    """With or without a slash at its end, as clients compare it."""
    token = ask(call, {"scope": scope}).json()["access_token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["aud"] == scope.removesuffix("/.default")


def test_a_client_may_use_http_basic(call: Caller) -> None:
    """Id and secret in the header, as RFC 6749 has it; a wrong one is asked again."""
    world = call.world
    good = base64.b64encode(f"{world.administrator.client_id}:{world.client_secret}".encode()).decode()
    sent: dict[str, str | None] = {"client_id": None, "client_secret": None}
    assert ask(call, sent, {"Authorization": f"Basic {good}"}).status_code == 200
    wrong = base64.b64encode(f"{world.administrator.client_id}:wrong".encode()).decode()
    for bad in ("Basic !", "Basic " + base64.b64encode(b"nocolon").decode(), f"Basic {wrong}"):
        answer = ask(call, sent, {"Authorization": bad})
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
        assert answer.headers["www-authenticate"].startswith("Basic ")


@pytest.mark.parametrize(
    ("changes", "status", "error", "number"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({"client_id": "nobody"}, 400, "unauthorized_client", 700016),
        ({"client_secret": None}, 401, "invalid_client", 7000218),
        ({"grant_type": None}, 400, "invalid_request", 900144),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
        ({"scope": None}, 400, "invalid_request", 900144),
        ({"scope": "openid"}, 400, "invalid_scope", 70011),
        ({"scope": "https://vault.localhost:8443/.default openid"}, 400, "invalid_scope", 70011),
        ({"scope": "https://vault.azure.net/.default"}, 400, "invalid_resource", 500011),
    ],
)
def test_a_refusal_is_in_oauths_shape(
    call: Caller, changes: dict[str, str | None], status: int, error: str, number: int
) -> None:
    """With the numbers by which MSAL's users look things up."""
    answer = ask(call, changes)
    body = answer.json()
    assert (answer.status_code, body["error"], body["error_codes"]) == (status, error, [number])
    assert body["error_description"].startswith(f"AADSTS{number}: ")
    assert body["trace_id"] == body["correlation_id"] == answer.headers["x-ms-request-id"]
    assert body["timestamp"] == "2026-01-01 00:00:00Z"
    assert call.world.client_secret not in answer.text


@pytest.mark.parametrize("path", ["v2.0/.well-known/openid-configuration", "discovery/v2.0/keys"])
def test_an_unknown_tenant_is_refused(call: Caller, path: str) -> None:
    """Nobody else's tenant is answered for."""
    answer = call.bare("GET", f"{LOGIN}/11111111-2222-3333-4444-555555555555/{path}")
    assert (answer.status_code, answer.json()["error_codes"]) == (400, [90002])


def test_what_is_not_there_is_refused_in_oauths_shape(call: Caller) -> None:
    """An unknown path, a wrong verb, a form that cannot be read, and one without end."""
    url = f"{LOGIN}/{call.world.tenant}/oauth2/v2.0/token"
    assert call.bare("GET", f"{LOGIN}/common/oauth2").json()["error"] == "invalid_request"
    assert [call.bare(verb, url).status_code for verb in ("GET", "OPTIONS", "BREW")] == [405, 405, 405]
    assert call.bare("POST", url, content=b"\xff=1").json()["error_codes"] == [90100]
    assert call.bare("POST", url, content=b"a" * 100_000).status_code == 413
