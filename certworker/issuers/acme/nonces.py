"""Nonces that a CA gave and no request has used: every answer brings one, and to ask for one costs a request."""

import threading
from collections.abc import Collection
from datetime import datetime, timedelta

FRESH = timedelta(minutes=5)
"""After so long a CA may have forgotten them, and a refused nonce costs more than a new one."""
MOST = 20
MOST_AUTHORITIES = 64


class SpareNonces:
    """Nonces by the directory of their CA, from one step to another. Safe for threads; none is given out twice."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, list[tuple[datetime, str]]] = {}

    def take(self, directory_url: str, at: datetime) -> str | None:
        """Take the newest that is fresh."""
        with self._lock:
            kept = self._kept.pop(directory_url, [])
            fresh = [(when, nonce) for when, nonce in kept if at - FRESH < when <= at]
            nonce = fresh.pop()[1] if fresh else None
            if fresh:
                self._kept[directory_url] = fresh
            return nonce

    def keep(self, directory_url: str, nonces: Collection[str], at: datetime) -> None:
        """Keep what is left over."""
        if not nonces:
            return
        with self._lock:
            kept = self._kept.pop(directory_url, [])
            self._kept[directory_url] = [*kept, *((at, nonce) for nonce in nonces)][-MOST:]
            while len(self._kept) > MOST_AUTHORITIES:
                del self._kept[next(iter(self._kept))]
