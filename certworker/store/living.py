"""What the worker leaves alone: everything in a vault that was deleted, until it is recovered."""

from sqlalchemy import ColumnElement, FromClause, select

from certworker.store.tables.vaults import VAULT

_DELETED = select(VAULT.c.id).where(VAULT.c.deleted.is_not(None))


def is_live(table: FromClause) -> ColumnElement[bool]:
    """Tell the rows whose vault was not deleted. Deleted vaults are few, and are looked up once for a statement."""
    return table.c.vault_id.not_in(_DELETED)
