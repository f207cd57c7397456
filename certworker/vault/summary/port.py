"""The part of the port to the database that is about the summary of the fleet."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from certworker.vault.summary.records import CountKey, FleetEntry, Measure, Member, Place
from certworker.vault.watches import Watch


@dataclass(frozen=True, slots=True)
class PendingOperations:
    """How many operations of an issuer are in progress in a vault, and since when the oldest is."""

    vault: str
    issuer: str
    number: int
    oldest: datetime


class SummaryReader(Protocol):
    """What can be asked."""

    def fleet(self) -> tuple[FleetEntry, ...]:
        """List every live certificate, by vault and name."""

    def counts(self, *measures: Measure) -> Mapping[CountKey, int]:
        """Give the counts of measures that have no time."""

    def counts_by_day(self, measure: Measure, hour: int) -> Mapping[tuple[str, int], int]:
        """Count what has a time by issuer and day: 0 begins with the hour, and -1 is all that was before it."""

    def expired_in_hour(self, start: datetime, at: datetime) -> Mapping[str, int]:
        """Count enabled members by issuer that expired from the `start` of an hour on, up to a time in it."""

    def pending_operations(self) -> tuple[PendingOperations, ...]:
        """Count operations in progress."""

    def members(self, limit: int, vault_id: str | None = None) -> tuple[Member, ...]:
        """List the most urgent members, of all vaults or of one."""

    def count_members(self) -> int:
        """Count the members. Of 100,000 an index is read, and no row."""

    def count_changes(self) -> int:
        """Count the changes that the summary does not have in it yet."""


class SummaryWriter(SummaryReader, Protocol):
    """What can be changed, inside one transaction."""

    def take_changes(self, limit: int) -> tuple[Place, ...]:
        """Take the oldest changes away, and tell which certificates they are of; none while somebody else is at it.

        What is read after it in the same transaction is at least as new as the changes.
        """

    def entries_at(self, places: Iterable[Place]) -> Mapping[Place, FleetEntry]:
        """Find live certificates."""

    def watches_at(self, places: Iterable[Place]) -> tuple[Watch, ...]:
        """List the watches over certificates."""

    def members_at(self, places: Iterable[Place]) -> Mapping[Place, Member]:
        """Find members as they were."""

    def put_members(self, members: Iterable[Member]) -> None:
        """Add or replace members."""

    def delete_members(self, places: Iterable[Place]) -> None:
        """Delete members."""

    def add_counts(self, changes: Mapping[CountKey, int]) -> None:
        """Add to the counts, or take from them; a count of none is forgotten."""

    def begin_anew(self) -> None:
        """Forget all, and note every certificate as changed."""
