"""What certificates point to, over plain HTTP: issuers, CRLs, the OCSP responder, and the log."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from hashlib import sha256
from urllib.parse import unquote

from cryptography.hazmat.primitives.serialization import Encoding
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from ca_sim.authority.crls import Crl, Crls, Scope
from ca_sim.authority.hierarchy import Authority
from ca_sim.authority.ocsp import OcspResponder
from ca_sim.clock import VirtualClock
from ca_sim.faults.engine import Faults
from ca_sim.faults.rules import Breakage, Fault, FaultKind

MAX_REQUEST = 10_000
OCSP_REQUEST, OCSP_ANSWER = "application/ocsp-request", "application/ocsp-response"
STALE_BY = timedelta(hours=1)
"""How long ago ran out what is stale by a fault that does not say."""
_CRL, _OCSP = "public.crl", "public.ocsp"


def place(_method: str, path: str) -> str:
    """Name the kind of a request, as faults know it: public.issuer, public.root, public.crl, public.ocsp, public.ct."""
    return f"public.{path.strip('/').split('/', 1)[0]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicApi:
    """The routes; `app` makes the application of them and of `more`."""

    authority: Authority
    crls: Crls
    responder: OcspResponder
    faults: Faults
    clock: VirtualClock
    more: Sequence[Route] = ()

    def app(self) -> Starlette:
        """Make the application."""
        routes = [
            Route("/root", self._roots),
            Route("/root/{number}", self._root),
            Route("/issuer/{signer}", self._issuer),
            Route("/crl/{signer}", self._crl),
            Route("/crl/{signer}/delta", self._delta),
            Route("/crl/{signer}/{shard}", self._crl),
            Route("/crl/{signer}/{shard}/delta", self._delta),
            Route("/ocsp", self._ocsp_post, methods=["POST"]),
            Route("/ocsp/{request:path}", self._ocsp_get),
            *self.more,
        ]
        return Starlette(routes=routes)

    async def _roots(self, _: Request) -> Response:
        """Give all roots in one bundle, the default one first."""
        pem = b"".join(root.public_bytes(Encoding.PEM) for root in self.authority.roots())
        return Response(pem, media_type="application/x-pem-file")

    async def _root(self, request: Request) -> Response:
        """Give one root by its place in the bundle, from 0."""
        roots = {str(number): root for number, root in enumerate(self.authority.roots())}
        root = roots.get(request.path_params["number"])
        if root is None:
            return _missing(f"there are {len(roots)} roots, from 0")
        return Response(root.public_bytes(Encoding.PEM), media_type="application/x-pem-file")

    async def _issuer(self, request: Request) -> Response:
        signer = self.authority.signer(request.path_params["signer"])
        if signer is None:
            return _missing("there is no such issuer")
        return Response(signer.certificate.public_bytes(Encoding.DER), media_type="application/pkix-cert")

    async def _crl(self, request: Request) -> Response:
        scope = self._scope(request)
        if scope is None:
            return _missing("there is no such CRL")
        if fault := self.faults.strike(FaultKind.BROKEN, _CRL):
            return self._broken_crl(scope, fault, request)
        if fault := self.faults.strike(FaultKind.STALE, _CRL):
            return self._crl_answer(self.crls.stale(scope, _ago(fault)), request)
        return self._crl_answer(self.crls.full(scope), request)

    async def _delta(self, request: Request) -> Response:
        scope = self._scope(request)
        crl = self.crls.delta(scope) if scope else None
        return _missing("there is no such delta CRL") if crl is None else self._crl_answer(crl, request)

    def _scope(self, request: Request) -> Scope | None:
        return self.crls.scope(request.path_params["signer"], request.path_params.get("shard"))

    def _broken_crl(self, scope: Scope, fault: Fault, request: Request) -> Response:
        if fault.breakage is Breakage.GARBAGE:
            return Response(b"this is no CRL", media_type="application/pkix-crl")
        if fault.breakage is Breakage.SIGNATURE:
            return self._crl_answer(self.crls.forged(scope), request)
        return PlainTextResponse("try again later", 503)

    def _crl_answer(self, crl: Crl, request: Request) -> Response:
        keep = self._real(crl.fresh_until - self.clock())
        headers = {"Cache-Control": f"public, max-age={keep}"} | _dates(crl.this_update, crl.next_update)
        return _cached(crl.der, "application/pkix-crl", headers, request)

    async def _ocsp_post(self, request: Request) -> Response:
        if request.headers.get("content-type", "").split(";")[0].strip().lower() != OCSP_REQUEST:
            return PlainTextResponse(f"send {OCSP_REQUEST}", 415)
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_REQUEST:
                return PlainTextResponse(f"a request has at most {MAX_REQUEST} bytes", 413)
        return self._ocsp(body, request)

    async def _ocsp_get(self, request: Request) -> Response:
        """Read the request from the path, in base64 and percent-encoded (RFC 6960 appendix A.1)."""
        text = unquote(request.path_params["request"])
        try:
            der = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        except (ValueError, binascii.Error):
            der = b""  # the responder says that this is no request
        return self._ocsp(der, request)

    def _ocsp(self, der: bytes, request: Request) -> Response:
        broken = self.faults.strike(FaultKind.BROKEN, _OCSP)
        stale = None if broken else self.faults.strike(FaultKind.STALE, _OCSP)
        breakage = broken.breakage if broken else None
        reply = self.responder.reply(der, stale=_ago(stale) if stale else None, breakage=breakage)
        if reply.this_update is None or reply.next_update is None:
            return Response(reply.der, media_type=OCSP_ANSWER, headers={"Cache-Control": "no-store"})
        # RFC 5019 section 6.2
        keep = self._real(reply.next_update - self.clock())
        control = f"max-age={keep}, public, no-transform, must-revalidate"
        headers = {"Cache-Control": control} | _dates(reply.this_update, reply.next_update)
        return _cached(reply.der, OCSP_ANSWER, headers, request)

    def _real(self, virtual: timedelta) -> int:
        """Give the seconds that a cache, which lives in real time, may keep what holds for so long in virtual time."""
        return max(int(virtual.total_seconds() / self.clock.speed), 0) if self.clock.speed else 0


def _ago(fault: Fault) -> timedelta:
    return STALE_BY if fault.seconds is None else timedelta(seconds=fault.seconds)


def _dates(this_update: datetime, next_update: datetime) -> dict[str, str]:
    return {
        "Last-Modified": format_datetime(this_update, usegmt=True),
        "Expires": format_datetime(next_update, usegmt=True),
    }


def _cached(body: bytes, media_type: str, headers: dict[str, str], request: Request) -> Response:
    """Answer with a tag, and with 304 to who has it already (RFC 9110 section 13.1.2)."""
    tag = f'"{sha256(body).hexdigest()[:32]}"'
    known = {part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")}
    if request.method in {"GET", "HEAD"} and known & {tag, "*"}:
        return Response(status_code=304, headers=headers | {"ETag": tag})
    return Response(body, media_type=media_type, headers=headers | {"ETag": tag})


def _missing(why: str) -> Response:
    return PlainTextResponse(why, 404)
