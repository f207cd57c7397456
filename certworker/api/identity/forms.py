"""Forms: what clients and browsers send, and what clients show in them."""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, unquote_plus

from starlette.requests import Request

from certworker.api.bodies import read_body
from certworker.api.errors import Incomplete, TooLarge
from certworker.api.identity.refusals import OAuthError
from certworker.vault.sign_in.clients import Shown

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_MAX_FORM: Final = 64 * 1024
_MOST_FIELDS: Final = 64
_NUL: Final = "\0"

Form = Mapping[str, str]


async def read_form(request: Request) -> Form:
    """Read a form; of several fields of one name, the first. Raises OAuthError."""
    try:
        body = await read_body(request, _MAX_FORM)
        return parse_form(body.decode())
    except TooLarge as error:
        raise OAuthError("invalid_request", 90100, str(error), status=413) from None
    except Incomplete as error:
        raise OAuthError("invalid_request", 90100, str(error), status=408) from None
    except ValueError:
        raise OAuthError("invalid_request", 90100, "The request body is not a form in UTF-8.") from None


def parse_form(text: str) -> Form:
    """Read a form, or a query string. Raises ValueError."""
    found = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    if any(_NUL in value for field in found for value in field):
        raise ValueError("a form holds no null character, which no database keeps")
    return dict(reversed(found))


def needed(form: Form, name: str) -> str:
    """Give a field that must be there. Raises OAuthError."""
    if not form.get(name):
        raise OAuthError("invalid_request", 900144, f"The request body must contain the following parameter: '{name}'.")
    return form[name]


def shown_by(request: Request, form: Form) -> Shown:
    """Read what a client shows: in the form, or by HTTP Basic, each part form-encoded first (RFC 6749 section 2.3.1)."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        return _by_basic(value)
    assertion = form.get("client_assertion")
    if assertion and form.get("client_assertion_type") != ASSERTION_TYPE:
        raise OAuthError("invalid_request", 900144, f"client_assertion_type must be {ASSERTION_TYPE}.")
    return Shown(needed(form, "client_id"), form.get("client_secret") or None, assertion or None)


def is_basic(request: Request) -> bool:
    """Tell whether a client shows its id and secret by HTTP Basic."""
    return request.headers.get("authorization", "")[:6].lower() == "basic "


def _by_basic(value: str) -> Shown:
    try:
        client_id, colon, secret = b64decode(value.strip(), validate=True).decode().partition(":")
    except (Base64Error, UnicodeDecodeError):
        colon = ""
    client_id, secret = (unquote_plus(client_id), unquote_plus(secret)) if colon else ("", "")
    if not client_id or _NUL in client_id:
        text = "The Authorization header holds no client id and secret."
        raise OAuthError("invalid_client", 7000216, text, status=401, basic=True)
    return Shown(client_id, secret)
