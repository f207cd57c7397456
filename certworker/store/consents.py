"""Consents: what is asked and what is changed."""

from datetime import datetime

from sqlalchemy import bindparam, delete, select

from certworker.store.tables.consents import CONSENT
from certworker.store.transaction import Transaction

_CONSENT = select(CONSENT.c.at).where(CONSENT.c.endpoint == bindparam("endpoint"))


class ConsentReader(Transaction):
    """What can be asked of consents."""

    def consent(self, endpoint: str) -> datetime | None:
        """Tell since when an endpoint wants to be told."""
        row = self._one(_CONSENT, endpoint=endpoint)
        return row.at if row else None


class ConsentWriter(ConsentReader):
    """What can be changed in consents."""

    def put_consent(self, endpoint: str, at: datetime) -> None:
        """Note that an endpoint wants to be told."""
        statement = self._insert(CONSENT).values(endpoint=endpoint, at=at)
        self._change(statement.on_conflict_do_update(index_elements=["endpoint"], set_={"at": at}))

    def delete_consent(self, endpoint: str) -> None:
        """Forget that it did; it is asked again."""
        self._change(delete(CONSENT).where(CONSENT.c.endpoint == endpoint))
