"""Envelope encryption: records are sealed under a vault key, vault keys are wrapped by the master key.

Both are AES-256-GCM. The place of a record (its vault, kind, name, version and field) is bound in as associated data, so a
sealed record that was moved, or swapped with another, does not open.

A seal reads: format (1 byte, 2), term (4 bytes, big-endian), salt (32 bytes), ciphertext and tag. Each record has a key and a
nonce of its own, which HKDF with SHA-256 makes from the vault key and the random salt: nobody has to count what was encrypted
under one key, however many processes share it. The term counts the vault's keys; a new term seals what is written from then
on, and older ones still open what they sealed.

What was derived for one salt is the same for ever: a key remembers it for the records that it opened last, as long as it is
in memory itself. Whoever can read that memory can read the key.

What was sealed in format 1 still opens: there a nonce (12 bytes) stands in the salt's place, under the vault key itself.
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from certworker.errors import SealBroken

KEY_SIZE = 32
_FORMAT = 2
_SALT_SIZE = 32
_NONCE_SIZE = 12
_HEADER_SIZE = 1 + 4
_RECORD = b"certworker record"
_OLD_FORMAT = 1
_SHORTEST: Final = MappingProxyType({_FORMAT: _HEADER_SIZE + _SALT_SIZE, _OLD_FORMAT: _HEADER_SIZE + _NONCE_SIZE})
_MOST_RECORD_KEYS: Final = 256
"""For so many records each key remembers what it derived, in a quarter of a kilobyte each."""


@dataclass(frozen=True, slots=True, repr=False)
class SealingKey:
    """A 256-bit key and the term that names it. Its `repr` never shows the key."""

    term: int
    key: bytes
    derived: Callable[[bytes], bytes] = field(init=False, compare=False)
    """Gives the key and the nonce of the record with a salt."""

    def __post_init__(self) -> None:
        """Begin to remember."""
        object.__setattr__(self, "derived", lru_cache(_MOST_RECORD_KEYS)(partial(_derive, self.key)))

    def __repr__(self) -> str:
        """Show the term only."""
        return f"SealingKey(term={self.term})"


def new_key() -> bytes:
    """Make a 256-bit key from the operating system's random numbers."""
    return os.urandom(KEY_SIZE)


def key_id(key: bytes) -> str:
    """Name a key without telling anything of it: half of a SHA-256 over it and this purpose."""
    return hashlib.sha256(b"certworker sealing key id\0" + key).hexdigest()[:32]


def seal(key: SealingKey, plaintext: bytes, place: str) -> bytes:
    """Seal `plaintext` for the record at `place`."""
    header, salt = bytes([_FORMAT]) + key.term.to_bytes(4, "big"), os.urandom(_SALT_SIZE)
    cipher, nonce = _record_cipher(_derive(key.key, salt))  # not remembered: most of what is sealed is not opened here
    return header + salt + cipher.encrypt(nonce, plaintext, header + place.encode())


def term_of(sealed: bytes) -> int:
    """Tell under which term a record was sealed. Raises SealBroken where it is no seal."""
    if not sealed or len(sealed) < _SHORTEST.get(sealed[0], len(sealed) + 1):
        raise SealBroken("A sealed record has an unknown format.")
    return int.from_bytes(sealed[1:_HEADER_SIZE], "big")


def open_sealed(key: SealingKey, sealed: bytes, place: str) -> bytes:
    """Open the record at `place`. Raises SealBroken where it was altered, moved, or sealed under another key or term."""
    if term_of(sealed) != key.term:
        raise SealBroken(f"The sealed record at {place} was sealed under another term.")
    header = sealed[:_HEADER_SIZE]
    if sealed[0] == _FORMAT:
        begin = _HEADER_SIZE + _SALT_SIZE
        cipher, nonce = _record_cipher(key.derived(sealed[_HEADER_SIZE:begin]))
    else:
        begin = _HEADER_SIZE + _NONCE_SIZE
        cipher, nonce = AESGCM(key.key), sealed[_HEADER_SIZE:begin]
    try:
        return cipher.decrypt(nonce, sealed[begin:], header + place.encode())
    except InvalidTag:
        raise SealBroken(f"The sealed record at {place} was altered, moved, or sealed under another key.") from None


def _derive(key: bytes, salt: bytes) -> bytes:
    return HKDF(SHA256(), KEY_SIZE + _NONCE_SIZE, salt, _RECORD).derive(key)


def _record_cipher(derived: bytes) -> tuple[AESGCM, bytes]:
    return AESGCM(derived[:KEY_SIZE]), derived[KEY_SIZE:]
