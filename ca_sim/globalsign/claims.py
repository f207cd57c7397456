"""Domain claims: what an account may have certificates for, and how it shows that it controls a domain."""

import hmac
import secrets
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel

from ca_sim.book import Book
from ca_sim.clock import Clock
from ca_sim.globalsign.errors import UnknownError, UnprocessableError
from ca_sim.globalsign.settings import GlobalsignSettings
from ca_sim.identifiers import Identifier, check_name
from ca_sim.problems import ProblemError

ROOM = "globalsign-claim"
ASSERT_WITHIN = timedelta(days=30)
MOST_LOGGED = 20

Look = Callable[[str], Awaitable[Sequence[str]]]
"""Gives the texts that a domain shows. Raises ProblemError."""


class LogEntry(BaseModel):
    """What an assertion came to."""

    status: Literal["SUCCESS", "ERROR", "INFO"]
    description: str
    timestamp: datetime


class Claim(BaseModel):
    """A claim to a domain. The token is what the domain has to show by `assert_by`; verified, it holds until `expires_at`."""

    id: str
    account: str
    domain: str
    token: str
    created_at: datetime
    assert_by: datetime
    expires_at: datetime | None = None
    log: tuple[LogEntry, ...] = ()

    def holds(self, at: datetime) -> bool:
        """Whether it is verified, and not too long ago."""
        return self.expires_at is not None and at < self.expires_at

    def with_entry(self, status: Literal["SUCCESS", "ERROR", "INFO"], description: str, at: datetime) -> "Claim":
        """Write into its log."""
        entry = LogEntry(status=status, description=description, timestamp=at)
        return self.model_copy(update={"log": (*self.log, entry)[-MOST_LOGGED:]})


class Claims:
    """The claims of all accounts. `looks` has how a domain is looked at, by the last word of the assertion's path."""

    def __init__(self, book: Book, settings: GlobalsignSettings, clock: Clock, looks: dict[str, Look]) -> None:
        self._book = book
        self._settings = settings
        self._clock = clock
        self._looks = looks

    def submit(self, account: str, domain: str) -> Claim:
        """Claim a domain. Raises UnprocessableError for what is none, or claimed already."""
        name = _domain(domain)
        if any(claim.domain == name for claim in self.list_(account)):
            raise UnprocessableError(f"there is a claim to {name} already")
        at, token = self._clock(), secrets.token_urlsafe(24)
        claim_id = secrets.token_hex(8).upper()
        claim = Claim(id=claim_id, account=account, domain=name, token=token, created_at=at, assert_by=at + ASSERT_WITHIN)
        return self._keep(claim)

    def list_(self, account: str) -> list[Claim]:
        """List an account's claims, oldest first."""
        return [Claim.model_validate_json(body) for _, body in self._book.documents(ROOM, key=account)]

    def find(self, account: str, claim_id: str) -> Claim:
        """Give a claim of the account. Raises UnknownError."""
        body = self._book.document(ROOM, claim_id)
        claim = Claim.model_validate_json(body) if body else None
        if claim is None or claim.account != account:
            raise UnknownError("there is no such claim")
        return claim

    def delete(self, account: str, claim_id: str) -> None:
        """Give a claim up. Raises UnknownError."""
        self.find(account, claim_id)
        with self._book.transaction():
            self._book.delete_document(ROOM, claim_id)

    def reassert(self, account: str, claim_id: str) -> Claim:
        """Give a claim another token, and time to show it; what is verified holds on. Raises UnknownError."""
        claim, at = self.find(account, claim_id), self._clock()
        changed = {"token": secrets.token_urlsafe(24), "assert_by": at + ASSERT_WITHIN}
        return self._keep(claim.model_copy(update=changed).with_entry("INFO", "a new token was given", at))

    async def verify(self, account: str, claim_id: str, method: str, domain: str | None) -> bool:
        """Look whether the domain shows the token; say whether it does. Raises UnknownError, UnprocessableError."""
        claim = self.find(account, claim_id)
        look = self._looks.get(method)
        if look is None:
            raise UnprocessableError(f"there is no verification by {method} here, only by {', '.join(self._looks)}")
        if domain is not None and _domain(domain) != claim.domain:
            raise UnprocessableError(f"authorization_domain: the claim is to {claim.domain}")
        if self._clock() >= claim.assert_by:
            raise UnprocessableError("the time to assert this claim is over: reassert it")
        try:
            texts = await look(claim.domain)
            found = any(hmac.compare_digest(text.strip().encode(), claim.token.encode()) for text in texts)
            failure = f"by {method}, {claim.domain} does not show the token"
        except ProblemError as problem:
            found, failure = False, problem.detail
        return self._judge(account, claim_id, claim.token, failure="" if found else failure)

    def _judge(self, account: str, claim_id: str, token: str, failure: str) -> bool:
        claim, at = self.find(account, claim_id), self._clock()  # again: time went by
        if failure or claim.token != token:
            self._keep(claim.with_entry("ERROR", failure or "the token was exchanged meanwhile", at))
            return False
        expires_at = at + timedelta(days=self._settings.claim_days)
        self._keep(claim.model_copy(update={"expires_at": expires_at}).with_entry("SUCCESS", "domain claim verified", at))
        return True

    def check(self, account: str, names: Sequence[Identifier]) -> None:
        """Refuse names that the account has no verified claim to. Raises UnprocessableError."""
        at = self._clock()
        held = [claim.domain for claim in self.list_(account) if claim.holds(at)]
        claimed = (*self._settings.claimed_domains, *held)
        for name in names:
            if not any(_covers(domain, name.value.removeprefix("*.")) for domain in claimed):
                raise UnprocessableError(f"san: there is no verified domain claim for {name.value}")

    def _keep(self, claim: Claim) -> Claim:
        with self._book.transaction():
            self._book.put_document(ROOM, claim.id, claim.model_dump_json(), claim.account)
        return claim


def _domain(text: str) -> str:
    try:
        return check_name(text.lower().removesuffix("."))
    except ProblemError as problem:
        raise UnprocessableError(problem.detail) from problem


def _covers(domain: str, name: str) -> bool:
    return domain in ("*", name) or name.endswith("." + domain)
