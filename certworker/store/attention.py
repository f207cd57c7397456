"""What of a vault's certificates asks for somebody's attention, out of the summary of the fleet."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from sqlalchemy import BigInteger, ColumnElement, and_, bindparam, case, func, or_, select, type_coerce

from certworker.store.columns import UnixTime
from certworker.store.tables.summary import FLEET_MEMBER, member_record
from certworker.store.transaction import Transaction
from certworker.vault.notification.message import Severity
from certworker.vault.revocation.standing import Standing
from certworker.vault.summary.attention import NEAR_END, PART_OF_LIFE, Group
from certworker.vault.summary.records import Member, State

_DAY_SECONDS: Final = 86400
_M: Final = FLEET_MEMBER.c
_AT: Final = bindparam("at", type_=UnixTime())
_START: Final = bindparam("start", type_=UnixTime())
_START_SECONDS: Final = bindparam("start_seconds", type_=BigInteger())
_END: Final = bindparam("end", type_=UnixTime())
_OF_VAULT: Final = _M.vault_id == bindparam("vault_id")


def _seconds(value: ColumnElement[datetime | None]) -> ColumnElement[int]:
    return type_coerce(value, BigInteger)


_LEFT: Final = _seconds(_M.not_after) - bindparam("at_seconds", type_=BigInteger())
_ENDS_FOR_GOOD: Final = and_(
    _M.due_at.is_(None),
    _M.pending_since.is_(None),
    int(NEAR_END.total_seconds()) >= _LEFT,
    _seconds(_M.not_after) - _seconds(_M.not_before) >= _LEFT * PART_OF_LIFE,
)
_HAS_EXPIRED: Final = and_(_M.version.is_not(None), _M.not_after <= _AT)
_NEEDY: Final = and_(
    _M.enabled,
    or_(
        and_(_M.version.is_(None), _M.state.in_([State.FAILED, State.WAITS_FOR_SIGNATURE])),
        and_(
            _M.version.is_not(None),
            or_(
                _M.state == State.REVOKED,
                _M.not_after <= _AT,
                _M.overdue.is_not(None),
                _M.failures > 0,
                and_(_M.pending_since.is_not(None), _M.next_attempt.is_(None)),
                _M.paused_since.is_not(None),
                _ENDS_FOR_GOOD,
                and_(_M.revocation == Standing.UNKNOWN, _M.checked.is_not(None)),
            ),
        ),
    ),
)
"""The same as `finding_of` says of one."""
_CRITICAL: Final = or_(
    _M.state.in_([State.REVOKED, State.FAILED]), _HAS_EXPIRED, and_(_M.overdue.is_not(None), _M.overdue == Severity.CRITICAL)
)
_GROUPS: Final = (
    select(
        _M.issuer,
        _M.state,
        func.count().label("number"),
        func.sum(case((and_(_M.enabled, _HAS_EXPIRED), 1), else_=0)).label("expired"),
        func.sum(case((_NEEDY, 1), else_=0)).label("needy"),
    )
    .where(_OF_VAULT)
    .group_by(_M.issuer, _M.state)
    .order_by(_M.issuer, _M.state)
)
_NEEDY_ONES: Final = (
    select(FLEET_MEMBER)
    .where(_OF_VAULT, _NEEDY)
    .order_by(case((_CRITICAL, 0), else_=1), _M.not_after.is_(None), _M.not_after, _M.folded)
    .limit(bindparam("most"))
)
_EXPIRY_DAY: Final = ((_seconds(_M.not_after) - _START_SECONDS) // _DAY_SECONDS).label("day")
_EXPIRIES: Final = (
    select(_EXPIRY_DAY, func.count().label("number"))
    .where(_OF_VAULT, _M.enabled, _M.not_after > _AT, _M.not_after < _END)
    .group_by("day")
)
_RENEWAL_DAY: Final = case((_M.due_at < _START, 0), else_=(_seconds(_M.due_at) - _START_SECONDS) // _DAY_SECONDS).label("day")
_RENEWALS: Final = (
    select(_RENEWAL_DAY, func.count().label("number"))
    .where(_OF_VAULT, _M.enabled, _M.version.is_not(None), _M.paused_since.is_(None), _M.due_at < _END)
    .group_by("day")
)


class AttentionReader(Transaction):
    """What can be asked of one vault."""

    def standing_groups(self, vault_id: str, at: datetime) -> tuple[Group, ...]:
        """Count a vault's certificates by issuer and state."""
        rows = self._all(_GROUPS, vault_id=vault_id, at=at, at_seconds=_unix(at))
        return tuple(Group(row.issuer, row.state, int(row.number), int(row.expired), int(row.needy)) for row in rows)

    def needy(self, vault_id: str, at: datetime, limit: int) -> tuple[Member, ...]:
        """List those that need somebody at a time: what is critical first, and of the same kind what ends first."""
        return tuple(map(member_record, self._all(_NEEDY_ONES, vault_id=vault_id, at=at, at_seconds=_unix(at), most=limit)))

    def expiries_by_day(self, vault_id: str, at: datetime, start: datetime, days: int) -> Mapping[int, int]:
        """Count expiries after `at` by the day from `start` on."""
        end = start + timedelta(days=days)
        rows = self._all(_EXPIRIES, vault_id=vault_id, at=at, start_seconds=_unix(start), end=end)
        return MappingProxyType({int(row.day): int(row.number) for row in rows})

    def renewals_by_day(self, vault_id: str, start: datetime, days: int) -> Mapping[int, int]:
        """Count renewals by the day from `start` on; what was due before counts for the first."""
        end = start + timedelta(days=days)
        rows = self._all(_RENEWALS, vault_id=vault_id, start=start, start_seconds=_unix(start), end=end)
        return MappingProxyType({int(row.day): int(row.number) for row in rows})


def _unix(at: datetime) -> int:
    return int(at.timestamp())
