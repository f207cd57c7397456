"""Spare keys: what is asked and what is changed."""

from sqlalchemy import delete, func, insert, select

from certworker.store.tables.spare_keys import SPARE_KEY, spare_key_record, spare_key_values
from certworker.store.transaction import Transaction
from certworker.vault.spare_keys import SpareKey


class SpareKeyReader(Transaction):
    """What can be asked of spare keys."""

    def count_spare_keys(self, kind: str) -> int:
        """Count the spare keys of a kind."""
        row = self._one(select(func.count().label("number")).select_from(SPARE_KEY).where(SPARE_KEY.c.kind == kind))
        return int(row.number) if row else 0


class SpareKeyWriter(SpareKeyReader):
    """What can be changed in spare keys."""

    def add_spare_key(self, key: SpareKey) -> None:
        """Add a spare key."""
        self._change(insert(SPARE_KEY).values(spare_key_values(key)))

    def take_spare_key(self, kind: str) -> SpareKey | None:
        """Take the oldest spare key of a kind away; on PostgreSQL what another is about to take is passed over."""
        oldest = (
            select(SPARE_KEY.c.number)
            .where(SPARE_KEY.c.kind == kind)
            .order_by(SPARE_KEY.c.number)
            .limit(1)
            .with_for_update(skip_locked=True)
            .scalar_subquery()
        )
        row = self._one(delete(SPARE_KEY).where(SPARE_KEY.c.number == oldest).returning(*SPARE_KEY.c))
        return spare_key_record(row) if row else None
