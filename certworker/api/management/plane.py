"""The management plane: find the operation, let in, check the api-version and the subscription, lead to the handler.

Whoever brings no token is challenged before anything else is looked at.
"""

from datetime import UTC
from typing import Final

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from certworker.api.auth import authenticate, bearer_of
from certworker.api.hosts import Place
from certworker.api.management import (
    audit,
    children,
    deleted_vaults,
    diagnostics,
    metadata,
    resource_groups,
    role_assignments,
    role_definitions,
    storage_accounts,
    subscriptions,
    vaults,
)
from certworker.api.management.call import ArmCall
from certworker.api.management.errors import ArmChallenged
from certworker.api.management.routing import ArmRoutes
from certworker.api.paths import query_of
from certworker.api.threads import Threads
from certworker.api.trace import trace_of
from certworker.bootstrap import House
from certworker.errors import (
    InvalidResource,
    ResourceNotFound,
    TokenExpired,
    Unauthenticated,
    WrongTokenAudience,
    WrongTokenIssuer,
)
from certworker.vault.access import Caller
from certworker.vault.sign_in.scopes import IMPERSONATION, ResourceKind
from certworker.vault.vaults import SYSTEM_VAULT

ROUTES = (
    *metadata.ROUTES,
    *subscriptions.ROUTES,
    *resource_groups.ROUTES,
    *deleted_vaults.ROUTES,
    *vaults.ROUTES,
    *children.ROUTES,
    *audit.ROUTES,
    *role_definitions.ROUTES,
    *role_assignments.ROUTES,
    *diagnostics.ROUTES,
    *storage_accounts.ROUTES,
)

FIRST_SEGMENTS: Final = frozenset({"subscriptions", "providers", "metadata", "tenants"})
"""What the paths of this plane begin with, in lower case: by them it is told at the bare domain."""
NOBODY: Final = Caller("", "", "")
"""Who calls what is open to all."""
_NO_TOKEN: Final = "Authentication failed. The 'Authorization' header is missing or is not of the Bearer scheme."  # noqa: S105


class ManagementPlane:
    """Answers at management.DOMAIN, and by path at DOMAIN."""

    def __init__(self, house: House, threads: Threads) -> None:
        self._house = house
        self._threads = threads
        self._routes = ArmRoutes(ROUTES)

    async def serve(self, place: Place, authorization: str | None, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request. Raises what the error table knows, and ArmChallenged."""
        path = scope["path"]
        is_open = self._routes.is_open(scope["method"], path)
        caller = None if is_open else await self._threads.run(self._admit, authorization, path)
        trace_of(scope).caller = caller
        query = query_of(scope["query_string"])
        if not query.get("api-version"):
            message = "The api-version query parameter (?api-version=) is required for all requests."
            raise InvalidResource("MissingApiVersionParameter", message, "api-version")
        found, params = self._routes.find(scope["method"], path)
        scope["route"] = found
        version = found.of.version_of(query)
        request = Request(scope, receive, send)
        call = ArmCall(self._house, self._threads, place, caller or NOBODY, version, query, request, params)
        response = await found.handler(call)
        await response(scope, receive, send)

    def _admit(self, authorization: str | None, path: str) -> Caller:
        token = bearer_of(authorization)
        if not token:
            raise self._challenge("AuthenticationFailed", _NO_TOKEN)
        try:
            caller = authenticate(self._house, token, ResourceKind.MANAGEMENT)
        except TokenExpired:
            at = self._house.clock().astimezone(UTC)
            text = f"The access token has expired; the time is {at:%Y-%m-%dT%H:%M:%SZ}."
            raise self._challenge("ExpiredAuthenticationToken", text) from None
        except WrongTokenIssuer:
            text = (
                f"The access token is from the wrong issuer. Please use the authority (URL) '{self._authority()}' to get one."
            )
            raise self._challenge("InvalidAuthenticationTokenTenant", text) from None
        except WrongTokenAudience:
            audiences = ",".join(self._house.sign_in.resources.audiences(ResourceKind.MANAGEMENT))
            text = f"The access token has been obtained for the wrong audience. It should be one of '{audiences}'."
            raise self._challenge("InvalidAuthenticationTokenAudience", text) from None
        except Unauthenticated as error:
            raise self._challenge("InvalidAuthenticationToken", f"The access token is invalid. {error}") from None
        if caller.scopes and IMPERSONATION not in caller.scopes:
            raise self._challenge("InvalidAuthenticationToken", f"The access token's scp does not have {IMPERSONATION}.")
        self._check_subscription(caller, path)
        return caller

    def _check_subscription(self, caller: Caller, path: str) -> None:
        segments = path.split("/")
        if len(segments) < 3 or segments[1].lower() != "subscriptions":  # noqa: PLR2004
            return
        with self._house.store.reading() as reader:
            found = reader.subscription(segments[2].lower())
        if found is None or found.tenant_id != caller.tenant_id:
            raise ResourceNotFound(f"The subscription '{segments[2][:64]}' could not be found.", "SubscriptionNotFound")

    def _challenge(self, reason: str, message: str) -> ArmChallenged:
        refused = "" if reason == "AuthenticationFailed" else f', error="invalid_token", error_description="{reason}"'
        return ArmChallenged(reason, message, f'Bearer authorization_uri="{self._authority()}"{refused}')

    def _authority(self) -> str:
        with self._house.store.glance() as reader:
            system = reader.vault_by_name(SYSTEM_VAULT)
        return f"{self._house.settings.authority}/{system.tenant_id if system else 'common'}"
