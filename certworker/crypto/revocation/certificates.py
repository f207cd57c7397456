"""Certificates as the judges read them: who signed what, and for what a key may be used."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

from certworker.crypto.revocation.names import name_key
from certworker.errors import BadParameter

E = TypeVar("E", bound=x509.ExtensionType)

UNREADABLE = (
    ValueError,
    TypeError,
    OverflowError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""What the library raises for bytes that are not what they should be."""
_KEYS_WITHOUT_DIGEST = (
    ed25519.Ed25519PublicKey,
    ed448.Ed448PublicKey,
    mldsa.MLDSA44PublicKey,
    mldsa.MLDSA65PublicKey,
    mldsa.MLDSA87PublicKey,
)
NOT_ITS_ISSUER = "The issuer's certificate is not the one by which the certificate was issued."
MOST_CERTIFICATES = 40
"""How many certificates besides a certificate and its issuer are looked at."""


def load(der: bytes) -> x509.Certificate:
    """Load a DER certificate. Raises BadParameter."""
    try:
        return x509.load_der_x509_certificate(der)
    except UNREADABLE as error:
        raise BadParameter(f"This is not an X.509 certificate: {error}.") from error


def has_signed(signer: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Whether a certificate was issued by another: its name, its signature, and a key that may sign certificates."""
    try:
        return (
            name_key(signer.subject) == name_key(certificate.issuer)
            and _may_issue(signer)
            and verifies(
                signer.public_key(),
                certificate.signature,
                certificate.tbs_certificate_bytes,
                certificate.signature_algorithm_parameters,
                certificate.signature_hash_algorithm,
            )
        )
    except UNREADABLE:
        return False


def verifies(
    key: CertificatePublicKeyTypes,
    signature: bytes,
    data: bytes,
    parameters: padding.AsymmetricPadding | ec.ECDSA | None,
    digest: hashes.HashAlgorithm | None,
) -> bool:
    """Whether a signature is the key's. Without `parameters`, RSA's padding is that of PKCS #1 v1.5."""
    try:
        if isinstance(key, rsa.RSAPublicKey):
            rsa_padding = parameters if isinstance(parameters, padding.AsymmetricPadding) else padding.PKCS1v15()
            key.verify(signature, data, rsa_padding, _needed(digest))
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, data, ec.ECDSA(_needed(digest)))
        elif isinstance(key, dsa.DSAPublicKey):
            key.verify(signature, data, _needed(digest))
        elif isinstance(key, _KEYS_WITHOUT_DIGEST):
            key.verify(signature, data)
        else:
            return False
    except (InvalidSignature, *UNREADABLE):
        return False
    return True


def _needed(digest: hashes.HashAlgorithm | None) -> hashes.HashAlgorithm:
    if digest is None:
        raise ValueError("a signature of this kind is made of a digest")
    return digest


def may(certificate: x509.Certificate, *usages: str) -> bool:
    """Whether a key may be used for one of `usages` (cryptography's words); one without a key usage may do anything."""
    usage = found(certificate.extensions, x509.KeyUsage)
    return usage is None or any(getattr(usage, word) for word in usages)


def _may_issue(certificate: x509.Certificate) -> bool:
    """Whether a certificate's key may sign certificates; those of the first version do not say what it is for."""
    constraints = found(certificate.extensions, x509.BasicConstraints)
    return (constraints is None or constraints.ca) and may(certificate, "key_cert_sign")


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether a certificate says that it is an authority's."""
    constraints = found(certificate.extensions, x509.BasicConstraints)
    return constraints is not None and constraints.ca


def found(extensions: x509.Extensions, kind: type[E]) -> E | None:
    """Find an extension by its kind."""
    return next((extension.value for extension in extensions if isinstance(extension.value, kind)), None)


def is_valid(certificate: x509.Certificate, at: datetime) -> bool:
    """Whether a certificate's time has begun and is not over."""
    return certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc


@dataclass(frozen=True, slots=True)
class Signer:
    """Whose word on a list counts. `issuer` is None for the certificate's issuer and those above it, who are believed."""

    certificate: x509.Certificate
    issuer: x509.Certificate | None = None


def signers_under(issuer: x509.Certificate, others: Iterable[bytes], at: datetime) -> Sequence[Signer]:
    """Choose those whose word counts where the issuer's does: the issuer, who issued it, and whom these issued.

    A CRL may be signed by another than the issuer, who is to stand under the same trust anchor (RFC 5280 section
    6.3.3 (f)). The anchor is not known here: it is one of those that are above the issuer.
    """
    remaining = _loaded(others)
    chosen = [Signer(issuer)]
    for below in chosen:
        issuers = [one for one in remaining if is_authority(one) and has_signed(one, below.certificate)]
        chosen += [Signer(one) for one in _take(remaining, issuers)]
    for above in tuple(chosen):
        issued = [one for one in remaining if is_valid(one, at) and has_signed(above.certificate, one)]
        chosen += [Signer(one, above.certificate) for one in _take(remaining, issued)]
    return chosen


def _take(remaining: list[x509.Certificate], chosen: list[x509.Certificate]) -> list[x509.Certificate]:
    for one in chosen:
        remaining.remove(one)
    return chosen


def _loaded(others: Iterable[bytes]) -> list[x509.Certificate]:
    """Load what can be loaded, and read; what cannot is of no use."""
    loaded = []
    for der in islice(dict.fromkeys(others), MOST_CERTIFICATES):
        try:
            certificate = x509.load_der_x509_certificate(der)
            certificate.extensions  # noqa: B018 - they are read late
            loaded.append(certificate)
        except UNREADABLE:
            continue
    return loaded
