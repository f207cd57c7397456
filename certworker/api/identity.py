"""The built-in identity provider: OAuth 2.0 client credentials (RFC 6749 section 4.4), with an OpenID discovery document.

It speaks as Microsoft's does, error codes included, so that their client libraries work unchanged.
"""

import logging
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from datetime import UTC
from http import HTTPStatus
from types import MappingProxyType
from urllib.parse import parse_qsl, unquote_plus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from certworker.api.auth import audiences_of, issuer_of
from certworker.api.bodies import read_body
from certworker.api.errors import Incomplete, TooLarge
from certworker.api.hosts import Place
from certworker.api.threads import Threads
from certworker.api.trace import trace_of
from certworker.bootstrap import House
from certworker.clock import whole_second
from certworker.errors import Unauthenticated, Unavailable

_log = logging.getLogger(__name__)

PLACE = "certworker.place"
"""Where the host that was called lies in the ASGI scope."""
_MAX_FORM = 64 * 1024
_DEFAULT_SCOPE = "/.default"
_NO_STORE = MappingProxyType({"Cache-Control": "no-store, no-cache", "Pragma": "no-cache"})


class OAuthError(Exception):
    """A refusal in OAuth's shape (RFC 6749 section 5.2), with the number that Microsoft's provider gives it."""

    def __init__(self, error: str, number: int, text: str, *, status: int = 400, basic: bool = False) -> None:
        super().__init__(f"AADSTS{number}: {text}")
        self.error = error
        self.number = number
        self.status = status
        self.headers = dict(_NO_STORE) | ({"WWW-Authenticate": 'Basic realm="token"'} if basic else {})
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            self.headers["Retry-After"] = "5"


