"""What is done with certificates: download, find, revoke (RFC 8555 sections 7.4.2 and 7.6)."""

import logging

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ca_sim.acme.jose import PublicKey
from ca_sim.acme.objects import AUTHORITY_REASONS, REASONS, SUBSCRIBER_REASONS, Account, Certificate, Status
from ca_sim.book import Book
from ca_sim.clock import Clock
from ca_sim.problems import MalformedError, NotFoundError, UnauthorizedError

log = logging.getLogger(__name__)


class Certificates:
    """The certificates of one authority."""

    def __init__(self, book: Book, clock: Clock) -> None:
        self._book = book
        self._clock = clock

    def find(self, serial: str) -> Certificate:
        """Give a certificate by its serial number in lower-case hexadecimal. Raises NotFoundError."""
        certificate = self._book.certificate(serial)
        if certificate is None:
            raise NotFoundError("there is no certificate with this serial number")
        return certificate

    def of_account(self, account: Account, serial: str) -> Certificate:
        """Give a certificate of the account. Raises NotFoundError or UnauthorizedError."""
        certificate = self.find(serial)
        if certificate.account_id != account.id:
            raise UnauthorizedError("this certificate belongs to another account")
        return certificate

    def revoke(self, serial: str, reason: int) -> Certificate:
        """Revoke on the authority's own account. Raises NotFoundError and what `Certificate.revoked` does."""
        return self._revoke(self.find(serial), reason, AUTHORITY_REASONS)

    def revoke_asked(self, der: bytes, reason: int, *, account: Account | None, key: PublicKey) -> Certificate:
        """Revoke for a client that signed with its account's key, or with the certificate's if there is no account.

        Raises MalformedError, NotFoundError, UnauthorizedError and what `Certificate.revoked` does.
        """
        certificate = self._find_der(der)
        if account is None:
            if x509.load_der_x509_certificate(der).public_key() != key:
                raise UnauthorizedError("the request is signed neither by an account's key nor by the certificate's")
        elif certificate.account_id != account.id and not self._controls(account, certificate):
            raise UnauthorizedError("the account neither ordered the certificate nor holds authorizations for its names")
        return self._revoke(certificate, reason, SUBSCRIBER_REASONS)

    def _find_der(self, der: bytes) -> Certificate:
        try:
            leaf = x509.load_der_x509_certificate(der)
        except ValueError as error:
            raise MalformedError("certificate is not DER of an X.509 certificate") from error
        certificate = self.find(f"{leaf.serial_number:x}")
        if x509.load_pem_x509_certificate(certificate.chain.encode("ascii")).public_bytes(Encoding.DER) != der:
            raise NotFoundError("this certificate was not issued here")
        return certificate

    def _controls(self, account: Account, certificate: Certificate) -> bool:
        at = self._clock()
        return all(
            any(
                authorization.identifier == identifier and authorization.as_of(at).status is Status.VALID
                for authorization in self._book.valid_authorizations(account.id, identifier.value)
            )
            for identifier in certificate.identifiers
        )

    def _revoke(self, certificate: Certificate, reason: int, allowed: frozenset[int]) -> Certificate:
        revoked = certificate.revoked(at=self._clock(), reason=reason, allowed=allowed)
        with self._book.transaction():
            self._book.put_certificate(revoked)
        log.info("certificate %s revoked: %s", revoked.serial, REASONS[reason])
        return revoked
