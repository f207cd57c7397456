"""Rotation: policies are looked at and planned by; versions follow each other, whoever asks."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from certworker.crypto.keys import KeyKind
from certworker.errors import BadParameter, Conflict, KeyNotFound, LeaseLost, SealBroken
from certworker.vault.events import EventType
from certworker.vault.key_creation import WantedKey
from certworker.vault.key_lifetimes import check_rotation_policy, rotation_due
from certworker.vault.key_settings import KeySettings
from certworker.vault.objects import Attributes, KeyReleasePolicy, KeyVersion
from certworker.vault.rotation_policy import KeyRotation, RotationPolicy
from tests.support.clock import START, FakeClock
from tests.support.deployment import Deployment
from tests.support.records import RELEASE_RULES

DAY: Final = timedelta(days=1)
LEASE: Final = timedelta(minutes=3)
QUARTERLY: Final = RotationPolicy(rotate_after_create="P3M", expiry_time="P1Y")
POLICY: Final = KeyReleasePolicy("application/json; charset=utf-8", RELEASE_RULES, immutable=True)


def create(deployment: Deployment, kty: str = "EC", **settings: Any) -> KeyVersion:  # noqa: ANN401 - any setting
    """Make the key k, or its next version."""
    creation = deployment.house.key_life.creation
    return creation.create(deployment.administrator, deployment.vault, "k", WantedKey(kty), KeySettings(**settings))


def rotate(deployment: Deployment) -> KeyVersion:
    """Rotate it now."""
    return deployment.house.key_life.rotations.rotate(deployment.administrator, deployment.vault, "k")


def set_policy(deployment: Deployment, policy: RotationPolicy = QUARTERLY) -> KeyRotation:
    """Set its rotation policy."""
    return deployment.house.key_life.rotations.set_policy(deployment.administrator, deployment.vault, "k", policy)


def planned(deployment: Deployment) -> KeyRotation:
    """Read its rotation out of the database."""
    with deployment.house.store.reading() as reader:
        found = reader.rotation(deployment.vault.id, "k")
    assert found is not None
    return found


def claim(deployment: Deployment, at: datetime) -> KeyRotation:
    """Claim its rotation, as a worker does."""
    with deployment.house.store.writing() as writer:
        found = writer.claim_rotation("another-worker", at, LEASE)
    assert found is not None
    return found


def current(deployment: Deployment) -> KeyVersion:
    """Show its current version."""
    return deployment.house.keys.get(deployment.administrator, deployment.vault, "k")


@pytest.mark.parametrize(
    ("policy", "field"),
    [
        (RotationPolicy(rotate_after_create="P6D"), "lifetimeActions.trigger.timeAfterCreate"),
        (RotationPolicy(rotate_after_create="90 days"), "lifetimeActions.trigger.timeAfterCreate"),
        (RotationPolicy(rotate_after_create=""), "lifetimeActions.trigger.timeAfterCreate"),
        (RotationPolicy(rotate_before_expiry="PT1H", expiry_time="P1Y"), "lifetimeActions.trigger.timeBeforeExpiry"),
        (RotationPolicy(notify_before_expiry="P6D"), "lifetimeActions.trigger.timeBeforeExpiry"),
        (RotationPolicy(rotate_before_expiry="P30D"), "attributes.expiryTime"),
        (RotationPolicy(expiry_time="P27D"), "attributes.expiryTime"),
        (RotationPolicy(expiry_time="soon"), "attributes.expiryTime"),
        (RotationPolicy(rotate_after_create="P28D", expiry_time="P28D"), "lifetimeActions.trigger"),
        (RotationPolicy(rotate_after_create="P22D", expiry_time="P28D"), "lifetimeActions.trigger"),
        (RotationPolicy(rotate_before_expiry="P22D", expiry_time="P28D"), "lifetimeActions.trigger"),
        (RotationPolicy(rotate_after_create="P2Y", expiry_time="P1Y"), "lifetimeActions.trigger"),
    ],
)
def test_a_policy_that_cannot_be_carried_out_is_refused(deployment: Deployment, policy: RotationPolicy, field: str) -> None:
    """The error names the field; what was in force stays."""
    create(deployment)
    known = set_policy(deployment)
    with pytest.raises(BadParameter) as caught:
        set_policy(deployment, policy)
    assert caught.value.field == field
    assert replace(planned(deployment), fence=0) == known


@pytest.mark.parametrize(
    "policy",
    [
        RotationPolicy(),
        RotationPolicy(rotate_after_create="P7D"),
        RotationPolicy(rotate_after_create="P21D", expiry_time="P28D"),
        RotationPolicy(rotate_before_expiry="P7D", expiry_time="P28D"),
        RotationPolicy(rotate_after_create="P18M", expiry_time="P2Y", notify_before_expiry="P7D"),
        RotationPolicy(notify_before_expiry="P30D", expiry_time="P28D"),
        RotationPolicy(rotate_after_create="P1Y"),
    ],
)
def test_a_policy_that_can_be_is_taken(policy: RotationPolicy) -> None:
    """As it was sent, down to the shortest times."""
    assert check_rotation_policy(policy) == policy


@pytest.mark.parametrize(
    ("policy", "expires", "due"),
    [
        (RotationPolicy(), START + 90 * DAY, None),
        (RotationPolicy(rotate_after_create="P2M"), None, datetime.fromisoformat("2026-03-01T00:00:00+00:00")),
        (RotationPolicy(rotate_before_expiry="P30D", expiry_time="P90D"), None, None),
        (RotationPolicy(rotate_before_expiry="P30D", expiry_time="P90D"), START + 90 * DAY, START + 60 * DAY),
    ],
)
def test_when_a_rotation_is_due(policy: RotationPolicy, expires: datetime | None, due: datetime | None) -> None:
    """By the version's creation, or by its end where it has one."""
    assert rotation_due(policy, Attributes(START, START, expires=expires)) == due


