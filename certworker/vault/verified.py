"""Tokens whose signature was checked already: by their hash, in a bounded memory.

What a signature says cannot change, so it is checked once. Everything that can (the time, the key's retirement, the rights of
whoever calls) is looked at on every request, elsewhere.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from threading import Lock
from typing import Any

MOST_TOKENS = 1024


class VerifiedTokens:
    """Remembers the claims of verified tokens with the id of the key that signed them; the least used go first."""

    def __init__(self, most: int = MOST_TOKENS) -> None:
        self._most = most
        self._found: OrderedDict[bytes, tuple[str, Mapping[str, Any]]] = OrderedDict()
        self._lock = Lock()

    def find(self, token: str) -> tuple[str, Mapping[str, Any]] | None:
        """Give the key id and the claims of a token that was kept."""
        digest = _digest(token)
        with self._lock:
            found = self._found.get(digest)
            if found:
                self._found.move_to_end(digest)
        return found

    def keep(self, token: str, key_id: str, claims: Mapping[str, Any]) -> None:
        """Keep the claims of a token that was verified. The token itself is not kept."""
        with self._lock:
            self._found[_digest(token)] = (key_id, claims)
            while len(self._found) > self._most:
                self._found.popitem(last=False)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()
