"""X.509: subjects, CSRs, self-signed certificates, what a certificate says, and the order of a chain."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ObjectIdentifier

from certworker.crypto.extensions import (
    SubjectNames,
    key_usage_extension,
    leaf_key_usage,
    marks_any,
    read_names,
    read_usages,
    san_extension,
)
from certworker.crypto.keys import PrivateKey, PublicKey, load_private, signing_hash
from certworker.crypto.subjects import common_name, parse_subject
from certworker.errors import BadParameter

MAX_CHAIN = 20


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """What goes into a CSR or a self-signed certificate. `ekus` are dotted OIDs, `key_usage` Key Vault's words."""

    subject: str
    names: SubjectNames
    key_usage: tuple[str, ...]
    ekus: tuple[str, ...]


_REMEMBERED: Final = 256
"""So many certificates are not read anew: an issuance asks the same one six times, in half a dozen places."""


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What a certificate says. Times are aware UTC; `public_key` is a DER SubjectPublicKeyInfo; serial in lower-case hex."""

    subject: str
    issuer: str
    serial: str
    not_before: datetime
    not_after: datetime
    public_key: bytes
    names: SubjectNames
    key_usage: tuple[str, ...]
    ekus: tuple[str, ...]
    is_authority: bool


def build_csr(private_key: bytes | PrivateKey, request: CertificateRequest) -> bytes:
    """Build a DER CSR (RFC 2986) with the extensions asked for, signed by the DER PKCS#8 key, or by one that lies elsewhere."""
    key = _loaded(private_key)
    name = parse_subject(request.subject)
    builder = x509.CertificateSigningRequestBuilder(name)
    for extension, critical in _extensions(request, name, key.public_key()):
        builder = builder.add_extension(extension, critical)
    return builder.sign(key, signing_hash(key)).public_bytes(Encoding.DER)


def self_sign(
    private_key: bytes | PrivateKey,
    request: CertificateRequest,
    not_before: datetime,
    not_after: datetime,
    *,
    authority: bool = False,
) -> bytes:
    """Build a self-signed DER certificate (RFC 5280), of an authority if asked.

    Its subject is its issuer, which may not be empty (section 4.1.2.4): without a subject it is called by its first name.
    """
    key = _loaded(private_key)
    public, name = key.public_key(), parse_subject(request.subject) or common_name(request.names.first())
    builder = x509.CertificateBuilder(name, name, public)
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(not_before).not_valid_after(not_after)
    for extension, critical in _extensions(request, name, public, authority=authority):
        builder = builder.add_extension(extension, critical)
    identifier = x509.SubjectKeyIdentifier.from_public_key(public)
    builder = builder.add_extension(identifier, critical=False).add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False
    )
    return builder.sign(key, signing_hash(key)).public_bytes(Encoding.DER)


def sign_csr(csr: bytes, authority: bytes, authority_key: bytes, not_before: datetime, not_after: datetime) -> bytes:
    """Issue a DER leaf for a DER CSR: subject, names and usages are taken over, and nothing that makes an authority."""
    request = x509.load_der_x509_csr(csr)
    if not request.is_signature_valid:
        raise BadParameter("The certificate signing request is not signed by its own key.")
    issuer = x509.load_der_x509_certificate(authority)
    key = load_private(authority_key)
    public = request.public_key()
    builder = x509.CertificateBuilder(issuer.subject, request.subject, public)
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(not_before).not_valid_after(not_after)
    for extension in request.extensions:
        value = leaf_key_usage(extension.value) if isinstance(extension.value, x509.KeyUsage) else extension.value
        if isinstance(value, x509.SubjectAlternativeName | x509.ExtendedKeyUsage) or marks_any(value):
            builder = builder.add_extension(value, extension.critical)
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
    return builder.sign(key, signing_hash(key)).public_bytes(Encoding.DER)


def _loaded(key: bytes | PrivateKey) -> PrivateKey:
    return load_private(key) if isinstance(key, bytes) else key


