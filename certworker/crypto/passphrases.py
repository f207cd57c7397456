"""A key from a passphrase: scrypt (RFC 7914), whose cost is written down beside what the key wraps."""

import os
import unicodedata
from dataclasses import dataclass

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from certworker.crypto.sealing import KEY_SIZE
from certworker.errors import BadParameter

LEAST_LENGTH = 12
SALT_SIZE = 32
MOST_LOG_N = 20
"""A file that asks for more than 1 GiB was not written by us."""


@dataclass(frozen=True, slots=True)
class ScryptCost:
    """What one try costs: 128 * r * 2**log_n bytes of memory, and time in proportion. 128 MiB and about half a second."""

    log_n: int = 17
    r: int = 8
    p: int = 1


def new_salt() -> bytes:
    """Make a salt from the operating system's random numbers."""
    return os.urandom(SALT_SIZE)


def check_passphrase(passphrase: str) -> str:
    """Give back a passphrase that is fit to be chosen. Raises BadParameter."""
    if len(passphrase) < LEAST_LENGTH:
        raise BadParameter(f"The passphrase is too short: it needs at least {LEAST_LENGTH} characters.")
    return passphrase


def derive_from_passphrase(passphrase: str, salt: bytes, cost: ScryptCost) -> bytes:
    """Derive a 256-bit key. The same letters give the same key, however a terminal composes them (NFKC).

    Raises BadParameter for what is no text.
    """
    try:
        text = unicodedata.normalize("NFKC", passphrase).encode()
    except UnicodeEncodeError:
        raise BadParameter("The passphrase is no text: it holds a half of a character.") from None
    return Scrypt(salt, KEY_SIZE, 2**cost.log_n, cost.r, cost.p).derive(text)
