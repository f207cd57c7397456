"""An answer for a wrong RSA1_5 padding that is not an error: bytes that are always the same, and look like a message.

An error would let anybody decrypt who may ask often enough (Bleichenbacher; draft-irtf-cfrg-rsa-guidance). OpenSSL gives such
an answer for keys in this process; a token says that the padding was wrong.
"""

import hashlib
import hmac
from typing import Final

OVERHEAD: Final = 11
"""So many bytes fewer than the modulus has does a message have (RFC 8017 section 7.2.1)."""
_LABEL: Final = b"certworker RSA1_5 implicit rejection"
_LENGTH_BYTES: Final = 8


def probe(modulus_size: int) -> bytes:
    """Make the number whose private power is the secret behind the answers: no padding of any operation looks like it."""
    # its first byte is zero, so that it is smaller than every modulus of this size
    return b"\0" + _stream(_LABEL, b"probe", modulus_size - 1)


def rejection_key(power: bytes) -> bytes:
    """Make the secret of the private power of `probe`."""
    return hmac.digest(_LABEL, power, "sha256")


def reject(key: bytes, ciphertext: bytes) -> bytes:
    """Make the answer for a ciphertext that is as long as the modulus: any length that a message can have."""
    seed = hmac.digest(key, ciphertext, "sha256")
    most = len(ciphertext) - OVERHEAD
    length = int.from_bytes(_stream(seed, b"length", _LENGTH_BYTES), "big") % (most + 1)
    return _stream(seed, b"message", most)[:length]


def _stream(key: bytes, purpose: bytes, length: int) -> bytes:
    size = hashlib.sha256().digest_size
    rounds = (hmac.digest(key, purpose + counter.to_bytes(4, "big"), "sha256") for counter in range(-(-length // size)))
    return b"".join(rounds)[:length]