def test_a_policy_is_kept_and_planned_by(deployment: Deployment, clock: FakeClock) -> None:
    """The owner's words are shown again, with a notice 30 days before the end where they say nothing of one."""
    rotations, who = deployment.house.key_life.rotations, (deployment.administrator, deployment.vault)
    create(deployment)
    assert rotations.policy(*who, "k") is None
    clock.advance(DAY)
    first = set_policy(deployment)
    assert first.policy == replace(QUARTERLY, notify_before_expiry="P30D")
    assert (first.created, first.updated, first.due_at) == (START + DAY, START + DAY, START.replace(month=4))
    clock.advance(DAY)
    second = set_policy(deployment, RotationPolicy(notify_before_expiry="P10D"))
    assert (second.created, second.updated, second.due_at) == (START + DAY, START + 2 * DAY, None)
    shown = rotations.policy(*who, "K")
    assert shown is not None
    assert replace(shown, fence=0) == second


def test_a_policy_needs_a_key(deployment: Deployment) -> None:
    """A live one."""
    rotations, who = deployment.house.key_life.rotations, (deployment.administrator, deployment.vault)
    create(deployment)
    deployment.house.key_life.deletions.delete(*who, "k")
    with pytest.raises(KeyNotFound):
        rotations.policy(*who, "k")
    with pytest.raises(KeyNotFound):
        set_policy(deployment)
    with pytest.raises(KeyNotFound):
        rotate(deployment)


@pytest.mark.parametrize("kty", ["RSA", "EC", "oct"])
def test_a_rotated_key_is_like_the_one_before(deployment: Deployment, clock: FakeClock, kty: str) -> None:
    """Of the same kind, with the same operations, tags, state and release policy; only its times and the key are new."""
    ops = ("encrypt", "wrapKey") if kty != "EC" else ("sign",)
    first = create(deployment, kty, key_ops=ops, tags={"a": "b"}, enabled=False, exportable=True, release_policy=POLICY)
    set_policy(deployment)
    clock.advance(DAY)
    second = rotate(deployment)
    expires = (START + DAY).replace(year=2027)
    assert second == replace(
        first,
        version=second.version,
        public_key=second.public_key,
        sealed_key=second.sealed_key,
        attributes=Attributes(START + DAY, START + DAY, enabled=False, expires=expires),
        notice_at=expires - 30 * DAY,
    )
    materials = deployment.house.materials
    assert materials.kind(second) == materials.kind(first)
    assert materials.private(second) != materials.private(first)
    assert current(deployment) == second
    assert planned(deployment).due_at == (START + DAY).replace(month=4)


