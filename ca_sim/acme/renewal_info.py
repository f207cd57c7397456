"""When a certificate is to be renewed, and what replaces it (ACME Renewal Information, RFC 9773)."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from pydantic import TypeAdapter

from ca_sim.acme.jose import decode, encode
from ca_sim.acme.objects import Account
from ca_sim.acme.settings import AcmeSettings
from ca_sim.book import Book
from ca_sim.certificates import Certificate, Certificates
from ca_sim.clock import Clock
from ca_sim.identifiers import Identifier
from ca_sim.problems import MalformedError, NotFoundError, UnauthorizedError

log = logging.getLogger(__name__)
ROOM = "acme.renewal-window"
AT_ONCE = timedelta(hours=1)
"""How long before a revocation the window of what was revoked begins; it ends half way to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """When to renew: at some moment from `start` to `end`, at once if both have passed. The URL says why; it may be empty."""

    start: datetime
    end: datetime
    explanation_url: str = ""


_window = TypeAdapter(Window)


def certificate_id(leaf: x509.Certificate) -> str:
    """Give the unique identifier of a certificate: key identifier of its authority, and serial (RFC 9773 section 4.1).

    Raises x509.ExtensionNotFound for a certificate that does not name the key of its authority.
    """
    authority = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    # DER of a positive integer: a zero goes before a first bit that is set
    serial = leaf.serial_number.to_bytes(leaf.serial_number.bit_length() // 8 + 1, "big")
    return f"{encode(authority.key_identifier or b'')}.{encode(serial)}"


def serial_in(identifier: str) -> str:
    """Give the serial number, in lower-case hexadecimal, of a unique identifier. Raises MalformedError."""
    parts = identifier.split(".")
    if len(parts) != 2 or not all(parts):  # noqa: PLR2004 - a key and a serial
        raise MalformedError("a certificate is named by key identifier and serial, each in base64url, with a dot between")
    _, serial = (decode(part, "the identifier of a certificate") for part in parts)
    return f"{int.from_bytes(serial, 'big'):x}"


class Renewals:
    """The renewal information of all certificates of one authority, whichever API they were ordered by."""

    def __init__(self, book: Book, certificates: Certificates, settings: AcmeSettings, clock: Clock) -> None:
        self._book = book
        self._certificates = certificates
        self._settings = settings
        self._clock = clock

    def find(self, identifier: str) -> Certificate:
        """Find a certificate by its unique identifier. Raises MalformedError or NotFoundError."""
        certificate = self._certificates.find(serial_in(identifier))
        if _id_of(certificate) != identifier:
            raise NotFoundError("there is no certificate with this identifier")
        return certificate

    def window(self, certificate: Certificate) -> Window:
        """Suggest when to renew: what was set, or else by the share of the lifetime; what is revoked, some time ago."""
        kept = self._book.document(ROOM, certificate.serial)
        window = _window.validate_json(kept) if kept is not None else self._usual(certificate)
        if certificate.revoked_at is None:
            return window
        moment = min(certificate.revoked_at, self._clock())
        return Window(start=moment - AT_ONCE, end=moment - AT_ONCE / 2, explanation_url=window.explanation_url)

    def pull_in(self, serials: Iterable[str], start: datetime, end: datetime, explanation_url: str = "") -> int:
        """Set the window of all of these certificates, as after an incident, or of none; say how many they are.

        Raises NotFoundError for a serial number that is unknown, and MalformedError for a window that ends before it begins.
        """
        if end <= start:
            raise MalformedError("the window ends before it begins")
        body = _window.dump_json(Window(start=start, end=end, explanation_url=explanation_url)).decode()
        count = 0
        with self._book.transaction():
            for serial in serials:
                self._certificates.find(serial)
                self._book.put_document(ROOM, serial, body)
                count += 1
        log.info("%d renewal windows set: from %s to %s", count, start.isoformat(), end.isoformat())
        return count

    def reset(self, serial: str) -> None:
        """Give a certificate its usual window back."""
        with self._book.transaction():
            self._book.delete_document(ROOM, serial)

    def replaced_by(self, account: Account, identifier: str, names: Iterable[Identifier]) -> Certificate:
        """Give the certificate that an order says it replaces (RFC 9773 section 5).

        Raises MalformedError when there is none or it has none of these names, UnauthorizedError when it is another account's.
        """
        try:
            certificate = self.find(identifier)
        except NotFoundError as error:
            raise MalformedError("replaces names no certificate of this authority") from error
        if certificate.account_id != account.id:
            raise UnauthorizedError("the certificate that replaces names belongs to another account")
        if not set(certificate.identifiers) & set(names):
            raise MalformedError("the certificate that replaces names has no identifier of this order")
        return certificate

    def _usual(self, certificate: Certificate) -> Window:
        lifetime = certificate.not_after - certificate.not_before
        starts, ends = (certificate.not_before + lifetime * share for share in self._settings.renewal_window)
        return Window(start=starts.replace(microsecond=0), end=ends.replace(microsecond=0))


def _id_of(certificate: Certificate) -> str | None:
    try:
        return certificate_id(x509.load_pem_x509_certificate(certificate.chain.encode("ascii")))
    except (ValueError, x509.ExtensionNotFound):  # what was spoilt on purpose
        return None
