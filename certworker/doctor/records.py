"""What the checks need to know of the database, read once and in one view."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from certworker.vault.audit.port import ChainCut, ChainHead, PendingRecord
from certworker.vault.notification.ledger import NoticeStatus
from certworker.vault.revocation.sources import Source, SourceKind
from certworker.vault.store import Reader
from certworker.vault.vaults import SYSTEM_VAULT, Heartbeat, Issuer, Vault, WrappedKey

MOST_ISSUERS = 200
SERVER = "server"
"""The certificate of the service's own vault that its port shows."""


@dataclass(frozen=True, slots=True)
class Records:
    """What the database says."""

    vaults: tuple[Vault, ...]
    master_key_id: str | None
    wrapped_key: WrappedKey | None
    """The newest vault key of the service's own vault; none where the deployment has not been set up."""
    issuers: tuple[tuple[Vault, Issuer], ...]
    heartbeats: tuple[Heartbeat, ...]
    due_at: datetime | None
    """When the first operation, renewal or rotation that nobody has begun fell or falls due."""
    notices: Mapping[tuple[str, NoticeStatus], int]
    heads: tuple[ChainHead, ...]
    cuts: tuple[ChainCut, ...]
    pending: PendingRecord | None
    """The audit record that waits longest to be drained."""
    server_certificate: bytes | None
    sources: tuple[Source, ...]


def read_records(reader: Reader) -> Records:
    """Read them. Raises Unavailable."""
    vaults = reader.vaults()
    system = reader.vault_by_name(SYSTEM_VAULT)
    keys = reader.wrapped_keys(system.id) if system else ()
    shown = reader.certificate_version(system.id, SERVER, None) if system else None
    due = (reader.next_operation(), reader.next_renewal(), reader.next_rotation())
    return Records(
        vaults=vaults,
        master_key_id=reader.master_key_id(),
        wrapped_key=keys[-1] if keys else None,
        issuers=_issuers(reader, vaults),
        heartbeats=reader.heartbeats(),
        due_at=min(filter(None, due), default=None),
        notices=reader.notice_counts(),
        heads=reader.chain_heads(),
        cuts=reader.chain_cuts(),
        pending=next(iter(reader.pending_records(1)), None),
        server_certificate=shown.der if shown else None,
        sources=tuple(source for kind in SourceKind for source in reader.sources(kind)),
    )


def _issuers(reader: Reader, vaults: tuple[Vault, ...]) -> tuple[tuple[Vault, Issuer], ...]:
    found: list[tuple[Vault, Issuer]] = []
    for vault in vaults:
        if len(found) < MOST_ISSUERS:
            found += [(vault, issuer) for issuer in reader.issuers(vault.id, None, MOST_ISSUERS).items]
    return tuple(found[:MOST_ISSUERS])
