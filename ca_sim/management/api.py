"""The management endpoint: what the authority did, and what can be done to it. Plain HTTP, loopback only."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ca_sim.acme.jose import read_json
from ca_sim.acme.objects import Order
from ca_sim.acme.orders import Orders
from ca_sim.acme.wire import time
from ca_sim.authority.hierarchy import Authority
from ca_sim.book import Book
from ca_sim.certificates import REASONS, Certificate, Certificates
from ca_sim.clock import VirtualClock
from ca_sim.faults.engine import Faults
from ca_sim.management.bodies import http_refusal, number, read_body, refusal, serial_number
from ca_sim.management.clock_routes import clock_routes
from ca_sim.management.fault_routes import fault_routes
from ca_sim.problems import MalformedError, ProblemError
from ca_sim.settings import Settings

MAX_PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagementApi:
    """The routes; `app` makes the application of them and of `more`. Errors are `{"error": one line}`."""

    book: Book
    orders: Orders
    certificates: Certificates
    authority: Authority
    faults: Faults
    settings: Settings
    clock: VirtualClock
    directory_url: str
    more: Sequence[Route] = ()

    def app(self) -> Starlette:
        """Make the application."""
        routes = [
            Route("/status", self._status),
            Route("/root.pem", self._root),
            Route("/orders", self._orders),
            Route("/certificates", self._list_certificates),
            Route("/certificates/{serial}", self._certificate),
            Route("/certificates/{serial}/revoke", self._revoke, methods=["POST"]),
            *fault_routes(self.faults),
            *clock_routes(self.book, self.clock),
            *self.more,
        ]
        handlers = {ProblemError: refusal, HTTPException: http_refusal}
        return Starlette(routes=routes, exception_handlers=handlers)

    async def _status(self, _: Request) -> Response:
        profiles = {name: profile.model_dump() for name, profile in self.settings.profiles.items()}
        document = {
            "time": time(self.clock()),
            "acme_directory": self.directory_url,
            "counts": self.book.counts(),
            "profiles": profiles,
            "default_profile": self.settings.profile_of_default,
            "http01_port": self.settings.http01_port,
        }
        return JSONResponse(document)

    async def _root(self, _: Request) -> Response:
        return Response(self.authority.root_pem, media_type="application/x-pem-file")

    async def _orders(self, request: Request) -> Response:
        page = self.book.orders(after=number(request, "after", 0), limit=_limit(request))
        shown = [_order_document(self.orders.current(order)) for _, order in page]
        return JSONResponse({"orders": shown, "next": page[-1][0] if page else None})

    async def _list_certificates(self, request: Request) -> Response:
        page = self.book.certificates(after=number(request, "after", 0), limit=_limit(request))
        shown = [self._summary(certificate) for _, certificate in page]
        return JSONResponse({"certificates": shown, "next": page[-1][0] if page else None})

    async def _certificate(self, request: Request) -> Response:
        certificate = self.certificates.find(serial_number(request.path_params["serial"]))
        return JSONResponse(self._summary(certificate) | {"pem": certificate.chain})

    async def _revoke(self, request: Request) -> Response:
        certificate = self.certificates.revoke(serial_number(request.path_params["serial"]), await _reason(request))
        return JSONResponse(self._summary(certificate))

    def _summary(self, certificate: Certificate) -> dict[str, Any]:
        """Describe a certificate; times are RFC 3339, `reason` is the word of RFC 5280."""
        document: dict[str, Any] = {
            "serial": certificate.serial,
            "names": [identifier.value for identifier in certificate.identifiers],
            "status": certificate.status(self.clock()),
            "profile": certificate.profile,
            "not_before": time(certificate.not_before),
            "not_after": time(certificate.not_after),
            "spki_sha256": certificate.spki_sha256,
            "order": certificate.order_id,
        }
        if certificate.revoked_at is not None:
            document["revoked_at"] = time(certificate.revoked_at)
            document["reason"] = REASONS[certificate.reason or 0]
        return document


def _order_document(order: Order) -> dict[str, Any]:
    return {
        "id": order.id,
        "status": order.status,
        "identifiers": [identifier.document() for identifier in order.identifiers],
        "profile": order.profile,
        "created_at": time(order.created_at),
        "expires_at": time(order.expires_at),
        "certificate": order.serial,
        "error": order.error,
    }


def _limit(request: Request) -> int:
    return min(number(request, "limit", MAX_PAGE), MAX_PAGE)


async def _reason(request: Request) -> int:
    """Read {"reason": a code or a word of RFC 5280 section 5.3.1}; none is 0."""
    reason = read_json(await read_body(request), "the body").get("reason", 0)
    codes = {word: code for code, word in REASONS.items()}
    code = codes.get(reason) if isinstance(reason, str) else reason
    if not isinstance(code, int) or isinstance(code, bool):
        raise MalformedError(f"reason is not one of {', '.join(codes)}, nor a code of RFC 5280")
    return code
