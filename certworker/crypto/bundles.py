"""The forms in which a certificate travels with its key: PKCS#12 (RFC 7292) and PEM."""

from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives.serialization import NoEncryption, pkcs12

from certworker.crypto.keys import load_private, private_pem
from certworker.crypto.x509 import to_pem


def pkcs12_bundle(private_key: bytes | None, leaf: bytes, chain: Sequence[bytes]) -> bytes:
    """Build a PKCS#12 file with an empty password, as Key Vault's secrets have it; without a key if there is none to give."""
    certificate = x509.load_der_x509_certificate(leaf)
    above = [x509.load_der_x509_certificate(der) for der in chain]
    key = load_private(private_key) if private_key else None
    if key is None:
        return pkcs12.serialize_key_and_certificates(None, None, None, [certificate, *above], NoEncryption())
    return pkcs12.serialize_key_and_certificates(None, key, certificate, above, NoEncryption())


def pem_bundle(private_key: bytes | None, leaf: bytes, chain: Sequence[bytes]) -> bytes:
    """Build a PEM file: PRIVATE KEY (if there is one to give), the leaf, then its chain."""
    return (private_pem(private_key) if private_key else b"") + to_pem((leaf, *chain))
