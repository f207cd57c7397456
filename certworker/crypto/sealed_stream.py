"""A stream in sealed chunks: of any length, with the memory of one chunk, and whole or refused.

Each chunk reads: flag (1 byte, 1 on the last one), length (4 bytes, big-endian), ciphertext and tag. The key is one stream's
own, so a chunk's number is its nonce (AES-256-GCM). The stream's header, the number and the flag are bound in: a chunk that
was altered, moved, left out or comes from another stream does not open, and what stands behind the last one is noticed.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from certworker.errors import SealBroken

MOST_BYTES: Final = 32 * 1024 * 1024
"""So large is a sealed chunk at the most."""
_LENGTH_SIZE: Final = 4
_NUMBER_SIZE: Final = 12
_MORE, _LAST = b"\0", b"\1"

Read = Callable[[int], bytes]
"""Reads so many bytes of a file, fewer only at its end."""


def seal_chunks(key: bytes, header: bytes, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Seal chunks under a key that is used for nothing else. One chunk at a time is held back, to know the last."""
    cipher, digest = AESGCM(key), hashlib.sha256(header).digest()
    held, number = b"", 0
    for number, chunk in enumerate(chunks):
        if number:
            yield _seal(cipher, digest, number - 1, _MORE, held)
        held = chunk
    yield _seal(cipher, digest, number, _LAST, held)


def open_chunks(key: bytes, header: bytes, read: Read) -> Iterator[bytes]:
    """Open what `seal_chunks` made, to its end. Raises SealBroken where anything was altered, moved, cut off or added."""
    cipher, digest = AESGCM(key), hashlib.sha256(header).digest()
    flag, number = _MORE, 0
    while flag == _MORE:
        flag, chunk = _read(read)
        try:
            yield cipher.decrypt(_number(number), chunk, digest + flag)
        except InvalidTag:
            raise SealBroken(f"It was altered: chunk {number + 1} does not open.") from None
        number += 1
    if read(1):
        raise SealBroken("Something stands behind its end.")


def _seal(cipher: AESGCM, digest: bytes, number: int, flag: bytes, chunk: bytes) -> bytes:
    sealed = cipher.encrypt(_number(number), chunk, digest + flag)
    if len(sealed) > MOST_BYTES:
        raise ValueError(f"a chunk of {len(sealed)} bytes is too large")
    return flag + len(sealed).to_bytes(_LENGTH_SIZE, "big") + sealed


def _read(read: Read) -> tuple[bytes, bytes]:
    head = read(1 + _LENGTH_SIZE)
    flag, size = head[:1], int.from_bytes(head[1:], "big")
    if len(head) < 1 + _LENGTH_SIZE:
        raise SealBroken("It is cut off.")
    if flag not in {_MORE, _LAST} or size > MOST_BYTES:
        raise SealBroken("It was altered: the head of a chunk cannot be read.")
    chunk = read(size)
    if len(chunk) < size:
        raise SealBroken("It is cut off.")
    return flag, chunk


def _number(number: int) -> bytes:
    return number.to_bytes(_NUMBER_SIZE, "big")
