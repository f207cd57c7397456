"""The certificate that a tls-alpn-01 challenge is answered with (RFC 8737 section 3)."""

import hashlib
import ipaddress
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ObjectIdentifier

from certworker.crypto.subjects import common_name

ACME_IDENTIFIER = ObjectIdentifier("1.3.6.1.5.5.7.1.31")
_OCTET_STRING = 0x04
_BACKDATED, _VALIDITY = timedelta(hours=1), timedelta(days=1)


def handshake_certificate(identifier: str, key_authorization: str, at: datetime) -> bytes:
    """Make a self-signed certificate for a name or an address (RFC 8738), with a key of its own; both in PEM.

    Its critical extension acmeIdentifier holds the digest of the key authorization.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    digest = hashlib.sha256(key_authorization.encode("ascii")).digest()
    name = common_name("certworker tls-alpn-01")
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(at - _BACKDATED).not_valid_after(at + _VALIDITY)
    builder = builder.add_extension(x509.SubjectAlternativeName([_general_name(identifier)]), critical=False)
    value = bytes([_OCTET_STRING, len(digest)]) + digest
    builder = builder.add_extension(x509.UnrecognizedExtension(ACME_IDENTIFIER, value), critical=True)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


def _general_name(identifier: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(identifier))
    except ValueError:
        return x509.DNSName(identifier)
