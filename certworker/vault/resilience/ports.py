"""The part of the port to the database that is about resilience."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from certworker.settings.rates import Rate
from certworker.vault.operations import Certificate, Operation
from certworker.vault.resilience.gates import Gate
from certworker.vault.resilience.memory import FailureMemory, MemoryKey
from certworker.vault.resilience.slots import SlotReader, SlotWriter


@dataclass(frozen=True, slots=True)
class Bucket:
    """What a budget is kept for: an account, a registered domain at a CA, or an exact set of names there."""

    kind: str
    key: str


ROUNDING_SECONDS: Final = 1e-3
"""What sums of thousands of fractions of seconds may be off by: a token that is so near is there."""
SpentBucket = tuple[str, str, float]
"""A bucket that is not full: its kind, its key, and when it will be, in Unix seconds. Each scrape reads all of them."""


class ResilienceReader(SlotReader, Protocol):
    """What can be asked."""

    def gate(self, vault_id: str, issuer: str) -> Gate | None:
        """Find the gate of an issuer; none where there never was trouble."""

    def gates(self) -> tuple[Gate, ...]:
        """List every gate, open ones as well."""

    def failure_memory(self, key: MemoryKey) -> FailureMemory | None:
        """Find what is remembered of failures."""

    def token_at(self, bucket: Bucket, rate: Rate, at: datetime) -> datetime:
        """Tell when a bucket has its next token; a time that is past where it has one."""

    def spent_buckets(self, at: datetime) -> tuple[SpentBucket, ...]:
        """List the buckets that are not full at a time."""

    def renewals_behind_budgets(self, at: datetime) -> Mapping[tuple[str, str], int]:
        """Count the renewals that wait for the budget of an account: (vault's id, issuer's folded name) -> count."""

    def stalled_renewals(self, issuer: str, at: datetime, limit: int) -> tuple[Certificate, ...]:
        """List certificates of an issuer whose renewal is due behind its gate, or has failed; the most urgent first.

        Those that were sent to another issuer, are under a lease, or have an operation in progress are not among them.
        """

    def stalled_operations(self, issuer: str, at: datetime, limit: int) -> tuple[Operation, ...]:
        """List operations in progress behind an issuer's gate, or that have failed, likewise; none under a lease."""


class ResilienceWriter(ResilienceReader, SlotWriter, Protocol):
    """What can be changed, inside one transaction."""

    def hold_gate(self, vault_id: str, issuer: str) -> Gate:
        """Find or make the gate of an issuer, and keep others from changing it until the transaction ends."""

    def put_gate(self, gate: Gate) -> None:
        """Replace a gate that is held."""

    def put_failure_memory(self, memory: FailureMemory) -> None:
        """Add or replace what is remembered."""

    def forget_failures(self, key: MemoryKey) -> None:
        """Forget what is remembered."""

    def spend(self, bucket: Bucket, rate: Rate, at: datetime) -> bool:
        """Take a token from a bucket; tell whether there was one."""

    def reserve(self, bucket: Bucket, rate: Rate, at: datetime) -> datetime:
        """Take the next token from a bucket, also one that is not there yet; tell when it will be."""

    def spread(self, vault_id: str, issuer: str, at: datetime) -> int:
        """Spread over the time to come what waits for an issuer and is due; count.

        A second for each, and an hour at the most, so that not all goes at once when a gate opens.
        """

    def set_route(self, vault_id: str, name: str, issuer: str | None) -> None:
        """Send a certificate's next renewal to another issuer than its policy's; none: to that one."""

    def clear_routes(self, vault_id: str, issuer: str) -> None:
        """Send what was sent elsewhere to the issuer of its policy again."""

    def forget_spent(self, at: datetime) -> int:
        """Forget buckets that are full again, and failures of a long time ago; count."""

    def forget_future(self, at: datetime, seen: datetime) -> int:
        """Forget what was noted by a clock that went ahead as far as `seen`, and is right again at `at`; count.

        Gates that are closed for longer than a gate is ever closed open; operations and watches fall due now.
        """
