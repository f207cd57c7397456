"""Grants on both databases: each counts once, and what has expired goes."""

from collections.abc import Callable
from datetime import timedelta
from threading import Event, Thread

import pytest

from certworker.store.transactions import SqlStore
from certworker.vault.identities.records import User
from certworker.vault.sign_in.grants import AuthorizationCode, DeviceCode, DeviceState, Guesses, RefreshToken
from certworker.vault.store import Writer
from tests.support.clock import START

END = START + timedelta(hours=1)
WHO = ("tenant", "client", "user")


def test_a_grant_counts_once(store: SqlStore) -> None:
    """The second time nothing is changed, and it is told."""
    with store.writing() as writer:
        writer.add_user(User("user", "tenant", "ada@contoso.test", "Ada", START))
        writer.add_authorization_code(AuthorizationCode("code", *WHO, "http://localhost", "c", "s", "n", "family", END))
        writer.add_refresh_token(RefreshToken("token", "family", *WHO, START, START, END))
        assert [writer.use_authorization_code("code", START) for _ in range(2)] == [True, False]
        assert [writer.use_refresh_token("token", START) for _ in range(2)] == [True, False]
        assert writer.delete_refresh_family("family") == 1
        assert writer.refresh_token("token") is None
    with store.reading() as reader:
        found = reader.authorization_code("code")
    assert found is not None
    assert (found.used, found.expires) == (START, END)


def _end_family(writer: Writer) -> int:
    return writer.delete_refresh_family("family")


def _end_all(writer: Writer) -> int:
    return writer.delete_grants_of("user")


@pytest.mark.parametrize("end", [_end_family, _end_all])
def test_what_is_being_refreshed_ends_with_its_heir(store: SqlStore, end: Callable[[Writer], int]) -> None:
    """Whoever ends a family, or all that a user has, waits for a token that is being exchanged, and ends its heir too."""
    with store.writing() as writer:
        writer.add_refresh_token(RefreshToken("token", "family", *WHO, START, START, END))
    held, counts = Event(), list[int]()

    def end_it() -> None:
        assert held.wait(10)
        with store.writing() as writer:
            counts.append(end(writer))

    other = Thread(target=end_it)
    other.start()
    with store.writing() as writer:
        assert writer.hold_refresh_token("token")
        held.set()
        other.join(0.3)
        writer.add_refresh_token(RefreshToken("heir", "family", *WHO, START, START, END))
    other.join(10)
    assert counts == [2]


def test_a_device_code_is_settled_once(store: SqlStore) -> None:
    """The user's word counts while it is pending; a user code is nobody else's."""
    code = DeviceCode("hash", "BCDFGHJKL", "tenant", "client", "s", 5, END)
    with store.writing() as writer:
        assert writer.add_device_code(code)
        assert not writer.add_device_code(DeviceCode("other", "BCDFGHJKL", "tenant", "client", "s", 5, END))
        writer.note_poll("hash", START, 10)
        assert writer.settle_device_code("BCDFGHJKL", DeviceState.GRANTED, "user")
        assert not writer.settle_device_code("BCDFGHJKL", DeviceState.DENIED, "")
        found = writer.device_code_of_user("BCDFGHJKL")
        assert found is not None
        assert (found.state, found.object_id, found.polled, found.interval_seconds) == (DeviceState.GRANTED, "user", START, 10)
        assert [writer.delete_device_code("hash") for _ in range(2)] == [True, False]


def test_what_has_expired_goes(store: SqlStore) -> None:
    """At its time, and guesses a day after the last."""
    with store.writing() as writer:
        writer.add_device_code(DeviceCode("hash", "BCDFGHJKL", "tenant", "client", "s", 5, END))
        assert writer.hold_guesses("digest", START) == Guesses("digest", 0, START)
        writer.put_guesses(Guesses("digest", 3, START, END))
        assert writer.hold_guesses("digest", END) == Guesses("digest", 3, START, END)
        assert writer.delete_expired_grants(END - timedelta(seconds=1)) == 0
        assert writer.delete_expired_grants(START + timedelta(days=1)) == 2
