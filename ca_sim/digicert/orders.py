"""What is done with orders: placed, approved, issued when their time has come, reissued, cancelled, found again."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ca_sim.authority.subject import NOBODY, Subject
from ca_sim.book import Book
from ca_sim.certificates import Certificate
from ca_sim.clock import Clock
from ca_sim.csr import MAX_COMMON_NAME, SigningRequest, check_key
from ca_sim.digicert.errors import FORBIDDEN, ApiError, invalid, missing
from ca_sim.digicert.objects import Approval, Asked, Kind, Order, Status
from ca_sim.digicert.products import PRODUCTS, Product
from ca_sim.digicert.settings import ALL, DigicertSettings
from ca_sim.digicert.shelf import Shelf
from ca_sim.digicert.wire import CertificatePart, ListQuery, NewOrder, Reissue, read_validity
from ca_sim.faults.engine import Faults
from ca_sim.faults.rules import FaultKind
from ca_sim.identifiers import Identifier, read_identifiers
from ca_sim.issuing import Application, Issuing
from ca_sim.problems import ProblemError

log = logging.getLogger(__name__)
HOLDS = ((FaultKind.CAA, "caa"), (FaultKind.VALIDATION, "dcv"))
"""What keeps an order pending: CAA records forbid, or control of a domain is not validated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderParts:
    """What orders are made with. `blocked` are names that nothing is issued for."""

    book: Book
    issuing: Issuing
    faults: Faults
    settings: DigicertSettings
    clock: Clock
    blocked: tuple[str, ...] = ()


