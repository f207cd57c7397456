"""Expiries: near expiry once, expiry once, whoever tells and however often."""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from certworker.vault.events import EventType
from certworker.vault.expiries import NEAR_EXPIRY, Expiries, first_notice
from certworker.vault.objects import Deletion, ObjectHead, ObjectKind, SecretVersion
from certworker.vault.store import Writer
from tests.support.clock import START, FakeClock
from tests.support.deployment import Deployment
from tests.support.records import a_key, a_secret, some_attributes

DAY = timedelta(days=1)
END = START + 90 * DAY
NEAR = END - NEAR_EXPIRY


@pytest.mark.parametrize(
    ("expires", "at", "planned"),
    [
        (None, START, None),
        (END, START, NEAR),
        (END, END - 3 * DAY, END - 3 * DAY),
        (END, END, END),
        (END, END + DAY, END),
    ],
)
def test_the_first_notice(expires: datetime | None, at: datetime, planned: datetime | None) -> None:
    """30 days before the end, at once where those have begun, never without an end."""
    assert first_notice(expires, NEAR_EXPIRY, at) == planned


def put_key(writer: Writer, vault_id: str, name: str, **attributes: datetime) -> None:
    """Add a key with an end, whose first notice is planned."""
    key = a_key(name, vault_id=vault_id, attributes=some_attributes(**attributes), notice_at=NEAR)
    writer.put_head(ObjectHead(vault_id, ObjectKind.KEY, name, key.version, START))
    writer.add_key(replace(key, managed=False))


def put_secret(writer: Writer, vault_id: str, name: str) -> SecretVersion:
    """Add a secret likewise."""
    secret = a_secret(name, vault_id=vault_id, attributes=some_attributes(), notice_at=NEAR)
    writer.put_head(ObjectHead(vault_id, ObjectKind.SECRET, name, secret.version, START))
    writer.add_secret(replace(secret, managed=False))
    return secret


@pytest.fixture
def noticed(deployment: Deployment) -> Deployment:
    """Have a key and a secret that end in 90 days."""
    with deployment.house.store.writing() as writer:
        put_key(writer, deployment.vault.id, "k")
        put_secret(writer, deployment.vault.id, "s")
    return deployment


def told(deployment: Deployment) -> list[tuple[EventType, str, datetime]]:
    """List what was told."""
    return [(event.type, event.name, event.at) for event in deployment.events()]


def test_near_expiry_and_expiry_are_told_once(noticed: Deployment, clock: FakeClock) -> None:
    """Of keys and of secrets, by the worker, who wakes for them; with the data that Event Grid sends."""
    assert noticed.work() == NEAR
    clock.set(NEAR)
    assert noticed.work() == END
    noticed.work()
    near = [(EventType.KEY_NEAR_EXPIRY, "k", NEAR), (EventType.SECRET_NEAR_EXPIRY, "s", NEAR)]
    assert told(noticed) == near
    event = noticed.events()[0]
    assert (event.vault_id, event.kind, event.version) == (noticed.vault.id, ObjectKind.KEY, a_key().version)
    assert event.detail == {"vault": "contoso", "nbf": str(int(START.timestamp())), "exp": str(int(END.timestamp()))}
    clock.set(END)
    assert noticed.work() is None
    noticed.work()
    assert told(noticed) == [*near, (EventType.KEY_EXPIRED, "k", END), (EventType.SECRET_EXPIRED, "s", END)]


def test_what_expired_while_nobody_looked_is_told_as_expired(noticed: Deployment, clock: FakeClock) -> None:
    """It is not near its expiry any more."""
    clock.set(END + DAY)
    noticed.work()
    noticed.work()
    assert [what for what, *_ in told(noticed)] == [EventType.KEY_EXPIRED, EventType.SECRET_EXPIRED]


def test_only_the_current_version_tells(noticed: Deployment, clock: FakeClock) -> None:
    """What has been followed by another version has nothing to tell, nor has what is deleted until it comes back."""
    with noticed.house.store.writing() as writer:
        newer = replace(a_key("k", "f" * 32, vault_id=noticed.vault.id), managed=False)
        writer.put_head(ObjectHead(noticed.vault.id, ObjectKind.KEY, "k", newer.version, START))
        writer.add_key(newer)
        writer.set_deletion(noticed.vault.id, ObjectKind.SECRET, "s", Deletion(START, END + DAY))
    clock.set(NEAR)
    assert noticed.work() is None
    assert told(noticed) == []
    with noticed.house.store.writing() as writer:
        writer.set_deletion(noticed.vault.id, ObjectKind.SECRET, "s", None)
    noticed.work()
    assert told(noticed) == [(EventType.SECRET_NEAR_EXPIRY, "s", NEAR)]


def test_a_notice_is_told_by_one(noticed: Deployment) -> None:
    """Whoever has read that it is due, and finds that it was told or planned anew, tells nothing."""
    store = noticed.house.store
    with store.reading() as reader:
        key, secret = reader.due_notices(NEAR, 10)
    with store.writing() as writer:
        writer.set_notice(secret.vault_id, secret.kind, secret.name, secret.version, NEAR + DAY)
    assert Expiries(store).tell_due(NEAR) == 1
    for stale in (key, secret):
        assert not Expiries(store)._tell(stale, NEAR)
    assert told(noticed) == [(EventType.KEY_NEAR_EXPIRY, "k", NEAR)]


def test_a_notice_that_was_not_written_is_told_later(noticed: Deployment) -> None:
    """Event and plan are one transaction: when it fails, both are as they were."""
    store = noticed.house.store
    with store.reading() as reader:
        due = reader.due_notices(NEAR, 10)
    with suppress(ZeroDivisionError), store.writing() as writer:
        assert writer.move_notice(due[0], END)
        raise ZeroDivisionError
    with store.reading() as reader:
        assert reader.due_notices(NEAR, 10) == due
    assert Expiries(store).tell_due(NEAR) == 2
