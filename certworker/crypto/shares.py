"""Shares of a key: so many of them make it, and fewer tell nothing of it (Shamir's secret sharing over GF(256)).

A share reads `cws1-SET-DATA-CHECK`, all in hex: the set that it belongs to, its bytes (the last one is its x coordinate, drawn
at random from 1 to 255), and a check that finds a slip of the pen.
"""

import hashlib
import hmac
import os
import re
from dataclasses import dataclass

from pyshamir import combine, split  # type: ignore[import-untyped]

from certworker.errors import BadParameter

MOST_SHARES = 255
_SET_SIZE = 4
_CHECK_SIZE = 4
_SHARE = re.compile(r"cws1-([0-9a-f]{8})-([0-9a-f]{66})-([0-9a-f]{8})")


@dataclass(frozen=True, slots=True)
class ShareSet:
    """What is known of the shares without having one: how many make the key, and a hash of each, by which it is known again.

    A share is as random as the key itself, so its hash tells nothing of it.
    """

    id: str
    threshold: int
    hashes: tuple[str, ...]

    def read(self, text: str) -> bytes:
        """Read a share of this set. Raises BadParameter for anything else, and says what it is."""
        match = _SHARE.fullmatch("".join(text.split()).casefold())
        if match is None or match[3] != _check(match[1], bytes.fromhex(match[2])):
            raise BadParameter("This is no share, or a letter of it is wrong: a share begins with cws1- and has its own check.")
        if match[1] != self.id:
            raise BadParameter(f"This share is of the set {match[1]}, and the master key is wrapped under the set {self.id}.")
        share = bytes.fromhex(match[2])
        if not any(hmac.compare_digest(_hash(self.id, share), known) for known in self.hashes):
            raise BadParameter("This share is none of those that were handed out.")
        return share


def split_key(key: bytes, shares: int, threshold: int) -> tuple[ShareSet, tuple[str, ...]]:
    """Split a key into shares, as texts to be handed out. Raises BadParameter where the numbers do not fit."""
    if not 2 <= threshold <= shares <= MOST_SHARES:  # noqa: PLR2004  # one share alone would be the key itself
        raise BadParameter(f"A key is split into 2 to {MOST_SHARES} shares, of which at least 2 and at most all are needed.")
    set_id = os.urandom(_SET_SIZE).hex()
    parts = [bytes(part) for part in split(key, shares, threshold)]
    texts = tuple(f"cws1-{set_id}-{part.hex()}-{_check(set_id, part)}" for part in parts)
    return ShareSet(set_id, threshold, tuple(sorted(_hash(set_id, part) for part in parts))), texts


def combine_shares(shares: list[bytes]) -> bytes:
    """Make the key of as many shares as its threshold asks for."""
    return bytes(combine([bytearray(share) for share in shares]))


def _check(set_id: str, share: bytes) -> str:
    return hashlib.sha256(b"certworker share check\0" + bytes.fromhex(set_id) + share).digest()[:_CHECK_SIZE].hex()


def _hash(set_id: str, share: bytes) -> str:
    return hashlib.sha256(b"certworker share\0" + bytes.fromhex(set_id) + share).hexdigest()
