"""What the staff of the authority, and the account's administrators, do with orders in the style of DigiCert."""

from typing import Any

from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ca_sim.digicert.deliveries import Deliveries
from ca_sim.digicert.documents import time
from ca_sim.digicert.errors import NOT_FOUND, ApiError
from ca_sim.digicert.objects import Order, Status
from ca_sim.digicert.orders import CertificateOrders
from ca_sim.digicert.wire import read_id
from ca_sim.management.bodies import read_shape
from ca_sim.problems import MalformedError, NotFoundError


class Comment(BaseModel):
    """Why somebody decided so."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    comment: str = ""


def digicert_routes(orders: CertificateOrders, deliveries: Deliveries) -> list[Route]:
    """Make the routes: GET /digicert/orders; POST approve, reject, deny and release of /digicert/orders/{id}/."""

    async def list_(_: Request) -> Response:
        return JSONResponse({"orders": [_document(order) for order in orders.all()]})

    async def change(request: Request) -> Response:
        order_id = read_id(request.path_params["id"])
        if order_id is None:
            raise NotFoundError("there is no order with this id")
        comment = (await read_shape(request, Comment)).comment
        try:
            return JSONResponse(_document(_change(orders, deliveries, order_id, request.path_params["word"], comment)))
        except ApiError as error:
            raise (NotFoundError if error.status == NOT_FOUND else MalformedError)(error.message) from error

    return [
        Route("/digicert/orders", list_),
        Route("/digicert/orders/{id}/{word}", change, methods=["POST"]),
    ]


def _change(orders: CertificateOrders, deliveries: Deliveries, order_id: int, word: str, comment: str) -> Order:
    match word:
        case "approve" | "reject":
            order = orders.find(None, order_id)
            waiting = next((request.id for request in order.requests if request.status is Status.PENDING), None)
            if waiting is None:
                raise MalformedError(f"nothing of the order {order_id} waits for an approval")
            return deliveries.decide(waiting, Status.APPROVED if word == "approve" else Status.REJECTED, comment)
        case "deny":
            return orders.end(order_id, Status.DENIED, comment)
        case "release":
            return orders.release(order_id)
    raise NotFoundError("an order can be approved, rejected, denied and released: approve, reject, deny, release")


def _document(order: Order) -> dict[str, Any]:
    return {
        "id": order.id,
        "account": order.account_id,
        "status": order.status,
        "product": order.product,
        "names": list(order.certificate.names),
        "placed_at": time(order.placed_at),
        "pending_for": order.hold or None,
        "requests": [{"id": one.id, "type": one.kind, "status": one.status} for one in order.requests],
        "serials": [asked.serial for asked in order.certificates if asked.serial],
    }
