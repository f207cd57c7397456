"""The fleet: every live certificate at a glance, as the tables tell of it together."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Table, and_, bindparam, case, func, literal_column, select, true, tuple_

from certworker.store.tables.certificates import CERTIFICATE, renewal_record
from certworker.store.tables.issuers import ISSUER
from certworker.store.tables.objects import CERTIFICATE_VERSION, HEAD
from certworker.store.tables.operations import OPERATION
from certworker.store.tables.vaults import VAULT
from certworker.store.transaction import Transaction
from certworker.vault.objects import fold_name
from certworker.vault.policy import SELF, UNKNOWN
from certworker.vault.summary.records import FleetEntry, Place

_OTHER: Final = OPERATION.alias("other")
_LAST_NUMBER: Final = (
    select(func.max(_OTHER.c.number))
    .where(_OTHER.c.vault_id == CERTIFICATE.c.vault_id, _OTHER.c.folded == CERTIFICATE.c.folded)
    .correlate(CERTIFICATE)
    .scalar_subquery()
)
_SAME_HEAD = and_(
    HEAD.c.vault_id == CERTIFICATE.c.vault_id,
    HEAD.c.kind == literal_column("'certificate'"),
    HEAD.c.folded == CERTIFICATE.c.folded,
    HEAD.c.deleted_at.is_(None),
)
_CURRENT = and_(
    CERTIFICATE_VERSION.c.vault_id == HEAD.c.vault_id,
    CERTIFICATE_VERSION.c.folded == HEAD.c.folded,
    CERTIFICATE_VERSION.c.version == HEAD.c.current_version,
)
_folded_issuer = func.upper(CERTIFICATE.c.issuer)
# as it is set, however a policy spells it: what is counted by issuer is counted together
_ISSUER_NAME = func.coalesce(
    ISSUER.c.name,
    case(*((_folded_issuer == fold_name(name), literal_column(f"'{name}'")) for name in (SELF, UNKNOWN))),
    CERTIFICATE.c.issuer,
)
_FLEET: Final = (
    select(
        CERTIFICATE.c.vault_id,
        CERTIFICATE.c.folded,
        VAULT.c.name.label("vault"),
        HEAD.c.name,
        HEAD.c.current_version,
        _ISSUER_NAME.label("issuer"),
        CERTIFICATE.c.due_at,
        CERTIFICATE.c.reason,
        CERTIFICATE.c.jitter,
        CERTIFICATE.c.failures,
        CERTIFICATE.c.last_error,
        CERTIFICATE.c.deadline,
        CERTIFICATE.c.paused_since,
        CERTIFICATE.c.paused_by,
        CERTIFICATE.c.paused_why,
        CERTIFICATE.c.requested_at,
        CERTIFICATE.c.blamed_since,
        func.coalesce(CERTIFICATE_VERSION.c.enabled, OPERATION.c.enabled, true()).label("enabled"),
        CERTIFICATE_VERSION.c.not_before,
        CERTIFICATE_VERSION.c.expires,
        OPERATION.c.status,
        OPERATION.c.created.label("operation_created"),
        OPERATION.c.due_at.label("operation_due_at"),
    )
    .select_from(CERTIFICATE)
    .join(HEAD, _SAME_HEAD)
    .join(VAULT, and_(VAULT.c.id == HEAD.c.vault_id, VAULT.c.deleted.is_(None)))
    .outerjoin(ISSUER, and_(ISSUER.c.vault_id == CERTIFICATE.c.vault_id, ISSUER.c.folded == _folded_issuer))
    .outerjoin(CERTIFICATE_VERSION, _CURRENT)
    .outerjoin(OPERATION, OPERATION.c.number == _LAST_NUMBER)
)
_ALL: Final = _FLEET.order_by(VAULT.c.folded, HEAD.c.folded)


def at_places(table: Table) -> ColumnElement[bool]:
    """Select the rows of the certificates at `places`, pairs of a vault's id and a folded name."""
    return tuple_(table.c.vault_id, table.c.folded).in_(bindparam("places", expanding=True))


_SOME: Final = _FLEET.where(at_places(CERTIFICATE))


class FleetReader(Transaction):
    """What can be asked of the fleet."""

    def fleet(self) -> tuple[FleetEntry, ...]:
        """List every live certificate, by vault and name. One statement, however many there are."""
        return tuple(map(_entry, self._all(_ALL)))

    def entries_at(self, places: Iterable[Place]) -> Mapping[Place, FleetEntry]:
        """Find live certificates."""
        rows = self._all(_SOME, places=pairs(places))
        return MappingProxyType({Place(row.vault_id, row.folded): _entry(row) for row in rows})


def pairs(places: Iterable[Place]) -> list[tuple[str, str]]:
    """Write places as `at_places` wants them."""
    return [(place.vault_id, place.folded) for place in places]


def _entry(row: Row[Any]) -> FleetEntry:
    return FleetEntry(
        vault=row.vault,
        name=row.name,
        issuer=row.issuer,
        version=row.current_version,
        enabled=row.enabled,
        not_before=row.not_before,
        not_after=row.expires,
        renewal=renewal_record(row),
        operation_status=row.status,
        operation_created=row.operation_created,
        operation_due_at=row.operation_due_at,
    )
