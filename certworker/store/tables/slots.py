"""Order slots."""

from sqlmodel import Field

from certworker.store.tables.row import Row, belongs_to, table_of


class SlotRow(Row, table=True):
    """Which operation orders, or ordered last, under a key of account, names and profile."""

    __tablename__ = "order_slot"
    __table_args__ = (belongs_to("operation", "operation_id", to=("id",)),)

    key: str = Field(primary_key=True)
    operation_id: str = Field(index=True)


SLOT = table_of(SlotRow)
