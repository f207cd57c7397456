"""Request bodies: read with a cap, parsed by a pydantic model."""

import asyncio
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from starlette.requests import ClientDisconnect, Request

from certworker.api.errors import Incomplete, TooLarge, explain
from certworker.errors import BadParameter

MAX_BODY = 1024 * 1024
_DISCARDED = 8 * MAX_BODY
"""So much of a body that is too large is read and thrown away: many clients listen only after they have sent everything."""


def _printable(text: str) -> str:
    if "\0" in text:
        raise ValueError("a text has no NUL character")
    return text


BODY_SECONDS = 60.0
"""So long may a client take for a body."""

Text = Annotated[str, AfterValidator(_printable)]


class Body(BaseModel):
    """A JSON object from a client. A field that is null is as good as absent; unknown fields are left alone."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


BodyType = TypeVar("BodyType", bound=Body)


async def read_body(request: Request, cap: int = MAX_BODY) -> bytes:
    """Read a whole body. Raises TooLarge without keeping what is over `cap` bytes, and Incomplete."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _read(request, cap)
    except ClientDisconnect:
        raise Incomplete("The client went away before its request was complete.") from None
    except TimeoutError:
        raise Incomplete(f"The request body did not come within {BODY_SECONDS:.0f} seconds.") from None


async def _read(request: Request, cap: int) -> bytes:
    declared = request.headers.get("content-length", "0")
    size = int(declared) if declared.isdecimal() and len(declared) < 16 else 0  # noqa: PLR2004
    chunks = bytearray()
    most = max(_DISCARDED, cap)
    if size <= most:
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > most:
                break
            if size <= cap:
                chunks += chunk
    if size > cap:
        raise TooLarge(f"The request body is larger than {cap} bytes, the most that is taken.")
    return bytes(chunks)


async def parse_body(request: Request, model: type[BodyType], cap: int = MAX_BODY) -> BodyType:
    """Read a JSON body into `model`. Raises BadParameter, which names the field, TooLarge, or Incomplete."""
    raw = await read_body(request, cap)
    if not raw.strip():
        raise BadParameter("The request has no body; it takes a JSON object.")
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        raise explain(error) from None
