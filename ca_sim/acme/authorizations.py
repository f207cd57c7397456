"""What is done with authorizations: draw up, reuse, answer, validate, give up (RFC 8555 sections 7.1.4, 7.4.1 and 7.5)."""

import logging
import secrets
from collections.abc import Coroutine, Mapping, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Protocol

from ca_sim.acme.jose import key_authorization
from ca_sim.acme.objects import Account, Authorization, Challenge, Order, Status, Verdict
from ca_sim.acme.pauses import Pauses
from ca_sim.acme.rate_limits import RateLimits
from ca_sim.acme.wire import AskedIdentifier
from ca_sim.book import Book
from ca_sim.clock import Clock
from ca_sim.faults.engine import Faults
from ca_sim.faults.rules import FaultKind
from ca_sim.identifiers import Identifier, read_identifiers
from ca_sim.problems import (
    CaaError,
    ConnectionFailedError,
    MalformedError,
    NotFoundError,
    ProblemError,
    RejectedIdentifierError,
    UnauthorizedError,
)
from ca_sim.settings import Settings
from ca_sim.validation.caa import Caa
from ca_sim.validation.http01 import Validate

log = logging.getLogger(__name__)
DNS_01 = "dns-01"
LEAST_LEFT = timedelta(days=1)
"""An authorization that ends sooner is not reused, as at Let's Encrypt: the order could not be finished with it."""


class Worker(Protocol):
    """Runs work after the answer was sent."""

    def start(self, work: Coroutine[None, None, None], /) -> None:
        """Take the work and come back at once."""


