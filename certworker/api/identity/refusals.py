"""Refusals in OAuth's shape (RFC 6749 section 5.2), with the numbers that Microsoft's provider gives them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from types import MappingProxyType

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from certworker.errors import Unavailable
from certworker.vault.sign_in.refusals import SignInRefused

NO_STORE: Mapping[str, str] = MappingProxyType({"Cache-Control": "no-store, no-cache", "Pragma": "no-cache"})
_RETRY_SECONDS = 5


class OAuthError(SignInRefused):
    """A refusal of the door itself. `basic` asks for the client's id and secret by HTTP Basic."""

    def __init__(self, error: str, number: int, message: str, *, status: int = 400, basic: bool = False) -> None:
        super().__init__(error, number, message, status=status)
        self.basic = basic


def refusal_of(error: Exception) -> SignInRefused:
    """Say any exception in OAuth's terms; what is ours tells the caller nothing."""
    match error:
        case SignInRefused():
            return error
        case Unavailable():
            return OAuthError("temporarily_unavailable", 90033, str(error), status=503)
        case HTTPException(status_code=405):
            return OAuthError("invalid_request", 900561, "The method is not allowed here.", status=405)
    return OAuthError("server_error", 90000, "The service met an error of its own; its log tells more.", status=500)


def refusal_response(refusal: SignInRefused, request_id: str, at: datetime) -> Response:
    """Render a refusal for a program."""
    content = {
        "error": refusal.error,
        "error_description": f"AADSTS{refusal.number}: {refusal}",
        "error_codes": [refusal.number],
        "timestamp": f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}",
        "trace_id": request_id,
        "correlation_id": request_id,
    }
    headers = dict(NO_STORE)
    if isinstance(refusal, OAuthError) and refusal.basic:
        headers["WWW-Authenticate"] = 'Basic realm="token"'
    if refusal.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(_RETRY_SECONDS)
    return JSONResponse(content, refusal.status, headers)
