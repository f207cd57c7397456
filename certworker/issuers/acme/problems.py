"""What a CA says when something is wrong (RFC 8555 section 6.7), and what that means for an order."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from certworker.errors import CertworkerError
from certworker.issuers import wording
from certworker.issuers.wording import ISSUER_ERROR, REQUEST_REJECTED, Garbled, one_line, retry_time, trouble_of_status
from certworker.vault.issuance import Rejected, Trouble

__all__ = [
    "ISSUER_ERROR",
    "NOT_FOUND",
    "REQUEST_REJECTED",
    "SERVICE_UNAVAILABLE",
    "AcmeProblem",
    "Garbled",
    "NotOffered",
    "Problem",
    "clean",
    "read_problem",
    "retry_time",
    "verdict",
]

PREFIX = "urn:ietf:params:acme:error:"
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

MAX_SUBPROBLEMS = 100
TOO_MANY_REQUESTS, SERVER_ERRORS, NOT_FOUND, SERVICE_UNAVAILABLE = 429, 500, 404, 503
_ABOUT_NAMES = re.compile(r"exact set|already issued for|failed authorizations|failed validations|is paused", re.IGNORECASE)
"""What CAs say of a limit that is not the whole account's; RFC 8555 section 6.6 has no word for it."""
_CHALLENGE_PATH = re.compile(r"(\.well-known/acme-challenge/)[\w.~%-]+")


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

    @property
    def trouble(self) -> Trouble | None:
        """What it tells of the CA as a whole: a limit on one name, or one set of names, is no trouble of others."""
        if self.kind == "rateLimited" or self.status == TOO_MANY_REQUESTS:
            return None if self._is_about_names() else Trouble.THROTTLED
        if self.kind == "badNonce":
            return None
        return trouble_of_status(self.status) or (Trouble.OUTAGE if self.kind == "serverInternal" else None)

    def _is_about_names(self) -> bool:
        return any(one.identifier or _ABOUT_NAMES.search(one.detail) for one in self.all())

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
        kind=one_line(document["type"].removeprefix(PREFIX)),
        detail=one_line(_text(document.get("detail"))),
        identifier=one_line(_text(identifier.get("value"))) or None if isinstance(identifier, Mapping) else None,
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
    """Make a CA's words fit for a journal: not too long, without the tokens of challenges."""
    return wording.clean(_CHALLENGE_PATH.sub(r"\1...", text), secrets)


def _text(value: Any) -> str:  # noqa: ANN401 - whatever JSON held
    return value if isinstance(value, str) else ""
