"""OCSP requests and answers as bytes (RFC 6960 section 4). Pure: no clock, no book.

The library's own builder knows one certificate in a request, and dates an answer by the real time; the authority's clock is
a virtual one. So requests are read by their ASN.1 here, and answers are written in DER.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Annotated

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ObjectIdentifier, OCSPExtensionOID

from ca_sim.authority.keys import SigningKey, digest_for, sign

LONGEST_NONCE = 128
MOST_CERTIFICATES = 64
_BASIC = bytes.fromhex("06092b0601050507300101")
_NONCE = bytes.fromhex("06092b0601050507300102")
_ARCHIVE_CUTOFF = bytes.fromhex("06092b0601050507300106")
_ALGORITHMS = {
    "sha256-rsa": bytes.fromhex("300d06092a864886f70d01010b0500"),
    "sha256-ec": bytes.fromhex("300a06082a8648ce3d040302"),
    "sha384-ec": bytes.fromhex("300a06082a8648ce3d040303"),
    "ml-dsa-65": bytes.fromhex("300b0609608648016503040312"),
}


class ResponseStatus(IntEnum):
    """OCSPResponseStatus (section 4.2.1)."""

    SUCCESSFUL = 0
    MALFORMED_REQUEST = 1
    INTERNAL_ERROR = 2
    TRY_LATER = 3
    UNAUTHORIZED = 6


class MalformedRequestError(Exception):
    """What was sent is no request of RFC 6960."""


@asn1.sequence
class _Algorithm:
    algorithm: ObjectIdentifier
    parameters: asn1.Null | None = None


@asn1.sequence
class _CertId:
    hash_algorithm: _Algorithm
    issuer_name_hash: bytes
    issuer_key_hash: bytes
    serial_number: int


@asn1.sequence
class _Extension:
    extension_id: ObjectIdentifier
    critical: Annotated[bool, asn1.Default(value=False)]
    value: bytes


@asn1.sequence
class _Single:
    cert_id: _CertId
    extensions: Annotated[list[_Extension] | None, asn1.Explicit(0)] = None


@asn1.sequence
class _Tbs:
    version: Annotated[int, asn1.Explicit(0), asn1.Default(0)]
    requests: list[_Single]
    extensions: Annotated[list[_Extension] | None, asn1.Explicit(2)] = None


@asn1.sequence
class _Request:
    tbs: _Tbs


@asn1.sequence
class _NamedTbs:
    version: Annotated[int, asn1.Explicit(0), asn1.Default(0)]
    requestor: Annotated[asn1.TLV, asn1.Explicit(1)]
    requests: list[_Single]
    extensions: Annotated[list[_Extension] | None, asn1.Explicit(2)] = None


@asn1.sequence
class _NamedRequest:
    """A request that says who asks, as one that is signed does."""

    tbs: _NamedTbs
    signature: Annotated[list[asn1.TLV] | None, asn1.Explicit(0)] = None


@dataclass(frozen=True, slots=True)
class CertId:
    """Which certificate is asked about: digests of its issuer, by the hash whose dotted number is given, and its serial."""

    algorithm: str
    name_hash: bytes
    key_hash: bytes
    serial: int
    der: bytes


@dataclass(frozen=True, slots=True)
class Question:
    """A request; `nonce` is the value of the extension, if there was one."""

    certificates: tuple[CertId, ...]
    nonce: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Single:
    """What is told of one certificate. Neither known nor revoked is unknown."""

    cert_id: CertId
    known: bool
    revoked_at: datetime | None = None
    reason: int = 0
    this_update: datetime
    next_update: datetime
    archive_cutoff: datetime | None = None


def read_request(der: bytes) -> Question:
    """Read a request; who signed it is not looked at (section 4.1.2). Raises MalformedRequestError."""
    tbs = _read_tbs(der)
    if not 1 <= len(tbs.requests) <= MOST_CERTIFICATES or tbs.version != 0:
        raise MalformedRequestError("the number of certificates or the version is not taken")
    extensions = [*(tbs.extensions or []), *(one for single in tbs.requests for one in single.extensions or [])]
    if any(extension.critical and extension.extension_id != OCSPExtensionOID.NONCE for extension in extensions):
        raise MalformedRequestError("a critical extension is not known here")  # section 4.4
    found = [extension.value for extension in tbs.extensions or [] if extension.extension_id == OCSPExtensionOID.NONCE]
    return Question(tuple(_cert_id(single.cert_id) for single in tbs.requests), _read_nonce(found[0]) if found else None)


def _read_tbs(der: bytes) -> _Tbs | _NamedTbs:
    try:
        return asn1.decode_der(_Request, der).tbs
    except ValueError:
        pass  # the library knows no part of any type that may be missing
    try:
        return asn1.decode_der(_NamedRequest, der).tbs
    except ValueError as error:
        raise MalformedRequestError(str(error)) from error


def _read_nonce(value: bytes) -> bytes:
    """Check the length of a nonce (RFC 9654 section 2.1), and give the value of the extension as it is."""
    try:
        nonce = asn1.decode_der(bytes, value)
    except ValueError as error:
        raise MalformedRequestError("the nonce is no OCTET STRING") from error
    if not 1 <= len(nonce) <= LONGEST_NONCE:
        raise MalformedRequestError(f"a nonce has 1 to {LONGEST_NONCE} octets")
    return value


def _cert_id(asked: _CertId) -> CertId:
    return CertId(
        asked.hash_algorithm.algorithm.dotted_string,
        asked.issuer_name_hash,
        asked.issuer_key_hash,
        asked.serial_number,
        asn1.encode_der(asked),
    )


def failure(status: ResponseStatus) -> bytes:
    """Write an answer that is none."""
    return _tlv(0x30, _tlv(0x0A, bytes([status])))


def answer(
    singles: Sequence[Single],
    *,
    responder: x509.Certificate,
    key: SigningKey,
    produced_at: datetime,
    nonce: bytes | None,
) -> bytes:
    """Write a signed answer of the responder whose certificate goes with it."""
    extensions = _extensions(0xA1, (_NONCE, nonce)) if nonce is not None else b""
    identifier = responder.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    responses = _tlv(0x30, *(_single(single) for single in singles))
    data = _tlv(0x30, _tlv(0xA2, _tlv(0x04, identifier)), _time(produced_at), responses, extensions)
    certificates = _tlv(0xA0, _tlv(0x30, responder.public_bytes(Encoding.DER)))
    basic = _tlv(0x30, data, _algorithm(key), _tlv(0x03, b"\0", sign(key, data)), certificates)
    content = _tlv(0xA0, _tlv(0x30, _BASIC, _tlv(0x04, basic)))
    return _tlv(0x30, _tlv(0x0A, bytes([ResponseStatus.SUCCESSFUL])), content)


def _single(single: Single) -> bytes:
    archive = single.archive_cutoff
    extensions = _extensions(0xA1, (_ARCHIVE_CUTOFF, _time(archive))) if archive is not None else b""
    times = _time(single.this_update) + _tlv(0xA0, _time(single.next_update))
    return _tlv(0x30, single.cert_id.der, _status(single), times, extensions)


def _status(single: Single) -> bytes:
    if single.revoked_at is not None:
        # unspecified is left out, as in CRLs
        reason = _tlv(0xA0, _tlv(0x0A, bytes([single.reason]))) if single.reason else b""
        return _tlv(0xA1, _time(single.revoked_at), reason)
    return _tlv(0x80 if single.known else 0x82)


def _extensions(tag: int, *extensions: tuple[bytes, bytes]) -> bytes:
    return _tlv(tag, _tlv(0x30, *(_tlv(0x30, oid, _tlv(0x04, value)) for oid, value in extensions)))


def _algorithm(key: SigningKey) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return _ALGORITHMS["sha256-rsa"]
    digest = digest_for(key)
    if isinstance(key, ec.EllipticCurvePrivateKey) and digest is not None:
        return _ALGORITHMS[f"{digest.name}-ec"]
    return _ALGORITHMS["ml-dsa-65"]


def _time(at: datetime) -> bytes:
    return _tlv(0x18, at.strftime("%Y%m%d%H%M%SZ").encode("ascii"))


def _tlv(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:  # noqa: PLR2004 - the short form
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content
