"""Objects in vaults: heads and versions, what is asked and what is changed."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from types import MappingProxyType
from typing import Any, Final, TypeVar

from sqlalchemy import ColumnElement, Connection, Executable, Row, Select, Table, and_, bindparam, delete, func, select, update

from certworker.clock import Clock
from certworker.store.columns import UnixTime
from certworker.store.living import is_live
from certworker.store.tables.objects import (
    CERTIFICATE_VERSION,
    HEAD,
    KEY_VERSION,
    SECRET_VERSION,
    attributes_values,
    certificate_version_record,
    certificate_version_values,
    deletion_values,
    due_notice_record,
    head_record,
    head_values,
    key_record,
    key_values,
    secret_record,
    secret_values,
)
from certworker.store.transaction import Transaction, insertion
from certworker.vault.objects import (
    Attributes,
    CertificateVersion,
    Deletion,
    DueNotice,
    KeyReleasePolicy,
    KeyVersion,
    ObjectHead,
    ObjectKind,
    SecretVersion,
    Tags,
    fold_name,
)
from certworker.vault.store import Page

T = TypeVar("T")

_TABLES: Final = MappingProxyType(
    {ObjectKind.KEY: KEY_VERSION, ObjectKind.SECRET: SECRET_VERSION, ObjectKind.CERTIFICATE: CERTIFICATE_VERSION}
)


def _versions(table: Table) -> Select[Any]:
    """Select the versions of one object, each with its head's name."""
    same = and_(HEAD.c.vault_id == table.c.vault_id, HEAD.c.kind == table.c.kind, HEAD.c.folded == table.c.folded)
    of_one = (table.c.vault_id == bindparam("vault_id"), table.c.folded == bindparam("folded"))
    return select(HEAD.c.name, *table.c).select_from(table.join(HEAD, same)).where(*of_one)


def _current(table: Table) -> Select[Any]:
    return _versions(table).where(table.c.version == HEAD.c.current_version)


def _exact(table: Table) -> Select[Any]:
    return _versions(table).where(table.c.version == bindparam("version"))


def _page(table: Table) -> Select[Any]:
    following = _versions(table).where(table.c.version > bindparam("after"))
    return following.order_by(table.c.version).limit(bindparam("most", type_=None))


def live_notices(table: Table) -> ColumnElement[bool]:
    """Tell the current versions of live objects that have a notice to come; joined with their heads."""
    same = and_(HEAD.c.vault_id == table.c.vault_id, HEAD.c.kind == table.c.kind, HEAD.c.folded == table.c.folded)
    current = and_(table.c.version == HEAD.c.current_version, HEAD.c.deleted_at.is_(None))
    return and_(same, table.c.notice_at.is_not(None), current, is_live(table))


def _notices(table: Table) -> Select[Any]:
    due = and_(live_notices(table), table.c.notice_at <= bindparam("at", type_=UnixTime()))
    return select(HEAD.c.name, *table.c).where(due).order_by(table.c.notice_at).limit(bindparam("most", type_=None))


_HEAD = select(HEAD).where(
    HEAD.c.vault_id == bindparam("vault_id"), HEAD.c.kind == bindparam("kind"), HEAD.c.folded == bindparam("folded")
)
_CURRENT: Final = MappingProxyType({kind: _current(table) for kind, table in _TABLES.items()})
_EXACT: Final = MappingProxyType({kind: _exact(table) for kind, table in _TABLES.items()})
_PAGE: Final = MappingProxyType({kind: _page(table) for kind, table in _TABLES.items()})


_BEFORE: Final = (
    select(SECRET_VERSION.c.version)
    .where(SECRET_VERSION.c.vault_id == bindparam("vault_id"), SECRET_VERSION.c.folded == bindparam("folded"))
    .where(SECRET_VERSION.c.created < bindparam("at", type_=UnixTime()))
    .order_by(SECRET_VERSION.c.created.desc(), SECRET_VERSION.c.version)
    .limit(1)
)
_PURGEABLE: Final = (
    select(HEAD)
    .where(HEAD.c.deleted_at.is_not(None), HEAD.c.purge_at <= bindparam("at", type_=UnixTime()), HEAD.c.managed.is_(False))
    .where(is_live(HEAD))
    .order_by(HEAD.c.purge_at, HEAD.c.folded)
    .limit(bindparam("most", type_=None))
)
_NOTICED: Final = (ObjectKind.KEY, ObjectKind.SECRET)
_NOTICES: Final = MappingProxyType({kind: _notices(_TABLES[kind]) for kind in _NOTICED})


_HOLD: Final = select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("place"), 0)))


