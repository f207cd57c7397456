"""Passwords that people choose, hashed so that guessing is dear: scrypt (RFC 7914), its cost written beside each hash."""

import hmac
import os
import secrets
import unicodedata
from base64 import b64decode, b64encode

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from certworker.errors import BadParameter

LEAST_LENGTH, MOST_LENGTH = 8, 256
_KINDS_NEEDED = 3
_LOG_N, _R, _P = 15, 8, 3
_SIZE = 32
_NOBODY = f"scrypt${_LOG_N}${_R}${_P}$AAAAAAAAAAAAAAAAAAAAAA==$"
"""The hash of no password at all: to compare with it takes as long."""


def hash_password(password: str) -> str:
    """Hash a password with a salt of its own: 32 MiB and some 0.2 s for each try."""
    salt = os.urandom(16)
    digest = _derive(password, salt, _LOG_N, _R, _P)
    return f"scrypt${_LOG_N}${_R}${_P}${b64encode(salt).decode()}${b64encode(digest).decode()}"


def password_matches(password: str, hashed: str | None) -> bool:
    """Compare a password with a hash in constant time; without a hash it takes as long, and is wrong."""
    _, log_n, r, p, salt, digest = (hashed or _NOBODY).split("$")
    derived = _derive(password[:MOST_LENGTH], b64decode(salt), int(log_n), int(r), int(p))
    return hmac.compare_digest(derived, b64decode(digest)) and len(password) <= MOST_LENGTH


def check_password_strength(password: str, user_name: str) -> str:
    """Give back a password that is fit to be chosen.

    It has 8 to 256 characters of three kinds of four (lower case, upper case, digits, others), and not the user's name.
    Raises BadParameter, whose words never hold it.
    """
    if not LEAST_LENGTH <= len(password) <= MOST_LENGTH:
        raise BadParameter(f"A password has {LEAST_LENGTH} to {MOST_LENGTH} characters.", "password")
    others = any(not letter.isalnum() for letter in password)
    kinds = [any(map(test, password)) for test in (str.islower, str.isupper, str.isdigit)] + [others]
    if sum(kinds) < _KINDS_NEEDED:
        raise BadParameter("A password has three of: lower case, upper case, digits, and other characters.", "password")
    name = user_name.split("@", 1)[0].casefold()
    if len(name) >= _KINDS_NEEDED and name in password.casefold():
        raise BadParameter("A password does not hold the user's name.", "password")
    try:
        password.encode()
    except UnicodeEncodeError:
        raise BadParameter("The password is no text: it holds a half of a character.", "password") from None
    return password


def _derive(password: str, salt: bytes, log_n: int, r: int, p: int) -> bytes:
    # the same letters give the same key, however a keyboard composes them; half a character matches nothing
    text = unicodedata.normalize("NFKC", password).encode(errors="replace")
    return Scrypt(salt, _SIZE, 2**log_n, r, p).derive(text)


def new_password() -> str:
    """Make a password of 120 random bits that a person can type, and that is fit to be chosen."""
    while True:
        password = "-".join(secrets.token_urlsafe(4)[:5] for _ in range(4))
        if (
            password[0].isalnum()
            and sum(any(map(test, password)) for test in (str.islower, str.isupper, str.isdigit)) == _KINDS_NEEDED
        ):
            return password