class IdentityProvider:
    """Answers at login.DOMAIN, and by path at DOMAIN."""

    def __init__(self, house: House, threads: Threads) -> None:
        self._house = house
        self._threads = threads
        self._router = Router(
            [
                Route("/{tenant}/oauth2/v2.0/token", self._token, methods=["POST"]),
                Route("/{tenant}/v2.0/.well-known/openid-configuration", self._configuration),
                Route("/{tenant}/discovery/v2.0/keys", self._keys),
            ],
            redirect_slashes=False,
            default=_unknown_path,
        )

    async def serve(self, place: Place, request_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request. Its refusals are in OAuth's shape."""
        scope[PLACE], scope["app"] = place, self  # with `app`, the router raises what it refuses
        try:
            await self._router(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - told in OAuth's shape; what is ours is logged
            refusal = _refusal_of(error)
            if refusal.status == HTTPStatus.INTERNAL_SERVER_ERROR:
                _log.exception("request %s failed", request_id)
            response = self._render(refusal, request_id)
            trace_of(scope).refuse(response)
            await response(scope, receive, send)

    def _render(self, error: OAuthError, request_id: str) -> Response:
        at = whole_second(self._house.clock()).astimezone(UTC)
        content = {
            "error": error.error,
            "error_description": str(error),
            "error_codes": [error.number],
            "timestamp": f"{at:%Y-%m-%d %H:%M:%SZ}",
            "trace_id": request_id,
            "correlation_id": request_id,
        }
        return JSONResponse(content, error.status, error.headers)

    async def _configuration(self, request: Request) -> Response:
        tenant, place = await self._tenant(request), request.scope[PLACE]
        base = f"{place.url}/{tenant}"
        return JSONResponse(
            {
                "issuer": issuer_of(self._house.settings, tenant),
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "jwks_uri": f"{base}/discovery/v2.0/keys",
                "grant_types_supported": ["client_credentials"],
                "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
                "response_types_supported": ["token"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
            }
        )

    async def _keys(self, request: Request) -> Response:
        tenant = await self._tenant(request)
        return JSONResponse(await self._threads.run(self._house.directory.key_set, tenant))

    async def _token(self, request: Request) -> Response:
        form = await _read_form(request)
        trace_of(request.scope).asked_by(form.get("client_id", ""), form.get("username", ""), form.get("grant_type", ""))
        tenant = await self._tenant(request)
        if _needed(form, "grant_type") != "client_credentials":
            raise OAuthError("unsupported_grant_type", 70003, "The one grant_type that is supported is client_credentials.")
        client_id, secret, basic = _credentials(request, form)
        audience = self._audience(_needed(form, "scope"))
        directory, issuer = self._house.directory, issuer_of(self._house.settings, tenant)
        try:
            principal = await self._threads.run(directory.authenticate, tenant, client_id, secret)
        except Unauthenticated as error:
            raise OAuthError("invalid_client", 7000215, str(error), status=401, basic=basic) from None
        token = await self._threads.run(directory.issue_token, principal, audience, issuer)
        content = {
            "token_type": "Bearer",
            "expires_in": token.expires_in_seconds,
            "ext_expires_in": token.expires_in_seconds,
            "access_token": token.token,
        }
        return JSONResponse(content, headers=_NO_STORE)

    async def _tenant(self, request: Request) -> str:
        tenant: str = request.path_params["tenant"].lower()
        key_set = await self._threads.run(self._house.directory.key_set, tenant)
        if not key_set["keys"]:
            text = f"Tenant '{tenant[:64]}' not found. Check that it is the tenant id of this deployment."
            raise OAuthError("invalid_tenant", 90002, text)
        return tenant

    def _audience(self, scope: str) -> str:
        """Read the resource out of a scope: it is given back as the audience in the spelling in which it was asked for."""
        resource, default, rest = scope.strip().partition(_DEFAULT_SCOPE)
        if not default or rest or " " in resource:
            raise OAuthError("invalid_scope", 70011, f"The scope is RESOURCE{_DEFAULT_SCOPE}, for one resource.")
        settings = self._house.settings
        known = (*audiences_of(settings), settings.management_url, f"{settings.management_url}/")
        if resource not in known:
            text = f"The resource {resource[:200]} is not one of this deployment; the vaults' is {settings.resource}."
            raise OAuthError("invalid_resource", 500011, text)
        return resource


def _refusal_of(error: Exception) -> OAuthError:
    """Say any exception in OAuth's terms; what is ours tells the caller nothing."""
    match error:
        case OAuthError():
            return error
        case Unavailable():
            return OAuthError("temporarily_unavailable", 90033, str(error), status=503)
        case HTTPException(status_code=405):
            return OAuthError("invalid_request", 900561, "The method is not allowed here.", status=405)
    return OAuthError("server_error", 90000, "The service met an error of its own; its log tells more.", status=500)


async def _unknown_path(scope: Scope, _receive: Receive, _send: Send) -> None:
    raise OAuthError("invalid_request", 90019, f"There is nothing at {scope['path'][:200]}.", status=404)


async def _read_form(request: Request) -> Mapping[str, str]:
    try:
        body = await read_body(request, _MAX_FORM)
        return dict(reversed(parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=64)))
    except TooLarge as error:
        raise OAuthError("invalid_request", 90100, str(error), status=413) from None
    except Incomplete as error:
        raise OAuthError("invalid_request", 90100, str(error), status=408) from None
    except ValueError:
        raise OAuthError("invalid_request", 90100, "The request body is not a form in UTF-8.") from None


def _needed(form: Mapping[str, str], name: str) -> str:
    if not form.get(name):
        raise OAuthError("invalid_request", 900144, f"The request body must contain the following parameter: '{name}'.")
    return form[name]


def _credentials(request: Request, form: Mapping[str, str]) -> tuple[str, str, bool]:
    """Read the client's id and secret: out of the form, or by HTTP Basic, each form-encoded first (RFC 6749 section 2.3.1)."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return _needed(form, "client_id"), _needed(form, "client_secret"), False
    try:
        client_id, colon, secret = b64decode(value.strip(), validate=True).decode().partition(":")
    except (Base64Error, UnicodeDecodeError):
        colon = ""
    if not colon:
        text = "The Authorization header holds no client id and secret."
        raise OAuthError("invalid_client", 7000216, text, status=401, basic=True)
    return unquote_plus(client_id), unquote_plus(secret), True
