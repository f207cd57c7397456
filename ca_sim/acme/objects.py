"""The objects of ACME and how their states change (RFC 8555 section 7.1). Pure: no I/O, no clock, `at` is passed in.

Every change gives a new object; what is not allowed raises a problem of `ca_sim.problems`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

from ca_sim.identifiers import Identifier
from ca_sim.problems import (
    Document,
    MalformedError,
    NotFoundError,
    OrderNotReadyError,
    UnauthorizedError,
)


class Status(StrEnum):
    """The states of accounts, orders, authorizations and challenges, in the words of RFC 8555."""

    PENDING = "pending"
    READY = "ready"
    PROCESSING = "processing"
    VALID = "valid"
    INVALID = "invalid"
    DEACTIVATED = "deactivated"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account: a public key that may order (section 7.1.2). `jwk` has the members that its thumbprint is made of.

    `external_account_binding` is the JWS that bound it to an external account, as it came (section 7.3.4).
    """

    id: str
    jwk: dict[str, str]
    created_at: datetime
    contacts: tuple[str, ...] = ()
    status: Status = Status.VALID
    external_account_binding: Document | None = None

    def deactivated(self) -> Self:
        """Close the account for good (section 7.3.6)."""
        return replace(self, status=Status.DEACTIVATED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a validation found, and when it shows. `problem` is None where the challenge was met.

    The authorization is then valid until `valid_until`.
    """

    ready_at: datetime
    valid_until: datetime
    problem: Document | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """One way to prove control of an identifier (sections 7.1.5 and 8). It is in work until its verdict shows."""

    type: str
    token: str
    status: Status = Status.PENDING
    validated_at: datetime | None = None
    error: Document | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """An account's right to order for one identifier (section 7.1.4).

    That of a wildcard name has the name without `*.` as its identifier, and `wildcard`. `order_id` is the order that it was
    made for, empty when it came before any order; others may use it as well.
    """

    id: str
    account_id: str
    order_id: str
    identifier: Identifier
    expires_at: datetime
    challenges: tuple[Challenge, ...]
    status: Status = Status.PENDING
    wildcard: bool = False

    def covers(self, identifier: Identifier) -> bool:
        """Whether it is for this identifier of an order."""
        return identifier == (self.identifier.as_wildcard if self.wildcard else self.identifier)

    def challenge(self, kind: str) -> Challenge:
        """Give the challenge of this type. Raises NotFoundError."""
        for challenge in self.challenges:
            if challenge.type == kind:
                return challenge
        raise NotFoundError(f"the authorization has no {kind} challenge")

    def as_of(self, at: datetime) -> Self:
        """Let the time pass: a verdict shows, and a pending or valid authorization expires (section 7.1.6)."""
        for challenge in self.challenges:
            verdict = challenge.verdict
            if challenge.status is Status.PROCESSING and verdict is not None and verdict.ready_at <= at:
                return self._settled(challenge.type, verdict).as_of(at)
        if self.status in {Status.PENDING, Status.VALID} and at >= self.expires_at:
            return replace(self, status=Status.EXPIRED)
        return self

    def _settled(self, kind: str, verdict: Verdict) -> Self:
        too_late = self.status is Status.PENDING and verdict.ready_at >= self.expires_at
        then = replace(self, status=Status.EXPIRED) if too_late else self
        if verdict.problem is not None:
            return then.failed(kind, verdict.problem)
        return then.validated(kind, at=verdict.ready_at, lifetime=verdict.valid_until - verdict.ready_at)

    def answered(self, kind: str) -> Self:
        """Take the client's word that the challenge is prepared (section 7.5.1); a second time changes nothing.

        Nor does it where the authorization is valid already: clients that meet one which is used again answer all the same.
        Raises MalformedError when it is over.
        """
        challenge = self.challenge(kind)
        if challenge.status is not Status.PENDING or self.status is Status.VALID:
            return self
        if self.status is not Status.PENDING:
            raise MalformedError(f"the authorization is {self.status}: its challenges are closed")
        return self._with(replace(challenge, status=Status.PROCESSING))

    def judged(self, kind: str, verdict: Verdict) -> Self:
        """Record what the validation found; it shows when its time has come."""
        return self._with(replace(self.challenge(kind), verdict=verdict))

    def validated(self, kind: str, *, at: datetime, lifetime: timedelta) -> Self:
        """Record that the challenge was met: the authorization is valid for `lifetime` from now."""
        challenge = replace(self.challenge(kind), status=Status.VALID, validated_at=at)
        changed = self._with(challenge)
        if self.status is not Status.PENDING:
            return changed  # deactivated or expired while the validation ran: that stands
        return replace(changed, status=Status.VALID, expires_at=at + lifetime)

    def failed(self, kind: str, problem: Document) -> Self:
        """Record that the challenge was not met: challenge and authorization are invalid."""
        changed = self._with(replace(self.challenge(kind), status=Status.INVALID, error=problem))
        return replace(changed, status=Status.INVALID) if self.status is Status.PENDING else changed

    def deactivated(self) -> Self:
        """Give the authorization up (section 7.5.2). Raises MalformedError when it is over already."""
        if self.status not in {Status.PENDING, Status.VALID}:
            raise MalformedError(f"the authorization is {self.status} and cannot be deactivated")
        return replace(self, status=Status.DEACTIVATED)

    def _with(self, changed: Challenge) -> Self:
        kept = (changed if challenge.type == changed.type else challenge for challenge in self.challenges)
        return replace(self, challenges=tuple(kept))


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A request for one certificate (section 7.1.3).

    `csr` is PEM, `serial` the hexadecimal one of what was issued. `ready_at` is when an order in work is issued; one that has
    none is stuck. `not_before` and `not_after` are what the client asked for, `replaces` is the identifier of a certificate as
    RFC 9773 has it.
    """

    id: str
    account_id: str
    identifiers: tuple[Identifier, ...]
    profile: str
    authorization_ids: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    status: Status = Status.PENDING
    error: Document | None = None
    csr: str | None = None
    serial: str | None = None
    ready_at: datetime | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None
    replaces: str | None = None

    def as_of(self, at: datetime, authorizations: Sequence[Authorization]) -> Self:
        """Follow the authorizations and the time (section 7.1.6); an order in work or finished stays as it is."""
        if self.status not in {Status.PENDING, Status.READY}:
            return self
        if at >= self.expires_at:
            return self.failed(MalformedError("the order expired before it was finalized").document())
        states = {authorization.status for authorization in authorizations}
        if not states <= {Status.PENDING, Status.VALID}:
            return self.failed(_why(authorizations))
        return replace(self, status=Status.READY) if states == {Status.VALID} else self

    def is_due(self, at: datetime) -> bool:
        """Whether the time to issue has come."""
        return self.status is Status.PROCESSING and self.ready_at is not None and self.ready_at <= at

    def finalized(self, csr: str, ready_at: datetime | None) -> Self:
        """Take the CSR: issuance is under way (section 7.4). Raises OrderNotReadyError."""
        if self.status is not Status.READY:
            raise OrderNotReadyError(f"the order is {self.status}, not ready")
        return replace(self, status=Status.PROCESSING, csr=csr, ready_at=ready_at)

    def issued(self, serial: str) -> Self:
        """Record the certificate: the order is valid."""
        return replace(self, status=Status.VALID, serial=serial)

    def failed(self, problem: Document) -> Self:
        """Record why there will be no certificate: the order is invalid."""
        return replace(self, status=Status.INVALID, error=problem)


def _why(authorizations: Sequence[Authorization]) -> Document:
    for authorization in authorizations:
        name = authorization.identifier
        for challenge in authorization.challenges:
            if challenge.error is not None:
                return {**challenge.error, "identifier": name.document()}
        if authorization.status not in {Status.PENDING, Status.VALID}:
            detail = f"the authorization of {name.value} is {authorization.status}"
            return UnauthorizedError(detail, identifier=name.document()).document()
    return UnauthorizedError("an authorization is not valid").document()
