"""The HTTPS app: every plane behind one port, told apart by host and path."""

import importlib.metadata
import logging
import re
from collections.abc import Callable
from functools import cache, lru_cache, partial
from http import HTTPStatus
from time import perf_counter
from uuid import uuid4

from starlette.responses import Response
from starlette.routing import Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from certworker.api.addresses import ClientAddresses
from certworker.api.counting import CountedRequests
from certworker.api.data_plane import REGION, DataPlane
from certworker.api.errors import error_response
from certworker.api.graph.call import VERSION
from certworker.api.graph.errors import graph_error_response
from certworker.api.graph.plane import GraphPlane
from certworker.api.hosts import Place, Plane, place_of
from certworker.api.identity import IdentityProvider
from certworker.api.management.errors import arm_error_response
from certworker.api.management.plane import FIRST_SEGMENTS, ManagementPlane
from certworker.api.paths import COLLECTIONS, clean_path, method_of
from certworker.api.threads import Threads, closing
from certworker.api.trace import TRACE, RequestTrace, append_record
from certworker.bootstrap import House
from certworker.correlation import correlating
from certworker.errors import AuditUnavailable
from certworker.vault.audit.trail import tracing

_log = logging.getLogger("certworker.access")
_CLIENT_REQUEST_ID = re.compile(r"[!-~]{1,128}")
_MOST_HOSTS = 256
_PASSWORD_THREADS = 2
"""So many passwords are checked at a time, each in its 32 MiB."""
_ALWAYS = (
    (b"cache-control", b"no-cache"),
    (b"pragma", b"no-cache"),
    (b"x-content-type-options", b"nosniff"),
    (b"strict-transport-security", b"max-age=31536000;includeSubDomains"),
)


def build_app(house: House) -> ASGIApp:
    """Build the app of the HTTPS port. Its threads end with its lifespan."""
    threads, password_threads = Threads(house.settings.server.threads), Threads(_PASSWORD_THREADS)
    front = Front(house, threads, password_threads)
    life = Router(redirect_slashes=False, lifespan=closing(threads, password_threads))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await (front if scope["type"] == "http" else life)(scope, receive, send)

    return app


