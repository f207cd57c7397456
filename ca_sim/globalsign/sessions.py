"""Log-ins, and how much of its budget an account has used in this second."""

import hmac
import secrets
from datetime import datetime, timedelta

from ca_sim.clock import Clock
from ca_sim.globalsign.errors import NotAuthorizedError, TooManyRequestsError
from ca_sim.globalsign.settings import GlobalsignSettings

MOST = 10_000
"""Tokens that are kept; beyond that the oldest are forgotten, and who uses one is told to log in again."""


class Sessions:
    """Access tokens, each for one account and one client certificate. Not remembered over a restart: clients log in again."""

    def __init__(self, settings: GlobalsignSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._open: dict[str, tuple[str, bytes, datetime]] = {}  # oldest first, as a dict keeps its order
        self._used: dict[str, tuple[datetime, int]] = {}

    def log_in(self, api_key: str, api_secret: str, client: bytes) -> str:
        """Give a new token. Raises NotAuthorizedError, which does not say which of the two is wrong."""
        known = self._settings.accounts.get(api_key, "")
        if not known or not hmac.compare_digest(known.encode(), api_secret.encode()):
            raise NotAuthorizedError("the API key or the API secret is wrong")
        at = self._clock()
        self._forget(at)
        token = secrets.token_urlsafe(24)
        self._open[token] = api_key, client, at + timedelta(seconds=self._settings.token_seconds)
        return token

    def account(self, authorization: str, client: bytes) -> str:
        """Give the API key that a bearer token belongs to. Raises NotAuthorizedError and TooManyRequestsError."""
        scheme, _, token = authorization.partition(" ")
        api_key, holder, expires_at = self._open.get(token, ("", b"", self._clock()))
        if scheme.lower() != "bearer" or self._clock() >= expires_at or holder != client:
            raise NotAuthorizedError("the access token is missing, unknown or too old: log in")
        self._spend(api_key)
        return api_key

    def _spend(self, api_key: str) -> None:
        at = self._clock()
        second, count = self._used.get(api_key, (at, 0))
        count = count + 1 if second == at else 1
        self._used[api_key] = at, count
        if self._settings.requests_per_second and count > self._settings.requests_per_second:
            text = f"more than {self._settings.requests_per_second} requests in a second"
            raise TooManyRequestsError(text, {"Retry-After": "1"})

    def _forget(self, at: datetime) -> None:
        while self._open:
            oldest = next(iter(self._open))
            if at < self._open[oldest][2] and len(self._open) < MOST:
                return
            del self._open[oldest]
