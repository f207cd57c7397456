"""Consents: which endpoints have said that they want to be told."""

from datetime import datetime
from hashlib import sha256
from typing import Protocol


def endpoint_key(handshake: str, url: str) -> str:
    """Name an endpoint, by a digest: its URL may hold a password, and is written nowhere."""
    return sha256(f"{handshake}\n{url}".encode()).hexdigest()


class ConsentReader(Protocol):
    """What can be asked of consents; a part of the port to the database."""

    def consent(self, endpoint: str) -> datetime | None:
        """Tell since when an endpoint wants to be told."""


class ConsentWriter(ConsentReader, Protocol):
    """What can be changed in consents, inside one transaction."""

    def put_consent(self, endpoint: str, at: datetime) -> None:
        """Note that an endpoint wants to be told."""

    def delete_consent(self, endpoint: str) -> None:
        """Forget that it did; it is asked again."""
