"""The directory's plane: let in, find the operation, lead to the handler.

Whoever brings no token is challenged before anything else is looked at.
"""

from typing import Final

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from certworker.api.auth import Challenged, authenticate, bearer_of
from certworker.api.graph import applications, groups, objects, service_principals, users
from certworker.api.graph.call import VERSION, GraphCall
from certworker.api.graph.routing import GraphRoutes
from certworker.api.hosts import Place
from certworker.api.paths import query_of
from certworker.api.threads import Threads
from certworker.api.trace import trace_of
from certworker.bootstrap import House
from certworker.errors import Forbidden, IdentityDisabled, TokenExpired, Unauthenticated, WrongTokenAudience
from certworker.vault.access import Caller
from certworker.vault.identities.rights import DENIED
from certworker.vault.sign_in.scopes import ACCESS_AS_USER, ResourceKind

ROUTES: Final = (*users.ROUTES, *groups.ROUTES, *applications.ROUTES, *service_principals.ROUTES, *objects.ROUTES)
_ASKED_BY_POST: Final = ("/getMember", "/checkMember", "/getByIds")
"""What changes nothing, though it is sent by POST."""
_NO_TOKEN: Final = "Access token is empty."  # noqa: S105 - a text
_CLIENT_ID: Final = "00000003-0000-0000-c000-000000000000"
"""Graph's own client id, which its challenge names."""


class GraphPlane:
    """Answers at graph.DOMAIN, and by path at DOMAIN."""

    def __init__(self, house: House, threads: Threads) -> None:
        self._house = house
        self._threads = threads
        self._routes = GraphRoutes(ROUTES)

    async def serve(self, place: Place, authorization: str | None, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request. Raises what the error table knows, and Challenged."""
        caller = await self._threads.run(self._admit, authorization)
        trace_of(scope).caller = caller
        found, params = self._routes.find(scope["method"], scope["path"].removeprefix(f"/{VERSION}"))
        scope["route"] = found
        _check_scopes(caller, scope["method"], found.path)
        query, request = query_of(scope["query_string"]), Request(scope, receive, send)
        call = GraphCall(self._house, self._threads, place, caller, query, request, params)
        call.check_query()
        response = await found.handler(call)
        await response(scope, receive, send)

    def _admit(self, authorization: str | None) -> Caller:
        token = bearer_of(authorization)
        if not token:
            raise self._challenge(_NO_TOKEN)
        try:
            return authenticate(self._house, token, ResourceKind.GRAPH)
        except TokenExpired:
            raise self._challenge("Lifetime validation failed, the token is expired.") from None
        except WrongTokenAudience:
            raise self._challenge("Access token validation failure. Invalid audience.") from None
        except IdentityDisabled as error:
            raise self._challenge(f"Access token validation failure. {error}") from None
        except Unauthenticated as error:
            raise self._challenge(f"The access token is invalid. {error}") from None

    def _challenge(self, message: str) -> Challenged:
        authority = f"{self._house.settings.authority}/common/oauth2/authorize"
        return Challenged(message, f'Bearer realm="", authorization_uri="{authority}", client_id="{_CLIENT_ID}"')


def _check_scopes(caller: Caller, method: str, path: str) -> None:
    """Refuse changes by an application that its user let read alone. Raises Forbidden."""
    is_reading = method in ("GET", "HEAD") or any(word in path for word in _ASKED_BY_POST)
    if not is_reading and caller.scopes and not any(ACCESS_AS_USER in name or "ReadWrite" in name for name in caller.scopes):
        granted = " ".join(sorted(caller.scopes))[:200]
        raise Forbidden(f"{DENIED} The token's scp, '{granted}', lets the application change nothing: {ACCESS_AS_USER} does.")