class ObjectReader(Transaction):
    """What can be asked of objects."""

    def head(self, vault_id: str, kind: ObjectKind, name: str) -> ObjectHead | None:
        """Find what all versions of an object share, whether it is deleted or not."""
        row = self._one(_HEAD, vault_id=vault_id, kind=kind, folded=fold_name(name))
        return head_record(row) if row else None

    def key(self, vault_id: str, name: str, version: str | None) -> KeyVersion | None:
        """Find a key's version; the current one where `version` is none. Deleted ones as well."""
        row = self._version(ObjectKind.KEY, vault_id, name, version)
        return key_record(row) if row else None

    def secret(self, vault_id: str, name: str, version: str | None) -> SecretVersion | None:
        """Find a secret's version likewise."""
        row = self._version(ObjectKind.SECRET, vault_id, name, version)
        return secret_record(row) if row else None

    def certificate_version(self, vault_id: str, name: str, version: str | None) -> CertificateVersion | None:
        """Find a certificate's version likewise."""
        row = self._version(ObjectKind.CERTIFICATE, vault_id, name, version)
        return certificate_version_record(row) if row else None

    def heads(self, vault_id: str, kind: ObjectKind, after: str | None, limit: int, *, deleted: bool) -> Page[ObjectHead]:
        """List live or deleted objects by upper-cased name, beginning after the folded name `after`."""
        wanted = select(HEAD).where(HEAD.c.vault_id == vault_id, HEAD.c.kind == kind, HEAD.c.folded > (after or ""))
        state = HEAD.c.deleted_at.is_not(None) if deleted else HEAD.c.deleted_at.is_(None)
        rows = self._all(wanted.where(state).order_by(HEAD.c.folded).limit(limit + 1))
        return _paged(rows, limit, "folded", head_record)

    def certificate_versions(self, vault_id: str, name: str, after: str | None, limit: int) -> Page[CertificateVersion]:
        """List a certificate's versions, ascending by version, beginning after the version `after`."""
        rows = self._version_page(ObjectKind.CERTIFICATE, vault_id, name, after, limit)
        return _paged(rows, limit, "version", certificate_version_record)

    def secret_versions(self, vault_id: str, name: str, after: str | None, limit: int) -> Page[SecretVersion]:
        """List a secret's versions likewise."""
        return _paged(self._version_page(ObjectKind.SECRET, vault_id, name, after, limit), limit, "version", secret_record)

    def key_versions(self, vault_id: str, name: str, after: str | None, limit: int) -> Page[KeyVersion]:
        """List a key's versions likewise."""
        return _paged(self._version_page(ObjectKind.KEY, vault_id, name, after, limit), limit, "version", key_record)

    def version_before(self, vault_id: str, name: str, created: datetime) -> str | None:
        """Tell the newest version of a secret that was made before a time."""
        row = self._one(_BEFORE, vault_id=vault_id, folded=fold_name(name), at=created)
        return str(row.version) if row else None

    def purgeable(self, at: datetime, limit: int) -> tuple[ObjectHead, ...]:
        """List deleted objects whose purge is due. A certificate's companions are not listed; they go with it."""
        return tuple(map(head_record, self._all(_PURGEABLE, at=at, most=limit)))

    def due_notices(self, at: datetime, limit: int) -> tuple[DueNotice, ...]:
        """List current versions of live keys and secrets whose notice is due, those that wait the longest first."""
        found = [notice for kind in _NOTICED for notice in self._all(_NOTICES[kind], at=at, most=limit)]
        found.sort(key=lambda row: row.notice_at)
        return tuple(due_notice_record(row) for row in found[:limit])

    def _version(self, kind: ObjectKind, vault_id: str, name: str, version: str | None) -> Row[Any] | None:
        if version is None:
            return self._one(_CURRENT[kind], vault_id=vault_id, folded=fold_name(name))
        return self._one(_EXACT[kind], vault_id=vault_id, folded=fold_name(name), version=version)

    def _version_page(self, kind: ObjectKind, vault_id: str, name: str, after: str | None, limit: int) -> Sequence[Row[Any]]:
        return self._all(_PAGE[kind], vault_id=vault_id, folded=fold_name(name), after=after or "", most=limit + 1)


