"""What is done with orders and authorizations: place, answer, validate, finalize, issue (RFC 8555 sections 7.4, 7.5)."""

import logging
import secrets
from collections.abc import Sequence
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ca_sim.acme.authorizations import Authorizations, usable_until
from ca_sim.acme.jose import public_jwk
from ca_sim.acme.objects import Account, Authorization, Order
from ca_sim.acme.wire import NewOrder
from ca_sim.book import Book
from ca_sim.certificates import Certificate
from ca_sim.clock import Clock
from ca_sim.csr import check_csr
from ca_sim.identifiers import Identifier
from ca_sim.issuing import Application, Issuing
from ca_sim.problems import (
    BadCsrError,
    InvalidProfileError,
    MalformedError,
    NotFoundError,
    ProblemError,
    UnauthorizedError,
)
from ca_sim.settings import Settings

log = logging.getLogger(__name__)


class Orders:
    """The orders of one authority."""

    def __init__(
        self,
        book: Book,
        issuing: Issuing,
        settings: Settings,
        clock: Clock,
        *,
        authorizations: Authorizations,
    ) -> None:
        self._book = book
        self._issuing = issuing
        self._settings = settings
        self._clock = clock
        self._authorizations = authorizations

    def place(self, account: Account, request: NewOrder) -> Order:
        """Place an order with an authorization for each identifier (section 7.4).

        Raises MalformedError, InvalidProfileError or the problem of an identifier.
        """
        if request.not_before is not None or request.not_after is not None:
            raise MalformedError("notBefore and notAfter are not taken here: the profile says how long")
        profile = request.profile if request.profile is not None else self._settings.profile_of_default
        if profile not in self._settings.profiles:
            choice = ", ".join(self._settings.profiles)
            raise InvalidProfileError(f"there is no profile {profile!r}: use one of {choice}")
        identifiers = self._authorizations.check_identifiers(request.identifiers)
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
        authorizations = self._authorizations.draw_up(account, identifiers, order_id)
        end = usable_until(authorizations, at + timedelta(seconds=self._settings.order_lifetime_seconds))
        order = Order(
            id=order_id,
            account_id=account.id,
            identifiers=tuple(identifiers),
            profile=profile,
            authorization_ids=tuple(authorization.id for authorization in authorizations),
            created_at=at,
            expires_at=end,
        )
        return order.as_of(at, authorizations), authorizations

    def find(self, account: Account, order_id: str) -> Order:
        """Give an order of the account as it is now. Raises NotFoundError or UnauthorizedError."""
        order = self._book.order(order_id)
        if order is None:
            raise NotFoundError("there is no such order")
        if order.account_id != account.id:
            raise UnauthorizedError("this belongs to another account")
        return self.current(order)

    def of_account(self, account: Account, *, after: int) -> list[tuple[int, Order]]:
        """List a page of an account's orders with their numbers (section 7.1.2.1)."""
        return self._book.orders(account_id=account.id, after=after, limit=self._settings.orders_per_page)

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
