"""The port to the records that wait in the database, and to the signed heads of all chains."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class PendingRecord:
    """A record that was written in a transaction and is not in the log yet. `text` is its line of JSON."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class ChainHead:
    """How far a chain has come: its last record's sequence number and hash, signed. `closed` after a clean stop."""

    chain_id: str
    host: str
    key_id: str
    opened: datetime
    at: datetime
    sequence: int
    hash: str
    signature: bytes
    closed: bool


class AuditReader(Protocol):
    """What can be asked."""

    def pending_records(self, limit: int) -> tuple[PendingRecord, ...]:
        """List records that wait, the oldest first."""

    def chain_heads(self) -> tuple[ChainHead, ...]:
        """List the last signed head of each chain, by the time of their opening."""


class AuditWriter(AuditReader, Protocol):
    """What can be changed, inside one transaction."""

    def add_pending_record(self, text: str) -> None:
        """Let a record wait. It becomes part of the transaction like an event does."""

    def delete_pending_records(self, numbers: tuple[int, ...]) -> None:
        """Forget records that are in the log now."""

    def put_chain_head(self, head: ChainHead) -> None:
        """Replace the signed head of a chain."""
