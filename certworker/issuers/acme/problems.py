"""What a CA says when something is wrong (RFC 8555 section 6.7), and what that means for an order."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from certworker.errors import CertworkerError, Unavailable
from certworker.vault.issuance import Rejected

PREFIX = "urn:ietf:params:acme:error:"
ISSUER_ERROR = "Certificate issuer error"
REQUEST_REJECTED = "Request rejected"
"""Key Vault's two words for an issuance that failed."""

REJECTING = frozenset(
    {"badCSR", "badPublicKey", "caa", "connection", "dns", "dnssec", "externalAccountRequired", "incorrectResponse"}
    | {"invalidContact", "invalidProfile", "rejectedIdentifier", "tls", "unauthorized", "unsupportedContact"}
    | {"unsupportedIdentifier", "userActionRequired"}
)
"""The CA refuses what was asked; all else is the CA's own trouble."""

CONFIGURATION = frozenset(
    {"badCSR", "caa", "externalAccountRequired", "invalidContact", "invalidProfile", "rejectedIdentifier"}
    | {"unsupportedContact", "unsupportedIdentifier", "userActionRequired"}
)
"""Trying again soon would change nothing."""

LONGEST_TEXT = 1000
LONGEST_WAIT = timedelta(days=7)
MAX_SUBPROBLEMS = 100
TOO_MANY_REQUESTS, SERVER_ERRORS, NOT_FOUND, SERVICE_UNAVAILABLE = 429, 500, 404, 503
_CHALLENGE_PATH = re.compile(r"(\.well-known/acme-challenge/)[\w.~%-]+")
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\s]+")
"""What would break a line, or turn its text round: a console shows it as the CA wants it read."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem document. `kind` is its type without ACME's prefix; `status` the HTTP status it came with, if it did."""

    kind: str
    detail: str = ""
    identifier: str | None = None
    subproblems: tuple["Problem", ...] = ()
    status: int = 0
    retry_after: str | None = None

    def all(self) -> Iterator["Problem"]:
        """Give this problem and those below it."""
        yield self
        for below in self.subproblems:
            yield from below.all()

    @property
    def passing(self) -> bool:
        """Whether it may be gone when the same is asked again."""
        return self.kind in ("rateLimited", "serverInternal", "badNonce") or (
            self.status == TOO_MANY_REQUESTS or self.status >= SERVER_ERRORS
        )

    def text(self) -> str:
        """Say it in one line."""
        own = self.detail or self.kind
        about = f"{self.identifier}: {own}" if self.identifier else own
        return "; ".join(dict.fromkeys([f"{about} ({self.kind})", *(below.text() for below in self.subproblems)]))


class AcmeProblem(CertworkerError):
    """The CA answered with a problem document."""

    code = "acme_problem"

    def __init__(self, problem: Problem, host: str) -> None:
        super().__init__(f"{host} answered: {problem.text()}")
        self.problem = problem


class Garbled(Unavailable):
    """The CA's answer makes no sense, or is no answer of an ACME server at all."""

    code = "garbled_answer"

    def __init__(self, message: str, status: int = 0, retry_after: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_header = retry_after


class NotOffered(CertworkerError):
    """The CA has no way to do what was asked."""

    code = "not_offered"


def read_problem(document: object, status: int = 0, retry_after: str | None = None, depth: int = 1) -> Problem | None:
    """Read a problem document; none where it is not one."""
    if not isinstance(document, Mapping) or not isinstance(document.get("type"), str):
        return None
    identifier, below = document.get("identifier"), document.get("subproblems")
    found = [read_problem(one, depth=depth - 1) for one in below[:MAX_SUBPROBLEMS]] if isinstance(below, list) and depth else []
    return Problem(
        kind=_line(document["type"].removeprefix(PREFIX)),
        detail=_line(_text(document.get("detail"))),
        identifier=_line(_text(identifier.get("value"))) or None if isinstance(identifier, Mapping) else None,
        subproblems=tuple(problem for problem in found if problem),
        status=status,
        retry_after=retry_after,
    )


def verdict(problems: Iterable[Problem], secrets: Iterable[str] = ()) -> Rejected:
    """Tell what problems mean for the order. `secrets` (challenge tokens) are cut out of the CA's words."""
    problems = list(problems)
    kinds = {one.kind for problem in problems for one in problem.all()}
    text = "; ".join(dict.fromkeys(problem.text() for problem in problems))
    code = REQUEST_REJECTED if kinds & REJECTING else ISSUER_ERROR
    return Rejected(code, clean(text, secrets), configuration=bool(kinds & CONFIGURATION))


def clean(text: str, secrets: Iterable[str] = ()) -> str:
    """Make a CA's words fit for a journal: one line, not too long, without the tokens of challenges."""
    for secret in secrets:
        text = text.replace(secret, "...")
    text = _CHALLENGE_PATH.sub(r"\1...", text)
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "..."


def retry_time(header: str | None, at: datetime) -> datetime | None:
    """Read a Retry-After header (RFC 9110 section 10.2.3), seconds or a date; never before `at`, nor a week after it."""
    wait = _wait(header.strip(), at) if header else None
    return None if wait is None else at + min(max(wait, timedelta()), LONGEST_WAIT)


def _wait(header: str, at: datetime) -> timedelta | None:
    if header.isascii() and header.isdigit():
        return timedelta(seconds=int(header)) if len(header) < len("1000000000") else LONGEST_WAIT
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return None
    return date - at if date.tzinfo else None


def _text(value: Any) -> str:  # noqa: ANN401 - whatever JSON held
    return value if isinstance(value, str) else ""


def _line(text: str) -> str:
    return _UNSEEN.sub(" ", text[: LONGEST_TEXT * 4]).strip()
