"""Signatures of the audit log: Ed25519 (RFC 8032)."""

import hashlib

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
)


def new_audit_key() -> tuple[bytes, bytes]:
    """Make a key: its private half (32 bytes), and its public half (DER SubjectPublicKeyInfo)."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    return private, key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def audit_key_id(public_key: bytes) -> str:
    """Name a public key: the SHA-256 of its DER form, in hex."""
    return hashlib.sha256(public_key).hexdigest()


def sign_audit(private_key: bytes, data: bytes) -> bytes:
    """Sign with the private half."""
    return Ed25519PrivateKey.from_private_bytes(private_key).sign(data)


def is_signed(public_key: bytes, signature: bytes, data: bytes) -> bool:
    """Tell whether the signature is the key's, over this."""
    try:
        key = load_der_public_key(public_key)
        if not isinstance(key, Ed25519PublicKey):
            return False
        key.verify(signature, data)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True
