"""What management reads from requests, and how it refuses them: `{"error": one line}`."""

from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ca_sim.problems import MalformedError, ProblemError, TooLargeError, UnsupportedMediaTypeError

MAX_BODY = 1 << 20
_LONGEST_NUMBER = 18

Shape = TypeVar("Shape", bound=BaseModel)


async def read_body(request: Request) -> bytes:
    """Read a JSON body. Raises UnsupportedMediaTypeError, and TooLargeError beyond a MiB.

    A page in a browser cannot send this type to another site without asking first.
    """
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise UnsupportedMediaTypeError("send application/json")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise TooLargeError(f"the body has more than {MAX_BODY} bytes")
    return body or b"{}"


async def read_shape(request: Request, shape: type[Shape]) -> Shape:
    """Read a JSON body of a shape. Raises MalformedError that names the member at fault, and what `read_body` does."""
    body = await read_body(request)
    try:
        return shape.model_validate_json(body)
    except ValidationError as error:
        raise MalformedError("; ".join(_explain(fault) for fault in error.errors(include_url=False))) from error


def _explain(fault: ErrorDetails) -> str:
    where = ".".join(str(part) for part in fault["loc"]) or "the body"
    if fault["type"] == "extra_forbidden":
        return f"{where} is not a member"
    return f"{where}: {fault.get('ctx', {}).get('error') or fault['msg']}"


def number(request: Request, name: str, default: int) -> int:
    """Read a number of the query. Raises MalformedError."""
    text = request.query_params.get(name, str(default))
    if not text.isdecimal() or len(text) > _LONGEST_NUMBER:
        raise MalformedError(f"{name} is not a number")
    return int(text)


def serial_number(text: str) -> str:
    """Take a serial number as tools print it: with colons, in capitals, with leading zeros."""
    return text.replace(":", "").lower().lstrip("0")


async def refusal(_: Request, error: Exception) -> Response:
    """Answer a problem."""
    problem = error if isinstance(error, ProblemError) else ProblemError(str(error))
    return JSONResponse({"error": problem.detail}, problem.status)


async def http_refusal(_: Request, error: Exception) -> Response:
    """Answer Starlette's own refusals: no such path, or another method."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    return JSONResponse({"error": getattr(error, "detail", "failed")}, status)
