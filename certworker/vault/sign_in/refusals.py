"""Why nobody gets a token: OAuth's word for it, and the number that Microsoft's provider gives it."""

from http import HTTPStatus

from certworker.errors import CertworkerError


class SignInRefused(CertworkerError):
    """A refusal of the identity provider. `error` is OAuth's word (RFC 6749 section 5.2), `number` that of AADSTS."""

    code = "sign_in_refused"

    def __init__(self, error: str, number: int, message: str, *, status: int = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(message)
        self.error = error
        self.number = number
        self.status = status


def invalid_grant(number: int, message: str) -> SignInRefused:
    """Say that what was shown for a token does not hold."""
    return SignInRefused("invalid_grant", number, message)


def invalid_client(number: int, message: str) -> SignInRefused:
    """Say that the application did not show that it is itself."""
    return SignInRefused("invalid_client", number, message, status=HTTPStatus.UNAUTHORIZED)


def invalid_request(number: int, message: str) -> SignInRefused:
    """Say that the request cannot work."""
    return SignInRefused("invalid_request", number, message)
