"""What becomes of certificates that were issued: downloaded, after a while, and revoked, or a revocation asked for."""

from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from ca_sim.authority.hierarchy import Authority
from ca_sim.book import Book
from ca_sim.certificates import SUBSCRIBER_REASONS, Certificates
from ca_sim.clock import Clock
from ca_sim.digicert.errors import invalid, missing
from ca_sim.digicert.objects import Approval, Asked, Kind, Order, Status
from ca_sim.digicert.orders import CertificateOrders
from ca_sim.digicert.settings import DigicertSettings
from ca_sim.digicert.shelf import Shelf
from ca_sim.digicert.wire import Revocation
from ca_sim.problems import AlreadyRevokedError, ProblemError

END = "-----END CERTIFICATE-----"
REASONS = ("unspecified", "key_compromise", "ca_compromise", "affiliation_changed", "superseded", "cessation_of_operation")
"""The words of this API for the codes of RFC 5280 section 5.3.1, in their order."""


class Deliveries:
    """The certificates of orders."""

    def __init__(
        self,
        book: Book,
        orders: CertificateOrders,
        certificates: Certificates,
        authority: Authority,
        settings: DigicertSettings,
        clock: Clock,
    ) -> None:
        self._book = book
        self._shelf = Shelf(book)
        self._orders = orders
        self._certificates = certificates
        self._authority = authority
        self._lag = timedelta(seconds=settings.download_lag_seconds)
        self._revocation_approval = settings.revocation_approval
        self._clock = clock

    def download(self, account_id: str, certificate_id: int, format_: str) -> str:
        """Give a certificate with its chain in PEM, the root at its end or (pem_noroot) not. Raises ApiError."""
        if format_ not in ("pem_all", "pem_noroot"):
            raise invalid(f"The format {format_[:20]!r} is not there: use pem_all or pem_noroot.")
        order, asked = self._orders.find_by_certificate(account_id, certificate_id)
        if not order.can_be_downloaded(asked.id, self._clock(), self._lag):
            raise missing(f"certificate {certificate_id} to download")
        return self.chain(asked) + (self._root(asked) if format_ == "pem_all" else "")

    def chain(self, asked: Asked) -> str:
        """Give a certificate with its chain in PEM, without the root; nothing where it is not issued."""
        return self._certificates.find(asked.serial).chain if asked.serial else ""

    def chain_documents(self, asked: Asked) -> list[dict[str, str]]:
        """Give a chain, the root included, as an order that is issued at once has it."""
        parts = (self.chain(asked) + self._root(asked)).split(END)[:-1]
        pems = [f"{part.strip()}\n{END}\n" for part in parts]
        return [{"subject_common_name": _common_name(pem), "pem": pem} for pem in pems]

    def _root(self, asked: Asked) -> str:
        issuer = self._certificates.find(asked.serial).issuer if asked.serial else ""
        return self._authority.root_over(issuer).public_bytes(Encoding.PEM).decode("ascii")

    def revoke(self, order: Order, asked: Asked, wanted: Revocation) -> Approval | None:
        """Revoke, or where that needs an approval give the request that waits for it. Raises ApiError."""
        reason = _reason(wanted.revocation_reason)
        if asked.serial is None:
            raise invalid(f"The certificate {asked.id} is not issued.", "certificate_not_issued")
        if self._certificates.find(asked.serial).revoked_at is not None:
            raise invalid(f"The certificate {asked.id} is revoked already.", "certificate_already_revoked")
        if not self._revocation_approval:
            self._revoke(asked.serial, reason)
            return None
        waiting = (one for one in order.requests if one.kind is Kind.REVOKE and one.status is Status.PENDING)
        return next((one for one in waiting if one.certificate_id == asked.id), None) or self._ask(order, asked, wanted, reason)

    def decide(self, request_id: int, status: Status, comment: str = "") -> Order:
        """Approve or reject a request of any kind, as an administrator. Raises ApiError."""
        order, request = self._orders.find_request(None, request_id)
        if request.kind is not Kind.REVOKE:
            return self._orders.decide(request_id, status, comment)
        order = order.decided(request_id, status, comment)
        asked = order.find(request.certificate_id or 0)
        if status is Status.APPROVED and asked is not None and asked.serial is not None:
            self._revoke(asked.serial, request.reason)
        with self._book.transaction():
            self._shelf.put(order)
        return order

    def _ask(self, order: Order, asked: Asked, wanted: Revocation, reason: int) -> Approval:
        with self._book.transaction():
            (request_id,) = self._shelf.new_ids(1)
            request = Approval(
                id=request_id,
                kind=Kind.REVOKE,
                at=self._clock(),
                status=Status.PENDING,
                comments=wanted.comments,
                certificate_id=asked.id,
                reason=reason,
            )
            self._shelf.put(order.asks(request))
        return request

    def _revoke(self, serial: str, reason: int) -> None:
        try:
            self._certificates.revoke(serial, reason, SUBSCRIBER_REASONS)
        except AlreadyRevokedError:
            return  # as it should be
        except ProblemError as error:
            raise invalid(f"revocation_reason: {error.detail}") from error

    def valid_between(self, asked: Asked) -> tuple[datetime, datetime] | None:
        """Tell when an issued certificate is valid."""
        if asked.serial is None:
            return None
        certificate = self._certificates.find(asked.serial)
        return certificate.not_before, certificate.not_after


def _reason(word: str) -> int:
    code = REASONS.index(word) if word in REASONS else -1
    if code not in SUBSCRIBER_REASONS:
        choice = ", ".join(REASONS[code] for code in sorted(SUBSCRIBER_REASONS))
        raise invalid(f"revocation_reason: {word[:40]!r} is not one of {choice}.")
    return code


def _common_name(pem: str) -> str:
    try:
        subject = x509.load_pem_x509_certificate(pem.encode("ascii")).subject
    except ValueError:
        return ""  # a fault has spoilt it
    found = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else ""
