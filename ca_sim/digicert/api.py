"""The routes of the API in the style of DigiCert CertCentral."""

import hmac
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from ca_sim.clock import Clock
from ca_sim.digicert.deliveries import Deliveries
from ca_sim.digicert.documents import (
    Document,
    listed_document,
    order_document,
    organization_document,
    placed_document,
    product_details,
    request_document,
)
from ca_sim.digicert.errors import FAILED, TOO_LARGE, UNAUTHORIZED, ApiError, body_of, code_of, invalid, missing
from ca_sim.digicert.limits import RequestLimits
from ca_sim.digicert.objects import Asked, Order, Status
from ca_sim.digicert.orders import CertificateOrders
from ca_sim.digicert.products import PRODUCTS
from ca_sim.digicert.settings import DigicertSettings
from ca_sim.digicert.wire import (
    Decision,
    NewOrder,
    Reissue,
    Revocation,
    StatusChange,
    read_body,
    read_id,
    read_list_query,
)

BASE = "/services/v2"
API_KEY = "x-dc-devkey"
MAX_BODY = 1 << 18
CREATED, NO_CONTENT = 201, 204
_KINDS = {"reissue": "reissue", "status": "cancel", "revoke": "revoke", "download": "download"}

Handler = Callable[[Request, str], Awaitable[Response]]
"""Answers a request of an account."""


