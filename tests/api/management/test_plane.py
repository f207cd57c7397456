"""The management plane's door: tokens, api-versions, paths, and the shape of its refusals."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest

from tests.api.world import Caller, World

ARM = "https://management.localhost:8443"
SOMEWHERE = "/subscriptions/00000000-0000-0000-0000-000000000000/providers/Microsoft.Nothing/things"


def _get(call: Caller, path: str, token: str | None = None, **more: Any) -> httpx.Response:  # noqa: ANN401 - httpx's
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return call.bare("GET", path if path.startswith("https:") else ARM + path, headers=headers, **more)


def _error(response: httpx.Response) -> str:
    error = response.json()["error"]
    assert set(error) == {"code", "message"}
    assert error["message"]
    return str(error["code"])


def test_endpoints_are_one_object_without_a_token(call: Caller) -> None:
    """Whoever registers the cloud reads where everything is, and needs no token for it."""
    found = _get(call, "/metadata/endpoints?api-version=2022-09-01").json()
    assert found["authentication"]["loginEndpoint"] == "https://login.localhost:8443"
    assert found["suffixes"]["keyVaultDns"] == "vault.localhost:8443"
    assert found["resourceManager"] == f"{ARM}/"
    assert _get(call, "https://localhost:8443/Metadata/Endpoints?api-version=2019-05-01").json()["value"] == [found]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_what_only_looks_open_is_not(call: Caller, method: str) -> None:
    """A path that begins like the open one lets nobody in."""
    path = f"{ARM}/metadata/providers/Microsoft.Authorization/roleDefinitions/{uuid4()}?api-version=2022-04-01"
    response = call.bare(method, path, {})
    assert (response.status_code, _error(response)) == (401, "AuthenticationFailed")


def test_without_a_token_nothing_is_told(call: Caller) -> None:
    """Before the token nothing else is looked at: not the api-version, not the path."""
    response = _get(call, SOMEWHERE)
    assert (response.status_code, _error(response)) == (401, "AuthenticationFailed")
    assert response.headers["www-authenticate"].startswith('Bearer authorization_uri="https://login.localhost:8443/')
    assert response.headers["x-ms-correlation-request-id"] == response.headers["x-ms-request-id"]


@pytest.mark.parametrize(
    ("audience", "let_in"),
    [
        (ARM, True),
        (f"{ARM}/", True),
        (f"{ARM}//", True),
        ("https://management.azure.com", True),
        ("https://management.core.windows.net//", True),
        ("https://vault.localhost:8443", False),
        ("https://management.azure.com.example", False),
    ],
)
def test_audiences(world: World, call: Caller, audience: str, let_in: bool) -> None:  # noqa: FBT001
    """Tokens for this plane, by each of its names, are taken; those for vaults are not."""
    response = _get(call, f"{SOMEWHERE}?api-version=2020-01-01", world.token(audience=audience))
    expected = (404, "SubscriptionNotFound") if let_in else (401, "InvalidAuthenticationTokenAudience")
    assert (response.status_code, _error(response)) == expected


def test_refused_tokens_have_codes_of_their_own(world: World, call: Caller) -> None:
    """A token that is none, of another issuer, or expired is told apart."""
    codes = [_error(_get(call, SOMEWHERE, "nonsense")), _error(_get(call, SOMEWHERE, world.token(None, ARM, "https://other")))]
    token = world.token(audience=ARM)
    world.clock.advance(timedelta(hours=2))
    codes.append(_error(_get(call, SOMEWHERE, token)))
    assert codes == ["InvalidAuthenticationToken", "InvalidAuthenticationTokenTenant", "ExpiredAuthenticationToken"]


@pytest.mark.parametrize(("scopes", "status"), [("user_impersonation", 200), ("openid", 401)])
def test_an_application_acts_for_its_user_where_it_may(world: World, call: Caller, scopes: str, status: int) -> None:
    """A token that is for something else than to act for the user lets nobody in."""
    claims = jwt.decode(world.token(audience=ARM), options={"verify_signature": False}) | {"scp": scopes}
    token = world.house.directory.sign(world.tenant, claims)
    assert _get(call, "/subscriptions?api-version=2022-12-01", token).status_code == status


def test_the_api_version_is_needed_and_known(world: World, call: Caller) -> None:
    """Without an api-version, or with one that the resource type has not, the refusal says which there are."""
    token = world.token(audience=ARM)
    assert _error(_get(call, "/providers/Microsoft.Nothing/things", token)) == "MissingApiVersionParameter"
    unknown = _get(call, "/metadata/endpoints?api-version=1999-01-01")
    assert (unknown.status_code, _error(unknown)) == (400, "InvalidApiVersionParameter")
    assert "2022-09-01" in unknown.json()["error"]["message"]


def test_what_is_not_there(world: World, call: Caller) -> None:
    """Types that there are not, paths that nothing is at, and methods that a path has not."""
    token = world.token(audience=ARM)
    missing = _get(call, "/providers/Microsoft.Nothing/things?api-version=2020-01-01", token)
    long_s = f"/%C5%BFubscriptions/{world.vault.subscription_id}/resourceGroups?api-version=2021-04-01"
    assert _get(call, long_s, token).status_code == 404
    assert (missing.status_code, _error(missing)) == (404, "InvalidResourceType")
    assert _get(call, "/nothing?api-version=2020-01-01", token).status_code == 404
    refused = call.bare("DELETE", f"{ARM}/metadata/endpoints?api-version=2022-09-01")
    assert (refused.status_code, _error(refused), refused.headers["allow"]) == (405, "MethodNotAllowed", "GET")