def test_a_key_is_rotated_without_a_policy(deployment: Deployment) -> None:
    """Its next version then has no end; it is told like any other."""
    create(deployment, expires=START + 90 * DAY)
    second = rotate(deployment)
    assert (second.attributes.expires, second.notice_at) == (None, None)
    last = deployment.events()[-1]
    assert (last.type, last.version, last.detail["reason"]) == (EventType.KEY_NEW_VERSION, second.version, "rotate")


def test_an_oct_key_keeps_its_size(deployment: Deployment) -> None:
    """Also where it is not the one that keys have by default."""
    who = deployment.administrator, deployment.vault
    deployment.house.key_life.creation.create(*who, "k", WantedKey("oct", 192))
    assert deployment.house.materials.kind(rotate(deployment)) == KeyKind("oct", 192)


def test_what_changes_the_key_plans_its_rotation_anew(deployment: Deployment, clock: FakeClock) -> None:
    """A new version, and a new end; nothing else."""
    life, who = deployment.house.key_life, (deployment.administrator, deployment.vault)
    first = create(deployment)
    set_policy(deployment, RotationPolicy(rotate_before_expiry="P30D", expiry_time="P90D"))
    assert planned(deployment).due_at is None
    life.updates.update(*who, "k", None, KeySettings(expires=START + 90 * DAY))
    assert planned(deployment).due_at == START + 60 * DAY
    clock.advance(DAY)
    create(deployment, expires=START + 100 * DAY)
    assert planned(deployment).due_at == START + 70 * DAY
    life.updates.update(*who, "k", first.version, KeySettings(expires=START + 50 * DAY))
    life.updates.update(*who, "k", None, KeySettings(tags={"a": "b"}))
    assert planned(deployment).due_at == START + 70 * DAY


def test_the_worker_rotates_what_is_due(deployment: Deployment, clock: FakeClock) -> None:
    """Once, and not before; and plans the next one."""
    first = create(deployment)
    due = set_policy(deployment).due_at
    assert due is not None
    clock.set(due - timedelta(seconds=1))
    assert deployment.work() == due
    assert current(deployment) == first
    clock.set(due)
    assert deployment.work() == due.replace(month=7)
    second = current(deployment)
    assert (second.attributes.created, second.attributes.expires) == (due, due.replace(year=2027))
    assert deployment.events()[-1].detail["reason"] == "rotation"
    deployment.work()
    assert current(deployment) == second


def test_a_deleted_key_is_not_rotated(deployment: Deployment, clock: FakeClock) -> None:
    """It is once it has come back."""
    life, who = deployment.house.key_life, (deployment.administrator, deployment.vault)
    first = create(deployment)
    set_policy(deployment)
    life.deletions.delete(*who, "k")
    clock.advance(89 * DAY)
    clock.set(START + 89 * DAY)
    deployment.work()
    life.deletions.recover(*who, "k")
    assert current(deployment) == first
    clock.advance(2 * DAY)
    deployment.work()
    assert current(deployment) != first


@pytest.mark.parametrize("change", ["policy", "version", "end", "rotate"])
def test_who_is_overtaken_records_nothing(deployment: Deployment, clock: FakeClock, change: str) -> None:
    """A worker that claimed a rotation loses it to whoever changes the key or its policy meanwhile."""
    life, who = deployment.house.key_life, (deployment.administrator, deployment.vault)
    create(deployment)
    clock.set(set_policy(deployment).due_at or START)
    claimed = claim(deployment, clock())
    changes: dict[str, Callable[[], object]] = {
        "policy": lambda: set_policy(deployment, RotationPolicy(rotate_after_create="P1M")),
        "version": lambda: create(deployment),
        "end": lambda: life.updates.update(*who, "k", None, KeySettings(expires=clock() + 90 * DAY)),
        "rotate": lambda: rotate(deployment),
    }
    changes[change]()
    known, told = current(deployment), deployment.events()
    with pytest.raises(LeaseLost):
        life.rotations.carry_out(claimed)
    with pytest.raises(LeaseLost):
        life.rotations.put_off(claimed, "It did not work.")
    assert (current(deployment), deployment.events()) == (known, told)


