"""The directories that were read lately: they change about never, and every step needs one."""

import threading
from datetime import datetime, timedelta

from certworker.issuers.acme.resources import Directory

FRESH = timedelta(minutes=5)
MOST = 64


class Directories:
    """Directories by URL, for a few minutes each. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read: dict[str, tuple[datetime, Directory]] = {}

    def find(self, url: str, at: datetime) -> Directory | None:
        """Find a directory that was read within the last minutes."""
        with self._lock:
            when, directory = self._read.get(url, (at, None))
            return directory if at - FRESH < when <= at else None

    def keep(self, url: str, directory: Directory, at: datetime) -> None:
        """Keep a directory that was read now; one that is still fresh stays as old as it is."""
        with self._lock:
            when, known = self._read.get(url, (at, None))
            if known == directory and at - FRESH < when <= at:
                return
            self._read[url] = (at, directory)
            while len(self._read) > MOST:
                del self._read[next(iter(self._read))]

    def forget(self, url: str) -> None:
        """Forget a directory that led nowhere."""
        with self._lock:
            self._read.pop(url, None)
