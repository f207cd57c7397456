"""What an ACME client does with certificates: download and revoke (RFC 8555 sections 7.4.2 and 7.6)."""

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ca_sim.acme.authorizations import Authorizations
from ca_sim.acme.jose import PublicKey
from ca_sim.acme.objects import Account
from ca_sim.authority.hierarchy import Authority
from ca_sim.certificates import SUBSCRIBER_REASONS, Certificate, Certificates
from ca_sim.problems import MalformedError, NotFoundError, UnauthorizedError


class AccountCertificates:
    """The certificates as the accounts of ACME see them."""

    def __init__(self, certificates: Certificates, authorizations: Authorizations, authority: Authority) -> None:
        self._certificates = certificates
        self._authorizations = authorizations
        self._authority = authority

    def of_account(self, account: Account, serial: str) -> Certificate:
        """Give a certificate of the account. Raises NotFoundError or UnauthorizedError."""
        certificate = self._certificates.find(serial)
        if certificate.account_id != account.id:
            raise UnauthorizedError("this certificate belongs to another account")
        return certificate

    def chains(self, certificate: Certificate) -> list[str]:
        """Give the chains that a certificate comes with, in PEM: first the one that is given unasked (section 7.4.2)."""
        return [certificate.chain, *self._alternates(certificate)]

    def _alternates(self, certificate: Certificate) -> list[str]:
        try:
            leaf = x509.load_pem_x509_certificate(certificate.chain.encode("ascii"))
        except ValueError:  # what was spoilt on purpose
            return []
        return self._authority.chains(leaf)[1:]

    def revoke(self, der: bytes, reason: int, *, account: Account | None, key: PublicKey) -> Certificate:
        """Revoke for a client that signed with its account's key, or with the certificate's if there is no account.

        Raises MalformedError, NotFoundError, UnauthorizedError and what `Certificate.revoked` does.
        """
        certificate = self._find_der(der)
        if account is None:
            if x509.load_der_x509_certificate(der).public_key() != key:
                raise UnauthorizedError("the request is signed neither by an account's key nor by the certificate's")
        elif certificate.account_id != account.id and not self._authorizations.controls(account, certificate.identifiers):
            raise UnauthorizedError("the account neither ordered the certificate nor holds authorizations for its names")
        return self._certificates.revoke(certificate.serial, reason, SUBSCRIBER_REASONS)

    def _find_der(self, der: bytes) -> Certificate:
        try:
            leaf = x509.load_der_x509_certificate(der)
        except (ValueError, x509.InvalidVersion) as error:
            raise MalformedError("certificate is not DER of an X.509 certificate") from error
        certificate = self._certificates.find(f"{leaf.serial_number:x}")
        if _leaf_of(certificate) != der:
            raise NotFoundError("this certificate was not issued here")
        return certificate


def _leaf_of(certificate: Certificate) -> bytes | None:
    try:
        return x509.load_pem_x509_certificate(certificate.chain.encode("ascii")).public_bytes(Encoding.DER)
    except ValueError:  # what was spoilt on purpose
        return None
