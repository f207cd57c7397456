"""Compromised keys: known to others, and never used again in any vault. They are matched by their public half."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from certworker.errors import BadParameter
from certworker.vault.objects import CertificateVersion
from certworker.vault.operations import Operation


@dataclass(frozen=True, slots=True)
class CompromisedKey:
    """A key that is known to others. `digest` is the SHA-256 of its SubjectPublicKeyInfo in hex, `since` when that was found.

    `vault_id`, `name` and `version` say with which certificate, and outlive it.
    """

    digest: str
    since: datetime
    vault_id: str
    name: str
    version: str


class CompromisedKeyReader(Protocol):
    """What can be asked of compromised keys; a part of the port to the database. `public_key` is a DER SubjectPublicKeyInfo."""

    def compromised_key(self, public_key: bytes) -> CompromisedKey | None:
        """Find a key among those that are compromised."""

    def versions_with_key(self, public_key: bytes) -> tuple[CertificateVersion, ...]:
        """List the current versions of live certificates that have a key, in all vaults."""

    def operations_with_key(self, public_key: bytes) -> tuple[Operation, ...]:
        """List the operations in progress that have a key, in all vaults."""


class CompromisedKeyWriter(CompromisedKeyReader, Protocol):
    """What can be changed in compromised keys, inside one transaction."""

    def add_compromised_key(self, key: CompromisedKey) -> bool:
        """Add a key for good; tell whether it is new."""


def digest_of(public_key: bytes) -> str:
    """Name a key by its public half."""
    return hashlib.sha256(public_key).hexdigest()


def refuse_compromised(reader: CompromisedKeyReader, public_key: bytes) -> None:
    """Refuse a key that is known to be compromised. Raises BadParameter."""
    known = reader.compromised_key(public_key) if public_key else None
    if known:
        raise BadParameter(
            f"This key is known to be compromised since {known.since:%Y-%m-%dT%H:%M:%SZ}, when it was the certificate "
            f"{known.name}'s, and is never used again: make a new one."
        )


def compromised_since(reader: CompromisedKeyReader, public_key: bytes) -> datetime | None:
    """Tell since when a key is known to be compromised; none where it is not."""
    known = reader.compromised_key(public_key)
    return known.since if known else None
