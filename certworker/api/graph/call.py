"""One request to the directory, as a route sees it: who calls, what was asked; and how to answer."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Concatenate, Final, ParamSpec, TypeVar
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from certworker.api import call
from certworker.api.bodies import BodyType, parse_body
from certworker.api.graph.filters import matching, ordered, searched
from certworker.api.hosts import Place
from certworker.api.paths import read_skip_token, write_skip_token
from certworker.api.threads import Threads
from certworker.api.trace import TRACE
from certworker.bootstrap import House
from certworker.errors import BadParameter
from certworker.vault.access import Caller
from certworker.vault.identities.rules import is_guid

P = ParamSpec("P")
T = TypeVar("T")
Shown = dict[str, Any]

VERSION: Final = "v1.0"
MOST_TOP, USUAL_TOP = 999, 100
_LONGEST_NUMBER = 6
_OPTIONS: Final = frozenset({"$filter", "$select", "$search", "$top", "$skiptoken", "$count", "$orderby", "$format"})


@dataclass(frozen=True, slots=True)
class GraphCall:
    """A request that was let in; keys of `query` are in lower case, `params` stand in the path."""

    house: House
    threads: Threads
    place: Place
    caller: Caller
    query: Mapping[str, str]
    request: Request
    params: Mapping[str, str]

    def __getitem__(self, name: str) -> str:
        """Give what stands in the path for a name in braces."""
        return self.params[name]

    @property
    def base(self) -> str:
        """The base of all URLs of objects, on the host that the client called."""
        return f"{self.place.url}/{VERSION}"

    async def run(self, method: Callable[Concatenate[Caller, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a service's method for this caller, in a thread."""
        return await self.threads.run(method, self.caller, *args, **kwargs)

    async def body(self, model: type[BodyType]) -> BodyType:
        """Read the JSON body. Raises BadParameter, TooLarge."""
        return await parse_body(self.request, model)

    def about(self, *object_ids: str) -> None:
        """Tell the audit record of whom a request is that the path does not name."""
        trace = self.request.scope.get(TRACE)
        known = ",".join(one for one in object_ids if is_guid(one))
        if trace and known:
            trace.details["targetIds"] = known

    def check_query(self) -> None:
        """Refuse what would change the answer, and is not known. Raises BadParameter."""
        for name in self.query:
            if name.startswith("$") and name not in _OPTIONS:
                raise BadParameter(f"The query option '{name[:40]}' is not supported.", name[:40])

    def one(self, shown: Shown, kind: str, status: int = 200) -> Response:
        """Answer with one object of a collection."""
        context = f"{self.base}/$metadata#{kind}/$entity"
        headers = {"Location": f"{self.base}/{kind}/{shown['id']}"} if status == 201 else {}  # noqa: PLR2004
        return answer({"@odata.context": context, **self._selected(shown)}, status, headers)

    def many(self, found: Iterable[Shown], kind: str) -> Response:
        """Answer with the part of a list that the query asks for; `@odata.nextLink` leads to the rest."""
        wanted = matching(found, self.query.get("$filter"))
        wanted = ordered(searched(wanted, self.query.get("$search")), self.query.get("$orderby"))
        top, begin = self._top(), self._begin()
        content: Shown = {"@odata.context": f"{self.base}/$metadata#{kind}"}
        if self.query.get("$count", "").lower() == "true":
            content["@odata.count"] = len(wanted)
        if len(wanted) > begin + top:
            content["@odata.nextLink"] = self._next_link(begin + top)
        content["value"] = [self._selected(shown) for shown in wanted[begin : begin + top]]
        return answer(content)

    def value(self, value: Any, kind: str) -> Response:  # noqa: ANN401 - whatever an action gives
        """Answer with what an action gives."""
        return answer({"@odata.context": f"{self.base}/$metadata#{kind}", "value": value})

    def _selected(self, shown: Shown) -> Shown:
        wanted = {name.strip().lower() for name in self.query.get("$select", "").split(",") if name.strip()}
        if not wanted or "*" in wanted:
            return shown
        return {name: value for name, value in shown.items() if name.lower() in wanted or name in ("@odata.type", "id")}

    def _top(self) -> int:
        text = self.query.get("$top", "")
        if not text:
            return USUAL_TOP
        if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER and 0 < int(text) <= MOST_TOP):
            raise BadParameter(f"Invalid page size specified: '{text[:20]}'. It is between 1 and {MOST_TOP}.", "$top")
        return int(text)

    def _begin(self) -> int:
        token = self.query.get("$skiptoken", "")
        if not token:
            return 0
        text = read_skip_token(token) or ""
        if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER):
            raise BadParameter("$skiptoken is not one that a nextLink has.", "$skiptoken")
        return int(text)

    def _next_link(self, begin: int) -> str:
        fields = {**self.query, "$skiptoken": write_skip_token(str(begin))}
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in fields.items())
        return f"{self.place.url}{quote(self.request.scope['path'])}?{query}"


def answer(content: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with JSON, in OData's version."""
    return call.answer(content, status, {**(headers or {}), "OData-Version": "4.0"})


def no_content() -> Response:
    """Answer that it is done."""
    return Response(None, 204)
