"""Which handler a path of the data plane has. Paths come here in one spelling (`paths.clean_path`), so words are just equal."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from starlette.exceptions import HTTPException

HandlerType = TypeVar("HandlerType")
Params = Mapping[str, str]
"""What stands in a path for the names of its route."""
_Shape = tuple[str, str, int]
"""A verb, a path's first word, and how many segments it has: few routes have all of it in common."""

_READS: Final = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Route(Generic[HandlerType]):
    """What answers for a path, in which `{name}` is one segment. Whatever can be got has a head as well."""

    methods: frozenset[str]
    path: str
    handler: HandlerType
    words: tuple[tuple[int, str], ...] = field(init=False)
    names: tuple[tuple[int, str], ...] = field(init=False)

    def __post_init__(self) -> None:
        """Part the path into the words that it always has and the names, each with its place."""
        segments = tuple(enumerate(self.path.split("/")))
        object.__setattr__(self, "words", tuple((at, word) for at, word in segments if not word.startswith("{")))
        object.__setattr__(self, "names", tuple((at, word[1:-1]) for at, word in segments if word.startswith("{")))

    def fit(self, segments: Sequence[str]) -> Params | None:
        """Give what stands for the names in a path of as many segments as this one; none where it is another path."""
        for at, word in self.words:
            if segments[at] != word:
                return None
        return {name: segments[at] for at, name in self.names}


class Routes(Generic[HandlerType]):
    """All routes. The first that fits a path answers, so that what is more exact stands before what is less."""

    def __init__(self, routes: Sequence[Route[HandlerType]]) -> None:
        self._shaped: dict[_Shape, list[Route[HandlerType]]] = {}
        for route in routes:
            segments = route.path.split("/")
            for method in route.methods:
                self._shaped.setdefault((method, segments[1], len(segments)), []).append(route)
        self._routes = tuple(routes)

    def find(self, method: str, path: str) -> tuple[Route[HandlerType], Params] | None:
        """Find what answers a request, with what stands in its path for names."""
        segments = path.split("/")
        for route in self._shaped.get((method, segments[1], len(segments)), ()):
            params = route.fit(segments)
            if params is not None:
                return route, params
        return None

    def refusal(self, path: str) -> HTTPException:
        """Say why nothing answers: there is nothing, or it has other verbs."""
        allowed = {method for route, _ in self._others(path) for method in route.methods}
        return method_not_allowed(allowed) if allowed else HTTPException(404, f"There is no operation at {path}.")

    def params(self, path: str) -> Params:
        """Tell what stands in a path for names, by the first route that fits, whatever its verbs."""
        return next((params for _, params in self._others(path)), {})

    def _others(self, path: str) -> Iterator[tuple[Route[HandlerType], Params]]:
        segments = path.split("/")
        for route in self._routes:
            if route.path.count("/") == path.count("/") and (params := route.fit(segments)) is not None:
                yield route, params


def method_not_allowed(allowed: Iterable[str]) -> HTTPException:
    """Refuse a verb, and name those that the path has (RFC 9110 section 10.2.1)."""
    return HTTPException(405, "The method is not allowed here.", {"Allow": ", ".join(sorted(allowed))})


def methods_of(words: str) -> frozenset[str]:
    """Read the verbs of a route, which are separated by blanks."""
    methods = frozenset(words.split())
    return methods | _READS if "GET" in methods else methods
