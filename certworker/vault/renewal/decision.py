"""The decision: an ordered list of rules, each of which gives a reason to renew, and when, or nothing. Pure functions.

The first rule whose time has come decides; where none has, the one whose time comes first.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from certworker.clock import whole_second
from certworker.vault.operations import OperationReason
from certworker.vault.policy import ActionType, Policy
from certworker.vault.renewal.situation import Decision, Situation

SHORT_LIFETIME: Final = timedelta(days=10)
SPREAD: Final = 50
"""A renewal is put off by up to this part of the lifetime, drawn once, so that a fleet does not move at once."""
BACKSTOP: Final = 20
"""Whatever else is decided, renewal begins when this part of the lifetime is left."""

Rule = Callable[[Situation], Decision | None]


def decide(situation: Situation) -> Decision | None:
    """Decide; none where the certificate is not renewed. What somebody asks for is done where nothing is renewed by itself."""
    rules = (_requested,) if situation.stays or situation.is_paused else RULES
    found = [decision for decision in (rule(situation) for rule in rules) if decision]
    due = [decision for decision in found if decision.at <= situation.at]
    if due:
        return due[0]
    return min(found, key=lambda decision: decision.at, default=None)


def backstop_of(situation: Situation) -> datetime:
    """Tell from when on nothing is waited for any more."""
    return situation.not_after - situation.lifetime / BACKSTOP


def _revoked(situation: Situation) -> Decision | None:
    if situation.revoked_at is None:
        return None
    why = f"It is known to be revoked since {_time(situation.revoked_at)}."
    return Decision(situation.revoked_at, OperationReason.REVOKED, why, urgent=True)


def _key_compromised(situation: Situation) -> Decision | None:
    if situation.compromised_at is None:
        return None
    why = f"Its key is known to be compromised since {_time(situation.compromised_at)}."
    return Decision(situation.compromised_at, OperationReason.KEY_COMPROMISED, why, urgent=True)


def _requested(situation: Situation) -> Decision | None:
    if situation.requested_at is None or situation.policy.is_manual:
        return None
    why = f"It was asked for at {_time(situation.requested_at)}."
    return Decision(situation.requested_at, OperationReason.REQUESTED, why, urgent=True)


def _policy_changed(situation: Situation) -> Decision | None:
    issued, policy, changed_at = situation.issued_by, situation.policy, situation.changed_at
    if issued is None or changed_at is None or (issued.x509 == policy.x509 and issued.key == policy.key):
        return None
    why = "Its policy asks for another certificate than the one that there is."
    return Decision(changed_at, OperationReason.POLICY_CHANGED, why)


def _issuer_changed(situation: Situation) -> Decision | None:
    issued, issuer, changed_at = situation.issued_by, situation.policy.issuer, situation.changed_at
    if issued is None or changed_at is None or issued.issuer.name.casefold() == issuer.name.casefold():
        return None
    why = f"Its policy names the issuer {issuer.name}; it is from {issued.issuer.name}."
    return Decision(changed_at, OperationReason.ISSUER_CHANGED, why)


def _advised(situation: Situation) -> Decision | None:
    window = situation.window
    if window is None or _has_only_the_end_left(situation, window.point):
        return None
    why = f"Its CA wants it renewed between {_time(window.start)} and {_time(window.end)}, and this point of it was drawn."
    return Decision(whole_second(window.point), OperationReason.ADVISED, why)


def _lifetime_action(situation: Situation) -> Decision | None:
    chosen, reason, why = _chosen(situation)
    if chosen is None:
        return None
    put_off = chosen + situation.lifetime / SPREAD * situation.jitter
    if situation.window:
        # before its window opens, a renewal would count against the CA's limits
        put_off = max(put_off, situation.window.start)
    if _has_only_the_end_left(situation, put_off):
        return None
    return Decision(whole_second(put_off), reason, why)


def _backstop(situation: Situation) -> Decision | None:
    at = whole_second(backstop_of(situation))
    if situation.at >= situation.not_after:
        return None
    why = f"A twentieth of its lifetime is left from {_time(at)} on, and nothing is waited for any more."
    return Decision(at, OperationReason.BACKSTOP, why, urgent=True)


def _overdue(situation: Situation) -> Decision | None:
    why = f"It expires at {_time(situation.not_after)}, and has not been renewed by then."
    return Decision(situation.not_after, OperationReason.OVERDUE, why, urgent=True)


RULES: Final[tuple[Rule, ...]] = (
    _revoked,
    _key_compromised,
    _requested,
    _policy_changed,
    _issuer_changed,
    _advised,
    _lifetime_action,
    _backstop,
    _overdue,
)


def _chosen(situation: Situation) -> tuple[datetime | None, OperationReason, str]:
    """Find the point that the owner chose, or else the one that the lifetime says; none where advice stands in for it."""
    points = _points_set(situation.policy, situation)
    if points:
        return min(points), OperationReason.LIFETIME_ACTION, "Its policy's lifetime action says so."
    if situation.window:
        return None, OperationReason.DEFAULT, ""
    short = situation.lifetime < SHORT_LIFETIME
    share, words = (1 / 2, "Half") if short else (2 / 3, "Two thirds")
    return situation.not_before + situation.lifetime * share, OperationReason.DEFAULT, f"{words} of its lifetime have gone by."


def _points_set(policy: Policy, situation: Situation) -> list[datetime]:
    # what Key Vault fills in by default is nobody's choice where a CA is asked
    if policy.is_integrated and not policy.lifetime_actions_set:
        return []
    points = []
    for action in policy.lifetime_actions:
        if action.action is not ActionType.AUTO_RENEW:
            continue
        if action.days_before_expiry is not None:
            points.append(situation.not_after - timedelta(days=action.days_before_expiry))
        elif action.lifetime_percentage is not None:
            points.append(situation.not_before + situation.lifetime * action.lifetime_percentage / 100)
    # a CA may grant less than the days asked for: a point before the beginning is no point
    return [point for point in points if point > situation.not_before]


def _has_only_the_end_left(situation: Situation, point: datetime) -> bool:
    """Whether the backstop comes first, or is what has come: then that is the reason."""
    backstop = backstop_of(situation)
    return point >= backstop or situation.at >= backstop


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
