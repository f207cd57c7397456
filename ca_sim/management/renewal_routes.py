"""When certificates are to be renewed: the windows that clients are told, one by one or many at once (RFC 9773)."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ca_sim.acme.renewal_info import Renewals, Window
from ca_sim.acme.wire import time
from ca_sim.certificates import Certificates
from ca_sim.management.bodies import read_shape, serial_number

MOST_SERIALS = 20_000


class NewWindow(BaseModel):
    """From when to when to renew, and the address of a page that says why; it may be empty."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: AwareDatetime
    end: AwareDatetime
    explanation_url: Annotated[str, Field(max_length=2048)] = ""


class Incident(NewWindow):
    """The same for many certificates, by their serial numbers."""

    serials: Annotated[tuple[str, ...], Field(min_length=1, max_length=MOST_SERIALS)]


def renewal_routes(renewals: Renewals, certificates: Certificates) -> Sequence[Route]:
    """Make the routes below /certificates/{serial}/renewal-window, and /renewal-windows for many."""

    def show(serial: str) -> Response:
        return JSONResponse(_document(renewals.window(certificates.find(serial))))

    async def look(request: Request) -> Response:
        return show(serial_number(request.path_params["serial"]))

    async def set_(request: Request) -> Response:
        asked, serial = await read_shape(request, NewWindow), serial_number(request.path_params["serial"])
        renewals.pull_in([serial], asked.start, asked.end, asked.explanation_url)
        return show(serial)

    async def reset(request: Request) -> Response:
        serial = serial_number(request.path_params["serial"])
        renewals.reset(serial)
        return show(serial)

    async def pull_in(request: Request) -> Response:
        asked = await read_shape(request, Incident)
        serials = [serial_number(serial) for serial in asked.serials]
        return JSONResponse({"count": renewals.pull_in(serials, asked.start, asked.end, asked.explanation_url)})

    return [
        Route("/certificates/{serial}/renewal-window", look, methods=["GET"]),
        Route("/certificates/{serial}/renewal-window", set_, methods=["PUT"]),
        Route("/certificates/{serial}/renewal-window", reset, methods=["DELETE"]),
        Route("/renewal-windows", pull_in, methods=["POST"]),
    ]


def _document(window: Window) -> dict[str, Any]:
    return {"start": time(window.start), "end": time(window.end), "explanation_url": window.explanation_url}
