"""The endpoints of managed identities: plain HTTP on loopback, each for one identity.

They speak as App Service's does (IDENTITY_ENDPOINT, IDENTITY_HEADER) or as the metadata service of virtual machines. Whoever is
not on this machine, comes through a proxy, or was led here by a browser, gets nothing.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_address
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from certworker.api.auth import issuer_of
from certworker.api.hosts import Plane, place_of
from certworker.api.identity.forms import Form, parse_form
from certworker.api.identity.recording import Recorded
from certworker.api.identity.refusals import NO_STORE
from certworker.api.threads import Threads, closing
from certworker.api.trace import trace_of
from certworker.bootstrap import House
from certworker.clock import whole_second
from certworker.errors import CertworkerError, Unavailable
from certworker.settings.identity import ManagedIdentity
from certworker.vault.sign_in.clients import Proof
from certworker.vault.sign_in.refusals import SignInRefused, invalid_request

APP_SERVICE: Final = ("2019-08-01",)
IMDS: Final = ("2018-02-01", "2019-08-01", "2021-02-01")
_IMDS_PATH: Final = "/metadata/identity/oauth2/token"
_METADATA_HOST: Final = "169.254.169.254"
_FORWARDED: Final = ("x-forwarded-for", "forwarded", "via", "x-real-ip")
_NAMES: Final = ("client_id", "object_id", "principal_id", "mi_res_id", "msi_res_id")
_THREADS: Final = 2


@dataclass(frozen=True, slots=True)
class _Token:
    """A token of the identity, when it was made, and for what."""

    text: str = field(repr=False)
    seconds: int
    at: datetime
    resource: str
    client_id: str


class ManagedEndpoint:
    """Gives the tokens of one identity. `header` is what IDENTITY_HEADER must be, of App Service's kind."""

    def __init__(self, house: House, settings: ManagedIdentity, header: str, threads: Threads) -> None:
        self._house = house
        self._settings = settings
        self._header = header
        self._threads = threads

    async def answer(self, request: Request) -> Response:
        """Answer a request for a token."""
        try:
            self._check(request)
            query = _query(request, APP_SERVICE if self._is_app_service else IMDS)
            token = await self._threads.run(self._token, query)
            trace_of(request.scope).asked_by(token.client_id, grant="managed_identity")
        except SignInRefused as error:
            return self._refuse(error.status, error.error, str(error))
        except Unavailable as error:
            return self._refuse(503, "temporarily_unavailable", str(error))
        except CertworkerError as error:
            return self._refuse(400, "invalid_request", str(error))
        begin = int(token.at.timestamp())
        content = {
            "access_token": token.text,
            "expires_on": str(begin + token.seconds),
            "resource": token.resource,
            "token_type": "Bearer",
            "client_id": token.client_id,
        }
        if not self._is_app_service:
            content |= {"expires_in": str(token.seconds), "ext_expires_in": str(token.seconds), "not_before": str(begin)}
        return JSONResponse(content, headers=NO_STORE)

    @property
    def _is_app_service(self) -> bool:
        return self._settings.kind == "app-service"

    def _check(self, request: Request) -> None:
        """Refuse whoever is not a program on this machine that was told how. Raises SignInRefused."""
        client = request.client.host if request.client else ""
        if not client or not ip_address(client).is_loopback:
            raise SignInRefused("access_denied", 900144, "This endpoint answers programs on its own machine.", status=403)
        if any(name in request.headers for name in _FORWARDED):
            raise SignInRefused("access_denied", 900144, "This endpoint answers nobody through a proxy.", status=403)
        host = request.headers.get("host", "")
        if place_of(host, "localhost").plane is not Plane.BARE and host.partition(":")[0] != _METADATA_HOST:
            raise SignInRefused("access_denied", 900144, "The Host header is not one of this endpoint.", status=403)
        if not self._is_app_service:
            if request.headers.get("metadata", "").lower() != "true":
                raise invalid_request(900144, "Required metadata header not specified.")
            return
        shown = request.headers.get("x-identity-header", "")
        if not hmac.compare_digest(shown.encode(), self._header.encode()):
            raise SignInRefused("unauthorized", 900144, "X-IDENTITY-HEADER is not the value of IDENTITY_HEADER.", status=401)

    def _token(self, query: Form) -> _Token:
        house, wanted = self._house, self._settings.identity.lower()
        with house.store.reading() as reader:
            principal = reader.principal(wanted) or reader.principal_by_client(wanted)
            if principal is None or not principal.enabled:
                raise SignInRefused("invalid_request", 700016, "The identity of this endpoint is not found, or disabled.")
            own = (principal.client_id, principal.object_id, principal.resource_id)
            if any(query.get(name, own[0]).lower() not in map(str.lower, filter(None, own)) for name in _NAMES):
                raise invalid_request(900144, "Identity not found: this endpoint is for another one.")
            resource = house.sign_in.resources.find(reader, principal.tenant_id, query["resource"])
        issuer = issuer_of(house.settings, principal.tenant_id)
        token = house.sign_in.mint.for_application(principal, resource, issuer, Proof.CERTIFICATE)
        at = whole_second(house.clock())
        return _Token(token.token, token.expires_in_seconds, at, resource.audience, principal.client_id)

    def _refuse(self, status: int, error: str, text: str) -> Response:
        content: Mapping[str, Any] = {"error": error, "error_description": text}
        if self._is_app_service:
            content = {"statusCode": status, "message": text}
        return JSONResponse(content, status, headers=NO_STORE)


def build_managed_app(house: House, settings: ManagedIdentity, header: str) -> ASGIApp:
    """Build the app of one managed identity's port. Its threads end with its lifespan."""
    threads = Threads(_THREADS)
    endpoint = ManagedEndpoint(house, settings, header, threads)
    path = "/{path:path}" if settings.kind == "app-service" else _IMDS_PATH
    router = Router([Route(path, endpoint.answer, methods=["GET"])], redirect_slashes=False, lifespan=closing(threads))
    return Recorded(router, house)


def _query(request: Request, versions: tuple[str, ...]) -> Form:
    try:
        query = parse_form(request.url.query)
    except ValueError:
        query = {}
    if query.get("api-version") not in versions:
        raise invalid_request(900144, f"api-version is one of {', '.join(versions)}.")
    if not query.get("resource"):
        raise invalid_request(900144, "The query must contain the following parameter: 'resource'.")
    return query