class ObjectWriter(ObjectReader):
    """What can be changed in objects.

    Whoever looks at a head holds its name, for all three kinds, until the transaction ends: what is decided by it stays true.
    On SQLite there is one writer anyway.
    """

    def __init__(self, connection: Connection, clock: Clock) -> None:
        super().__init__(connection, clock)
        self._held: set[str] = set()

    def head(self, vault_id: str, kind: ObjectKind, name: str) -> ObjectHead | None:
        """Find what all versions of an object share, whether it is deleted or not, and hold its name."""
        self._hold(vault_id, name)
        return super().head(vault_id, kind, name)

    def put_head(self, head: ObjectHead) -> None:
        """Add an object's head, or replace its current version, its deletion and whether it is managed."""
        self._put(HEAD, head_values(head), key=("vault_id", "kind", "folded"), keep=("name", "created"))

    def advance_head(self, head: ObjectHead) -> ObjectHead | None:
        """Make a version the current one of a live object that nothing manages, and add the head of a new one."""
        self._hold(head.vault_id, head.name)
        row = self._one(_advancing(on_postgresql=self._on_postgresql), **head_values(head))
        return head_record(row) if row else None

    def _hold(self, vault_id: str, name: str) -> None:
        place = f"{vault_id}/{fold_name(name)}"
        if self._on_postgresql and place not in self._held:
            self._one(_HOLD, place=place)
            self._held.add(place)

    def add_key(self, key: KeyVersion) -> None:
        """Add a key's version. The head must exist when the transaction ends. Raises Conflict."""
        self._add(KEY_VERSION, key_values(key), f"The key {key.name} already has the version {key.version}.")

    def add_secret(self, secret: SecretVersion) -> None:
        """Add a secret's version likewise."""
        self._add(SECRET_VERSION, secret_values(secret), f"The secret {secret.name} already has the version {secret.version}.")

    def add_certificate_version(self, certificate: CertificateVersion) -> None:
        """Add a certificate's version likewise."""
        taken = f"The certificate {certificate.name} already has the version {certificate.version}."
        self._add(CERTIFICATE_VERSION, certificate_version_values(certificate), taken)

    def set_attributes(
        self, vault_id: str, kind: ObjectKind, name: str, version: str, attributes: Attributes, tags: Tags
    ) -> None:
        """Replace the attributes and tags of one version."""
        this = _this_version(_TABLES[kind], vault_id, name, version)
        self._change(update(_TABLES[kind]).where(this).values(attributes_values(attributes, tags)))

    def set_content_type(self, vault_id: str, name: str, version: str, content_type: str | None) -> None:
        """Replace the content type of a secret's version."""
        this = _this_version(SECRET_VERSION, vault_id, name, version)
        self._change(update(SECRET_VERSION).where(this).values(content_type=content_type))

    def set_notice(self, vault_id: str, kind: ObjectKind, name: str, version: str, notice_at: datetime | None) -> None:
        """Plan the next notice of a version of a key or a secret."""
        this = {"vault_id": vault_id, "folded": fold_name(name), "version": version}
        self._update(_TABLES[kind], this, {"notice_at": notice_at})

    def move_notice(self, notice: DueNotice, notice_at: datetime | None) -> bool:
        """Plan the notice that follows one, unless the plan has changed since; say whether it had not."""
        table = _TABLES[notice.kind]
        this = _this_version(table, notice.vault_id, notice.name, notice.version)
        unchanged = and_(this, table.c.notice_at == notice.notice_at, table.c.expires == notice.attributes.expires)
        return self._change(update(table).where(unchanged).values(notice_at=notice_at)) == 1

    def set_key_properties(
        self, vault_id: str, name: str, version: str, key_ops: tuple[str, ...], release_policy: KeyReleasePolicy | None
    ) -> None:
        """Replace what a key's version may do, and its release policy."""
        this = _this_version(KEY_VERSION, vault_id, name, version)
        self._change(update(KEY_VERSION).where(this).values(key_ops=key_ops, release_policy=release_policy))

    def set_deletion(self, vault_id: str, kind: ObjectKind, name: str, deletion: Deletion | None) -> None:
        """Mark an object as deleted, or as recovered."""
        self._change(update(HEAD).where(_this_head(vault_id, kind, name)).values(deletion_values(deletion)))

    def purge(self, vault_id: str, kind: ObjectKind, name: str) -> None:
        """Delete an object for good: everything that belongs to the head goes with it, by the schema."""
        self._change(delete(HEAD).where(_this_head(vault_id, kind, name)))


@cache
def _advancing(*, on_postgresql: bool) -> Executable:
    statement = insertion(HEAD, on_postgresql=on_postgresql)
    return statement.on_conflict_do_update(
        index_elements=["vault_id", "kind", "folded"],
        set_={"current_version": statement.excluded.current_version},
        where=and_(HEAD.c.deleted_at.is_(None), HEAD.c.managed.is_(False)),
    ).returning(*HEAD.c)


def _this_head(vault_id: str, kind: ObjectKind, name: str) -> ColumnElement[bool]:
    return and_(HEAD.c.vault_id == vault_id, HEAD.c.kind == kind, HEAD.c.folded == fold_name(name))


def _this_version(table: Table, vault_id: str, name: str, version: str) -> ColumnElement[bool]:
    return and_(table.c.vault_id == vault_id, table.c.folded == fold_name(name), table.c.version == version)


def _paged(rows: Sequence[Row[Any]], limit: int, key: str, record: Callable[[Row[Any]], T]) -> Page[T]:
    """Cut the one row off that was read to see whether there are more."""
    following = str(getattr(rows[limit - 1], key)) if len(rows) > limit else None
    return Page(tuple(map(record, rows[:limit])), following)
