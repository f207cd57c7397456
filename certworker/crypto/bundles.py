"""The forms in which a certificate travels with its key: PKCS#12 (RFC 7292) and PEM."""

from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import KeySerializationEncryption, PrivateFormat, pkcs12

from certworker.crypto.keys import load_private, private_pem
from certworker.crypto.x509 import to_pem

_EMPTY_PASSWORD = b"\0"
"""A password of one zero byte, which cryptography takes where it refuses an empty one. To a reader they are the same: both
derivations of keys (PKCS#12's own and HMAC in PBKDF2) fill a short password up with zeros."""

_ROUNDS = 2048
"""More would only cost time: there is nothing to guess in an empty password."""


def pkcs12_bundle(private_key: bytes | None, leaf: bytes, chain: Sequence[bytes]) -> bytes:
    """Build a PKCS#12 file with an empty password, as Key Vault's secrets have it; without a key if there is none to give.

    It is encrypted and has a MAC, though its password is empty: Java passes over keys that are not encrypted, and Windows
    and older OpenSSL refuse a file without a MAC.
    """
    certificate = x509.load_der_x509_certificate(leaf)
    above = [x509.load_der_x509_certificate(der) for der in chain]
    key = load_private(private_key) if private_key else None
    if key is None:
        return pkcs12.serialize_key_and_certificates(None, None, None, [certificate, *above], _encryption())
    return pkcs12.serialize_key_and_certificates(None, key, certificate, above, _encryption())


def _encryption() -> KeySerializationEncryption:
    builder = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(_ROUNDS).hmac_hash(SHA256())
    return builder.key_cert_algorithm(pkcs12.PBES.PBESv2SHA256AndAES256CBC).build(_EMPTY_PASSWORD)


def pem_bundle(private_key: bytes | None, leaf: bytes, chain: Sequence[bytes]) -> bytes:
    """Build a PEM file: PRIVATE KEY (if there is one to give), the leaf, then its chain."""
    return (private_pem(private_key) if private_key else b"") + to_pem((leaf, *chain))
