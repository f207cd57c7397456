"""The identity provider's door: its paths, and the documents that tell clients where everything is.

It speaks as Microsoft's does, error codes included, so that their client libraries work unchanged.
"""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from certworker.api.auth import issuer_of
from certworker.api.hosts import Place
from certworker.api.identity.authorize import AuthorizePage
from certworker.api.identity.device import DevicePage
from certworker.api.identity.door import PLACE, Door
from certworker.api.identity.forms import is_basic, needed, read_form, shown_by
from certworker.api.identity.refusals import NO_STORE, OAuthError, refusal_of, refusal_response
from certworker.api.identity.tokens import GRANTS, TokenRequest, exchange
from certworker.api.threads import Threads
from certworker.api.trace import trace_of
from certworker.bootstrap import House
from certworker.clock import whole_second
from certworker.vault.sign_in.refusals import SignInRefused

_log = logging.getLogger(__name__)

_ENDPOINTS: Final[Mapping[str, str]] = {
    "authorization_endpoint": "oauth2/v2.0/authorize",
    "token_endpoint": "oauth2/v2.0/token",
    "device_authorization_endpoint": "oauth2/v2.0/devicecode",
    "jwks_uri": "discovery/v2.0/keys",
}


class IdentityProvider(Door):
    """Answers at login.DOMAIN, and by path at DOMAIN."""

    def __init__(self, house: House, threads: Threads, password_threads: Threads) -> None:
        """To check a password is slow, and anybody may ask for it: `password_threads` keep the rest of the service free."""
        super().__init__(house, threads)
        self._password_threads = password_threads
        authorize, device = AuthorizePage(house, password_threads), DevicePage(house, password_threads)
        self._router = Router(
            [
                Route("/{tenant}/oauth2/v2.0/token", self._token, methods=["POST"]),
                Route("/{tenant}/oauth2/token", self._token_v1, methods=["POST"]),
                Route("/{tenant}/oauth2/v2.0/authorize", authorize.answer, methods=["GET", "POST"]),
                Route("/{tenant}/oauth2/v2.0/devicecode", self._device_code, methods=["POST"]),
                Route("/device", device.answer, methods=["GET", "POST"]),
                Route("/{tenant}/v2.0/.well-known/openid-configuration", self._configuration),
                Route("/{tenant}/.well-known/openid-configuration", self._configuration),
                Route("/{tenant}/discovery/v2.0/keys", self._keys),
                Route("/{tenant}/discovery/keys", self._keys),
                Route("/common/userrealm/{name:path}", self._realm),
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
            refusal = refusal_of(error)
            if refusal.status == HTTPStatus.INTERNAL_SERVER_ERROR:
                _log.exception("request %s failed", request_id)
            response = refusal_response(refusal, request_id, whole_second(self.house.clock()))
            trace_of(scope).refuse(response)
            await response(scope, receive, send)

    async def _configuration(self, request: Request) -> Response:
        tenant, place = await self.tenant(request), request.scope[PLACE]
        base = f"{place.url}/{tenant}"
        return JSONResponse(
            {
                "issuer": issuer_of(self.house.settings, tenant),
                **{name: f"{base}/{path}" for name, path in _ENDPOINTS.items()},
                "grant_types_supported": list(GRANTS),
                "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic", "private_key_jwt"],
                "token_endpoint_auth_signing_alg_values_supported": ["RS256", "PS256", "ES256"],
                "response_types_supported": ["code"],
                "response_modes_supported": ["query", "fragment", "form_post"],
                "code_challenge_methods_supported": ["S256"],
                "scopes_supported": ["openid", "profile", "email", "offline_access"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
            }
        )

    async def _keys(self, request: Request) -> Response:
        tenant = await self.tenant(request)
        return JSONResponse(await self.threads.run(self.house.directory.key_set, tenant))

    async def _realm(self, request: Request) -> Response:
        """Tell MSAL that passwords are checked here, whoever it is that it asks for."""
        domain = request.path_params["name"].rpartition("@")[2][:255]
        content = {
            "ver": "1.0",
            "account_type": "Managed",
            "domain_name": domain,
            "cloud_instance_name": request.scope[PLACE].netloc,
            "cloud_audience_urn": "urn:federation:MicrosoftOnline",
        }
        return JSONResponse(content, headers=NO_STORE)

    async def _token(self, request: Request) -> Response:
        return await self._exchange(request, v1=False)

    async def _token_v1(self, request: Request) -> Response:
        return await self._exchange(request, v1=True)

    async def _exchange(self, request: Request, *, v1: bool) -> Response:
        form = await read_form(request)
        trace_of(request.scope).asked_by(form.get("client_id", ""), form.get("username", ""), form.get("grant_type", ""))
        tenant = await self.tenant(request)
        shown, issuer = shown_by(request, form), issuer_of(self.house.settings, tenant)
        asked = TokenRequest(self.house, tenant, issuer, form, shown, self._endpoints(request, tenant), v1)
        try:
            threads = self._password_threads if form.get("grant_type") == "password" else self.threads
            answer = await threads.run(exchange, asked)
        except SignInRefused as error:
            if error.error == "invalid_client" and is_basic(request):
                raise OAuthError(error.error, error.number, str(error), status=401, basic=True) from None
            raise
        return JSONResponse(answer, headers=NO_STORE)

    def _endpoints(self, request: Request, tenant: str) -> tuple[str, ...]:
        """Name this token endpoint in all ways, for the audience of client assertions."""
        hosts, named = (request.scope[PLACE].url, self.house.settings.authority), request.path_params["tenant"]
        bases = [f"{host}/{name}" for host in hosts for name in (tenant, named)]
        return tuple(f"{base}/{path}" for base in bases for path in ("oauth2/v2.0/token", "oauth2/token", "v2.0"))

    async def _device_code(self, request: Request) -> Response:
        form = await read_form(request)
        trace_of(request.scope).asked_by(form.get("client_id", ""))
        tenant, place, clients = await self.tenant(request), request.scope[PLACE], self.house.sign_in.clients
        client = await self.threads.run(clients.authenticate, tenant, shown_by(request, form), self._endpoints(request, tenant))
        started = await self.threads.run(self.house.sign_in.devices.start, client, needed(form, "scope"))
        url = f"{place.url}/device"
        content = {
            "device_code": started.device_code,
            "user_code": started.user_code,
            "verification_uri": url,
            "verification_uri_complete": f"{url}?user_code={started.user_code}",
            "expires_in": started.expires_in_seconds,
            "interval": started.interval_seconds,
            "message": f"To sign in, use a web browser to open the page {url} and enter the code {started.user_code}.",
        }
        return JSONResponse(content, headers=NO_STORE)


async def _unknown_path(scope: Scope, _receive: Receive, _send: Send) -> None:
    raise OAuthError("invalid_request", 90019, f"There is nothing at {scope['path'][:200]}.", status=404)