class Authorizations:
    """The authorizations of one authority.

    `validators` has what validates each type of challenge that is offered; `random` decides which valid authorizations are
    reused where not all are. `caa` is where CAA records are looked at.
    """

    def __init__(
        self,
        book: Book,
        settings: Settings,
        clock: Clock,
        *,
        faults: Faults,
        validators: Mapping[str, Validate],
        caa: Caa | None = None,
        worker: Worker,
        random: Random,
        limits: RateLimits,
        pauses: Pauses,
    ) -> None:
        self._book = book
        self._settings = settings
        self._clock = clock
        self._faults = faults
        self._validators = validators
        self._caa = caa
        self._worker = worker
        self._random = random
        self._limits = limits
        self._pauses = pauses

    def check_identifiers(self, asked: Sequence[AskedIdentifier]) -> tuple[Identifier, ...]:
        """Give the identifiers of a request, each once, if each can be validated here. Raises the problem of an identifier."""
        pairs = [(identifier.type, identifier.value) for identifier in asked]
        return read_identifiers(pairs, blocked=self._settings.blocked_identifiers, check=self._check_offered)

    def _check_offered(self, identifier: Identifier) -> None:
        if not offered(self._validators, identifier):
            right = DNS_01 if identifier.is_wildcard else "http-01 or tls-alpn-01"
            raise RejectedIdentifierError(f"{identifier.value} cannot be validated here: that takes {right}")

    def draw_up(self, account: Account, identifiers: Sequence[Identifier], order_id: str) -> list[Authorization]:
        """Give an authorization for each identifier of an order: a valid one that the account has, or else a new one.

        The new ones are still to be written into the book.
        """
        return [self._reused(account, identifier) or self._new(account, identifier, order_id) for identifier in identifiers]

    def authorize_ahead(self, account: Account, asked: AskedIdentifier) -> Authorization:
        """Make a pending authorization before there is an order (section 7.4.1).

        Raises MalformedError for a wildcard name, which only an order can have, RateLimitedError, and the problem of an
        identifier.
        """
        (identifier,) = self.check_identifiers([asked])
        if identifier.is_wildcard:
            raise MalformedError("a wildcard name cannot be authorized ahead of its order", identifier=identifier.document())
        self._pauses.check(account, [identifier])
        authorization = self._new(account, identifier, "")
        self._record(authorization)
        return authorization

    def find(self, account: Account, authorization_id: str) -> Authorization:
        """Give an authorization of the account as it is now. Raises NotFoundError or UnauthorizedError."""
        authorization = self._book.authorization(authorization_id)
        if authorization is None:
            raise NotFoundError("there is no such authorization")
        if authorization.account_id != account.id:
            raise UnauthorizedError("this belongs to another account")
        return self._current(authorization)

    def of_order(self, order: Order) -> list[Authorization]:
        """List the authorizations of an order as they are now."""
        found = (self._book.authorization(part) for part in order.authorization_ids)
        return [self._current(authorization) for authorization in found if authorization is not None]

    def _current(self, authorization: Authorization) -> Authorization:
        current = authorization.as_of(self._clock())
        if current != authorization:
            self._record(current)
        return current

    def deactivate(self, account: Account, authorization_id: str) -> Authorization:
        """Give an authorization up (section 7.5.2); an order that needs it becomes invalid."""
        authorization = self.find(account, authorization_id).deactivated()
        self._record(authorization)
        return authorization

    def answer(self, account: Account, authorization_id: str, kind: str) -> Authorization:
        """Begin the validation of a challenge, once, however often it is asked for (section 7.5.1)."""
        before = self.find(account, authorization_id)
        after = before.answered(kind)
        if after != before:
            self._record(after)
            self._worker.start(self._validate(after, kind))
        return after

    def resume(self) -> None:
        """Take up the validations that the end of the last process cut off."""
        for authorization in self._book.authorizations_in_work():
            for challenge in authorization.challenges:
                if challenge.status is Status.PROCESSING and challenge.verdict is None:
                    self._worker.start(self._validate(authorization, challenge.type))

    def controls(self, account: Account, identifiers: Sequence[Identifier]) -> bool:
        """Whether the account holds valid authorizations for all of these."""
        return all(self._valid(account, identifier) for identifier in identifiers)

    def _valid(self, account: Account, identifier: Identifier) -> list[Authorization]:
        at = self._clock()
        held = self._book.valid_authorizations(account.id, identifier.base.value)
        return [found for found in held if found.covers(identifier) and found.as_of(at).status is Status.VALID]

    def _reused(self, account: Account, identifier: Identifier) -> Authorization | None:
        least = min(LEAST_LEFT, timedelta(seconds=self._settings.authorization_lifetime_seconds) / 10)
        until = self._clock() + least
        valid = [found for found in self._valid(account, identifier) if found.expires_at >= until]
        share = self._settings.acme.authorization_reuse
        if not valid or (share < 1 and self._random.random() >= share):
            return None
        return max(valid, key=lambda found: found.expires_at)

    def _new(self, account: Account, identifier: Identifier, order_id: str) -> Authorization:
        return Authorization(
            id=secrets.token_urlsafe(12),
            account_id=account.id,
            order_id=order_id,
            identifier=identifier.base,
            wildcard=identifier.is_wildcard,
            expires_at=self._clock() + timedelta(seconds=self._settings.order_lifetime_seconds),
            challenges=tuple(
                Challenge(type=kind, token=secrets.token_urlsafe(32)) for kind in offered(self._validators, identifier)
            ),
        )

    def _record(self, authorization: Authorization) -> None:
        with self._book.transaction():
            self._book.put_authorization(authorization)

    async def _validate(self, authorization: Authorization, kind: str) -> None:
        account = self._book.account(authorization.account_id)
        if account is None:
            return
        challenge = authorization.challenge(kind)
        problem: ProblemError | None = None
        try:
            self._fail_on_purpose(authorization)
            validate = self._validators[kind]
            await validate(authorization.identifier, challenge.token, key_authorization(challenge.token, account.jwk))
            await self._check_caa(authorization, kind)
        except ProblemError as error:
            problem = error
        except Exception:  # whatever went wrong, a challenge must not stay in processing for ever
            log.exception("validating %s", authorization.identifier.value)
            problem = ProblemError("the validation failed within the server")
        self._record_validation(authorization.id, kind, problem)

    async def _check_caa(self, authorization: Authorization, kind: str) -> None:
        if self._caa is not None:
            account_id, wildcard = authorization.account_id, authorization.wildcard
            await self._caa.check(authorization.identifier, challenge=kind, account_id=account_id, wildcard=wildcard)

    def _fail_on_purpose(self, authorization: Authorization) -> None:
        names = (authorization.identifier.value,)
        if self._faults.strike(FaultKind.CAA, "acme.validation", names):
            raise CaaError(f"CAA records of {names[0]} forbid this authority to issue")
        if self._faults.strike(FaultKind.VALIDATION, "acme.validation", names):
            raise ConnectionFailedError(f"no connection to {names[0]}")

    def _record_validation(self, authorization_id: str, kind: str, problem: ProblemError | None) -> None:
        authorization = self._book.authorization(authorization_id)
        if authorization is None:
            return
        at = self._clock()
        ready_at = at + timedelta(seconds=self._settings.validation.delay_seconds)
        valid_until = ready_at + timedelta(seconds=self._settings.authorization_lifetime_seconds)
        verdict = Verdict(ready_at=ready_at, valid_until=valid_until, problem=problem.document() if problem else None)
        settled = authorization.judged(kind, verdict).as_of(at)
        with self._book.transaction():
            self._book.put_authorization(settled)
            self._count(settled, is_valid=problem is None)
        log.info("%s of %s: %s", kind, authorization.identifier.value, problem.detail if problem else "valid")

    def _count(self, authorization: Authorization, *, is_valid: bool) -> None:
        account_id, identifier = authorization.account_id, authorization.identifier
        self._pauses.validated(account_id, identifier, is_valid=is_valid)
        if not is_valid:
            self._limits.failed(account_id, identifier)


def offered(kinds: Mapping[str, object], identifier: Identifier) -> list[str]:
    """Name the challenges for an identifier, of those that can be validated here.

    A wildcard is proven by dns-01 alone (RFC 8555 section 7.1.3), an address by all but dns-01 (RFC 8738 section 7).
    """
    if identifier.is_wildcard:
        return [kind for kind in kinds if kind == DNS_01]
    return [kind for kind in kinds if identifier.type != "ip" or kind != DNS_01]


def usable_until(authorizations: Sequence[Authorization], order_end: datetime) -> datetime:
    """Say when an order ends: with the first of its valid authorizations, if that is sooner."""
    return min([order_end, *(found.expires_at for found in authorizations if found.status is Status.VALID)])
