"""The data plane of a vault: let in, check the api-version, lead to the route."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from starlette.exceptions import HTTPException
from starlette.routing import Match, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from certworker.api import (
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
)
from certworker.api.api_versions import LATEST, ApiVersion, api_version_of
from certworker.api.auth import Admission, admit
from certworker.api.call import CALL, Call
from certworker.api.hosts import Place
from certworker.api.paths import query_of
from certworker.api.threads import Threads
from certworker.bootstrap import House

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
    *notices.ROUTES,
    *renewals.ROUTES,
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
        self._routers = _by_shape(ROUTES)

    async def serve(self, place: Place, authorization: str | None, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request. Raises what the error table knows."""
        admission = await self._admit(place, authorization)
        query = query_of(scope["query_string"])
        # the paths of our own have their version in them
        api_version = ApiVersion(LATEST) if scope["path"].startswith(own.PREFIX) else api_version_of(query)
        scope[REGION] = admission.vault.location
        scope["app"] = self  # with it, the router raises what it refuses
        scope[CALL] = partial(Call, self._house, self._threads, place, admission.caller, admission.vault, api_version, query)
        await self._routers.get(_shape(scope["path"]), _no_such_operation)(scope, receive, send)

    async def _admit(self, place: Place, authorization: str | None) -> Admission:
        if self._house.store.inline_reads:
            return admit(self._house, place, authorization)
        return await self._threads.run(admit, self._house, place, authorization)


def _shape(path: str) -> tuple[str, int]:
    """Tell a path's first word and its length: few routes have both in common with it."""
    return path.split("/", 2)[1], path.count("/")


def _by_shape(routes: Sequence[Route]) -> Mapping[tuple[str, int], ASGIApp]:
    """Make a router for each shape of a path, so that no request is held against the routes of all the others."""
    shaped: dict[tuple[str, int], list[Route]] = {}
    for found in routes:
        shaped.setdefault(_shape(found.path), []).append(found)
    return {
        shape: Router(
            some, redirect_slashes=False, default=_no_such_operation
        ).app  # without middleware, of which there is none
        for shape, some in shaped.items()
    }


async def _no_such_operation(scope: Scope, _receive: Receive, _send: Send) -> None:
    raise HTTPException(404, f"There is no operation at {scope['path']}.")


def allowed_methods(scope: Scope) -> str:
    """Name the verbs that a path has, for the Allow header (RFC 9110 section 10.2.1)."""
    methods = {method for found in ROUTES if found.matches(scope)[0] is not Match.NONE for method in found.methods or ()}
    return ", ".join(sorted(methods))
