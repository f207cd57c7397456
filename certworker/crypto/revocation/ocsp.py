"""Judging a certificate by an OCSP answer (RFC 6960), and asking for one."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from types import MappingProxyType

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, SignatureAlgorithmOID

from certworker.crypto.ber import Element, read_elements
from certworker.crypto.revocation.certificates import (
    NOT_ITS_ISSUER,
    UNREADABLE,
    found,
    has_signed,
    is_valid,
    load,
    may,
    verifies,
)
from certworker.crypto.revocation.judgement import Judgement, good, revoked, unknown
from certworker.crypto.revocation.names import name_key
from certworker.errors import BadParameter

MOST_BYTES = 256 * 1024
"""The longest answer that is read."""
WITHOUT_END = timedelta(hours=12)
"""How long an answer holds that does not say when the next one is to be had (it may be had at any time, section 4.2.2.1)."""
_MOST_CERTIFICATES = 10
_REFUSALS = MappingProxyType(
    {
        ocsp.OCSPResponseStatus.MALFORMED_REQUEST: "it did not understand the question",
        ocsp.OCSPResponseStatus.INTERNAL_ERROR: "it has an internal error",
        ocsp.OCSPResponseStatus.TRY_LATER: "it is to be asked later",
        ocsp.OCSPResponseStatus.SIG_REQUIRED: "it wants signed questions",
        ocsp.OCSPResponseStatus.UNAUTHORIZED: "it does not answer for this certificate, or not to us",
    }
)
_WITHOUT_DIGEST = frozenset(
    {
        SignatureAlgorithmOID.ED25519,
        SignatureAlgorithmOID.ED448,
        SignatureAlgorithmOID.ML_DSA_44,
        SignatureAlgorithmOID.ML_DSA_65,
        SignatureAlgorithmOID.ML_DSA_87,
    }
)
_NONCE = bytes.fromhex("2b0601050507300102")
_TIME, _EXTENSIONS = 0x18, 0xA1
_CRITICAL_EXTENSION = 3
"""An extension that says whether it is critical has so many parts."""
_OPTIONAL_PARTS = 3
"""Of what is said of one certificate, the first three parts are always there: which one, its state, since when that is told."""


class _UnusableError(Exception):
    """An answer may not be used."""


def ocsp_request(certificate: bytes, issuer: bytes) -> bytes:
    """Ask what became of a DER certificate: a DER request (RFC 6960 section 4.1). Raises BadParameter.

    The digest is SHA-1, which every responder knows (RFC 5019 section 2.1.1). There is no nonce: an answer made ahead will do.
    """
    try:
        request = _question(load(certificate), load(issuer), hashes.SHA1())  # noqa: S303 - it names, and protects nothing
        return request.public_bytes(Encoding.DER)
    except UNREADABLE as error:
        raise BadParameter(f"No OCSP question can be asked about this certificate: {error}.") from error


def judge_by_ocsp(
    certificate: bytes, issuer: bytes, response: bytes, at: datetime, *, leeway: timedelta = timedelta(0)
) -> Judgement:
    """Judge a DER certificate by an OCSP answer in DER. What cannot be read, or may not be believed, is UNKNOWN.

    `leeway` is by how much clocks may differ: an answer may be dated so far ahead (RFC 5019 section 4).
    """
    try:
        subject, signer = load(certificate), load(issuer)
        if not has_signed(signer, subject):
            return unknown(NOT_ITS_ISSUER, "ocsp")
        answer = _read(response)
        _check_signature(answer, signer, at)
        _check_extensions(answer.tbs_response_bytes)
        return _judge(list(_singles(answer, subject, signer)), at, at + leeway)
    except (_UnusableError, BadParameter) as error:
        return unknown(str(error), "ocsp")
    except UNREADABLE as error:
        return unknown(f"The OCSP answer, or a certificate, cannot be read: {error}.", "ocsp")


def _question(certificate: x509.Certificate, issuer: x509.Certificate, digest: hashes.HashAlgorithm) -> ocsp.OCSPRequest:
    return ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, digest).build()


def _read(response: bytes) -> ocsp.OCSPResponse:
    if len(response) > MOST_BYTES:
        raise _UnusableError(f"An OCSP answer has {MOST_BYTES} bytes at the most; this one has {len(response)}.")
    try:
        answer = ocsp.load_der_ocsp_response(response)
    except UNREADABLE as error:
        raise _UnusableError(f"This is not an OCSP answer that can be read: {error}.") from error
    if answer.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        raise _UnusableError(f"The OCSP responder does not answer: {_REFUSALS[answer.response_status]}.")
    return answer


def _check_signature(answer: ocsp.OCSPResponse, issuer: x509.Certificate, at: datetime) -> None:
    """Look for the signer: the issuer, or one that it chose for this (RFC 6960 section 4.2.2.2)."""
    digest = None if answer.signature_algorithm_oid in _WITHOUT_DIGEST else answer.signature_hash_algorithm
    delegates = [one for one in answer.certificates[:_MOST_CERTIFICATES] if one != issuer and has_signed(issuer, one)]
    signers = [
        one
        for one in (issuer, *delegates)
        if _is_named(one, answer) and verifies(one.public_key(), answer.signature, answer.tbs_response_bytes, None, digest)
    ]
    if not signers:
        raise _UnusableError("The OCSP answer is signed neither by the certificate's issuer nor by a responder that it chose.")
    wrong = [_wrong_with(one, at) for one in signers if one is not issuer]
    if len(wrong) == len(signers) and all(wrong):
        raise _UnusableError(f"The OCSP answer is signed by a responder whose certificate {wrong[0]}.")


def _is_named(certificate: x509.Certificate, answer: ocsp.OCSPResponse) -> bool:
    if answer.responder_name is not None:
        return name_key(answer.responder_name) == name_key(certificate.subject)
    return answer.responder_key_hash == x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest


def _wrong_with(delegate: x509.Certificate, at: datetime) -> str | None:
    usages = found(delegate.extensions, x509.ExtendedKeyUsage)
    if usages is None or ExtendedKeyUsageOID.OCSP_SIGNING not in usages:
        return "is not for signing OCSP answers"
    if not may(delegate, "digital_signature", "content_commitment"):
        return "is for a key that may not sign (key usage)"
    return None if is_valid(delegate, at) else "is not valid at this time"


def _singles(
    answer: ocsp.OCSPResponse, certificate: x509.Certificate, issuer: x509.Certificate
) -> Iterator[ocsp.OCSPSingleResponse]:
    """Choose what is said of the certificate: issuer's name, issuer's key and serial number are its own."""
    for single in answer.responses:
        if single.serial_number != certificate.serial_number:
            continue
        # the library makes the digests of a request, and of the bytes that are in the certificates
        with suppress(*UNREADABLE):
            question = _question(certificate, issuer, single.hash_algorithm)
            if (single.issuer_name_hash, single.issuer_key_hash) == (question.issuer_name_hash, question.issuer_key_hash):
                yield single


def _judge(singles: Sequence[ocsp.OCSPSingleResponse], at: datetime, latest: datetime) -> Judgement:
    if not singles:
        raise _UnusableError("The OCSP answer is about another certificate.")
    timely = [single for single in singles if single.this_update_utc <= latest and at <= _end(single)]
    if not timely:
        raise _UnusableError(_why_untimely(max(singles, key=lambda single: single.this_update_utc), latest))
    # of several, the worse one counts, and then the newest
    single = max(timely, key=lambda one: (one.certificate_status is ocsp.OCSPCertStatus.REVOKED, one.this_update_utc))
    told_by = f"the OCSP answer of {single.this_update_utc:%Y-%m-%d %H:%M:%S} UTC"
    if single.certificate_status is ocsp.OCSPCertStatus.UNKNOWN:
        raise _UnusableError("The OCSP responder does not know this certificate.")
    if single.revocation_time_utc is not None:
        return revoked(told_by, single.revocation_time_utc, single.revocation_reason, _end(single), "ocsp")
    return good(told_by, _end(single), "ocsp")


def _end(single: ocsp.OCSPSingleResponse) -> datetime:
    return single.next_update_utc or single.this_update_utc + WITHOUT_END


def _why_untimely(single: ocsp.OCSPSingleResponse, latest: datetime) -> str:
    if single.this_update_utc > latest:
        return "The OCSP answer is of a time that has not come yet."
    return f"The OCSP answer ran out on {_end(single):%Y-%m-%d %H:%M:%S} UTC."


def _check_extensions(tbs: bytes) -> None:
    """Refuse a critical extension that is not known here, of the answer or of what is said of one certificate."""
    (data,) = read_elements(tbs)
    place = next(place for place, part in enumerate(data.inner) if part.tag == _TIME)
    singles, rest = data.inner[place + 1].inner, data.inner[place + 2 :]
    optional = [part for single in singles for part in single.inner[_OPTIONAL_PARTS:]]
    for part in (*rest, *optional):
        for extension in part.inner[0].inner if part.tag == _EXTENSIONS and part.inner else ():
            if _is_critical(extension) and extension.inner[0].content != _NONCE:
                raise _UnusableError("The OCSP answer has a critical extension that is not known here.")


def _is_critical(extension: Element) -> bool:
    return len(extension.inner) == _CRITICAL_EXTENSION and any(extension.inner[1].content)
