"""Signatures of webhooks, as the Standard Webhooks specification has them: HMAC-SHA-256 over id, time and body."""

import binascii
import hmac
from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Final

from certworker.errors import BadParameter

PREFIX: Final = "whsec_"
LEAST_BYTES: Final = 24
MOST_BYTES: Final = 64
MOST_SECRETS: Final = 2


def read_secrets(text: str) -> tuple[bytes, ...]:
    """Read one secret, or two while they are changed, a line each. Raises BadParameter, which repeats none of it."""
    lines = text.split()
    if not 0 < len(lines) <= MOST_SECRETS:
        raise BadParameter(f"holds {len(lines)} secrets: one is needed, or two while they are changed, a line each")
    return tuple(map(_read_secret, lines))


def sign(secrets: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """Sign a message by each of the secrets: the value of the header webhook-signature. `timestamp` is seconds since 1970."""
    content = b".".join((message_id.encode(), str(timestamp).encode(), body))
    return " ".join(f"v1,{b64encode(hmac.digest(secret, content, 'sha256')).decode()}" for secret in secrets)


def _read_secret(line: str) -> bytes:
    try:
        secret = b64decode(line.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if not line.startswith(PREFIX) or not LEAST_BYTES <= len(secret) <= MOST_BYTES:
        raise BadParameter(
            f"holds what is no secret: {PREFIX} and {LEAST_BYTES} to {MOST_BYTES} random bytes in base64 are needed"
        )
    return secret
