"""Everything that lies sealed in the database, one record like the other: what a new term of vault keys goes through."""

from dataclasses import dataclass
from enum import StrEnum


class SealedKind(StrEnum):
    """Where sealed records lie."""

    KEY = "key"
    SECRET = "secret"  # noqa: S105
    OPERATION = "operation"
    CREDENTIAL = "credential"
    ACCOUNT = "account"
    EVIDENCE = "evidence"
    SIGNING_KEY = "signing-key"
    SPARE_KEY = "spare-key"
    AUDIT_KEY = "audit-key"


@dataclass(frozen=True, slots=True, repr=False)
class SealedRecord:
    """One sealed record. `row` is its row's primary key, `place` what it is bound to."""

    kind: SealedKind
    vault_id: str
    row: tuple[str | int, ...]
    place: str
    sealed: bytes

    def __repr__(self) -> str:
        """Show where it lies."""
        return f"SealedRecord({self.place})"
