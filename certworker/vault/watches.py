"""Watches: what is looked at again and again about the current version of a certificate, each by a round of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol


class WatchKind(StrEnum):
    """What is looked at."""

    ADVICE = "advice"
    """When its CA wants it to be renewed (RFC 9773)."""
    REVOCATION = "revocation"
    """Whether it, or what signed it, was revoked."""
    EXPIRY = "expiry"
    """Which notices of its end have fallen due."""


@dataclass(frozen=True, slots=True)
class Watch:
    """One of them. `state` is what was seen last, in words that its kind alone reads: ids, times and texts, never a secret.

    `version` is the one that it is about. None as `due_at`: it is not looked at any more. `fence` is the store's own.
    """

    kind: WatchKind
    vault_id: str
    name: str
    version: str
    due_at: datetime | None
    state: Mapping[str, str] = field(default_factory=dict)
    fence: int = 0


class WatchReader(Protocol):
    """What can be asked of watches; a part of the port to the database."""

    def watch(self, kind: WatchKind, vault_id: str, name: str) -> Watch | None:
        """Find a watch over a certificate."""

    def watches(self, kind: WatchKind) -> tuple[Watch, ...]:
        """List every watch of a kind, those over deleted certificates as well."""

    def next_watch(self, kind: WatchKind) -> datetime | None:
        """Tell when the next watch of a kind falls due, likewise."""


class WatchWriter(WatchReader, Protocol):
    """What can be changed in watches, inside one transaction."""

    def put_watch(self, watch: Watch) -> None:
        """Add or replace a watch. A lease on it ends, and its fence moves on. The certificate's head must exist."""

    def claim_watch(self, kind: WatchKind, owner: str, at: datetime, lease: timedelta) -> Watch | None:
        """Claim the watch of a kind that has been due the longest at `at`, over the current version of a live certificate."""

    def set_watch(self, watch: Watch) -> None:
        """Record what was seen, under the fence that the watch was claimed with; the lease ends. Raises LeaseLost."""

    def delete_watch(self, kind: WatchKind, vault_id: str, name: str) -> None:
        """Delete a watch, if there is one."""

    def hasten_watches(self, kind: WatchKind, vault_id: str, name: str | None) -> int:
        """Let watches of a vault, or the one over `name`, fall due now; give their count."""