class CertificateOrders:
    """The orders of all accounts. `account_id` is who asks: to others an order is denied; none is an administrator."""

    def __init__(self, parts: OrderParts) -> None:
        self._book = parts.book
        self._shelf = Shelf(parts.book)
        self._issuing = parts.issuing
        self._faults = parts.faults
        self._settings = parts.settings
        self._clock = parts.clock
        self._blocked = parts.blocked

    def place(self, account_id: str, product_id: str, wanted: NewOrder) -> Order:
        """Place an order; nothing keeps a second one for the same from being placed. Raises ApiError."""
        at, product = self._clock(), _product(product_id)
        days, not_after = read_validity(wanted, at)
        names = self._names(wanted.certificate, product)
        csr = self._csr(wanted.certificate, product_id, names)
        organization_id = self._organization(wanted, product)
        if wanted.renewal_of_order_id is not None:
            self.find(account_id, wanted.renewal_of_order_id)
        with self._book.transaction():
            order_id, request_id, certificate_id = self._shelf.new_ids(3)
        order = Order(
            id=order_id,
            account_id=account_id,
            product=product_id,
            organization_id=organization_id,
            placed_at=at,
            status=Status.NEEDS_APPROVAL,
            requests=(Approval(id=request_id, kind=Kind.NEW, at=at, status=Status.PENDING, comments=wanted.comments),),
            certificates=(_asked(certificate_id, wanted.certificate, names, csr, days, not_after),),
            renewal_of=wanted.renewal_of_order_id,
        )
        if not self._is_held(order, skip=wanted.skip_approval):
            order = self._begin(order.decided(request_id, Status.APPROVED, ""))
        log.info("order %s placed for %s", order.id, ", ".join(names))
        return self.current(self._put(order))

    def reissue(self, account_id: str, order_id: int, wanted: Reissue) -> Order:
        """Ask for another certificate of an order that has a valid one, until the end of the order. Raises ApiError."""
        order, at = self.find(account_id, order_id), self._clock()
        status = self.status(order, at)
        if status is not Status.ISSUED:
            raise invalid(f"The order {order_id} is {status}: only an issued order can be reissued.", "invalid_order_status")
        names = self._names(wanted.certificate, _product(order.product))
        csr = self._csr(wanted.certificate, order.product, names)
        with self._book.transaction():
            request_id, certificate_id = self._shelf.new_ids(2)
        asked = _asked(certificate_id, wanted.certificate, names, csr, None, self._end(order))
        request = Approval(id=request_id, kind=Kind.REISSUE, at=at, status=Status.PENDING, comments=wanted.comments)
        order = order.asks(request, asked).model_copy(update={"status": Status.REISSUE_PENDING})
        if not self._settings.approval or wanted.skip_approval:
            order = self._begin(order.decided(request_id, Status.APPROVED, ""))
        return self.current(self._put(order))

    def find(self, account_id: str | None, order_id: int) -> Order:
        """Give an order of the account as it is now. Raises ApiError."""
        order = self._shelf.order(str(order_id))
        if order is None:
            raise missing(f"order {order_id}")
        return self.current(_of_account(order, account_id))

    def find_by_serial(self, account_id: str, serial: str) -> tuple[Order, Asked]:
        """Give the order of a certificate with this serial number, and what was asked there. Raises ApiError."""
        certificate = self._book.certificate(serial)
        order = self._shelf.order(certificate.order_id) if certificate and certificate.api == "digicert" else None
        asked = next((one for one in order.certificates if one.serial == serial), None) if order else None
        if order is None or asked is None:
            raise missing("certificate with this serial number")
        return self.current(_of_account(order, account_id)), asked

    def find_by_certificate(self, account_id: str, certificate_id: int) -> tuple[Order, Asked]:
        """Give the order of a certificate by the certificate's id, and what was asked there. Raises ApiError."""
        order = self._shelf.order_of(certificate_id)
        asked = order.find(certificate_id) if order else None
        if order is None or asked is None:
            raise missing(f"certificate {certificate_id}")
        return self.current(_of_account(order, account_id)), asked

    def find_request(self, account_id: str | None, request_id: int) -> tuple[Order, Approval]:
        """Give a request and its order. Raises ApiError."""
        order = self._shelf.order_of(request_id)
        request = next((one for one in order.requests if one.id == request_id), None) if order else None
        if order is None or request is None:
            raise missing(f"request {request_id}")
        return self.current(_of_account(order, account_id)), request

    def all(self) -> list[Order]:
        """List the orders of all accounts as they are now, oldest first."""
        return [self.current(order) for order in self._shelf.orders()]

    def list_(self, account_id: str, query: ListQuery) -> tuple[list[Order], int]:
        """List what is asked for of the account's orders, as far as lists have heard of them, and how many there are."""
        newest = self._clock() - timedelta(seconds=self._settings.list_lag_seconds)
        known = [order for order in self._shelf.orders(account_id) if order.placed_at <= newest]
        found = [order for order in map(self.current, known) if self._fits(order, query)]
        found.sort(key=lambda order: (_sort_key(order, query.sort), order.id), reverse=query.descending)
        return found[query.offset : query.offset + query.limit], len(found)

    def cancel(self, account_id: str, order_id: int, note: str) -> Order:
        """Cancel an order that has no certificate yet. Raises ApiError."""
        return self._put(self.find(account_id, order_id).ended(Status.CANCELED, note))

    def decide(self, request_id: int, status: Status, comment: str = "") -> Order:
        """Approve or reject what is asked for, a revocation apart. Raises ApiError."""
        order = self._shelf.order_of(request_id)
        if order is None:
            raise missing(f"request {request_id}")
        request = next(one for one in order.requests if one.id == request_id)
        order = order.decided(request_id, status, comment)
        if status is Status.APPROVED:
            return self.current(self._put(self._begin(order)))
        if request.kind is Kind.REISSUE:
            return self._put(order.without_reissue())
        return self._put(order.ended(Status.REJECTED, comment))

    def end(self, order_id: int, status: Status, comment: str) -> Order:
        """Deny or reject an order as the authority. Raises ApiError."""
        order = self._shelf.order(str(order_id))
        if order is None:
            raise missing(f"order {order_id}")
        return self._put(self.current(order).ended(status, comment))

    def release(self, order_id: int) -> Order:
        """Let an order that is held up, or stuck, be issued now. Raises ApiError."""
        order = self._shelf.order(str(order_id))
        if order is None:
            raise missing(f"order {order_id}")
        if order.status not in (Status.PENDING, Status.PROCESSING, Status.REISSUE_PENDING):
            raise invalid(f"The order {order_id} is {order.status}: nothing holds it up.", "invalid_order_status")
        if order.waits_for_approval:
            raise invalid(f"The order {order_id} waits for an approval: nothing else holds it up.", "invalid_order_status")
        return self.current(self._put(order.begun(self._clock(), "")))

    def current(self, order: Order) -> Order:
        """Give an order as the time makes it: issued once that is due, and remembered so."""
        if not order.is_due(self._clock()):
            return order
        try:
            certificate = self._sign(order)
        except (ProblemError, ValueError) as error:
            log.warning("order %s cannot be issued: %s", order.id, error)
            return self._put(order.failed(str(error)))
        issued = order.issued(certificate.serial, self._clock())
        with self._book.transaction():
            self._book.put_certificate(certificate)
            self._shelf.put(issued)
        log.info("order %s: certificate %s issued", order.id, certificate.serial)
        return issued

    def status(self, order: Order, at: datetime) -> Status:
        """Say what an order's status is, its certificate's fate included."""
        serial = order.certificate.serial
        certificate = self._book.certificate(serial) if order.status is Status.ISSUED and serial else None
        if certificate is None:
            return order.status
        if certificate.revoked_at is not None:
            return Status.REVOKED
        return Status.EXPIRED if certificate.not_after < at else Status.ISSUED

    def _begin(self, order: Order) -> Order:
        at, asked = self._clock(), order.certificate
        for kind, hold in HOLDS:
            if fault := self._faults.strike(kind, "digicert.validation", asked.names):
                return order.begun(None if fault.seconds is None else at + timedelta(seconds=fault.seconds), hold)
        delay = timedelta(seconds=self._settings.issue_seconds)
        return order.begun(self._issuing.ready_at("digicert.issue", asked.names, at, delay), "")

    def _is_held(self, order: Order, *, skip: bool) -> bool:
        settings = self._settings
        if settings.approval and not skip:
            return True
        if {order.product, ALL} & set(settings.approval_products):
            return True
        return Random(f"{settings.approval_seed}/{order.id}").random() < settings.approval_rate  # noqa: S311 - repeatable

    def _fits(self, order: Order, query: ListQuery) -> bool:
        values = {
            "common_name": order.certificate.common_name,
            "status": self.status(order, self._clock()),
            "product_name_id": order.product,
            "serial_number": order.certificate.serial or "",
            "organization_id": order.organization_id or "",
        }
        return all(values[name] == wanted.lower() for name, wanted in query.filters.items())

    def _names(self, part: CertificatePart, product: Product) -> tuple[str, ...]:
        if len(part.common_name) > MAX_COMMON_NAME:
            raise invalid(f"certificate.common_name has more than {MAX_COMMON_NAME} characters.")
        try:
            found = _identifiers((part.common_name, *part.dns_names), self._blocked)
        except ProblemError as error:
            raise invalid(f"certificate.dns_names: {error.detail}", "invalid_dns_name") from error
        if any(one.type == "ip" for one in found) and not product.is_private:
            raise invalid(f"{product.name} takes no addresses: use a private product.", "invalid_dns_name")
        if any(one.is_wildcard for one in found) and not product.wildcards:
            raise invalid(f"{product.name} takes no wildcards.", "invalid_dns_name")
        if len(found) > product.names:
            raise invalid(f"{product.name} takes at most {product.names} names.", "too_many_dns_names")
        return tuple(one.value for one in found)

    def _csr(self, part: CertificatePart, product_id: str, names: tuple[str, ...]) -> x509.CertificateSigningRequest:
        try:
            csr = x509.load_pem_x509_csr(part.csr.encode("ascii"))
            self._issuing.check(product_id, SigningRequest(check_key(csr), names[0]), _identifiers(names, ()))
        except ProblemError as error:
            raise invalid(f"certificate.csr: {error.detail}", "invalid_csr") from error
        except (ValueError, x509.InvalidVersion) as error:
            raise invalid("certificate.csr is not a PKCS #10 request in PEM.", "invalid_csr") from error
        return csr

    def _organization(self, wanted: NewOrder, product: Product) -> str | None:
        if wanted.organization is None:
            if product.needs_organization:
                raise invalid(f"organization is missing: {product.name} needs one.")
            return None
        organization_id = str(wanted.organization.id)
        if organization_id not in self._settings.organizations:
            raise invalid(f"organization.id: there is no organization {organization_id}.", "invalid_organization")
        return organization_id

    def _put(self, order: Order) -> Order:
        with self._book.transaction():
            self._shelf.put(order)
        return order

    def _end(self, order: Order) -> datetime:
        """Tell when what an order was issued ends, and a reissue of it too."""
        asked = order.certificate
        begin = asked.issued_at or order.placed_at
        return min(asked.not_after or begin + timedelta(days=asked.days or 0), begin + self._longest(order))

    def _longest(self, order: Order) -> timedelta:
        return timedelta(days=PRODUCTS[order.product].days or self._settings.public_validity_days)

    def _sign(self, order: Order) -> Certificate:
        asked, product, at = order.certificate, PRODUCTS[order.product], self._clock()
        longest = self._longest(order)
        wished = asked.not_after - at if asked.not_after else timedelta(days=asked.days or 0)
        key = check_key(x509.load_pem_x509_csr(asked.csr.encode("ascii")))
        return self._issuing.issue(
            Application(
                api="digicert",
                account_id=order.account_id,
                order_id=str(order.id),
                request=SigningRequest(key, asked.common_name),
                identifiers=_identifiers(asked.names, ()),
                profile=order.product,
                validity=min(wished, longest),
                not_after=asked.not_after if wished <= longest else None,
                subject=self._subject(order, product),
            )
        )

    def _subject(self, order: Order, product: Product) -> Subject:
        found = self._settings.organizations.get(order.organization_id or "")
        if found is None or not product.needs_organization:
            return NOBODY
        return Subject(organization=found.name, locality=found.city, state=found.state, country=found.country)


