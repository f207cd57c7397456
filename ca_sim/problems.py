"""The problems that an ACME server tells its clients of (RFC 8555 section 6.7, RFC 7807).

ProblemError (serverInternal)
+-- MalformedError
|   +-- NotFoundError, MethodNotAllowedError, ConflictError, TooLargeError, UnsupportedMediaTypeError
+-- UnauthorizedError
|   +-- DeactivatedAccountError
+-- AccountDoesNotExistError, UserActionRequiredError, ExternalAccountRequiredError
+-- BadNonceError, BadSignatureAlgorithmError, BadPublicKeyError
+-- InvalidContactError, UnsupportedContactError
+-- RejectedIdentifierError, UnsupportedIdentifierError, InvalidProfileError
+-- OrderNotReadyError, BadCsrError, AlreadyReplacedError
+-- RateLimitedError
|   +-- BusyError
+-- AlreadyRevokedError, BadRevocationReasonError
+-- ConnectionFailedError, TlsError, DnsError, CaaError
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

PREFIX = "urn:ietf:params:acme:error:"
Document = dict[str, Any]
"""A problem document as JSON: type, detail, status, and identifier or subproblems where there are any."""


class ProblemError(Exception):
    """A request or a validation failed; `document()` is what the client reads.

    `identifier` is the ACME identifier object that this is about, `headers` go out with the answer, and `extra` holds
    further members of the document.
    """

    word: ClassVar[str] = "serverInternal"
    status: ClassVar[int] = 500

    def __init__(
        self,
        detail: str,
        *,
        identifier: Mapping[str, str] | None = None,
        subproblems: Sequence["ProblemError"] = (),
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.identifier = identifier
        self.subproblems = tuple(subproblems)
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})

    def document(self) -> Document:
        """Give the problem document, with its subproblems (RFC 8555 section 6.7.1)."""
        document: Document = {"type": PREFIX + self.word, "detail": self.detail, "status": self.status, **self.extra}
        if self.identifier is not None:
            document["identifier"] = dict(self.identifier)
        if self.subproblems:
            document["subproblems"] = [problem.document() for problem in self.subproblems]
        return document


class MalformedError(ProblemError):
    """The request message is malformed."""

    word = "malformed"
    status = 400


class NotFoundError(MalformedError):
    """There is nothing at this URL."""

    status = 404


class MethodNotAllowedError(MalformedError):
    """The resource is there, but not for this HTTP method (RFC 8555 section 6.3)."""

    status = 405


class ConflictError(MalformedError):
    """The new key of a key change belongs to an account already (RFC 8555 section 7.3.5)."""

    status = 409


class TooLargeError(MalformedError):
    """The body is larger than this server reads."""

    status = 413


class UnsupportedMediaTypeError(MalformedError):
    """The content type is not application/jose+json (RFC 8555 section 6.2)."""

    status = 415


class UnauthorizedError(ProblemError):
    """The client lacks sufficient authorization."""

    word = "unauthorized"
    status = 403


class DeactivatedAccountError(UnauthorizedError):
    """The account was deactivated (RFC 8555 section 7.3.6 wants 401)."""

    status = 401


class AccountDoesNotExistError(ProblemError):
    """The request named an account that does not exist."""

    word = "accountDoesNotExist"
    status = 400


class UserActionRequiredError(ProblemError):
    """The terms of service have not been agreed to."""

    word = "userActionRequired"
    status = 403


class ExternalAccountRequiredError(ProblemError):
    """The request has no externalAccountBinding, and this server wants one (RFC 8555 section 7.3.4)."""

    word = "externalAccountRequired"
    status = 403


class BadNonceError(ProblemError):
    """The nonce is unknown, used already or too old (RFC 8555 section 6.5)."""

    word = "badNonce"
    status = 400


class BadSignatureAlgorithmError(ProblemError):
    """The JWS was signed with an algorithm that this server does not take; `algorithms` lists those it does."""

    word = "badSignatureAlgorithm"
    status = 400


class BadPublicKeyError(ProblemError):
    """The JWS was signed with a public key that this server does not take."""

    word = "badPublicKey"
    status = 400


class InvalidContactError(ProblemError):
    """A contact URL of an account is invalid."""

    word = "invalidContact"
    status = 400


class UnsupportedContactError(ProblemError):
    """A contact URL of an account uses a scheme that this server does not take."""

    word = "unsupportedContact"
    status = 400


class RejectedIdentifierError(ProblemError):
    """The server will not issue for the identifier."""

    word = "rejectedIdentifier"
    status = 400


class UnsupportedIdentifierError(ProblemError):
    """The identifier is of a type that this server does not know."""

    word = "unsupportedIdentifier"
    status = 400


class InvalidProfileError(ProblemError):
    """The order names a profile that this server does not offer."""

    word = "invalidProfile"
    status = 400


class OrderNotReadyError(ProblemError):
    """The order was finalized before it was ready (RFC 8555 section 7.4)."""

    word = "orderNotReady"
    status = 403


class BadCsrError(ProblemError):
    """The CSR is unacceptable: a weak key, other names, a bad signature."""

    word = "badCSR"
    status = 400


class AlreadyReplacedError(ProblemError):
    """The certificate that an order replaces is replaced by another order already (RFC 9773 section 5)."""

    word = "alreadyReplaced"
    status = 409


class RateLimitedError(ProblemError):
    """A rate limit is exceeded (RFC 8555 section 6.6)."""

    word = "rateLimited"
    status = 429


class BusyError(RateLimitedError):
    """A rate limit is exceeded, and the server calls it its own load."""

    status = 503


class AlreadyRevokedError(ProblemError):
    """The certificate has been revoked already."""

    word = "alreadyRevoked"
    status = 400


class BadRevocationReasonError(ProblemError):
    """The reason code of a revocation is not one that this server takes."""

    word = "badRevocationReason"
    status = 400


class ConnectionFailedError(ProblemError):
    """The server could not connect to the validation target."""

    word = "connection"
    status = 400


class TlsError(ProblemError):
    """The server met a TLS error at the validation target."""

    word = "tls"
    status = 400


class DnsError(ProblemError):
    """The address of an identifier could not be found."""

    word = "dns"
    status = 400


class CaaError(ProblemError):
    """The CAA records of the identifier forbid this authority to issue (RFC 8659)."""

    word = "caa"
    status = 403


def problem_of_all(problems: Sequence[ProblemError]) -> ProblemError:
    """Give the one problem, or one that has several identifiers' as its subproblems (RFC 8555 section 6.7.1)."""
    if len(problems) == 1:
        return problems[0]
    same = {type(problem) for problem in problems}
    kind = same.pop() if len(same) == 1 else MalformedError
    return kind(f"{len(problems)} identifiers were refused", subproblems=problems)
