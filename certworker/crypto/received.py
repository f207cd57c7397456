"""Certificates as people and CAs send them: DER, PEM, PKCS#7 (RFC 2315) in either form, and base64 of these."""

import binascii
from base64 import b64decode

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from certworker.errors import BadParameter

_PEM = b"-----BEGIN "
_PEM_PKCS7 = (b"-----BEGIN PKCS7-----", b"-----BEGIN CMS-----")
_UNREADABLE = "neither an X.509 certificate nor PKCS#7 with certificates, in DER or PEM"


def read_certificates(content: bytes) -> tuple[bytes, ...]:
    """Read all certificates out of `content` as DER, in its own order; what else a PEM file holds is left alone.

    Raises BadParameter where there is none, or one that cannot be read.
    """
    content = _bare(content)
    if not content:
        raise BadParameter(f"The content is empty: {_UNREADABLE}.")
    certificates = _read_pem(content) if _PEM in content else _read_der(content)
    return tuple(certificate.public_bytes(Encoding.DER) for certificate in certificates)


def _bare(content: bytes) -> bytes:
    """Take base64 off where there is one: no certificate in DER or PEM passes for it."""
    try:
        return b64decode(b"".join(content.split()), validate=True)
    except binascii.Error:
        return content


def _read_pem(content: bytes) -> list[x509.Certificate]:
    try:
        if any(header in content for header in _PEM_PKCS7):
            # some name the newer standard in the header, and mean the same
            return pkcs7.load_pem_pkcs7_certificates(content.replace(b" CMS-----", b" PKCS7-----"))
        return x509.load_pem_x509_certificates(content)
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise BadParameter(f"The PEM text holds no certificate that can be read: {error}.") from error


def _read_der(content: bytes) -> list[x509.Certificate]:
    try:
        return [x509.load_der_x509_certificate(content)]
    except (ValueError, x509.InvalidVersion):
        pass
    try:
        return pkcs7.load_der_pkcs7_certificates(content)
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise BadParameter(f"The content is {_UNREADABLE}.") from error
