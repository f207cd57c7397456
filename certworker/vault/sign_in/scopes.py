"""Scopes: for which resource a token is wanted, and what an application may then do for a user (RFC 6749 section 3.3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from certworker.vault.identities.records import Application
from certworker.vault.sign_in.refusals import SignInRefused
from certworker.vault.store import Reader

DEFAULT: Final = ".default"
IMPERSONATION: Final = "user_impersonation"
"""The one thing that an application may do for a user on vaults and on the management plane: all that the user may."""
ACCESS_AS_USER: Final = "Directory.AccessAsUser.All"
"""What lets an application change the directory for a user."""
OPENID: Final = frozenset({"openid", "profile", "email", "offline_access"})
MOST_CHARACTERS: Final = 2000


class ResourceKind(StrEnum):
    """What tokens are for."""

    VAULTS = "vaults"
    MANAGEMENT = "management"
    GRAPH = "graph"
    APPLICATION = "application"


@dataclass(frozen=True, slots=True)
class Resource:
    """What a token is for. `audience` is the resource in the spelling in which it was asked for, since clients compare it."""

    audience: str
    kind: ResourceKind
    application: Application | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A scope that was read: the resource, none where only OpenID Connect's own words were there; names of scopes of it."""

    audience: str | None
    names: tuple[str, ...]
    openid: frozenset[str]


def read_scope(text: str) -> Wanted:
    """Read a scope. Raises SignInRefused where it is none, or is of several resources."""
    if len(text) > MOST_CHARACTERS:
        raise _invalid_scope("it is too long")
    words = list(dict.fromkeys(text.split()))
    openid, rest = frozenset(OPENID.intersection(words)), [word for word in words if word not in OPENID]
    parted = [_part(word) for word in rest]
    audiences = {audience for audience, _ in parted}
    if len(audiences) > 1:
        raise SignInRefused("invalid_scope", 28000, "The scope is of more than one resource, and a token is for one.")
    names = tuple(name for _, name in parted)
    if DEFAULT in names and len(names) > 1:
        raise _invalid_scope(f"{DEFAULT} goes with no other scope of a resource")
    return Wanted(audiences.pop() if audiences else None, names, openid)


def _part(word: str) -> tuple[str, str]:
    audience, slash, name = word.rpartition("/")
    if not name or (slash and not audience):
        raise _invalid_scope(f"it is RESOURCE/{DEFAULT}, for one resource")
    return audience, name  # without a resource, it is one of the directory's


def _invalid_scope(why: str) -> SignInRefused:
    return SignInRefused("invalid_scope", 70011, f"The scope cannot be used: {why}.")


class ResourceBook:
    """Knows what tokens can be for: the service's own planes under all their names, and the tenant's applications."""

    def __init__(self, known: Mapping[ResourceKind, tuple[str, ...]]) -> None:
        self._audiences = dict(known)
        self._known = {name: kind for kind, names in known.items() for name in names}
        self._graph = known[ResourceKind.GRAPH][0]
        self._vaults = known[ResourceKind.VAULTS][0]

    def audiences(self, kind: ResourceKind) -> tuple[str, ...]:
        """List the audiences of tokens for one of the service's own planes, its own name first."""
        return self._audiences[kind]

    def find(self, reader: Reader, tenant_id: str, audience: str | None) -> Resource:
        """Find a resource by a name of it; without one, it is the directory. Raises SignInRefused."""
        name = audience or self._graph
        if kind := self._known.get(name):
            return Resource(name, kind)
        if application := _application(reader, tenant_id, name):
            return Resource(name, ResourceKind.APPLICATION, application)
        text = f"The resource {name[:200]} is not one of this deployment; the vaults' is {self._vaults}."
        raise SignInRefused("invalid_resource", 500011, text)

    def scopes(self, resource: Resource, wanted: Wanted) -> tuple[str, ...]:
        """Tell what an application may do for a user there. Raises SignInRefused for a scope that there is not."""
        match resource.kind:
            case ResourceKind.GRAPH:
                names = tuple(name for name in wanted.names if name not in (DEFAULT, IMPERSONATION))
                return names or (ACCESS_AS_USER, "User.Read")
            case ResourceKind.APPLICATION:
                offered = _offered(resource.application) or (IMPERSONATION,)
            case _:
                offered = (IMPERSONATION,)
        if wanted.names in ((), (DEFAULT,)):
            return offered
        if missing := next((name for name in wanted.names if name not in offered), None):
            raise _invalid_scope(f"{resource.audience} has no {missing[:100]}; it has {', '.join(offered)}")
        return wanted.names


def _application(reader: Reader, tenant_id: str, name: str) -> Application | None:
    by_id = reader.application(name.removeprefix("api://").rstrip("/").lower())
    if by_id and by_id.tenant_id == tenant_id:
        return by_id
    plain = name.rstrip("/")
    uris = ((uri, found) for found in reader.applications(tenant_id) for uri in found.identifier_uris)
    return next((found for uri, found in uris if uri.rstrip("/") == plain), None)


def _offered(application: Application | None) -> tuple[str, ...]:
    """List the scopes that an application's manifest has, as Graph writes them."""
    api = application.manifest.get("api") if application else None
    scopes = api.get("oauth2PermissionScopes") if isinstance(api, Mapping) else None
    return tuple(value for found in scopes or () if (value := _enabled(found)))


def _enabled(scope: Any) -> str:  # noqa: ANN401 - somebody's JSON
    named = isinstance(scope, Mapping) and scope.get("isEnabled", True) and isinstance(scope.get("value"), str)
    return str(scope["value"]) if named else ""
