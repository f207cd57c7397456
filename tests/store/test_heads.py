"""The head of a key or a secret moves on to its next version only where it may, whatever happens at the same time."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from time import sleep
from typing import Any

import pytest

from certworker.errors import Conflict, DeletedButRecoverable
from certworker.vault.heads import begin_version
from certworker.vault.objects import Deletion, ObjectHead, ObjectKind
from certworker.vault.store import Store
from tests.support.clock import START
from tests.support.records import VAULT_ID, VERSION, a_head, a_secret, a_vault

SECRET = ObjectKind.SECRET
NEXT = "f" * 32
LATER = START + timedelta(hours=1)
DELETION = Deletion(START, START + timedelta(days=90))


def test_a_new_head_and_the_next(store: Store) -> None:
    """The first adds it; the next replaces the version alone: name and time of creation stay."""
    with store.writing() as writer:
        first = ObjectHead(VAULT_ID, SECRET, "Db", VERSION, START)
        assert writer.advance_head(first) == first
    with store.writing() as writer:
        expected = replace(first, current_version=NEXT)
        assert writer.advance_head(ObjectHead(VAULT_ID, SECRET, "dB", NEXT, LATER)) == expected
    with store.reading() as reader:
        assert reader.head(VAULT_ID, SECRET, "db") == expected
        assert reader.head(VAULT_ID, ObjectKind.KEY, "db") is None


@pytest.mark.parametrize("held", [{"managed": True}, {"deletion": DELETION}, {"managed": True, "deletion": DELETION}])
def test_a_head_that_is_held(store: Store, held: dict[str, Any]) -> None:
    """A managed or a deleted one stays as it is."""
    with store.writing() as writer:
        writer.put_head(a_head(SECRET, "db", **held))
    with store.writing() as writer:
        assert writer.advance_head(ObjectHead(VAULT_ID, SECRET, "db", NEXT, LATER)) is None
        assert writer.head(VAULT_ID, SECRET, "db") == a_head(SECRET, "db", **held)
    with pytest.raises(DeletedButRecoverable if "deletion" in held else Conflict), store.writing() as writer:
        begin_version(writer, a_vault(), SECRET, "db", NEXT, LATER)


def test_a_certificate_to_come_holds_the_name(store: Store) -> None:
    """It has neither key nor secret yet; nothing is left of what was begun."""
    with store.writing() as writer:
        writer.put_head(a_head(ObjectKind.CERTIFICATE, "web", None))
    for kind in (ObjectKind.KEY, SECRET):
        with pytest.raises(Conflict, match="belongs to a certificate"), store.writing() as writer:
            begin_version(writer, a_vault(), kind, "WEB", NEXT, LATER)
        with store.reading() as reader:
            assert reader.head(VAULT_ID, kind, "web") is None


def test_a_version_brings_nothing_back_that_is_being_deleted(store: Store) -> None:
    """Whoever sets a secret while another deletes it waits, and is told that it is deleted."""
    with store.writing() as writer:
        writer.put_head(a_head(SECRET, "db"))

    def set_() -> None:
        with store.writing() as writer:
            begin_version(writer, a_vault(), SECRET, "db", NEXT, LATER)

    with ThreadPoolExecutor(1) as pool:
        with store.writing() as writer:
            writer.set_deletion(VAULT_ID, SECRET, "db", DELETION)
            other = pool.submit(set_)
            sleep(0.1)
            assert not other.done()
        with pytest.raises(DeletedButRecoverable):
            other.result(10)
    with store.reading() as reader:
        assert reader.head(VAULT_ID, SECRET, "db") == a_head(SECRET, "db", deletion=DELETION)


def test_the_version_before(store: Store) -> None:
    """The newest of those that were made earlier; none before the first, and none of another secret."""
    with store.writing() as writer:
        for name in ("db", "other"):
            writer.put_head(a_head(SECRET, name))
        for day, version in enumerate("cab"):
            attributes = replace(a_secret().attributes, created=START + timedelta(days=day))
            writer.add_secret(a_secret("db", version * 32, attributes=attributes))
        writer.add_secret(a_secret("other"))
    with store.reading() as reader:
        before = [reader.version_before(VAULT_ID, "DB", START + timedelta(days=day)) for day in range(4)]
    assert before == [None, "c" * 32, "a" * 32, "b" * 32]


def test_keys_in_the_token_by_vault(store: Store) -> None:
    """Those that were noted, until they are forgotten."""
    with store.writing() as writer:
        writer.note_hsm_key("1" * 32, VAULT_ID, START)
        assert [writer.has_hsm_keys(vault) for vault in (VAULT_ID, "another")] == [True, False]
        writer.forget_hsm_key("1" * 32)
        assert not writer.has_hsm_keys(VAULT_ID)