class Front:
    """Where every request comes in: made plain, led to its plane, answered with the headers that all answers have."""

    def __init__(self, house: House, threads: Threads, password_threads: Threads) -> None:
        self._house = house
        self._counted = CountedRequests(house.measures)
        self._of_vaults = (*_ALWAYS, (b"x-ms-keyvault-service-version", _release()))
        self._place_of = lru_cache(_MOST_HOSTS)(partial(place_of, domain=house.settings.server.domain))
        self._vaults = DataPlane(house, threads)
        self._addresses = ClientAddresses(house.settings.server.trusted_proxies, house.settings.server.proxy_header)
        self._identity = IdentityProvider(house, threads, password_threads)
        self._management = ManagementPlane(house, threads)
        self._graph = GraphPlane(house, threads)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens, and log one line of it: no query string, no header."""
        begun, exchange = perf_counter(), _Exchange(scope, self._house, self._place_of, self._addresses)
        sending = exchange.sending(send)
        with correlating(exchange.trace.correlation_id):
            try:
                with tracing(exchange.trace):
                    await self._dispatch(exchange, scope, receive, sending)
            except Exception as error:  # rendered, and logged where it is ours, by the error table
                if exchange.status:  # the answer has begun: there is no other to be given
                    raise
                await self._answer_refused(error, exchange, receive, sending)
            finally:
                took = perf_counter() - begun
                self._counted.answered(exchange.trace, exchange.plane, exchange.status, took)
                if _log.isEnabledFor(logging.INFO):
                    exchange.tell(took * 1000)
                scope.pop(TRACE, None)  # it has the scope: each would keep the other until the garbage collector comes

    async def _dispatch(self, exchange: "_Exchange", scope: Scope, receive: Receive, send: Send) -> None:
        scope["path"] = path = clean_path(scope.get("raw_path") or scope["path"].encode())
        scope["method"] = method_of(scope["method"], exchange.header(b"x-http-method"))
        place, first = exchange.place, path.split("/", 2)[1]
        scope[TRACE] = exchange.trace
        if place.plane is Plane.MANAGEMENT or (place.plane is Plane.BARE and first.lower() in FIRST_SEGMENTS):
            exchange.manages = True
            await self._management.serve(place, exchange.header(b"authorization"), scope, receive, send)
        elif exchange.asks_directory or (place.plane is Plane.BARE and first == VERSION):
            exchange.asks_directory = True
            await self._graph.serve(place, exchange.header(b"authorization"), scope, receive, send)
        elif place.plane is Plane.LOGIN or (place.plane is Plane.BARE and first not in COLLECTIONS):
            exchange.trace.begin_sign_in()
            await self._identity.serve(place, exchange.request_id, scope, receive, send)
        else:
            exchange.always = self._of_vaults
            await self._vaults.serve(place, exchange.header(b"authorization"), scope, receive, send)

    async def _answer_refused(self, error: Exception, exchange: "_Exchange", receive: Receive, send: Send) -> None:
        scope = exchange.scope
        response = self._refuse(error, exchange)
        exchange.trace.refuse(response)
        try:
            await response(scope, receive, send)
        except AuditUnavailable as unavailable:  # then this is the answer
            await self._refuse(unavailable, exchange)(scope, receive, send)

    def _refuse(self, error: Exception, exchange: "_Exchange") -> Response:
        if exchange.asks_directory:
            return graph_error_response(error, exchange.request_id, self._house.clock())
        if exchange.manages:
            return arm_error_response(error, exchange.request_id)
        return error_response(error, exchange.request_id)


class _Exchange:
    """One request and its answer, as the front keeps them."""

    def __init__(self, scope: Scope, house: House, place_of: Callable[[str], Place], addresses: ClientAddresses) -> None:
        self._headers = dict(reversed(scope["headers"]))  # of several of one name, the first
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        # more than one is refused (RFC 9112 section 3.2): a proxy before us may have gone by the other
        self.place = place_of(hosts[0].decode("latin-1") if len(hosts) == 1 else "")
        self.request_id = str(uuid4())
        self.status = 0
        self.manages = self.place.plane is Plane.MANAGEMENT
        self.asks_directory = self.place.plane is Plane.GRAPH
        self.always: tuple[tuple[bytes, bytes], ...] = _ALWAYS
        self.scope = scope
        self._house = house
        self.trace = RequestTrace(scope, self._headers, self.place, self.request_id, addresses.of(scope), house.clock)
        self._kept = False

    @property
    def plane(self) -> str:
        """Which plane answered, in the words of the metric."""
        if self.manages:
            return "management"
        if self.asks_directory:
            return "graph"
        if self.always is not _ALWAYS:
            return "vault"
        return "identity" if self.trace.signs_in else "other"

    def header(self, name: bytes) -> str | None:
        """Read a header of the request by its name in lower case."""
        value = self._headers.get(name)
        return None if value is None else value.decode("latin-1")

    def tell(self, took: float) -> None:
        """Log the line of this request, which took so many milliseconds."""
        method, host, path, status = self.scope["method"], self.place.netloc, self._path(), self.status
        fields = {
            "method": method,
            "host": host,
            "path": path,
            "status": status,
            "duration_ms": round(took, 1),
            "request_id": self.request_id,
        }
        _log.info("%s %s%s %s %.1fms %s", method, host, path, status, took, self.request_id, extra={"fields": fields})

    def _path(self) -> str:
        """Tell the path, fit for one line of a log."""
        path: str = self.scope["path"]
        plain = path.isascii() and path.isprintable()
        return (path if plain else path.encode("unicode_escape").decode())[:300]

    def sending(self, send: Send) -> Send:
        """Wrap `send`: the request is recorded before its answer leaves, which gets the headers that all answers have."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                await self._keep(message["status"])
                self.status = message["status"]
                headers = message.setdefault("headers", [])
                given = {name for name, _ in headers}
                headers += [pair for pair in self._always() if pair[0] not in given]
            await send(message)

        return sending

    async def _keep(self, status: int) -> None:
        """Append the record, unless a transaction has it already. Raises AuditUnavailable: no record, no answer."""
        if self._kept or (status < HTTPStatus.BAD_REQUEST and self.trace.is_kept):
            return
        self._kept = True  # where it cannot be, the answer that says so is not held back by the same
        await append_record(self._house, self.trace.ended(status))

    def _always(self) -> list[tuple[bytes, bytes]]:
        trace = self.trace
        headers = [*self.always, (b"x-ms-request-id", self.request_id.encode())]
        if trace.client_request_id:
            headers.append((b"x-ms-client-request-id", trace.client_request_id.encode()))
        if self.manages:
            given = self.header(b"x-ms-correlation-request-id")
            correlated = given if given and _CLIENT_REQUEST_ID.fullmatch(given) else self.request_id
            headers.append((b"x-ms-correlation-request-id", correlated.encode()))
        if self.always is not _ALWAYS:
            headers.append((b"x-ms-keyvault-network-info", _network_info(trace.address)))
        if REGION in self.scope:
            headers.append((b"x-ms-keyvault-region", self.scope[REGION].encode()))
        return headers


@cache
def _release() -> bytes:
    """Tell which release this is, out of what is installed: a parser of mail reads it there, in milliseconds."""
    return importlib.metadata.version("certworker").encode()


@lru_cache(_MOST_HOSTS)
def _network_info(address: str) -> bytes:
    family, kind = ("InterNetworkV6", "Ipv6") if ":" in address else ("InterNetwork", "Ipv4")
    return f"conn_type={kind};addr={address};act_addr_fam={family};".encode()
