"""Which handler a path of the directory has. Paths are compared without regard to case."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from certworker.api.graph.call import GraphCall
from certworker.api.routing import method_not_allowed

Handler = Callable[[GraphCall], Awaitable[Response]]
_NAME: Final = re.compile(r"\{(\w+)\}")
_KEYED: Final = re.compile(r"/(\w+)\((?:\w+=)?'([^'/]+)'\)")
"""A collection with its key in parentheses: `applications(appId='...')` is `applications/...`."""


@dataclass(frozen=True, slots=True)
class GraphRoute:
    """What answers for a path."""

    methods: frozenset[str]
    path: str
    pattern: re.Pattern[str]
    handler: Handler


def route(methods: str, path: str, handler: Handler) -> GraphRoute:
    """Lead requests for `path` to a handler; `methods` are separated by blanks, `{name}` is one segment."""
    pattern = "".join(f"(?P<{part}>[^/]+)" if place % 2 else re.escape(part) for place, part in enumerate(_NAME.split(path)))
    return GraphRoute(frozenset(methods.split()), path, re.compile(pattern, re.IGNORECASE), handler)


class GraphRoutes:
    """All routes. The first that fits a path answers, so that what is more exact stands before what is less."""

    def __init__(self, routes: Sequence[GraphRoute]) -> None:
        self._routes = tuple(routes)

    def find(self, method: str, path: str) -> tuple[GraphRoute, Mapping[str, str]]:
        """Find the route of a request, with what stands in its path for names. Raises HTTPException."""
        plain, allowed = _KEYED.sub(r"/\1/\2", path), set[str]()
        for found in self._routes:
            match = found.pattern.fullmatch(plain)
            if match and method in found.methods:
                return found, match.groupdict()
            if match:
                allowed |= found.methods
        if allowed:
            raise method_not_allowed(allowed)
        raise HTTPException(404, f"Resource not found for the segment '{path[:120]}'.")