def _extensions(
    request: CertificateRequest, name: x509.Name, key: PublicKey, *, authority: bool = False
) -> Iterable[tuple[x509.ExtensionType, bool]]:
    # RFC 5280 section 4.2.1.3: where the extension is there, a bit is set
    if marks_any(usage := key_usage_extension(request.key_usage, key)):
        yield usage, True
    if request.ekus:
        yield x509.ExtendedKeyUsage([ObjectIdentifier(oid) for oid in request.ekus]), False
    if request.names.any():
        # RFC 5280 section 4.2.1.6: critical where the subject is empty
        yield san_extension(request.names), not name
    yield x509.BasicConstraints(ca=authority, path_length=0 if authority else None), True


@lru_cache(maxsize=_REMEMBERED)
def read_certificate(der: bytes) -> CertificateFacts:
    """Read what a DER certificate says. Raises BadParameter where it cannot be read."""
    certificate = _load(der)
    try:
        return _facts(certificate)
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise BadParameter(f"This certificate says something that cannot be read: {error}.") from error


def _facts(certificate: x509.Certificate) -> CertificateFacts:
    key_usage, ekus = read_usages(certificate.extensions)
    return CertificateFacts(
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        serial=f"{certificate.serial_number:x}",
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        public_key=certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        names=read_names(certificate.extensions),
        key_usage=key_usage,
        ekus=ekus,
        is_authority=_is_authority(certificate),
    )


def validity(der: bytes) -> tuple[datetime, datetime]:
    """Tell from when until when a DER certificate is valid."""
    certificate = _load(der)
    return certificate.not_valid_before_utc.astimezone(UTC), certificate.not_valid_after_utc.astimezone(UTC)


def thumbprint(der: bytes) -> bytes:
    """Give the SHA-1 thumbprint that Key Vault calls `x5t`. It names a certificate; nothing rests on its strength."""
    return hashlib.sha1(der, usedforsecurity=False).digest()


def split_pem(pem: bytes) -> tuple[bytes, ...]:
    """Split a PEM bundle into DER certificates, in its own order. Raises BadParameter."""
    try:
        certificates = x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise BadParameter(f"This is not a PEM bundle of certificates: {error}.") from error
    return tuple(certificate.public_bytes(Encoding.DER) for certificate in certificates)


def to_pem(certificates: Iterable[bytes]) -> bytes:
    """Join DER certificates into a PEM bundle."""
    return b"".join(_load(der).public_bytes(Encoding.PEM) for der in certificates)


def order_chain(leaf: bytes, others: Sequence[bytes]) -> tuple[bytes, ...]:
    """Put the certificates that lead up from `leaf` in order, its issuer first.

    Each is the one whose key signed the one before it. A self-signed one is the last, and of two for the same key the
    cross-signed one goes before, since it leads further. What does not belong is left out, the leaf itself included.
    """
    current, chain = _load(leaf), []
    remaining = sorted((_load(der) for der in others[:MAX_CHAIN] if der != leaf), key=_is_self_issued)
    while not _is_self_issued(current) and (above := next((one for one in remaining if _signed(one, current)), None)):
        remaining = [other for other in remaining if other != above]
        chain.append(above.public_bytes(Encoding.DER))
        current = above
    return tuple(chain)


def belonging(leaf: bytes, others: Sequence[bytes]) -> tuple[bytes, ...]:
    """Choose from `others` what leads up from `leaf`, by any way, in its own order; once each, and without the leaf."""
    current, reached = [_load(leaf)], set[x509.Certificate]()
    remaining = [_load(der) for der in dict.fromkeys(others) if der != leaf][:MAX_CHAIN]
    while current:
        found = {one for one in remaining if one not in reached and any(_signed(one, below) for below in current)}
        reached |= found
        current = list(found)
    return tuple(one.public_bytes(Encoding.DER) for one in remaining if one in reached)


def _signed(issuer: x509.Certificate, subject: x509.Certificate) -> bool:
    if issuer.subject != subject.issuer or issuer == subject:
        return False
    try:
        subject.verify_directly_issued_by(issuer)
    except (InvalidSignature, TypeError, ValueError):
        return False
    return True


def _is_self_issued(certificate: x509.Certificate) -> bool:
    return certificate.subject == certificate.issuer


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _load(der: bytes) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(der)
    except (ValueError, x509.InvalidVersion) as error:
        raise BadParameter(f"This is not an X.509 certificate: {error}.") from error
