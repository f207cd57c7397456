"""Expiries: near expiry and expiry of keys and secrets, each told once by an event."""

from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from certworker.vault.events import Event, EventType
from certworker.vault.objects import Attributes, DueNotice, ObjectKind
from certworker.vault.store import Store, Writer

NEAR_EXPIRY: Final = timedelta(days=30)
"""So long before it expires is told of a secret, and of a key whose rotation policy says nothing else."""
MOST_AT_ONCE: Final = 100

_NEAR: Final = MappingProxyType(
    {ObjectKind.KEY: EventType.KEY_NEAR_EXPIRY, ObjectKind.SECRET: EventType.SECRET_NEAR_EXPIRY},
)
_EXPIRED: Final = MappingProxyType({ObjectKind.KEY: EventType.KEY_EXPIRED, ObjectKind.SECRET: EventType.SECRET_EXPIRED})


def first_notice(expires: datetime | None, before: timedelta, at: datetime) -> datetime | None:
    """Plan the first notice of a version whose end was set at `at`: `before` its end, or at once where that is past.

    What has expired already is told to have expired, at once. A version without an end has no notice.
    """
    if expires is None:
        return None
    return min(max(expires - before, at), expires)


class Expiries:
    """Tells what is due. For the worker; it asks for no caller."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def tell_due(self, at: datetime) -> int:
        """Tell every notice that is due at `at`, some at the most; give their count. Each is one transaction."""
        with self._store.reading() as reader:
            due = reader.due_notices(at, MOST_AT_ONCE)
        return sum(self._tell(notice, at) for notice in due)

    def _tell(self, notice: DueNotice, at: datetime) -> bool:
        """Tell one; say whether it was ours to tell. What expired while nobody looked is told as expired only."""
        expires = notice.attributes.expires
        near = expires is not None and at < expires
        with self._store.writing() as writer:
            head = writer.head(notice.vault_id, notice.kind, notice.name)
            if head is None or head.deletion or head.current_version != notice.version:
                return False
            if not writer.move_notice(notice, expires if near else None):
                return False
            if expires:
                _add_event(writer, (_NEAR if near else _EXPIRED)[notice.kind], notice, at)
        return True


def _add_event(writer: Writer, event_type: EventType, notice: DueNotice, at: datetime) -> None:
    vault = writer.vault(notice.vault_id)
    detail = {"vault": vault.name if vault else "", **times(notice.attributes)}
    writer.add_event(Event(event_type, at, notice.vault_id, notice.kind, notice.name, version=notice.version, detail=detail))


def times(attributes: Attributes) -> dict[str, str]:
    """Show when a version begins and ends as events do: Unix seconds, empty where it does not."""
    return {"nbf": _unix(attributes.not_before), "exp": _unix(attributes.expires)}


def _unix(at: datetime | None) -> str:
    return str(int(at.timestamp())) if at else ""
