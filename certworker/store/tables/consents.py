"""Consents of endpoints."""

from datetime import datetime

from sqlmodel import Field

from certworker.store.columns import UnixTime
from certworker.store.tables.row import Row, table_of


class ConsentRow(Row, table=True):
    """An endpoint that wants to be told. It belongs to the settings, and so to nobody here."""

    __tablename__ = "consent"

    endpoint: str = Field(primary_key=True)
    at: datetime = Field(sa_type=UnixTime)


CONSENT = table_of(ConsentRow)
