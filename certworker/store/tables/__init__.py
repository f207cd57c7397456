"""The tables, one file for each noun. A row and how it becomes a record, and back, stand side by side."""

from sqlalchemy import MetaData

from certworker.store.tables import (
    certificates,
    consents,
    events,
    issuers,
    keys,
    notices,
    objects,
    operations,
    resilience,
    revocation,
    vaults,
    watches,
)
from certworker.store.tables.row import Row

__all__ = [
    "METADATA",
    "certificates",
    "consents",
    "events",
    "issuers",
    "keys",
    "notices",
    "objects",
    "operations",
    "resilience",
    "revocation",
    "vaults",
    "watches",
]

METADATA: MetaData = Row.metadata
"""Every table, once this package is imported."""
