"""Order slots: what is asked and what is changed."""

from functools import cache

from sqlalchemy import ColumnElement, Executable, exists, literal_column, or_, select

from certworker.store.tables.operations import IN_PROGRESS, OPERATION
from certworker.store.tables.slots import SLOT
from certworker.store.transaction import Transaction, insertion

_HOLDER: ColumnElement[str] = literal_column("order_slot.operation_id")
"""Of the row in the way. As a column of the table it would be looked for in the subquery."""


class SlotReader(Transaction):
    """What can be asked of order slots."""

    def slot_holder(self, key: str) -> str | None:
        """Tell which operation took a slot last, whether it goes on or not."""
        row = self._one(select(SLOT.c.operation_id).where(SLOT.c.key == key))
        return str(row.operation_id) if row else None


class SlotWriter(SlotReader):
    """What can be changed in order slots."""

    def take_slot(self, key: str, operation_id: str) -> bool:
        """Take a slot for an operation, unless another one that is in progress has it; one conditional statement."""
        return self._one(_taking(on_postgresql=self._on_postgresql), key=key, operation_id=operation_id) is not None


@cache
def _taking(*, on_postgresql: bool) -> Executable:
    held = exists().where(OPERATION.c.id == _HOLDER, IN_PROGRESS)
    statement = insertion(SLOT, on_postgresql=on_postgresql)
    taking = statement.on_conflict_do_update(
        index_elements=["key"],
        set_={"operation_id": statement.excluded.operation_id},
        where=or_(SLOT.c.operation_id == statement.excluded.operation_id, ~held),
    )
    return taking.returning(SLOT.c.key)
