"""What is done with orders and authorizations: place, answer, validate, finalize, issue (RFC 8555 sections 7.4, 7.5)."""

import logging
import secrets
from collections.abc import Coroutine, Sequence
from datetime import timedelta
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ca_sim.acme.jose import key_authorization, public_jwk
from ca_sim.acme.objects import Account, Authorization, Challenge, Order, Status
from ca_sim.acme.wire import NewOrder
from ca_sim.book import Book
from ca_sim.certificates import Certificate
from ca_sim.clock import Clock
from ca_sim.csr import check_csr
from ca_sim.faults.engine import Faults
from ca_sim.faults.rules import FaultKind
from ca_sim.identifiers import Identifier, read_identifiers
from ca_sim.issuing import Application, Issuing
from ca_sim.problems import (
    BadCsrError,
    CaaError,
    ConnectionFailedError,
    InvalidProfileError,
    MalformedError,
    NotFoundError,
    ProblemError,
    UnauthorizedError,
)
from ca_sim.settings import Settings
from ca_sim.validation.http01 import Validate

log = logging.getLogger(__name__)


class Worker(Protocol):
    """Runs work after the answer was sent."""

    def start(self, work: Coroutine[None, None, None], /) -> None:
        """Take the work and come back at once."""


class Orders:
    """The orders of one authority and their authorizations.

    `validators` has what validates each type of challenge that is offered.
    """

    def __init__(
        self,
        book: Book,
        issuing: Issuing,
        settings: Settings,
        clock: Clock,
        *,
        faults: Faults,
        validators: dict[str, Validate],
        worker: Worker,
    ) -> None:
        self._book = book
        self._issuing = issuing
        self._faults = faults
        self._settings = settings
        self._clock = clock
        self._validators = validators
        self._worker = worker

    def place(self, account: Account, request: NewOrder) -> Order:
        """Place an order with a pending authorization for each identifier (section 7.4).

        Raises MalformedError, InvalidProfileError or the problem of an identifier.
        """
        if request.not_before is not None or request.not_after is not None:
            raise MalformedError("notBefore and notAfter are not taken here: the profile says how long")
        profile = request.profile if request.profile is not None else self._settings.profile_of_default
        if profile not in self._settings.profiles:
            choice = ", ".join(self._settings.profiles)
            raise InvalidProfileError(f"there is no profile {profile!r}: use one of {choice}")
        asked = [(identifier.type, identifier.value) for identifier in request.identifiers]
        identifiers = read_identifiers(asked, blocked=self._settings.blocked_identifiers)
        order, authorizations = self._draw_up(account, identifiers, profile)
        with self._book.transaction():
            self._book.put_order(order)
            for authorization in authorizations:
                self._book.put_authorization(authorization)
        log.info("order %s placed for %s", order.id, ", ".join(identifier.value for identifier in identifiers))
        return order

    def _draw_up(self, account: Account, identifiers: Sequence[Identifier], profile: str) -> tuple[Order, list[Authorization]]:
        at = self._clock()
        order_id = secrets.token_urlsafe(12)
        expires_at = at + timedelta(seconds=self._settings.order_lifetime_seconds)
        authorizations = [
            Authorization(
                id=secrets.token_urlsafe(12),
                account_id=account.id,
                order_id=order_id,
                identifier=identifier,
                expires_at=expires_at,
                challenges=tuple(Challenge(type=kind, token=secrets.token_urlsafe(32)) for kind in self._validators),
            )
            for identifier in identifiers
        ]
        order = Order(
            id=order_id,
            account_id=account.id,
            identifiers=tuple(identifiers),
            profile=profile,
            authorization_ids=tuple(authorization.id for authorization in authorizations),
            created_at=at,
            expires_at=expires_at,
        )
        return order, authorizations

    def find(self, account: Account, order_id: str) -> Order:
        """Give an order of the account as it is now. Raises NotFoundError or UnauthorizedError."""
        order = self._book.order(order_id)
        if order is None:
            raise NotFoundError("there is no such order")
        _check_owner(account, order.account_id)
        return self.current(order)

    def of_account(self, account: Account, *, after: int) -> list[tuple[int, Order]]:
        """List a page of an account's orders with their numbers (section 7.1.2.1)."""
        return self._book.orders(account_id=account.id, after=after, limit=self._settings.orders_per_page)

    def authorization(self, account: Account, authorization_id: str) -> Authorization:
        """Give an authorization of the account as it is now. Raises NotFoundError or UnauthorizedError."""
        authorization = self._book.authorization(authorization_id)
        if authorization is None:
            raise NotFoundError("there is no such authorization")
        _check_owner(account, authorization.account_id)
        return authorization.as_of(self._clock())

    def deactivate(self, account: Account, authorization_id: str) -> Authorization:
        """Give an authorization up (section 7.5.2); an order that needs it becomes invalid."""
        authorization = self.authorization(account, authorization_id).deactivated()
        self._record(authorization)
        return authorization

    def answer(self, account: Account, authorization_id: str, kind: str) -> Authorization:
        """Begin the validation of a challenge, once, however often it is asked for (section 7.5.1)."""
        before = self.authorization(account, authorization_id)
        after = before.answered(kind)
        if after != before:
            self._record(after)
            self._worker.start(self._validate(after, kind))
        return after

    def finalize(self, account: Account, order_id: str, csr_der: bytes) -> Order:
        """Take the CSR of a ready order and begin to issue (section 7.4).

        Raises OrderNotReadyError, or BadCsrError, after which the order is still ready.
        """
        order = self.find(account, order_id)
        order.finalized("", None)  # says whether it is ready before the CSR is looked at
        csr = _read_csr(csr_der)
        request = check_csr(csr, order.identifiers)
        if self._book.account_of_key(public_jwk(request.public_key)) is not None:
            raise BadCsrError("the CSR's key is the key of an account")  # section 11.1
        at = self._clock()
        names = tuple(identifier.value for identifier in order.identifiers)
        ready_at = self._issuing.ready_at("acme.issue", names, at, timedelta(seconds=self._settings.acme.issue_seconds))
        order = order.finalized(csr.public_bytes(Encoding.PEM).decode("ascii"), ready_at)
        with self._book.transaction():
            self._book.put_order(order)
        return order

    def resume(self) -> None:
        """Take up the validations that the end of the last process cut off."""
        for authorization in self._book.authorizations_in_work():
            for challenge in authorization.challenges:
                if challenge.status is Status.PROCESSING:
                    self._worker.start(self._validate(authorization, challenge.type))

    def current(self, order: Order) -> Order:
        """Give an order as the time and its authorizations make it, and remember what changed."""
        changed = self._refreshed(order)
        if changed.is_due(self._clock()):
            return self._issue(changed)
        if changed != order:
            with self._book.transaction():
                self._book.put_order(changed)
        return changed

    def _refreshed(self, order: Order) -> Order:
        at = self._clock()
        found = (self._book.authorization(part) for part in order.authorization_ids)
        return order.as_of(at, [authorization.as_of(at) for authorization in found if authorization is not None])

    def _record(self, authorization: Authorization) -> None:
        with self._book.transaction():
            self._book.put_authorization(authorization)
            order = self._book.order(authorization.order_id)
            if order is not None:
                self._book.put_order(self._refreshed(order))

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
        except ProblemError as error:
            problem = error
        except Exception:  # whatever went wrong, a challenge must not stay in processing for ever
            log.exception("validating %s", authorization.identifier.value)
            problem = ProblemError("the validation failed within the server")
        self._record_validation(authorization.id, kind, problem)

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
        authorization = authorization.as_of(at)
        if problem is None:
            lifetime = timedelta(seconds=self._settings.authorization_lifetime_seconds)
            self._record(authorization.validated(kind, at=at, lifetime=lifetime))
        else:
            self._record(authorization.failed(kind, problem.document()))
        log.info("%s of %s: %s", kind, authorization.identifier.value, problem.detail if problem else "valid")

    def _issue(self, order: Order) -> Order:
        try:
            certificate = self._sign(order)
        except ProblemError as problem:
            failure = order.failed(problem.document())
        except Exception:  # whatever went wrong, an order must not stay in processing for ever
            log.exception("issuing for order %s", order.id)
            failure = order.failed(ProblemError("the issuance failed within the server").document())
        else:
            order = order.issued(certificate.serial)
            with self._book.transaction():
                self._book.put_certificate(certificate)
                self._book.put_order(order)
            log.info("order %s: certificate %s issued", order.id, certificate.serial)
            return order
        with self._book.transaction():
            self._book.put_order(failure)
        return failure

    def _sign(self, order: Order) -> Certificate:
        profile = self._settings.profiles.get(order.profile)
        if profile is None:
            raise InvalidProfileError(f"the profile {order.profile!r} is not offered any more")
        request = check_csr(x509.load_pem_x509_csr((order.csr or "").encode("ascii")), order.identifiers)
        validity = timedelta(seconds=profile.validity_seconds)
        return self._issuing.issue(
            Application(
                api="acme",
                account_id=order.account_id,
                order_id=order.id,
                request=request,
                identifiers=order.identifiers,
                profile=order.profile,
                validity=validity,
            )
        )


def _read_csr(der: bytes) -> x509.CertificateSigningRequest:
    try:
        return x509.load_der_x509_csr(der)
    except ValueError as error:
        raise BadCsrError("the CSR is not DER of a PKCS #10 request") from error


def _check_owner(account: Account, owner_id: str) -> None:
    if account.id != owner_id:
        raise UnauthorizedError("this belongs to another account")
