"""The data plane of a vault: let in, check the api-version, lead to the route."""

from collections.abc import Callable
from typing import Concatenate, Final, ParamSpec, TypeVar

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from certworker.api import (
    access,
    certificates,
    contacts,
    deleted_keys,
    intake,
    issuers,
    key_backups,
    key_operations,
    keys,
    mass_replacement,
    merging,
    notices,
    own,
    releases,
    renewals,
    revocation,
    secrets,
    status,
)
from certworker.api.api_versions import LATEST, ApiVersion, api_version_of
from certworker.api.auth import Admission, Challenged, admit, bearer_of, find_vault
from certworker.api.call import Call
from certworker.api.hosts import Place
from certworker.api.operation_names import UNKNOWN, operation_name
from certworker.api.paths import query_of
from certworker.api.routing import Params, Routes
from certworker.api.threads import Threads
from certworker.api.throttle import Throttle
from certworker.api.trace import trace_of
from certworker.bootstrap import House
from certworker.vault.firewall import Firewall
from certworker.vault.objects import KeyVersion
from certworker.vault.vaults import Vault

P = ParamSpec("P")
T = TypeVar("T")

ROUTES = (
    *contacts.ROUTES,
    *issuers.ROUTES,
    *secrets.ROUTES,
    *certificates.ROUTES,
    *merging.ROUTES,
    *intake.ROUTES,
    *key_backups.ROUTES,
    *keys.ROUTES,
    *deleted_keys.ROUTES,
    *key_operations.ROUTES,
    *releases.ROUTES,
    *own.ROUTES,
    *access.ROUTES,
    *notices.ROUTES,
    *renewals.ROUTES,
    *status.ROUTES,
    *mass_replacement.ROUTES,
    *revocation.ROUTES,
)

REGION: Final = "certworker.region"
"""Where the location of the vault that was let into lies in the ASGI scope."""


class DataPlane:
    """Answers for vaults. Whoever brings no token is challenged, before anything is looked at or read."""

    def __init__(self, house: House, threads: Threads) -> None:
        self._house = house
        self._threads = threads
        self._routes = Routes(ROUTES)
        settings = house.settings
        trusted = tuple(settings.network.trusted_services.values())
        self._firewall = Firewall(settings.network.subnets, trusted, settings.authority)
        throttling = settings.throttling
        self._throttle = Throttle(throttling, settings.server.processes, house.clock) if throttling.enabled else None

    async def serve(self, place: Place, authorization: str | None, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request. Raises what the error table knows."""
        trace = trace_of(scope)
        try:
            admission = await self._admit(place, authorization)
        except Challenged:
            trace.vault = await self._look(_vault_at, place)
            raise
        trace.caller, trace.vault = admission.caller, admission.vault
        found = self._routes.find(scope["method"], scope["path"])
        if found:  # what is refused from here on is recorded as what it was for
            scope["route"], scope["path_params"] = found
        self._firewall.require(admission.vault, admission.caller, trace.address)
        query = query_of(scope["query_string"])
        # the paths of our own have their version in them
        api_version = ApiVersion(LATEST) if scope["path"].startswith(own.PREFIX) else api_version_of(query)
        scope[REGION] = admission.vault.location
        if found is None:
            scope["path_params"] = self._routes.params(scope["path"])
            raise self._routes.refusal(scope["path"])
        route, params = found
        if self._throttle:
            await self._charge(self._throttle, admission.vault, operation_name(scope["method"], route.path) or UNKNOWN, params)
        request = Request(scope, receive, send)
        response = await route.handler(Call(self._house, self._threads, place, admission, api_version, query, request))
        await response(scope, receive, send)

    async def _charge(self, throttle: Throttle, vault: Vault, operation: str, params: Params) -> None:
        key = None
        if operation.startswith("Key") and "name" in params:
            key = await self._look(_find_key, vault, params["name"], params.get("version"))
        throttle.charge(vault, operation, key)

    async def _admit(self, place: Place, authorization: str | None) -> Admission:
        token = bearer_of(authorization)
        if self._house.sign_in.foreign.must_ask(token):
            return await self._threads.run(admit, self._house, place, token)
        return await self._look(admit, place, token)

    async def _look(self, find: Callable[Concatenate[House, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Look something up: where it stands, if the store says that this is faster."""
        if self._house.store.inline_reads:
            return find(self._house, *args, **kwargs)
        return await self._threads.run(find, self._house, *args, **kwargs)


def _vault_at(house: House, place: Place) -> Vault:
    with house.store.glance() as reader:
        return find_vault(house, place, reader)


def _find_key(house: House, vault: Vault, name: str, version: str | None) -> KeyVersion | None:
    with house.store.glance() as reader:
        return reader.key(vault.id, name, version)
