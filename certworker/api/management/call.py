"""One request on the management plane, as a route sees it: who calls, what was asked; and how to answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from certworker.api.bodies import BodyType, parse_body
from certworker.api.call import answer
from certworker.api.hosts import Place
from certworker.api.paths import read_skip_token, write_skip_token
from certworker.api.threads import Threads
from certworker.bootstrap import House
from certworker.errors import InvalidResource
from certworker.vault.access import Caller

P = ParamSpec("P")
T = TypeVar("T")

MOST_TOP = 1000
_LONGEST_NUMBER = 9


@dataclass(frozen=True, slots=True)
class ArmCall:
    """A request that was let in. `api_version` is one that the resource type has; keys of `query` are in lower case."""

    house: House
    threads: Threads
    place: Place
    caller: Caller
    api_version: str
    query: Mapping[str, str]
    request: Request
    params: Mapping[str, str]
    """What stands in the path for the names in braces, in the case in which it came."""

    def __getitem__(self, name: str) -> str:
        """Give what stands in the path for a name in braces."""
        return self.params[name]

    async def run(self, method: Callable[Concatenate[Caller, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a service's method for this caller, in a thread."""
        return await self.threads.run(method, self.caller, *args, **kwargs)

    async def body(self, model: type[BodyType]) -> BodyType:
        """Read the JSON body. Raises BadParameter, TooLarge."""
        return await parse_body(self.request, model)

    def top(self) -> int | None:
        """Read `$top`: how many items a page is to have at most. Raises InvalidResource."""
        text = self.query.get("$top")
        if not text:
            return None
        if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER and int(text)):
            raise InvalidResource(
                "InvalidQueryParameter", f"$top has the value {text[:20]!r}: it is a number from 1 on.", "$top"
            )
        return min(int(text), MOST_TOP)

    def skip_token(self) -> str | None:
        """Read `$skiptoken`: after what a list goes on. Raises InvalidResource for one that was not given out here."""
        token = self.query.get("$skiptoken")
        if not token:
            return None
        after = read_skip_token(token)
        if after is None:
            raise InvalidResource("InvalidSkipToken", "$skiptoken is not one that a nextLink has.", "$skiptoken")
        return after

    def page(self, items: Sequence[T], key: Callable[[T], str], render: Callable[[T], Mapping[str, Any]]) -> Response:
        """Answer with a list that is ordered by `key`: the part of it that `$top` and `$skiptoken` ask for.

        There is a nextLink where there is more. It has the query of this call.
        """
        top, after = self.top(), self.skip_token()
        rest = [item for item in items if after is None or key(item) > after]
        shown = rest if top is None else rest[:top]
        content: dict[str, Any] = {"value": [render(item) for item in shown]}
        if len(shown) < len(rest):
            content["nextLink"] = self.next_link(key(shown[-1]))
        return answer(content)

    def next_link(self, after: str) -> str:
        """Write the URL by which a list goes on after an item, on the host that the client called."""
        fields = {**self.query, "api-version": self.api_version}
        fields["$skiptoken"] = write_skip_token(after)
        path = quote(self.request.scope["path"])
        return f"{self.place.url}{path}?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in fields.items())


def listing(items: Sequence[Mapping[str, Any]]) -> Response:
    """Answer with a whole list."""
    return answer({"value": list(items)})


def no_content(status: int = 204, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with no body."""
    return Response(None, status, headers)
