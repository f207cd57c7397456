"""Hot lookups: what is remembered is never older than the request that asks."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from certworker.errors import Unavailable
from certworker.store.engine import open_engine, open_store
from certworker.store.glances import MOST_REMEMBERED, Glances, SqliteGeneration
from certworker.vault.objects import Deletion, ObjectKind
from certworker.vault.store import Reader, Store, Writer
from certworker.vault.vaults import Principal, SigningKey, Sku, Vault, WrappedKey
from tests.support.clock import START, FakeClock
from tests.support.records import VAULT_ID, VERSION, a_head, a_secret, a_vault, add_certificate, some_attributes

SOMEBODY = Principal("oid", "cid", "tid", "somebody", "hash", administrator=False, created=START)


class Counted:
    """The store's views, counted."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.views = 0

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        """Open a view, and count it."""
        self.views += 1
        with self._store.reading() as reader:
            yield reader


@pytest.fixture
def other(database_url: str, store: Store, clock: FakeClock) -> Iterator[Store]:  # noqa: ARG001  # opened after the first
    """Open the same database once more, as another process does."""
    other = open_store(database_url, clock)
    yield other
    other.close()


def test_a_glance_finds_what_a_view_finds(store: Store) -> None:
    """All hot lookups give what the reader gives, also where there is nothing."""
    with store.writing() as writer:
        add_certificate(writer)
    for _ in range(2):
        with store.reading() as reader, store.glance() as glance:
            assert glance.vault_by_name("CONTOSO") == reader.vault_by_name("contoso") == a_vault()
            assert glance.wrapped_keys(VAULT_ID) == reader.wrapped_keys(VAULT_ID)
            assert glance.principal("nobody") is None
            assert glance.signing_keys("nowhere") == ()
            for kind in ObjectKind:
                assert glance.head(VAULT_ID, kind, "WEB") == reader.head(VAULT_ID, kind, "web")
            for version in (None, VERSION, "0" * 32):
                assert glance.key(VAULT_ID, "web", version) == reader.key(VAULT_ID, "web", version)
                assert glance.secret(VAULT_ID, "web", version) == reader.secret(VAULT_ID, "web", version)


def test_what_another_process_changes_is_seen_by_the_next_glance(store: Store, other: Store) -> None:
    """A secret that is disabled, deleted or purged there is so here, at once."""
    with store.writing() as writer:
        writer.put_head(a_head(ObjectKind.SECRET))
        writer.add_secret(a_secret())
    with store.glance() as glance:
        found = glance.secret(VAULT_ID, "web", None)
    assert found is not None
    assert found.attributes.enabled
    with other.writing() as writer:
        disabled = replace(some_attributes(), enabled=False)
        writer.set_attributes(VAULT_ID, ObjectKind.SECRET, "web", VERSION, disabled, {})
    with store.glance() as glance:
        found = glance.secret(VAULT_ID, "web", None)
        assert found is not None
        assert not found.attributes.enabled
    with other.writing() as writer:
        writer.set_deletion(VAULT_ID, ObjectKind.SECRET, "web", Deletion(START, START + timedelta(days=7)))
    with store.glance() as glance:
        head = glance.head(VAULT_ID, ObjectKind.SECRET, "web")
        assert head is not None
        assert head.deletion
    with other.writing() as writer:
        writer.purge(VAULT_ID, ObjectKind.SECRET, "web")
    with store.glance() as glance:
        assert glance.head(VAULT_ID, ObjectKind.SECRET, "web") is None


def test_what_this_process_changes_is_seen_by_the_next_glance(store: Store) -> None:
    """Also what was looked for and not found before."""
    with store.glance() as glance:
        assert glance.head(VAULT_ID, ObjectKind.SECRET, "web") is None
    with store.writing() as writer:
        writer.put_head(a_head(ObjectKind.SECRET))
    with store.glance() as glance:
        assert glance.head(VAULT_ID, ObjectKind.SECRET, "web") == a_head(ObjectKind.SECRET)


def test_what_was_rolled_back_was_never_seen(store: Store, other: Store) -> None:
    """A glance in the middle of somebody's transaction sees nothing of it, and neither does one after its end."""
    with pytest.raises(ZeroDivisionError), other.writing() as writer:  # noqa: PT012  # looked at in its middle
        writer.put_head(a_head(ObjectKind.SECRET))
        with store.glance() as glance:
            assert glance.head(VAULT_ID, ObjectKind.SECRET, "web") is None
        raise ZeroDivisionError
    with store.glance() as glance:
        assert glance.head(VAULT_ID, ObjectKind.SECRET, "web") is None


