"""Sealed records of every table, page by page, and their exchange for what was sealed anew."""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    FromClause,
    LargeBinary,
    Row,
    Select,
    Table,
    and_,
    func,
    literal,
    select,
    true,
    tuple_,
    update,
)

from certworker.store.tables.audit import AUDIT_KEY
from certworker.store.tables.issuers import ACCOUNT, ISSUER
from certworker.store.tables.objects import KEY_VERSION, SECRET_VERSION
from certworker.store.tables.operations import EVIDENCE, OPERATION
from certworker.store.tables.spare_keys import SPARE_KEY
from certworker.store.tables.vaults import SIGNING_KEY, VAULT
from certworker.store.transaction import Transaction
from certworker.vault.keyring import object_place
from certworker.vault.objects import ObjectKind, fold_name
from certworker.vault.places import (
    account_place,
    audit_key_place,
    credential_place,
    evidence_place,
    signing_place,
    spare_key_place,
)
from certworker.vault.sealed_records import SealedKind, SealedRecord
from certworker.vault.vaults import SYSTEM_VAULT

_TERM_AT, _TERM_SIZE = 2, 4


@dataclass(frozen=True)
class _Place:
    """Where the sealed records of one kind lie: their column, and what tells the vault and the place of a row."""

    table: Table
    sealed: Column[Any]
    vault_id: ColumnElement[Any]
    rows: FromClause
    columns: tuple[ColumnElement[Any], ...]
    place: Callable[[Row[Any]], str]

    def row(self) -> tuple[Column[Any], ...]:
        return tuple(self.table.primary_key)


def _versions(table: Table, sealed: Column[Any], kind: ObjectKind) -> _Place:
    def place(row: Row[Any]) -> str:
        return object_place(row.vault_id, kind, row.folded, row.version)

    return _Place(table, sealed, table.c.vault_id, table, (table.c.folded, table.c.version), place)


_PLACES: Final = MappingProxyType(
    {
        SealedKind.KEY: _versions(KEY_VERSION, KEY_VERSION.c.sealed_key, ObjectKind.KEY),
        SealedKind.SECRET: _versions(SECRET_VERSION, SECRET_VERSION.c.sealed_value, ObjectKind.SECRET),
        SealedKind.OPERATION: _versions(OPERATION, OPERATION.c.sealed_key, ObjectKind.KEY),
        SealedKind.CREDENTIAL: _Place(
            ISSUER,
            ISSUER.c.sealed_credential,
            ISSUER.c.vault_id,
            ISSUER,
            (ISSUER.c.folded,),
            lambda row: credential_place(row.vault_id, row.folded),
        ),
        SealedKind.ACCOUNT: _Place(
            ACCOUNT,
            ACCOUNT.c.sealed_key,
            ACCOUNT.c.vault_id,
            ACCOUNT,
            (ACCOUNT.c.folded, ACCOUNT.c.authority),
            lambda row: account_place(row.vault_id, row.folded, row.authority),
        ),
        SealedKind.EVIDENCE: _Place(
            EVIDENCE,
            EVIDENCE.c.sealed,
            OPERATION.c.vault_id,
            EVIDENCE.join(OPERATION, OPERATION.c.id == EVIDENCE.c.operation_id),
            (EVIDENCE.c.operation_id, EVIDENCE.c.at),
            lambda row: evidence_place(row.vault_id, row.operation_id, row.at),
        ),
        SealedKind.SIGNING_KEY: _Place(
            SIGNING_KEY,
            SIGNING_KEY.c.sealed_key,
            VAULT.c.id,
            SIGNING_KEY.join(VAULT, VAULT.c.folded == fold_name(SYSTEM_VAULT)),
            (SIGNING_KEY.c.id,),
            lambda row: signing_place(row.id),
        ),
        SealedKind.SPARE_KEY: _Place(
            SPARE_KEY,
            SPARE_KEY.c.sealed_key,
            VAULT.c.id,
            SPARE_KEY.join(VAULT, VAULT.c.folded == fold_name(SYSTEM_VAULT)),
            (SPARE_KEY.c.id,),
            lambda row: spare_key_place(row.id),
        ),
        SealedKind.AUDIT_KEY: _Place(
            AUDIT_KEY,
            AUDIT_KEY.c.sealed_key,
            VAULT.c.id,
            AUDIT_KEY.join(VAULT, VAULT.c.folded == fold_name(SYSTEM_VAULT)),
            (AUDIT_KEY.c.id,),
            lambda row: audit_key_place(row.id),
        ),
    }
)


class SealedReader(Transaction):
    """What can be asked of sealed records."""

    def sealed_records(
        self, vault_id: str, kind: SealedKind, after: SealedRecord | None, limit: int, before_term: int | None = None
    ) -> tuple[SealedRecord, ...]:
        """List a vault's sealed records of a kind, by row, beginning after one; only those under terms before one."""
        where = _PLACES[kind]
        columns = {f"row_{number}": column for number, column in enumerate(where.row())}
        wanted = select(
            *(column.label(name) for name, column in columns.items()),
            where.vault_id.label("vault_id"),
            where.sealed.label("sealed"),
            *where.columns,
        )
        following = (
            tuple_(*where.row()) > tuple_(*map(literal, after.row, (column.type for column in where.row())))
            if after
            else true()
        )
        found = self._all(_under(wanted, where, vault_id, before_term).where(following).order_by(*where.row()).limit(limit))
        return tuple(
            SealedRecord(kind, row.vault_id, tuple(getattr(row, name) for name in columns), where.place(row), row.sealed)
            for row in found
        )

    def count_sealed(self, vault_id: str, kind: SealedKind, before_term: int | None = None) -> int:
        """Count a vault's sealed records of a kind; only those under terms before one."""
        where = _PLACES[kind]
        row = self._one(_under(select(func.count().label("number")), where, vault_id, before_term))
        return int(row.number) if row else 0


class SealedWriter(SealedReader):
    """What can be changed in sealed records."""

    def exchange_sealed(self, record: SealedRecord, sealed: bytes) -> bool:
        """Put what was sealed anew in a record's place, unless somebody else has changed it; tell whether it was."""
        where = _PLACES[record.kind]
        same = [column == value for column, value in zip(where.row(), record.row, strict=True)]
        unchanged = and_(*same, where.sealed == record.sealed)
        return self._change(update(where.table).where(unchanged).values({where.sealed.name: sealed})) > 0


def _under(statement: Select[Any], where: _Place, vault_id: str, before_term: int | None) -> Select[Any]:
    chosen = statement.select_from(where.rows).where(where.vault_id == vault_id, where.sealed.is_not(None))
    if before_term is None:
        return chosen
    # the term is a part of the seal, in big-endian bytes, which both databases compare as numbers are
    term = func.substr(where.sealed, _TERM_AT, _TERM_SIZE, type_=LargeBinary())
    return chosen.where(term < before_term.to_bytes(_TERM_SIZE, "big"))
