"""Spare keys: what belongs to nothing yet, and how it lies in the database."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class SpareKey:
    """A key that belongs to nothing yet. `kind` is what it is (`RSA-2048`); it lies sealed in the service's own vault."""

    id: str
    kind: str
    sealed_key: bytes
    created: datetime


class SpareKeyReader(Protocol):
    """What can be asked of spare keys; a part of the port to the database."""

    def count_spare_keys(self, kind: str) -> int:
        """Count the spare keys of a kind."""


class SpareKeyWriter(SpareKeyReader, Protocol):
    """What can be changed in spare keys, inside one transaction."""

    def add_spare_key(self, key: SpareKey) -> None:
        """Add a spare key."""

    def take_spare_key(self, kind: str) -> SpareKey | None:
        """Take the oldest spare key of a kind away; of two that take at once, each gets another one."""
