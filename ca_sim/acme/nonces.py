"""Anti-replay nonces (RFC 8555 section 6.5): each can be used once, for a limited time, by this process."""

import secrets
from datetime import datetime, timedelta

from ca_sim.problems import BadNonceError

MOST = 100_000
"""Unused nonces that are kept; beyond that the oldest are forgotten, and who uses one is told badNonce and retries."""


class Nonces:
    """The unused nonces. They are not remembered over a restart: a client then gets badNonce, with a new one."""

    def __init__(self, lifetime: timedelta) -> None:
        self._lifetime = lifetime
        self._unused: dict[str, datetime] = {}  # oldest first, as a dict keeps its order

    def issue(self, at: datetime) -> str:
        """Make a nonce of 128 random bits."""
        self._forget(at)
        nonce = secrets.token_urlsafe(16)
        self._unused[nonce] = at + self._lifetime
        return nonce

    def use(self, nonce: str, at: datetime) -> None:
        """Use a nonce up. Raises BadNonceError when it is unknown, used or too old."""
        expires_at = self._unused.pop(nonce, None)
        if expires_at is None or at >= expires_at:
            raise BadNonceError("the nonce is unknown, used already or too old: take the one of this answer")

    def _forget(self, at: datetime) -> None:
        while self._unused:
            oldest = next(iter(self._unused))
            if at < self._unused[oldest] and len(self._unused) < MOST:
                return
            del self._unused[oldest]
