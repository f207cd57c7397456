"""The routes of the API in the style of GlobalSign Atlas: HTTP in, one call, HTTP out."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ca_sim.certificates import Certificate
from ca_sim.clock import Clock
from ca_sim.globalsign.claims import Claim, Claims
from ca_sim.globalsign.clients import Clients
from ca_sim.globalsign.errors import PROBLEM, AtlasError, BadRequestError, ForbiddenError, UnprocessableError
from ca_sim.globalsign.issuance import PEM_BLOCK, AtlasCertificates
from ca_sim.globalsign.sessions import Sessions
from ca_sim.globalsign.wire import LATEST, Assertion, CertificateRequest, LogIn, Revocation, read
from ca_sim.planes import PEER_CERTIFICATE

BASE = "/v2"
CREATED, ACCEPTED, NO_CONTENT = 201, 202, 204
MAX_BODY = 1 << 18
PER_PAGE, MOST_PER_PAGE, MOST_PAGES = 20, 100, 1_000_000
LONGEST_WINDOW = timedelta(days=30)

Handler = Callable[[str, Request], Awaitable[Response]]
Listing = Callable[[str, datetime, datetime], Sequence[Certificate]]


def place(method: str, path: str) -> str:
    """Name the kind of a request, as faults know it: globalsign.login, .request, .retrieve, .revoke, .stats, .trustchain..."""
    parts = path.removeprefix(BASE).strip("/").split("/")
    if parts[0] == "certificates":
        return f"globalsign.{ {'POST': 'request', 'PATCH': 'revoke'}.get(method, 'retrieve') }"
    return f"globalsign.{parts[0] or 'root'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AtlasApi:
    """The routes; `app` makes the application of them. `base` is the URL that they stand below."""

    clients: Clients
    sessions: Sessions
    certificates: AtlasCertificates
    claims: Claims
    clock: Clock
    base: str

    def app(self) -> Starlette:
        """Make the application."""
        routes = [
            Route(f"{BASE}/login", self._log_in, methods=["POST"]),
            self._route("/certificates", self._request, "POST"),
            self._route("/certificates/{serial}", self._retrieve),
            self._route("/certificates/{serial}", self._revoke, "PATCH"),
            self._route("/validationpolicy", self._policy),
            self._route("/trustchain", self._trust_chain),
            self._route("/quotas/issuance", self._quota),
            self._route("/counters/certificates/issued", self._count_issued),
            self._route("/counters/certificates/revoked", self._count_revoked),
            self._route("/stats/issued", self._stats(self.certificates.issued)),
            self._route("/stats/revoked", self._stats(self.certificates.revoked)),
            self._route("/stats/expiring", self._stats(self.certificates.expiring)),
            self._route("/claims/domains", self._list_claims),
            self._route("/claims/domains/{claim}", self._claim),
            self._route("/claims/domains/{claim}", self._submit_claim, "POST"),
            self._route("/claims/domains/{claim}", self._delete_claim, "DELETE"),
            self._route("/claims/domains/{claim}/reassert", self._reassert_claim, "POST"),
            self._route("/claims/domains/{claim}/{method}", self._verify_claim, "POST"),
        ]
        return Starlette(
            routes=routes, exception_handlers={AtlasError: _refuse, HTTPException: _http_refuse, Exception: _refuse}
        )

    def _route(self, path: str, handler: Handler, method: str = "GET") -> Route:
        """Make the route of a request that needs a log-in."""

        async def endpoint(request: Request) -> Response:
            account = self.sessions.account(request.headers.get("authorization", ""), self._client(request))
            return await handler(account, request)

        return Route(BASE + path, endpoint, methods=[method])

    def _client(self, request: Request) -> bytes:
        der: bytes | None = request.scope[PEER_CERTIFICATE]()
        if der is None or not self.clients.admits(der):
            raise ForbiddenError("the client certificate is none of those that are let in")
        return der

    async def _log_in(self, request: Request) -> Response:
        client = self._client(request)
        asked = read(LogIn, await _body(request))
        return JSONResponse({"access_token": self.sessions.log_in(asked.api_key, asked.api_secret, client)})

    async def _request(self, account: str, request: Request) -> Response:
        serial = self.certificates.request(account, read(CertificateRequest, await _body(request)))
        return Response(status_code=CREATED, headers={"Location": self._url(f"/certificates/{serial.upper()}")})

    async def _retrieve(self, account: str, request: Request) -> Response:
        entry = self.certificates.find(account, _serial(request))
        if not self.certificates.is_ready(entry.issued):
            return Response(status_code=ACCEPTED)
        leaf = PEM_BLOCK.match(entry.certificate.chain)
        revoked_at = entry.certificate.revoked_at
        document = {
            "certificate": leaf[0] if leaf else "",
            "status": "REVOKED" if revoked_at else "ISSUED",
            "updated_at": _epoch(revoked_at or entry.issued.issued_at),
        }
        return JSONResponse(document)

    async def _revoke(self, account: str, request: Request) -> Response:
        self.certificates.revoke(account, _serial(request), read(Revocation, await _body(request)))
        return Response(status_code=NO_CONTENT)

    async def _policy(self, _account: str, _: Request) -> Response:
        return JSONResponse(self.certificates.policy().document())

    async def _trust_chain(self, account: str, _: Request) -> Response:
        return JSONResponse(self.certificates.trust_chain(account))

    async def _quota(self, account: str, _: Request) -> Response:
        return JSONResponse({"value": self.certificates.quota(account)})

    async def _count_issued(self, account: str, _: Request) -> Response:
        return JSONResponse({"value": self.certificates.count(account)})

    async def _count_revoked(self, account: str, _: Request) -> Response:
        return JSONResponse({"value": self.certificates.count(account, revoked=True)})

    def _stats(self, listing: Listing) -> Handler:
        async def show(account: str, request: Request) -> Response:
            found = listing(account, *self._window(request))
            return _page(request, [_meta(certificate) for certificate in found])

        return show

    def _window(self, request: Request) -> tuple[datetime, datetime]:
        """Read `from` and `to`, without which it is the last thirty days. Raises UnprocessableError for a longer time."""
        end = _number(request, "to", _epoch(self.clock()) + 1, LATEST)
        begin = _number(request, "from", max(end - int(LONGEST_WINDOW.total_seconds()), 0), LATEST)
        if not 0 <= end - begin <= LONGEST_WINDOW.total_seconds():
            raise UnprocessableError(f"from and to: {LONGEST_WINDOW.days} days are the longest time that is told of")
        return datetime.fromtimestamp(begin, UTC), datetime.fromtimestamp(end, UTC)

    async def _list_claims(self, account: str, request: Request) -> Response:
        wanted, at = request.query_params.get("status", "").upper(), self.clock()
        found = [_claim_document(claim, at) for claim in self.claims.list_(account)]
        return _page(request, [claim for claim in found if wanted in ("", claim["status"])])

    async def _claim(self, account: str, request: Request) -> Response:
        claim = self.claims.find(account, request.path_params["claim"])
        return JSONResponse(_claim_document(claim, self.clock()))

    async def _submit_claim(self, account: str, request: Request) -> Response:
        return self._show_assertion(self.claims.submit(account, request.path_params["claim"]), CREATED)

    async def _reassert_claim(self, account: str, request: Request) -> Response:
        return self._show_assertion(self.claims.reassert(account, request.path_params["claim"]), 200)

    async def _delete_claim(self, account: str, request: Request) -> Response:
        self.claims.delete(account, request.path_params["claim"])
        return Response(status_code=NO_CONTENT)

    async def _verify_claim(self, account: str, request: Request) -> Response:
        asked = read(Assertion, await _body(request) or b"{}")
        if asked.scheme.upper() != "HTTP":
            raise UnprocessableError("scheme: only HTTP is looked at here")
        parts = request.path_params
        found = await self.claims.verify(account, parts["claim"], parts["method"], asked.authorization_domain)
        return Response(status_code=NO_CONTENT if found else CREATED)

    def _show_assertion(self, claim: Claim, status: int) -> Response:
        document = {"token": claim.token, "assert_by": _epoch(claim.assert_by), "id": claim.id}
        return JSONResponse(document, status, {"Location": self._url(f"/claims/domains/{claim.id}")})

    def _url(self, path: str) -> str:
        return f"{self.base}{BASE}{path}"


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise BadRequestError(f"the body has more than {MAX_BODY} bytes")
    return body


def _serial(request: Request) -> str:
    return str(request.path_params["serial"]).lower().lstrip("0")


def _number(request: Request, name: str, default: int, most: int) -> int:
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) < 13 and int(text) <= most):  # noqa: PLR2004 - digits
        raise UnprocessableError(f"{name}: it is a number up to {most}")
    return int(text)


def _page(request: Request, found: Sequence[dict[str, Any]]) -> Response:
    page = max(_number(request, "page", 1, MOST_PAGES), 1)
    size = min(max(_number(request, "per_page", PER_PAGE, MOST_PAGES), 1), MOST_PER_PAGE)
    return JSONResponse(found[(page - 1) * size : page * size], headers={"Total-Count": str(len(found))})


def _meta(certificate: Certificate) -> dict[str, Any]:
    return {
        "serial_number": certificate.serial.upper(),
        "not_before": _epoch(certificate.not_before),
        "not_after": _epoch(certificate.not_after),
    }


def _claim_document(claim: Claim, at: datetime) -> dict[str, Any]:
    return {
        "id": claim.id,
        "status": "VERIFIED" if claim.holds(at) else "PENDING",
        "token": claim.token,
        "domain": claim.domain,
        "created_at": _epoch(claim.created_at),
        "expires_at": _epoch(claim.expires_at) if claim.expires_at else 0,
        "assert_by": _epoch(claim.assert_by),
        "log": [
            {"status": entry.status, "description": entry.description, "timestamp": _epoch(entry.timestamp)}
            for entry in claim.log
        ],
    }


def _epoch(at: datetime) -> int:
    return int(at.timestamp())


async def _refuse(_: Request, error: Exception) -> Response:
    known = error if isinstance(error, AtlasError) else AtlasError("the service failed")
    return JSONResponse({"description": known.description}, known.status, known.headers, media_type=PROBLEM)


async def _http_refuse(_: Request, error: Exception) -> Response:
    """Starlette's own refusals: no such path, or another method."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = getattr(error, "headers", None)
    return JSONResponse({"description": getattr(error, "detail", "failed")}, status, headers, media_type=PROBLEM)