def test_a_database_that_is_the_same_is_not_asked_again(store: Store) -> None:
    """The second glance opens no view; another generation forgets everything; too much is forgotten as well."""
    generation, counted = [1], Counted(store)
    glances = Glances(lambda: (generation[0], generation[0]), counted.reading)

    def look(name: str = "contoso") -> None:
        with glances.begin() as glance:
            glance.vault_by_name(name)
            glance.vault_by_name(name)

    look()
    look()
    assert counted.views == 1
    generation[0] = 2
    look()
    assert counted.views == 2
    for number in range(MOST_REMEMBERED):
        look(f"vault{number}")
    before = counted.views
    look()
    assert counted.views == before + 1


def test_what_changes_seldom_is_remembered_while_objects_are_written(store: Store) -> None:
    """The vault is not looked up again after a secret was set, and is after the vault was changed."""
    counted = Counted(store)
    glances = Glances(store._generation, counted.reading)  # type: ignore[attr-defined]

    def look() -> Vault | None:
        with glances.begin() as glance:
            return glance.vault_by_name("contoso")

    assert look() == a_vault()
    with store.writing() as writer:
        writer.put_head(a_head(ObjectKind.SECRET))
    assert look() == a_vault()
    assert counted.views == 1
    premium = replace(a_vault(), sku=Sku.PREMIUM, retention_days=30, purge_protection=True)
    with store.writing() as writer:
        writer.replace_vault(premium)
    assert look() == premium


@pytest.mark.parametrize(
    "change",
    [
        lambda writer: writer.add_vault(replace(a_vault(), id="other", name="fabrikam")),
        lambda writer: writer.add_wrapped_key(WrappedKey(VAULT_ID, 9, b"wrapped", "", START)),
        lambda writer: writer.replace_wrapped_key(WrappedKey(VAULT_ID, 8, b"anew", "", START)),
        lambda writer: writer.add_principal(SOMEBODY),
        lambda writer: writer.set_principal_secret("first", "hash"),
        lambda writer: writer.add_signing_key(SigningKey("kid", "tid", b"public", b"sealed", START)),
    ],
    ids=["vault", "vault key", "vault key wrapped anew", "principal", "client secret", "signing key"],
)
def test_every_change_of_the_registry_is_counted(store: Store, change: Callable[[Writer], None]) -> None:
    """What is remembered of it is forgotten with each."""
    generation = store._generation  # type: ignore[attr-defined]
    with store.writing() as writer:
        writer.add_principal(replace(SOMEBODY, object_id="first", client_id="first"))
        writer.add_wrapped_key(WrappedKey(VAULT_ID, 8, b"wrapped", "", START))
    before = generation()
    with store.writing() as writer:
        change(writer)
    after = generation()
    assert after[0] != before[0]
    assert after[1] > before[1]


@pytest.mark.parametrize("table", ["vault", "vault_key", "principal", "signing_key"])
def test_a_change_by_hand_is_counted_as_well(store: Store, database_url: str, table: str) -> None:
    """Whoever takes somebody out of the database with SQL has done it from the next request on."""
    with store.writing() as writer:
        writer.add_principal(SOMEBODY)
        writer.add_wrapped_key(WrappedKey(VAULT_ID, 8, b"wrapped", "", START))
        writer.add_signing_key(SigningKey("kid", "tid", b"public", b"sealed", START))
    before = store._generation()  # type: ignore[attr-defined]
    engine = open_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608  # a table of ours
    engine.dispose()
    assert store._generation()[1] > before[1]  # type: ignore[attr-defined]


def test_a_glance_that_began_before_a_change_spoils_nothing(store: Store) -> None:
    """What it still finds is kept with its own generation, never with the next one."""
    generation = [1]
    glances = Glances(lambda: (generation[0], generation[0]), store.reading)
    with glances.begin() as early:
        generation[0] = 2
        with glances.begin() as late:
            assert late.vault_by_name("contoso") == a_vault()
        early.principal("nobody")
        with glances.begin() as last:
            assert ("principal", "nobody") not in last._registered


def test_a_database_that_is_gone_is_unavailable(tmp_path: Path) -> None:
    """Nothing that is remembered is served without the database."""
    generation = SqliteGeneration(f"{tmp_path}/no/such/folder/test.db")
    with pytest.raises(Unavailable):
        Glances(generation, lambda: pytest.fail("no view is opened")).begin()
    generation.close()
