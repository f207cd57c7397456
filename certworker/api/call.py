"""One request on the data plane, as a route sees it: who calls, which vault, what was asked; and how to answer."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar
from urllib.parse import urlencode

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from certworker.api.api_versions import ApiVersion
from certworker.api.auth import Admission
from certworker.api.bodies import BodyType, parse_body
from certworker.api.hosts import Place
from certworker.api.paths import read_skip_token, write_skip_token
from certworker.api.routing import Route, methods_of
from certworker.api.threads import Threads
from certworker.api.wire import View
from certworker.bootstrap import House
from certworker.errors import BadParameter
from certworker.vault.access import Caller
from certworker.vault.objects import check_name
from certworker.vault.store import HotReader, Page
from certworker.vault.vaults import Vault

P = ParamSpec("P")
T = TypeVar("T")

MAX_RESULTS = 25


class Call(NamedTuple):
    """A request that was let in."""

    house: House
    threads: Threads
    place: Place
    admission: Admission
    api_version: ApiVersion
    query: Mapping[str, str]
    request: Request

    @property
    def caller(self) -> Caller:
        """Who calls."""
        return self.admission.caller

    @property
    def vault(self) -> Vault:
        """Which vault is called."""
        return self.admission.vault

    @property
    def glance(self) -> AbstractContextManager[HotReader]:
        """The glance by which the caller was let in, for what is read at once: what has waited for a body takes its own."""
        return self.admission.glance

    @property
    def view(self) -> View:
        """For whom answers are rendered."""
        return View(self.place.url, self.vault, self.api_version)

    @property
    def name(self) -> str:
        """The object's name out of the path. Raises BadParameter where nothing may be called so."""
        return check_name(self.request.path_params["name"])

    @property
    def version(self) -> str | None:
        """The object's version out of the path; none means the current one."""
        version: str | None = self.request.path_params.get("version")
        return version

    async def run(self, method: Callable[Concatenate[Caller, Vault, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a service's method for this caller and vault, in a thread."""
        return await self.threads.run(method, self.caller, self.vault, *args, **kwargs)

    async def read(self, method: Callable[Concatenate[Caller, Vault, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a service's method that is read often and quickly: where it stands, if the store says that this is faster."""
        if self.house.store.inline_reads:
            return method(self.caller, self.vault, *args, **kwargs)
        return await self.run(method, *args, **kwargs)

    async def body(self, model: type[BodyType]) -> BodyType:
        """Read the JSON body. Raises BadParameter, TooLarge."""
        return await parse_body(self.request, model)

    def flag(self, name: str) -> bool:
        """Read a query field that is true or false. Raises BadParameter."""
        text = self.query.get(name.lower(), "false").lower()
        if text not in {"true", "false", ""}:
            raise BadParameter(f"{name} has the value {text[:20]!r}: it is true or false.", name)
        return text == "true"

    def max_results(self) -> int:
        """Read how many items a page is to have. Raises BadParameter."""
        text = self.query.get("maxresults") or str(MAX_RESULTS)
        if not (text.isascii() and text.isdecimal() and len(text) <= 2 and 1 <= int(text) <= MAX_RESULTS):  # noqa: PLR2004
            raise BadParameter(f"maxresults has the value {text[:20]!r}: it is 1 to {MAX_RESULTS}.", "maxresults")
        return int(text)

    def after(self) -> str | None:
        """Read where a page is to go on. Raises BadParameter for a token that was not given out here."""
        token = self.query.get("$skiptoken")
        if not token:
            return None
        after = read_skip_token(token)
        if after is None:
            raise BadParameter("$skiptoken is not one that a nextLink of this vault has.", "$skiptoken")
        return after

    def page(self, page: Page[T], render: Callable[[T], dict[str, Any]]) -> Response:
        """Answer with a page of a list; its nextLink is on the host that the client called."""
        return answer({"value": [render(item) for item in page.items], "nextLink": self._next_link(page.next)})

    def _next_link(self, after: str | None) -> str | None:
        if after is None:
            return None
        fields = {
            "api-version": self.api_version.name,
            "$skiptoken": write_skip_token(after),
            "maxresults": str(self.max_results()),
        }
        if "status" in self.query:
            fields["status"] = self.query["status"]
        if "includepending" in self.query:
            fields["includePending"] = self.query["includepending"]
        if "at" in self.query:
            fields["at"] = self.query["at"]
        return f"{self.place.url}{self.request.scope['path']}?{urlencode(fields, safe='$')}"


def answer(content: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with JSON."""
    return Response(to_json(content), status, headers, "application/json; charset=utf-8")


Handler = Callable[[Call], Awaitable[Response]]


def route(methods: str, path: str, handler: Handler) -> Route[Handler]:
    """Lead requests for `path` to a handler; `methods` are separated by blanks."""
    return Route(methods_of(methods), path, handler)
