"""ONE table: error -> status and Key Vault's codes. And every shape of answer that tells of an error on the data plane."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from certworker import errors
from certworker.api.auth import Challenged

_log = logging.getLogger(__name__)

Row = tuple[int, str, str | None]

TABLE: Mapping[type[errors.CertworkerError], Row] = MappingProxyType(
    {
        errors.BadParameter: (400, "BadParameter", None),
        errors.Unauthenticated: (401, "Unauthorized", None),
        errors.Forbidden: (403, "Forbidden", "AccessDenied"),
        errors.Disabled: (403, "Forbidden", "SecretDisabled"),
        errors.KeyDisabled: (403, "Forbidden", "KeyDisabled"),
        errors.KeyNotYetValid: (403, "Forbidden", "KeyNotYetValid"),
        errors.KeyExpired: (403, "Forbidden", "KeyExpired"),
        errors.KeyOperationForbidden: (403, "Forbidden", "KeyOperationForbidden"),
        errors.AttestationRefused: (403, "Forbidden", None),
        errors.PurgeProtected: (403, "Forbidden", None),
        errors.ForbiddenByPolicy: (403, "Forbidden", "ForbiddenByPolicy"),
        errors.ForbiddenByRoles: (403, "Forbidden", "ForbiddenByRbac"),
        errors.ForbiddenByFirewall: (403, "Forbidden", "ForbiddenByFirewall"),
        errors.AuthorizationFailed: (403, "AuthorizationFailed", None),
        errors.NotFound: (404, "NotFound", None),
        errors.ResourceNotFound: (404, "ResourceNotFound", None),
        errors.VaultNotFound: (404, "VaultNotFound", None),
        errors.CertificateNotFound: (404, "CertificateNotFound", None),
        errors.KeyNotFound: (404, "KeyNotFound", None),
        errors.SecretNotFound: (404, "SecretNotFound", None),
        errors.OperationNotFound: (404, "PendingCertificateNotFound", None),
        errors.IssuerNotFound: (404, "CertificateIssuerNotFound", None),
        errors.ContactsNotFound: (404, "ContactsNotFound", None),
        errors.Conflict: (409, "Conflict", None),
        errors.OperationInProgress: (409, "Forbidden", None),  # as the service's documentation prints it
        errors.DeletedButRecoverable: (409, "Conflict", "ObjectIsDeletedButRecoverable"),
        errors.NotDeleted: (400, "MethodNotAllowed", "RequestNotAllowedOnNonDeletedObject"),
        errors.Unavailable: (503, "ServiceUnavailable", None),
        errors.Throttled: (429, "Throttled", None),
        errors.LeaseLost: (409, "Conflict", None),
    }
)
"""An error that is not here takes the row of its nearest ancestor; without one it is ours, and tells the caller nothing."""

INTERNAL: Row = (500, "InternalServerError", None)
INTERNAL_TEXT = "The service met an error of its own. Its log tells more under the request id {}."
_DEFAULT_RETRY_SECONDS = 5
_MOST_PROBLEMS = 3


class TooLarge(errors.BadParameter):
    """The request's body is larger than any that the API takes."""


class Incomplete(errors.BadParameter):
    """The request's body did not come to its end, or not in time."""


API_TABLE: Mapping[type[errors.CertworkerError], Row] = MappingProxyType(
    {
        TooLarge: (413, "RequestEntityTooLarge", None),
        Incomplete: (408, "RequestTimeout", None),
    }
)


def row_of(error: Exception) -> Row:
    """Find the row of an error by its nearest ancestor."""
    for ancestor in type(error).__mro__:
        row = API_TABLE.get(ancestor) or TABLE.get(ancestor)
        if row:
            return row
    return INTERNAL


def error_response(error: Exception, request_id: str) -> JSONResponse:
    """Render any exception in Key Vault's shape; what is not meant for the caller's eyes goes to the log only."""
    if isinstance(error, HTTPException):
        return _http_error(error)
    status, code, inner = row = row_of(error)
    if row is INTERNAL:
        _log.error("request %s failed", request_id, exc_info=error)
        return key_vault_error(status, code, INTERNAL_TEXT.format(request_id))
    return key_vault_error(status, code, str(error), inner, retry_headers(error))


def key_vault_error(
    status: int, code: str, message: str, inner: str | None = None, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Build Key Vault's error body."""
    content: dict[str, Any] = {"code": code, "message": message}
    if inner:
        content["innererror"] = {"code": inner}
    return JSONResponse({"error": content}, status, headers)


def retry_headers(error: Exception) -> dict[str, str]:
    """Give the headers that tell a client how to come back: with a token, on another connection, or later."""
    match error:
        case Challenged():
            return {"WWW-Authenticate": error.challenge}
        case TooLarge() | Incomplete():
            return {"Connection": "close"}  # what is left of the body is not read
        case errors.Unavailable():
            wait = error.retry_after.total_seconds() if error.retry_after else _DEFAULT_RETRY_SECONDS
            return {"Retry-After": str(max(1, round(wait)))}
    return {}


def _http_error(error: HTTPException) -> JSONResponse:
    """Render what the router refuses."""
    code = "MethodNotAllowed" if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED else "NotFound"
    return key_vault_error(error.status_code, code, error.detail, None, error.headers)


def explain(error: ValidationError) -> errors.BadParameter:
    """Say which fields of a body are wrong and what would be right. What was sent is not repeated: it may be secret."""
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    if problems[0]["type"] == "json_invalid":
        return errors.BadParameter(f"The request body is not JSON. {problems[0]['msg']}.")
    texts = []
    for problem in problems[:_MOST_PROBLEMS]:
        name = ".".join(str(step) for step in problem["loc"]) or "The request body"
        texts.append(f"{name}: {_lower_first(problem['msg'])}")
    field = ".".join(str(step) for step in problems[0]["loc"]) or None
    return errors.BadParameter("; ".join(texts) + ".", field)


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