def test_a_plan_that_was_made_for_an_older_version_is_made_anew(deployment: Deployment, clock: FakeClock) -> None:
    """As it comes when the policy is set at the same moment as a new version comes: that one is not rotated too early."""
    create(deployment)
    rotation = set_policy(deployment)
    clock.advance(DAY)
    second = create(deployment)
    with deployment.house.store.writing() as writer:
        writer.put_rotation(replace(rotation, due_at=clock()))
    deployment.work()
    assert current(deployment) == second
    assert planned(deployment).due_at == (START + DAY).replace(month=4)


def test_a_rotation_is_overtaken_by_a_deletion(deployment: Deployment, clock: FakeClock) -> None:
    """No version is added to a key that is gone."""
    life, who = deployment.house.key_life, (deployment.administrator, deployment.vault)
    create(deployment)
    clock.set(set_policy(deployment).due_at or START)
    claimed = claim(deployment, clock())
    life.deletions.delete(*who, "k")
    with pytest.raises(KeyNotFound):
        life.rotations.carry_out(claimed)
    assert planned(deployment).due_at == claimed.due_at


def test_what_is_said_of_a_key_while_it_is_rotated_goes_for_the_next_version(deployment: Deployment) -> None:
    """Who disables a key, or takes an operation away, does not find it at work again a moment later."""
    life, who = deployment.house.key_life, (deployment.administrator, deployment.vault)
    first = create(deployment)
    life.updates.update(*who, "k", None, KeySettings(enabled=False, key_ops=("verify",), tags={"who": "me"}))
    set_policy(deployment)
    second = life.rotations._rotate(deployment.vault, first, None, START)
    assert (second.attributes.enabled, second.key_ops, second.tags) == (False, ("verify",), {"who": "me"})
    assert second.attributes.expires == START.replace(year=START.year + 1)
    assert current(deployment) == second


def test_two_who_rotate_at_once_make_one_version(deployment: Deployment) -> None:
    """The second finds a version that it has not seen, and says so."""
    rotations, first = deployment.house.key_life.rotations, create(deployment)
    rotate(deployment)
    with pytest.raises(Conflict, match="another version at the same time"):
        rotations._rotate(deployment.vault, first, None, START)
    assert len([event for event in deployment.events() if event.type is EventType.KEY_NEW_VERSION]) == 2


def test_a_rotation_that_fails_is_put_off_and_remembered(deployment: Deployment, clock: FakeClock, tmp_path: Path) -> None:
    """A minute, ten, a hundred, a day; the error is kept until it works, and the key is as it was."""
    first = create(deployment, "oct")
    due = set_policy(deployment).due_at
    assert due is not None
    clock.set(due)
    # its own record is broken, and with it what tells its size
    with closing(sqlite3.connect(tmp_path / "certworker.db")) as database, database:
        database.execute("UPDATE key_version SET sealed_key = X'00'")
    for failures, minutes in enumerate((1, 10, 100, 24 * 60), start=1):
        deployment.work()
        rotation = planned(deployment)
        assert rotation.failures == failures
        assert rotation.due_at == clock() + timedelta(minutes=minutes)
        assert rotation.last_error
        assert current(deployment).version == first.version
        clock.set(rotation.due_at)
    with pytest.raises(SealBroken):
        rotate(deployment)
    third = create(deployment, "oct")
    rotation = planned(deployment)
    assert (rotation.failures, rotation.last_error) == (0, None)
    clock.set(rotation.due_at or START)
    deployment.work()
    assert current(deployment).version != third.version
