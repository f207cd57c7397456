"""Octets that keys make and take: raw in files and pipes, base64url (RFC 7515 section 2) on a terminal and on the wire."""

import re
import sys
from base64 import urlsafe_b64decode, urlsafe_b64encode

from certworker.cli.files import STANDARD, read_filled, write_bytes

_TEXT = re.compile(rb"\s*([A-Za-z0-9_-]{16,})={0,2}\s*")


def base64url_of(octets: bytes) -> str:
    """Encode, without padding."""
    return urlsafe_b64encode(octets).rstrip(b"=").decode()


def octets_of(text: str) -> bytes:
    """Decode what the service sent."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def received_octets(content: bytes) -> bytes:
    """Take octets as they are, or decode them where they are a text of base64url, as a terminal shows them.

    Signatures and ciphertexts are long and random: none looks like a text by chance.
    """
    text = _TEXT.fullmatch(content)
    return octets_of(text[1].decode()) if text and len(text[1]) % 4 != 1 else content


def read_octets(file: str) -> bytes:
    """Read a signature or a ciphertext, in either form, from a file or standard input."""
    return received_octets(read_filled(file))


def write_octets(output: str | None, octets: bytes, *, private: bool = False) -> None:
    """Write octets: as they are into a file or a pipe, as base64url on a terminal."""
    if output in {None, STANDARD} and sys.stdout.isatty():
        sys.stdout.write(base64url_of(octets) + "\n")
    else:
        write_bytes(output, octets, private=private)
