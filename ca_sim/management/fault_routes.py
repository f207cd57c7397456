"""Faults: armed, listed with their tallies, and taken out of force."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ca_sim.faults.engine import Armed, Faults
from ca_sim.faults.rules import Fault
from ca_sim.management.bodies import read_shape
from ca_sim.problems import NotFoundError


def fault_routes(faults: Faults) -> list[Route]:
    """Make the routes: GET, POST and DELETE of /faults, DELETE of /faults/{id}."""

    async def list_(_: Request) -> Response:
        return JSONResponse({"faults": [_document(armed) for armed in faults.list_()]})

    async def arm(request: Request) -> Response:
        return JSONResponse(_document(faults.arm(await read_shape(request, Fault))), 201)

    async def disarm(request: Request) -> Response:
        if not faults.disarm(request.path_params["id"]):
            raise NotFoundError("there is no fault with this id")
        return Response(status_code=204)

    async def disarm_all(_: Request) -> Response:
        faults.disarm_all()
        return Response(status_code=204)

    return [
        Route("/faults", list_, methods=["GET"]),
        Route("/faults", arm, methods=["POST"]),
        Route("/faults", disarm_all, methods=["DELETE"]),
        Route("/faults/{id}", disarm, methods=["DELETE"]),
    ]


def _document(armed: Armed) -> dict[str, Any]:
    fault = armed.fault.model_dump(mode="json", exclude_defaults=True) | {"kind": armed.fault.kind.value}
    return {"id": armed.id, "met": armed.met, "struck": armed.struck, **fault}
