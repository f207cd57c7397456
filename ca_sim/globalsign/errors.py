"""How this API refuses: a status, and `{"description": one line}` as a problem document.

AtlasError
+-- BadRequestError, NotAuthorizedError, ForbiddenError, UnknownError
+-- UnprocessableError
+-- TooManyRequestsError
"""

import json
from collections.abc import Mapping
from typing import ClassVar

PROBLEM = "application/problem+json"


class AtlasError(Exception):
    """A request failed; `headers` go out with the answer."""

    status: ClassVar[int] = 500

    def __init__(self, description: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(description)
        self.description = description
        self.headers = dict(headers or {})


class BadRequestError(AtlasError):
    """The body cannot be read."""

    status = 400


class NotAuthorizedError(AtlasError):
    """The log-in failed, or the token is missing, unknown or too old."""

    status = 401


class ForbiddenError(AtlasError):
    """The client certificate is not one that is let in."""

    status = 403


class UnknownError(AtlasError):
    """There is no such thing, or none of this account."""

    status = 404


class UnprocessableError(AtlasError):
    """The request is against the validation policy, or cannot be carried out."""

    status = 422


class TooManyRequestsError(AtlasError):
    """The account's requests of this second are used up."""

    status = 429


def refusal(_status: int, description: str) -> tuple[str, bytes]:
    """Write an error as this API does: content type and body."""
    return PROBLEM, json.dumps({"description": description}).encode()