def _product(product_id: str) -> Product:
    product = PRODUCTS.get(product_id)
    if product is None:
        raise missing(f"product {product_id[:40]!r}: use one of {', '.join(PRODUCTS)}")
    return product


def _of_account(order: Order, account_id: str | None) -> Order:
    if account_id not in (None, order.account_id):
        raise ApiError(FORBIDDEN, "Access denied: this belongs to another account.")
    return order


def _asked(
    certificate_id: int,
    part: CertificatePart,
    names: tuple[str, ...],
    csr: x509.CertificateSigningRequest,
    days: int | None,
    not_after: datetime | None,
) -> Asked:
    return Asked(
        id=certificate_id,
        common_name=names[0],
        names=names,
        csr=csr.public_bytes(Encoding.PEM).decode("ascii"),
        signature_hash=part.signature_hash,
        server_platform=part.server_platform.id if part.server_platform else None,
        days=days,
        not_after=not_after,
    )


def _identifiers(names: Sequence[str], blocked: tuple[str, ...]) -> tuple[Identifier, ...]:
    return read_identifiers([("ip" if _is_address(name) else "dns", name) for name in names], blocked=blocked)


def _is_address(name: str) -> bool:
    return ":" in name or name.rpartition(".")[2].isdigit()


def _sort_key(order: Order, name: str) -> str | int | datetime:
    match name:
        case "common_name":
            return order.certificate.common_name
        case "date_created":
            return order.placed_at
        case "status":
            return order.status
    return order.id
