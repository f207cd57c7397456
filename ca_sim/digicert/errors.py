"""How this API says that something is wrong: `{"errors": [{"code": ..., "message": ...}]}`."""

import json
from collections.abc import Mapping
from types import MappingProxyType

CODES: Mapping[int, str] = MappingProxyType(
    {
        400: "invalid_request",
        401: "invalid_api_key",
        403: "access_denied",
        404: "not_found",
        405: "method_not_allowed",
        413: "request_too_large",
        429: "request_limit_exceeded",
        503: "service_unavailable",
    }
)
BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, NOT_FOUND, TOO_LARGE, TOO_MANY, FAILED = 400, 401, 403, 404, 413, 429, 500


class ApiError(Exception):
    """A request that is refused. `retry_after` is in seconds."""

    def __init__(self, status: int, message: str, *, code: str | None = None, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code or code_of(status)
        self.message = message
        self.retry_after = retry_after


def invalid(message: str, code: str | None = None) -> ApiError:
    """Make the error of a request that cannot be done as it is."""
    return ApiError(BAD_REQUEST, message, code=code)


def missing(what: str) -> ApiError:
    """Make the error of something that is not there."""
    return ApiError(NOT_FOUND, f"There is no {what}.")


def code_of(status: int) -> str:
    """Give the usual code of a status."""
    return CODES.get(status, "unexpected_error" if status >= FAILED else "invalid_request")


def body_of(code: str, message: str) -> bytes:
    """Write the document of one error."""
    return json.dumps({"errors": [{"code": code, "message": message}]}).encode()


def refusal(status: int, detail: str) -> tuple[str, bytes]:
    """Write an error that a fault demands."""
    return "application/json", body_of(code_of(status), detail)
