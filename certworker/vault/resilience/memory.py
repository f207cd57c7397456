"""What is remembered of failures: by CA and set of names, over operations, vaults and restarts."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from certworker.vault.vaults import Issuer


@dataclass(frozen=True, slots=True)
class MemoryKey:
    """A CA (its provider and account) and a set of names, which is kept as a digest: it can be long."""

    ca: str
    names: str


@dataclass(frozen=True, slots=True)
class FailureMemory:
    """Failures in a row, the first of them at `since`, the last at `updated`.

    `next_at` is when the next attempt was planned; `held_until` is the earliest that the CA itself allows.
    """

    key: MemoryKey
    failures: int
    since: datetime
    updated: datetime
    next_at: datetime
    held_until: datetime | None = None


def ca_of(issuer: Issuer) -> str:
    """Name the CA of an issuer record: whoever asks the same one by the same account shares what is remembered."""
    return f"{issuer.provider.casefold()} {issuer.account_id}"


def key_of(issuer: Issuer, names: Iterable[str]) -> MemoryKey:
    """Make the key to what is remembered of a CA and a set of names."""
    return MemoryKey(ca_of(issuer), digest_of(names))


def digest_of(names: Iterable[str]) -> str:
    """Digest a set of names, in whatever order and case."""
    plain = sorted({name.casefold().removesuffix(".") for name in names})
    return hashlib.sha256("\n".join(plain).encode()).hexdigest()
