"""What of a vault's certificates asks for somebody's attention, out of the summary of the fleet.

However many there are: counts are read, and the rows of those that need somebody.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from sqlalchemy import and_, bindparam, case, func, or_, select

from certworker.store.columns import MeasureText, UnixTime
from certworker.store.tables.summary import FLEET_COUNT, FLEET_MEMBER, member_record
from certworker.store.transaction import Transaction
from certworker.vault.notification.message import Severity
from certworker.vault.summary.attention import Group
from certworker.vault.summary.records import HOURS_A_DAY, Measure, Member, State, hour_of
from certworker.vault.vaults import Vault

_M: Final = FLEET_MEMBER.c
_COUNTED: Final = FLEET_COUNT.c
_AT: Final = bindparam("at", type_=UnixTime())
_START: Final = bindparam("start", type_=UnixTime())
_IS_NEEDY: Final = and_(_M.vault_id == bindparam("vault_id"), _M.needy_from.is_not(None), _M.needy_from <= _AT)
_HAS_EXPIRED: Final = and_(_M.version.is_not(None), _M.not_after <= _AT)
_CRITICAL: Final = or_(
    _M.state.in_([State.REVOKED, State.FAILED]), _HAS_EXPIRED, and_(_M.overdue.is_not(None), _M.overdue == Severity.CRITICAL)
)
_OF_VAULT: Final = and_(
    _COUNTED.measure == bindparam("measure", type_=MeasureText()), _COUNTED.vault == bindparam("vault"), _COUNTED.number > 0
)
_STATES: Final = (
    select(_COUNTED.issuer, _COUNTED.word, _COUNTED.number).where(_OF_VAULT).order_by(_COUNTED.issuer, _COUNTED.word)
)
_DAYS: Final = select(_COUNTED.hour, _COUNTED.number).where(_OF_VAULT, _COUNTED.hour < bindparam("end"))
_NEEDY_GROUPS: Final = (
    select(
        _M.issuer,
        _M.state,
        func.count().label("needy"),
        func.sum(case((_HAS_EXPIRED, 1), else_=0)).label("expired"),
    )
    .where(_IS_NEEDY)
    .group_by(_M.issuer, _M.state)
)
_NEEDY_ONES: Final = (
    select(FLEET_MEMBER)
    .where(_IS_NEEDY)
    .order_by(case((_CRITICAL, 0), else_=1), _M.not_after.is_(None), _M.not_after, _M.folded)
    .limit(bindparam("most"))
)
_GONE: Final = (
    select(func.count().label("number")).select_from(FLEET_MEMBER).where(_IS_NEEDY, _HAS_EXPIRED, _M.not_after >= _START)
)


class AttentionReader(Transaction):
    """What can be asked of one vault."""

    def standing_groups(self, vault: Vault, at: datetime) -> tuple[Group, ...]:
        """Count a vault's certificates by issuer and state."""
        needy = {(row.issuer, row.state): row for row in self._all(_NEEDY_GROUPS, vault_id=vault.id, at=at)}
        found = []
        for row in self._all(_STATES, measure=Measure.STATE, vault=vault.name):
            state = State(row.word)
            counted = needy.get((row.issuer, state))
            expired, needing = (int(counted.expired), int(counted.needy)) if counted else (0, 0)
            found.append(Group(row.issuer, state, int(row.number), expired, needing))
        return tuple(found)

    def needy(self, vault_id: str, at: datetime, limit: int) -> tuple[Member, ...]:
        """List those that need somebody at a time: what is critical first, and of the same kind what ends first."""
        return tuple(map(member_record, self._all(_NEEDY_ONES, vault_id=vault_id, at=at, most=limit)))

    def expiries_ahead(self, vault: Vault, at: datetime, days: int) -> Mapping[int, int]:
        """Count expiries after `at` by the day (UTC); 0 is that of `at`."""
        found = dict(self._by_day(Measure.DAY_EXPIRES, vault, at, days))
        gone = self._one(_GONE, vault_id=vault.id, start=at.replace(hour=0, minute=0, second=0), at=at)
        found[0] = found.get(0, 0) - (int(gone.number) if gone else 0)
        return MappingProxyType({day: number for day, number in found.items() if day >= 0})

    def renewals_ahead(self, vault: Vault, at: datetime, days: int) -> Mapping[int, int]:
        """Count renewals by the day likewise; what was due before counts for the first."""
        found: Counter[int] = Counter()
        for day, number in self._by_day(Measure.DAY_RENEWS, vault, at, days).items():
            found[max(day, 0)] += number
        return MappingProxyType(found)

    def _by_day(self, measure: Measure, vault: Vault, at: datetime, days: int) -> Mapping[int, int]:
        today = hour_of(at) // HOURS_A_DAY
        rows = self._all(_DAYS, measure=measure, vault=vault.name, end=(today + days) * HOURS_A_DAY)
        return {row.hour // HOURS_A_DAY - today: int(row.number) for row in rows}
