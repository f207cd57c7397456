"""When a certificate is to be renewed, and why: pure functions."""

import calendar
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from certworker.clock import whole_second
from certworker.vault.operations import OperationReason, Renewal, back_off
from certworker.vault.policy import ActionType, Policy

SHORT_LIFETIME = timedelta(days=10)
SPREAD = 50
"""A renewal is put off by up to this part of the lifetime, drawn once, so that a fleet does not move at once."""
BACKSTOP = 20
"""Whatever else is decided, renewal begins when this part of the lifetime is left."""
SHORTEST_PAUSE = timedelta(seconds=10)
"""A CA is not asked for the same certificate more often, however little time is left."""
BACK_DATE = timedelta(minutes=10)
"""A self-signed certificate is valid from a little before its making, for the sake of clocks that lag."""


@dataclass(frozen=True, slots=True)
class RenewalPoint:
    """When, and why then."""

    at: datetime
    reason: OperationReason


def renewal_point(policy: Policy, not_before: datetime, not_after: datetime, jitter: float) -> RenewalPoint | None:
    """Decide when a version that is valid from `not_before` to `not_after` is to be renewed; none means never by itself.

    An integrated CA's certificate goes by its owner's lifetime action, else at two thirds of its lifetime, or half where
    that is short. A self-signed one goes by its lifetime action. `jitter` in [0, 1) puts the point off
    by up to 1/50 of the lifetime.
    """
    if policy.is_manual or not _auto_renews(policy):
        return None
    lifetime = not_after - not_before
    backstop = not_after - lifetime / BACKSTOP
    point = _chosen_point(policy, not_before, not_after)
    if point is None:
        share = 1 / 2 if lifetime < SHORT_LIFETIME else 2 / 3
        point = RenewalPoint(not_before + lifetime * share, OperationReason.DEFAULT)
    put_off = point.at + lifetime / SPREAD * jitter
    if put_off >= backstop:
        return RenewalPoint(whole_second(backstop), OperationReason.BACKSTOP)
    return RenewalPoint(whole_second(put_off), point.reason)


def first_plan(policy: Policy, not_before: datetime, not_after: datetime, jitter: float, at: datetime) -> Renewal:
    """Plan the renewal of a version that came at `at`: not before a tenth of what it has left, and 10 seconds at the least.

    A CA that dates its certificates back by hours, or lets them live for seconds, would be asked without a pause.
    """
    point = renewal_point(policy, not_before, not_after, jitter)
    if point is None:
        return Renewal(None, None, jitter)
    return Renewal(max(point.at, whole_second(at + pause_after(not_after - at))), point.reason, jitter)


def plan_anew(policy: Policy, known: Renewal, not_before: datetime, not_after: datetime) -> Renewal:
    """Plan the renewal of a version for a policy that has changed since; its jitter and its failures stay."""
    point = renewal_point(policy, not_before, not_after, known.jitter)
    return replace(known, due_at=point.at if point else None, reason=point.reason if point else None)


def _auto_renews(policy: Policy) -> bool:
    return any(action.action is ActionType.AUTO_RENEW for action in policy.lifetime_actions)


def _chosen_point(policy: Policy, not_before: datetime, not_after: datetime) -> RenewalPoint | None:
    if policy.is_integrated and not policy.lifetime_actions_set:
        return None
    points = []
    for action in policy.lifetime_actions:
        if action.action is not ActionType.AUTO_RENEW:
            continue
        if action.days_before_expiry is not None:
            points.append(not_after - timedelta(days=action.days_before_expiry))
        elif action.lifetime_percentage is not None:
            points.append(not_before + (not_after - not_before) * action.lifetime_percentage / 100)
    # a CA may grant less than the days asked for: a point before the beginning is no point
    points = [point for point in points if point > not_before]
    return RenewalPoint(min(points), OperationReason.LIFETIME_ACTION) if points else None


def next_attempt(failures: int, at: datetime, not_after: datetime | None, *, configuration: bool = False) -> datetime:
    """Say when to try again after `failures` failures in a row.

    Back-off is 1, 10, 100 minutes, then a day; a mistake in the set-up goes to a day at once. While the certificate is valid,
    no wait is longer than a tenth of the time that it has left.
    """
    wait = timedelta(days=1) if configuration else back_off(failures)
    if not_after is not None and not_after > at:
        wait = min(wait, pause_after(not_after - at))
    return whole_second(at + wait)


def pause_after(left: timedelta) -> timedelta:
    """Say how long a CA is left alone about a certificate that has so much time left: a tenth of it, but 10 seconds."""
    return max(left / 10, SHORTEST_PAUSE)


def self_signed_validity(at: datetime, months: int) -> tuple[datetime, datetime]:
    """Give the validity of a self-signed certificate that is made at `at`: a little before it, and calendar months after."""
    at = whole_second(at)
    return at - BACK_DATE, add_months(at, months)


def add_months(at: datetime, months: int) -> datetime:
    """Go `months` ahead in the calendar; the last day of a month stays the last where the day does not exist."""
    year, month = divmod(at.month - 1 + months, 12)
    year, month = at.year + year, month + 1
    return at.replace(year=year, month=month, day=min(at.day, calendar.monthrange(year, month)[1]))
