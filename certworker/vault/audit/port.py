"""The port to the records that wait in the database, to the signed heads of all chains, and to the keys that sign them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
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


@dataclass(frozen=True, slots=True)
class ChainCut:
    """Up to where a chain's files were deleted because their time was over, signed: the last record that is gone."""

    chain_id: str
    key_id: str
    at: datetime
    sequence: int
    hash: str
    signature: bytes


@dataclass(frozen=True, slots=True, repr=False)
class AuditKey:
    """A key that signs openings and heads. The private half lies sealed in the service's own vault."""

    id: str
    public_key: bytes
    sealed_key: bytes
    created: datetime

    def __repr__(self) -> str:
        """Show its name."""
        return f"AuditKey({self.id})"


class AuditReader(Protocol):
    """What can be asked."""

    def pending_records(self, limit: int) -> tuple[PendingRecord, ...]:
        """List records that wait, the oldest first."""

    def chain_heads(self) -> tuple[ChainHead, ...]:
        """List the last signed head of each chain, by the time of their opening."""

    def chain_cuts(self) -> tuple[ChainCut, ...]:
        """List up to where chains were deleted, by chain."""

    def audit_keys(self) -> tuple[AuditKey, ...]:
        """List the keys that sign or have signed, the newest last."""


class AuditWriter(AuditReader, Protocol):
    """What can be changed, inside one transaction."""

    def add_pending_record(self, text: str) -> None:
        """Let a record wait. It becomes part of the transaction like an event does."""

    def delete_pending_records(self, numbers: tuple[int, ...]) -> None:
        """Forget records that are in the log now."""

    def put_chain_head(self, head: ChainHead) -> None:
        """Replace the signed head of a chain."""

    def put_chain_cut(self, cut: ChainCut) -> None:
        """Replace up to where a chain was deleted."""

    def add_audit_key(self, key: AuditKey) -> None:
        """Add a key; it signs from now on."""

    def claim_audit_drain(self, owner: str, at: datetime, lease: timedelta) -> bool:
        """Take the draining of records that wait for some time, or keep it; false where another has it."""
