"""Errors of the management plane on the wire: statuses are those of the one table, codes those that its clients know."""

import logging
from collections.abc import Mapping
from types import MappingProxyType

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from certworker import errors
from certworker.api.auth import Challenged
from certworker.api.errors import INTERNAL, INTERNAL_TEXT, Incomplete, TooLarge, key_vault_error, retry_headers, row_of

_log = logging.getLogger(__name__)

CODES: Mapping[type[errors.CertworkerError], str] = MappingProxyType(
    {
        errors.BadParameter: "BadRequest",
        TooLarge: "RequestEntityTooLarge",
        Incomplete: "RequestTimeout",
        errors.VaultNotFound: "ResourceNotFound",
        errors.Throttled: "TooManyRequests",
    }
)
"""Codes that are other ones here than on the data plane, by the error itself."""


class ArmChallenged(Challenged):
    """The caller has to bring a token, or another one. `reason` is the word for it that clients know."""

    def __init__(self, reason: str, message: str, challenge: str) -> None:
        super().__init__(message, challenge)
        self.reason = reason


def arm_error_response(error: Exception, request_id: str) -> JSONResponse:
    """Render any exception in the shape of Azure Resource Manager; what is not meant for the caller goes to the log only."""
    if isinstance(error, HTTPException):
        code = "MethodNotAllowed" if error.status_code == 405 else "NotFound"  # noqa: PLR2004
        return key_vault_error(error.status_code, code, error.detail, None, error.headers)
    status, code, _ = row = row_of(error)
    if row is INTERNAL:
        _log.error("request %s failed", request_id, exc_info=error)
        return key_vault_error(status, code, INTERNAL_TEXT.format(request_id))
    reason = getattr(error, "reason", None) or _code_of(error) or code
    return key_vault_error(status, reason, str(error), None, retry_headers(error))


def _code_of(error: Exception) -> str | None:
    return next((CODES[ancestor] for ancestor in type(error).__mro__ if ancestor in CODES), None)
