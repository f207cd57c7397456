"""Errors of the directory's plane on the wire: statuses are those of the one table, codes those that Graph has."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from certworker import errors
from certworker.api.errors import INTERNAL, INTERNAL_TEXT, Incomplete, TooLarge, retry_headers, row_of

_log = logging.getLogger(__name__)

CODES: Mapping[type[Exception], tuple[int | None, str]] = MappingProxyType(
    {
        errors.Conflict: (400, "Request_BadRequest"),
        errors.BadParameter: (None, "Request_BadRequest"),
        TooLarge: (None, "Request_EntityTooLarge"),
        Incomplete: (None, "Request_Timeout"),
        errors.Unauthenticated: (None, "InvalidAuthenticationToken"),
        errors.Forbidden: (None, "Authorization_RequestDenied"),
        errors.NotFound: (None, "Request_ResourceNotFound"),
        errors.Throttled: (None, "TooManyRequests"),
        errors.Unavailable: (None, "Service_Unavailable"),
    }
)
"""Codes by error; a status stands here only where Graph has another one than the planes of vaults."""


def graph_error_response(error: Exception, request_id: str, at: datetime) -> JSONResponse:
    """Render any exception in Graph's shape; what is not meant for the caller goes to the log only."""
    if isinstance(error, HTTPException):
        code = "Request_BadRequest" if error.status_code == 405 else "Request_ResourceNotFound"  # noqa: PLR2004
        return _shape(error.status_code, code, error.detail, request_id, at, error.headers)
    status, _, _ = row = row_of(error)
    if row is INTERNAL:
        _log.error("request %s failed", request_id, exc_info=error)
        return _shape(status, "Service_InternalServerError", INTERNAL_TEXT.format(request_id), request_id, at, None)
    other, code = next((CODES[one] for one in type(error).__mro__ if one in CODES), (None, "Request_BadRequest"))
    return _shape(other or status, code, str(error), request_id, at, retry_headers(error))


def _shape(
    status: int, code: str, message: str, request_id: str, at: datetime, headers: Mapping[str, str] | None
) -> JSONResponse:
    when = f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"
    inner = {"date": when, "request-id": request_id, "client-request-id": request_id}
    return JSONResponse({"error": {"code": code, "message": message, "innerError": inner}}, status, dict(headers or {}))
