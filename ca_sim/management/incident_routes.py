"""Incidents: begun, listed, looked at."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ca_sim.acme.wire import time
from ca_sim.incidents import Cause, Incident, Incidents
from ca_sim.management.bodies import read_shape, serial_number
from ca_sim.problems import NotFoundError


def incident_routes(incidents: Incidents) -> list[Route]:
    """Make the routes: GET and POST of /incidents, GET of /incidents/{id}, which lists the serial numbers."""

    async def list_(_: Request) -> Response:
        return JSONResponse({"incidents": [_document(incident) for incident in incidents.list_()]})

    async def begin(request: Request) -> Response:
        cause = await read_shape(request, Cause)
        cause = cause.model_copy(update={"serials": frozenset(map(serial_number, cause.serials))})
        return JSONResponse(_document(incidents.begin(cause)), 201)

    async def show(request: Request) -> Response:
        incident = incidents.find(request.path_params["id"])
        if incident is None:
            raise NotFoundError("there is no incident with this id")
        return JSONResponse({**_document(incident), "serials": list(incident.serials)})

    return [
        Route("/incidents", list_, methods=["GET"]),
        Route("/incidents", begin, methods=["POST"]),
        Route("/incidents/{id}", show),
    ]


def _document(incident: Incident) -> dict[str, Any]:
    return {
        "id": incident.id,
        "certificates": len(incident.serials),
        "reason": incident.reason,
        "began": time(incident.began),
        "revoke_at": time(incident.revoke_at),
        "revoked": incident.revoked,
    }
