"""When a key is to be rotated, and when its end is told: pure functions."""

from datetime import datetime, timedelta
from typing import Final

from certworker.errors import BadParameter
from certworker.vault.durations import Duration
from certworker.vault.expiries import NEAR_EXPIRY, first_notice
from certworker.vault.objects import Attributes, KeyVersion
from certworker.vault.rotation_policy import RotationPolicy

DEFAULT_NOTIFY: Final = "P30D"
DEFAULT_POLICY: Final = RotationPolicy(notify_before_expiry=DEFAULT_NOTIFY)
"""What a key goes by whose owner has set nothing."""
LEAST_TRIGGER: Final = timedelta(days=7)
LEAST_EXPIRY: Final = timedelta(days=28)
_TRIGGER: Final = "lifetimeActions.trigger"
_EXPIRY: Final = "attributes.expiryTime"


def check_rotation_policy(policy: RotationPolicy) -> RotationPolicy:
    """Give back a policy that can be carried out. Raises BadParameter.

    Every trigger is 7 days at the least, a version lives 28 days at the least, and is rotated at least 7 days after its
    creation and 7 days before its end. Only a version that has an end can be rotated some time before it.
    """
    expiry = Duration.parse(policy.expiry_time, _EXPIRY).about if policy.expiry_time is not None else None
    if expiry is not None and expiry < LEAST_EXPIRY:
        raise BadParameter(f"{_EXPIRY} is at least 28 days (P28D).", _EXPIRY)
    after = _trigger(policy.rotate_after_create, "timeAfterCreate")
    before = _trigger(policy.rotate_before_expiry, "timeBeforeExpiry")
    _trigger(policy.notify_before_expiry, "timeBeforeExpiry")
    rotate = after or before
    if before is not None and expiry is None:
        raise BadParameter(f"{_EXPIRY} is missing: a key is rotated some time before its expiry only if it expires.", _EXPIRY)
    if rotate is not None and expiry is not None and rotate + LEAST_TRIGGER > expiry:
        raise BadParameter(
            f"{_TRIGGER} of Rotate does not fit into {_EXPIRY}: a key is rotated at least 7 days after its creation, and "
            "at least 7 days before its expiry.",
            _TRIGGER,
        )
    return policy


def _trigger(text: str | None, word: str) -> timedelta | None:
    if text is None:
        return None
    about = Duration.parse(text, f"{_TRIGGER}.{word}").about
    if about < LEAST_TRIGGER:
        raise BadParameter(f"{_TRIGGER}.{word} is at least 7 days (P7D).", f"{_TRIGGER}.{word}")
    return about


def rotation_due(policy: RotationPolicy, attributes: Attributes) -> datetime | None:
    """Say when the current version is to be rotated; none where the policy, or the version, names no such time."""
    if policy.rotate_after_create is not None:
        return Duration.parse(policy.rotate_after_create, _TRIGGER).after(attributes.created)
    if policy.rotate_before_expiry is not None and attributes.expires is not None:
        return Duration.parse(policy.rotate_before_expiry, _TRIGGER).before(attributes.expires)
    return None


def rotated_expiry(policy: RotationPolicy, created: datetime) -> datetime | None:
    """Say until when a version lives that a rotation makes; none without an end."""
    return Duration.parse(policy.expiry_time, _EXPIRY).after(created) if policy.expiry_time is not None else None


def key_notice(expires: datetime | None, policy: RotationPolicy, at: datetime) -> datetime | None:
    """Plan the first notice of a version whose end was set at `at`."""
    return first_notice(expires, _lead(expires, policy), at)


def key_notice_anew(key: KeyVersion, policy: RotationPolicy, at: datetime) -> datetime | None:
    """Plan the notice of a version anew for a policy that has changed: what was told already is not told again."""
    expires, planned = key.attributes.expires, key.notice_at
    if expires is None or planned is None:
        return planned
    point = key_notice(expires, policy, at)
    told_near = planned == expires
    return planned if told_near and point is not None and point <= at else point


def _lead(expires: datetime | None, policy: RotationPolicy) -> timedelta:
    if expires is None or policy.notify_before_expiry is None:
        return NEAR_EXPIRY
    return expires - Duration.parse(policy.notify_before_expiry, _TRIGGER).before(expires)
