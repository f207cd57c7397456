"""Names that an account may not order for: paused, listed and let go."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ca_sim.acme.pauses import Pauses
from ca_sim.management.bodies import read_shape

CREATED = 201


class NewPause(BaseModel):
    """An account, by its id or its URL, and a name or an address."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    account: Annotated[str, Field(max_length=2048)]
    identifier: Annotated[str, Field(max_length=253)]


def pause_routes(pauses: Pauses) -> Sequence[Route]:
    """Make the routes of /pauses; ?account= and ?identifier= choose which are listed or lifted."""

    async def pause(request: Request) -> Response:
        asked = await read_shape(request, NewPause)
        made = pauses.pause(_account_id(asked.account), asked.identifier)
        return JSONResponse({"account": made.account_id, "identifier": made.value}, CREATED)

    async def show(request: Request) -> Response:
        account = request.query_params.get("account")
        found = pauses.list_(account and _account_id(account))
        return JSONResponse({"pauses": [{"account": pause.account_id, "identifier": pause.value} for pause in found]})

    async def lift(request: Request) -> Response:
        account, value = (request.query_params.get(name) for name in ("account", "identifier"))
        chosen = {pause.account_id for pause in pauses.list_(account and _account_id(account))}
        return JSONResponse({"count": sum(pauses.resume(account_id, value) for account_id in chosen)})

    return [
        Route("/pauses", pause, methods=["POST"]),
        Route("/pauses", show, methods=["GET"]),
        Route("/pauses", lift, methods=["DELETE"]),
    ]


def _account_id(text: str) -> str:
    return text.rsplit("/", 1)[-1]
