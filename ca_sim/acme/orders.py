"""What is done with orders: place, finalize, issue (RFC 8555 section 7.4)."""

import hashlib
import json
import logging
import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ca_sim.acme.authorizations import Authorizations, usable_until
from ca_sim.acme.dates import check_dates, read_time
from ca_sim.acme.jose import public_jwk
from ca_sim.acme.objects import Account, Authorization, Order, Status
from ca_sim.acme.pauses import Pauses
from ca_sim.acme.rate_limits import RateLimits
from ca_sim.acme.renewal_info import Renewals
from ca_sim.acme.wire import NewOrder
from ca_sim.book import Book
from ca_sim.certificates import Certificate
from ca_sim.clock import Clock
from ca_sim.csr import check_csr, read_csr
from ca_sim.issuing import Application, Issuing
from ca_sim.problems import (
    AlreadyReplacedError,
    BadCsrError,
    InvalidProfileError,
    MalformedError,
    NotFoundError,
    ProblemError,
    UnauthorizedError,
)
from ca_sim.settings import Settings

log = logging.getLogger(__name__)
OPEN_ORDERS = "acme.open-order"
REPLACEMENTS = "acme.replacement"


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
        renewals: Renewals,
        limits: RateLimits,
        pauses: Pauses,
    ) -> None:
        self._book = book
        self._issuing = issuing
        self._settings = settings
        self._clock = clock
        self._authorizations = authorizations
        self._renewals = renewals
        self._limits = limits
        self._pauses = pauses

    def place(self, account: Account, request: NewOrder) -> Order:
        """Place an order with an authorization for each identifier (section 7.4), or give the open one that is the same.

        Raises MalformedError, InvalidProfileError, UnauthorizedError, AlreadyReplacedError, RateLimitedError or the problem of
        an identifier.
        """
        asked = self._read(account, request)
        self._pauses.check(account, asked.identifiers)
        replaced = None
        if asked.replaces is not None:
            replaced = self._renewals.replaced_by(account, asked.replaces, asked.identifiers)
        if (known := self._open_order(asked)) is not None:
            return known
        if replaced is not None:
            self._check_not_replaced(replaced.serial)
        self._limits.check_order(account, asked.identifiers, replaces=replaced is not None)
        authorizations = self._authorizations.draw_up(account, asked.identifiers, asked.id)
        order = _drawn_up(asked, authorizations)
        with self._book.transaction():
            self._book.put_order(order)
            for authorization in authorizations:
                self._book.put_authorization(authorization)
            self._book.put_document(OPEN_ORDERS, _mark(order), order.id)
            if replaced is not None:
                self._book.put_document(REPLACEMENTS, replaced.serial, order.id)
            self._limits.ordered(account, order.identifiers, replaces=replaced is not None)
        log.info("order %s placed for %s", order.id, ", ".join(identifier.value for identifier in order.identifiers))
        return order

    def _read(self, account: Account, request: NewOrder) -> Order:
        """Check what is asked for by itself, and give the order without authorizations."""
        profile = request.profile if request.profile is not None else self._settings.profile_of_default
        if profile not in self._settings.profiles:
            choice = ", ".join(self._settings.profiles)
            raise InvalidProfileError(f"there is no profile {profile!r}: use one of {choice}")
        if len(request.identifiers) > (most := self._settings.profiles[profile].max_names):
            raise MalformedError(f"an order of the profile {profile!r} has at most {most} identifiers")
        at = self._clock()
        not_before, not_after = self._read_dates(request, profile, at)
        return Order(
            id=secrets.token_urlsafe(12),
            account_id=account.id,
            identifiers=self._authorizations.check_identifiers(request.identifiers),
            profile=profile,
            authorization_ids=(),
            created_at=at,
            expires_at=at + timedelta(seconds=self._settings.order_lifetime_seconds),
            not_before=not_before,
            not_after=not_after,
            replaces=request.replaces,
        )

    def _read_dates(self, request: NewOrder, profile: str, at: datetime) -> tuple[datetime | None, datetime | None]:
        given = {"notBefore": request.not_before, "notAfter": request.not_after}
        if not all(text is None for text in given.values()) and not self._settings.acme.order_dates:
            raise MalformedError("notBefore and notAfter are not taken here: the profile says how long")
        not_before, not_after = (None if text is None else read_time(text, name) for name, text in given.items())
        longest = timedelta(seconds=self._settings.profiles[profile].validity_seconds)
        check_dates(not_before, not_after, at=at, longest=longest)
        return not_before, not_after

    def _open_order(self, asked: Order) -> Order | None:
        """Find an order for just what is asked for that is not finalized yet, as Let's Encrypt does."""
        found = self._book.document(OPEN_ORDERS, _mark(asked)) if self._settings.acme.order_reuse else None
        order = self._book.order(found) if found is not None else None
        current = None if order is None else self.current(order)
        return current if current is not None and current.status in {Status.PENDING, Status.READY} else None

    def _check_not_replaced(self, serial: str) -> None:
        """Raise AlreadyReplacedError if another order replaces the certificate; one that failed does not."""
        found = self._book.document(REPLACEMENTS, serial)
        order = self._book.order(found) if found is not None else None
        if order is not None and self.current(order).status is not Status.INVALID:
            raise AlreadyReplacedError(f"certificate {serial} is replaced by another order already")

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
        csr = read_csr(csr_der)
        request = check_csr(csr, order.identifiers)
        self._issuing.check(order.profile, request, order.identifiers)
        if self._book.account_of_key(public_jwk(request.public_key)) is not None:
            raise BadCsrError("the CSR's key is the key of an account")  # section 11.1
        at = self._clock()
        names = tuple(identifier.value for identifier in order.identifiers)
        ready_at = self._issuing.ready_at("acme.issue", names, at, timedelta(seconds=self._settings.acme.issue_seconds))
        order = order.finalized(csr.public_bytes(Encoding.PEM).decode("ascii"), ready_at)
        with self._book.transaction():
            self._book.put_order(order)
            self._book.delete_document(OPEN_ORDERS, _mark(order))
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
        if order.status not in {Status.PENDING, Status.READY}:
            return order
        return order.as_of(self._clock(), self._authorizations.of_order(order))

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
                self._limits.issued(order)
            log.info("order %s: certificate %s issued", order.id, certificate.serial)
            return order
        with self._book.transaction():
            self._book.put_order(failure)
        return failure

    def _sign(self, order: Order) -> Certificate:
        account = self._book.account(order.account_id)
        if account is None or account.status is not Status.VALID:
            raise UnauthorizedError("the account was deactivated before the certificate was issued")  # section 7.3.6
        profile = self._settings.profiles.get(order.profile)
        if profile is None:
            raise InvalidProfileError(f"the profile {order.profile!r} is not offered any more")
        if order.not_after is not None and order.not_after <= self._clock():
            raise MalformedError("the order's notAfter has passed before its certificate was issued")
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
                not_before=order.not_before or (order.not_after and self._clock()),
                not_after=order.not_after,
            )
        )


def _drawn_up(asked: Order, authorizations: Sequence[Authorization]) -> Order:
    order = replace(
        asked,
        authorization_ids=tuple(authorization.id for authorization in authorizations),
        expires_at=usable_until(authorizations, asked.expires_at),
    )
    return order.as_of(order.created_at, authorizations)


def _mark(order: Order) -> str:
    """Name what an order is for: two that ask for the same have the same mark."""
    names = sorted(f"{identifier.type}:{identifier.value}" for identifier in order.identifiers)
    asked = (order.account_id, names, order.profile, str(order.not_before), str(order.not_after), order.replaces)
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()
