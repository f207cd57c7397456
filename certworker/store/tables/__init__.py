"""The tables, one file for each noun. A row and how it becomes a record, and back, stand side by side."""

from sqlalchemy import MetaData

from certworker.store.tables import (
    audit,
    certificates,
    consents,
    events,
    grants,
    identities,
    issuers,
    keys,
    notices,
    objects,
    operations,
    resilience,
    resources,
    revocation,
    rights,
    stores,
    summary,
    vaults,
    watches,
)
from certworker.store.tables.row import Row

__all__ = [
    "METADATA",
    "audit",
    "certificates",
    "consents",
    "events",
    "grants",
    "identities",
    "issuers",
    "keys",
    "notices",
    "objects",
    "operations",
    "resilience",
    "resources",
    "revocation",
    "rights",
    "stores",
    "summary",
    "vaults",
    "watches",
]

METADATA: MetaData = Row.metadata
"""Every table, once this package is imported."""
