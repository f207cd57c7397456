"""The virtual clock: told, moved, and made to run faster or to stand still."""

from datetime import timedelta
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ca_sim.acme.wire import time
from ca_sim.book import Book
from ca_sim.clock import FASTEST, VirtualClock
from ca_sim.clock_memory import keep_clock
from ca_sim.management.bodies import read_shape
from ca_sim.problems import MalformedError

LONGEST_LEAP = 100 * 366 * 86_400


class ClockChange(BaseModel):
    """A time to jump to, seconds to move on by (or back), a speed: any of them, in this order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    time: AwareDatetime | None = None
    advance_seconds: Annotated[float, Field(ge=-LONGEST_LEAP, le=LONGEST_LEAP)] = 0
    speed: Annotated[float, Field(ge=0, le=FASTEST)] | None = None


def clock_routes(book: Book, clock: VirtualClock) -> list[Route]:
    """Make the routes: GET and POST of /clock."""

    def shown() -> Response:
        return JSONResponse({"time": time(clock()), "speed": clock.speed})

    async def show(_: Request) -> Response:
        return shown()

    async def change(request: Request) -> Response:
        asked = await read_shape(request, ClockChange)
        try:
            clock.set(asked.time, asked.speed, timedelta(seconds=asked.advance_seconds))
        except OverflowError as error:
            raise MalformedError("there is no such time in the calendar") from error
        except ValueError as error:
            raise MalformedError(str(error)) from error
        keep_clock(book, clock)
        return shown()

    return [Route("/clock", show, methods=["GET"]), Route("/clock", change, methods=["POST"])]
