"""Which handler a path of the management plane has, and which api-versions. Paths are compared without regard to case."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from certworker.api.management.call import ArmCall
from certworker.api.routing import method_not_allowed
from certworker.errors import InvalidResource, ResourceNotFound

Handler = Callable[[ArmCall], Awaitable[Response]]
_NAME = re.compile(r"\{(\w+)(:path)?\}")
_PROVIDER = re.compile(r"/providers/([^/]+)/([^/]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ResourceType:
    """A type of resources, and the api-versions that it is known in, the oldest first."""

    name: str
    versions: tuple[str, ...]

    def version_of(self, query: Mapping[str, str]) -> str:
        """Read the api-version of a request. Raises InvalidResource, which lists those that there are."""
        asked = query.get("api-version", "").strip()
        found = next((version for version in self.versions if version == asked.lower()), None)
        if found is None:
            message = (
                f"The api-version '{asked[:40]}' is invalid for the resource type '{self.name}'. "
                f"The supported versions are '{', '.join(reversed(self.versions))}'."
            )
            raise InvalidResource("InvalidApiVersionParameter", message, "api-version")
        return found


@dataclass(frozen=True, slots=True)
class ArmRoute:
    """What answers for a path. An open one needs neither a token nor a known api-version."""

    methods: frozenset[str]
    path: str
    pattern: re.Pattern[str]
    handler: Handler
    of: ResourceType
    is_open: bool


def route(methods: str, path: str, handler: Handler, of: ResourceType, *, is_open: bool = False) -> ArmRoute:
    """Lead requests for `path` to a handler; `methods` are separated by blanks.

    `{name}` in a path is one segment of it, `{name:path}` any number of them, slash before included; none is `/`.
    """
    pattern = re.compile(_pattern_of(path), re.IGNORECASE | re.ASCII)  # a long s is no s
    return ArmRoute(frozenset(methods.split()), path, pattern, handler, of, is_open)


def _pattern_of(path: str) -> str:
    pattern, at = "", 0
    for found in _NAME.finditer(path):
        before = path[at : found.start()]
        if found[2]:  # the slash before belongs to the scope
            pattern += re.escape(before.removesuffix("/")) + f"(?P<{found[1]}>(?:/.*)?)"
        else:
            pattern += re.escape(before) + f"(?P<{found[1]}>[^/]+)"
        at = found.end()
    return pattern + re.escape(path[at:])


class ArmRoutes:
    """All routes. The first that fits a path answers, so that what is more exact stands before what is less."""

    def __init__(self, routes: Sequence[ArmRoute]) -> None:
        self._routes = tuple(routes)
        self._open = tuple(found for found in routes if found.is_open)

    def is_open(self, method: str, path: str) -> bool:
        """Tell whether the route that answers a request needs no token."""
        return any(found.pattern.fullmatch(path) for found in self._open) and self.find(method, path)[0].is_open

    def find(self, method: str, path: str) -> tuple[ArmRoute, Mapping[str, str]]:
        """Find the route of a request, with what stands in its path for names.

        Raises InvalidResource where there are no such resources, ResourceNotFound, HTTPException 405.
        """
        allowed: set[str] = set()
        for found in self._routes:
            match = found.pattern.fullmatch(path)
            if match and method in found.methods:
                return found, {name: value or "/" for name, value in match.groupdict().items()}
            if match:
                allowed |= found.methods
        if allowed:
            raise method_not_allowed(allowed)
        raise _unknown(path)


_NO_TYPE: Final = "InvalidResourceType"


def _unknown(path: str) -> ResourceNotFound:
    providers = _PROVIDER.findall(path)
    if providers:
        namespace, kind = providers[-1]
        text = (
            f"The resource type '{kind[:80]}' could not be found in the namespace '{namespace[:80]}', or not at '{path[:300]}'."
        )
        return ResourceNotFound(text, _NO_TYPE)
    return ResourceNotFound(f"There is no resource, and no operation, at '{path[:300]}'.", "NotFound")