def place(method: str, path: str) -> str:
    """Name the kind of a request, as faults know it: digicert.order, .list, .look, .download, .cancel, .reissue, .revoke."""
    parts = path.removeprefix(BASE).strip("/").split("/")
    if parts[0] == "order":
        last = parts[2:]
        word = _KINDS.get(last[1], last[1]) if len(last) > 1 else "order" if method == "POST" else "look" if last else "list"
    elif parts[0] == "certificate":
        word = next((_KINDS[part] for part in parts if part in _KINDS), "certificate")
    else:
        word = parts[0]
    return f"digicert.{word}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DigicertApi:
    """The routes; `app` makes the application of them."""

    orders: CertificateOrders
    deliveries: Deliveries
    limits: RequestLimits
    settings: DigicertSettings
    clock: Clock

    def app(self) -> Starlette:
        """Make the application."""
        routes = [
            self._route("/user/me", self._me),
            self._route("/organization", self._organizations),
            self._route("/organization/{id}", self._organization),
            self._route("/product", self._products),
            self._route("/product/{id}", self._product),
            self._route("/order/certificate", self._list),
            self._route("/order/certificate/{id}", self._look),
            self._route("/order/certificate/{id}", self._order, "POST"),
            self._route("/order/certificate/{id}/reissue", self._reissue, "POST"),
            self._route("/order/certificate/{id}/status", self._cancel, "PUT"),
            self._route("/certificate/{id}/download/format/{format}", self._download),
            self._route("/certificate/{id}/revoke", self._revoke, "PUT"),
            self._route("/request/{id}", self._request),
            self._route("/request/{id}/status", self._decide, "PUT"),
        ]
        return Starlette(routes=routes, exception_handlers={HTTPException: _http_refusal, Exception: _failure})

    def _route(self, path: str, handler: Handler, method: str = "GET") -> Route:
        async def endpoint(request: Request) -> Response:
            try:
                account_id = self._account(request)
                self.limits.count(account_id, self.clock())
                return await handler(request, account_id)
            except ApiError as error:
                return _refused(error)

        return Route(BASE + path, endpoint, methods=[method])

    def _account(self, request: Request) -> str:
        given = request.headers.get(API_KEY, "").encode()
        for account_id, key in self.settings.accounts.items():
            if hmac.compare_digest(given, key.encode()):
                return account_id
        raise ApiError(UNAUTHORIZED, "The API key is missing or not known.")

    async def _me(self, _: Request, account_id: str) -> Response:
        account = {"id": int(account_id)}
        return _json({"id": int(account_id), "username": f"api-{account_id}", "account": account, "status": "active"})

    async def _organizations(self, _request: Request, _account: str) -> Response:
        found = self.settings.organizations.items()
        shown = [organization_document(key, organization) for key, organization in found]
        return _json({"organizations": shown, "page": _page(len(shown), len(shown), 0)})

    async def _organization(self, request: Request, _account: str) -> Response:
        organization_id = request.path_params["id"]
        found = self.settings.organizations.get(organization_id)
        if found is None:
            raise missing(f"organization {organization_id[:20]}")
        return _json(organization_document(organization_id, found))

    async def _products(self, _request: Request, _account: str) -> Response:
        return _json({"products": [product_details(key, product, self.settings) for key, product in PRODUCTS.items()]})

    async def _product(self, request: Request, _account: str) -> Response:
        product_id = request.path_params["id"]
        if product_id not in PRODUCTS:
            raise missing(f"product {product_id[:40]}")
        return _json(product_details(product_id, PRODUCTS[product_id], self.settings))

    async def _list(self, request: Request, account_id: str) -> Response:
        query = read_list_query(request.query_params)
        page, total = self.orders.list_(account_id, query)
        at = self.clock()
        shown = [listed_document(order, self.orders.status(order, at), self.settings) for order in page]
        return _json({"orders": shown, "page": _page(total, query.limit, query.offset)})

    async def _look(self, request: Request, account_id: str) -> Response:
        """Show an order by its id, or by the serial number of a certificate of it."""
        text = request.path_params["id"]
        number = read_id(text)
        order = self.orders.find(account_id, number) if number else self.orders.find_by_serial(account_id, text.lower())[0]
        status = self.orders.status(order, self.clock())
        return _json(order_document(order, status, self.settings, self.deliveries))

    async def _order(self, request: Request, account_id: str) -> Response:
        wanted = read_body(await _body(request), NewOrder)
        order = self.orders.place(account_id, request.path_params["id"], wanted)
        return _json(self._placed(order), CREATED)

    async def _reissue(self, request: Request, account_id: str) -> Response:
        order_id = _number(request, "order")
        wanted = read_body(await _body(request), Reissue)
        return _json(self._placed(self.orders.reissue(account_id, order_id, wanted)), CREATED)

    def _placed(self, order: Order) -> Document:
        document = placed_document(order, self.deliveries)
        if not self.settings.issue_at_once:
            document.pop("certificate_id", None)
            document.pop("certificate_chain", None)
        return document

    async def _cancel(self, request: Request, account_id: str) -> Response:
        order_id = _number(request, "order")
        wanted = read_body(await _body(request), StatusChange)
        if wanted.status.upper() != "CANCELED":
            raise invalid("status: an order can be set to CANCELED only.")
        self.orders.cancel(account_id, order_id, wanted.note)
        return Response(status_code=NO_CONTENT)

    async def _download(self, request: Request, account_id: str) -> Response:
        certificate_id = _number(request, "certificate")
        return PlainTextResponse(self.deliveries.download(account_id, certificate_id, request.path_params["format"]))

    async def _revoke(self, request: Request, account_id: str) -> Response:
        wanted = read_body(await _body(request) or b"{}", Revocation)
        order, asked = self._certificate(request, account_id)  # not before the body: time goes by until it is there
        waiting = self.deliveries.revoke(order, asked, wanted)
        return Response(status_code=NO_CONTENT) if waiting is None else _json(request_document(waiting), CREATED)

    def _certificate(self, request: Request, account_id: str) -> tuple[Order, Asked]:
        text = request.path_params["id"]
        number = read_id(text)
        if number is None:
            return self.orders.find_by_serial(account_id, text.lower())
        return self.orders.find_by_certificate(account_id, number)

    async def _request(self, request: Request, account_id: str) -> Response:
        order, found = self.orders.find_request(account_id, _number(request, "request"))
        return _json(request_document(found) | {"order": {"id": order.id}})

    async def _decide(self, request: Request, account_id: str) -> Response:
        request_id = _number(request, "request")
        wanted = read_body(await _body(request), Decision)
        self.orders.find_request(account_id, request_id)
        self.deliveries.decide(request_id, Status(wanted.status), wanted.processor_comment)
        return Response(status_code=NO_CONTENT)


def _number(request: Request, what: str) -> int:
    number = read_id(request.path_params["id"])
    if number is None:
        raise missing(f"{what} {request.path_params['id'][:20]!r}")
    return number


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise ApiError(TOO_LARGE, f"The body has more than {MAX_BODY} bytes.")
    return body.strip()


def _page(total: int, limit: int, offset: int) -> Document:
    return {"total": total, "limit": limit, "offset": offset}


def _json(document: Document, status: int = 200) -> Response:
    return Response(json.dumps(document).encode(), status, media_type="application/json")


def _refused(error: ApiError) -> Response:
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    return Response(body_of(error.code, error.message), error.status, headers, "application/json")


async def _http_refusal(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else FAILED
    return Response(body_of(code_of(status), "There is nothing of this kind here."), status, media_type="application/json")


async def _failure(_: Request, _error: Exception) -> Response:
    return Response(body_of(code_of(FAILED), "The request failed within the server."), FAILED, media_type="application/json")
