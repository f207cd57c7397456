"""Heads and versions in the store."""

from dataclasses import replace
from datetime import timedelta

import pytest

from certworker.errors import Conflict, Unavailable
from certworker.store.engine import open_store
from certworker.vault.objects import Deletion, ObjectKind
from certworker.vault.store import Store
from tests.support.clock import START, FakeClock
from tests.support.records import (
    VAULT_ID,
    VERSION,
    a_certificate,
    a_certificate_version,
    a_head,
    a_key,
    a_secret,
    add_certificate,
    add_head,
    an_operation,
    some_attributes,
)

OTHER_VERSION = "f" * 32
DELETION = Deletion(START, START + timedelta(days=90))
KINDS = tuple(ObjectKind)


def test_every_version_comes_back_whole_under_a_name_in_any_case(store: Store) -> None:
    """Key, secret, certificate and policy come back as they were given, and under the name that was given first."""
    with store.writing() as writer:
        add_certificate(writer)
    with store.reading() as reader:
        for version in (None, VERSION):
            assert reader.key(VAULT_ID, "WEB", version) == a_key()
            assert reader.secret(VAULT_ID, "web", version) == a_secret()
            assert reader.certificate_version(VAULT_ID, "wEb", version) == a_certificate_version()
        assert reader.certificate(VAULT_ID, "web") == a_certificate()
        assert reader.head(VAULT_ID, ObjectKind.SECRET, "WEB") == a_head(ObjectKind.SECRET, managed=True)


def test_what_is_not_there_is_none(store: Store) -> None:
    """Every lookup of one thing gives none where there is no such thing."""
    with store.writing() as writer:
        add_certificate(writer)
        add_head(writer, "pending")
        for name, version in (("other", None), ("Web", OTHER_VERSION), ("pending", None)):
            assert writer.key(VAULT_ID, name, version) is None
            assert writer.secret(VAULT_ID, name, version) is None
            assert writer.certificate_version(VAULT_ID, name, version) is None
        assert writer.certificate(VAULT_ID, "other") is None
        assert writer.head("other", ObjectKind.KEY, "Web") is None


def test_a_later_version_takes_the_first_name(store: Store) -> None:
    """An object keeps the case in which it was made, whatever later versions and heads are called."""
    with store.writing() as writer:
        writer.put_head(a_head(ObjectKind.SECRET, "Web"))
        writer.add_secret(a_secret("Web"))
        writer.put_head(a_head(ObjectKind.SECRET, "WEB", OTHER_VERSION, created=START + timedelta(days=1)))
        writer.add_secret(a_secret("WEB", OTHER_VERSION))
        assert writer.head(VAULT_ID, ObjectKind.SECRET, "web") == a_head(ObjectKind.SECRET, "Web", OTHER_VERSION)
        assert writer.secret(VAULT_ID, "web", None) == a_secret("Web", OTHER_VERSION)
        assert writer.secret(VAULT_ID, "web", VERSION) == a_secret("Web")


def test_a_version_is_given_once(store: Store) -> None:
    """A version of the same name cannot be added again."""
    with store.writing() as writer:
        add_certificate(writer)
        with pytest.raises(Conflict):
            writer.add_key(a_key("WEB"))
        with pytest.raises(Conflict):
            writer.add_secret(a_secret("WEB"))
        with pytest.raises(Conflict):
            writer.add_certificate_version(a_certificate_version("WEB"))


def test_a_version_without_a_head_is_refused_at_the_end(store: Store) -> None:
    """A transaction may write in any order, but it ends only if every version has its head."""
    with store.writing() as writer:
        writer.add_secret(a_secret())
        writer.put_head(a_head(ObjectKind.SECRET))
    with pytest.raises(Conflict), store.writing() as writer:
        writer.add_secret(a_secret("orphan"))
    with store.reading() as reader:
        assert reader.secret(VAULT_ID, "orphan", VERSION) is None


def test_attributes_tags_and_content_type_can_be_replaced(store: Store) -> None:
    """One version is changed, the others are left alone."""
    attributes = some_attributes(enabled=False, not_before=None, expires=None, updated=START + timedelta(seconds=1))
    with store.writing() as writer:
        add_certificate(writer)
        writer.add_secret(a_secret(version=OTHER_VERSION))
        for kind in KINDS:
            writer.set_attributes(VAULT_ID, kind, "WEB", VERSION, attributes, {"new": "tag"})
        writer.set_content_type(VAULT_ID, "WEB", VERSION, None)
    with store.reading() as reader:
        changed = replace(a_secret(), attributes=attributes, tags={"new": "tag"}, content_type=None)
        assert reader.secret(VAULT_ID, "Web", None) == changed
        assert reader.secret(VAULT_ID, "Web", OTHER_VERSION) == a_secret(version=OTHER_VERSION)
        assert reader.key(VAULT_ID, "Web", None) == replace(a_key(), attributes=attributes, tags={"new": "tag"})
        version = reader.certificate_version(VAULT_ID, "Web", None)
        assert version == replace(a_certificate_version(), attributes=attributes, tags={"new": "tag"})


def test_heads_are_listed_by_folded_name_in_pages(store: Store) -> None:
    """Names are ordered as bytes of their upper case, on both databases, with those that have no version yet."""
    with store.writing() as writer:
        for name in ("ab", "A-C", "a1", "B", "a"):
            add_head(writer, name)
        writer.put_head(a_head(ObjectKind.KEY, "a2"))
        writer.put_head(a_head(ObjectKind.CERTIFICATE, "gone", deletion=DELETION))
    with store.reading() as reader:
        names, after = [], None
        for size in (2, 2, 1):
            page = reader.heads(VAULT_ID, ObjectKind.CERTIFICATE, after, 2, deleted=False)
            assert len(page.items) == size
            names += [head.name for head in page.items]
            after = page.next
        assert (names, after) == (["a", "A-C", "a1", "ab", "B"], None)
        assert reader.heads(VAULT_ID, ObjectKind.CERTIFICATE, None, 5, deleted=True).items == (
            a_head(ObjectKind.CERTIFICATE, "gone", deletion=DELETION),
        )


def test_versions_are_listed_in_pages(store: Store) -> None:
    """Versions come in ascending order, for all three kinds."""
    versions = [f"{number:032x}" for number in (3, 1, 2)]
    with store.writing() as writer:
        for kind in KINDS:
            writer.put_head(a_head(kind))
        for version in versions:
            writer.add_key(a_key(version=version))
            writer.add_secret(a_secret(version=version))
            writer.add_certificate_version(a_certificate_version(version=version))
        for list_ in (writer.key_versions, writer.secret_versions, writer.certificate_versions):
            first = list_(VAULT_ID, "WEB", None, 2)
            assert [item.version for item in first.items] == sorted(versions)[:2]
            last = list_(VAULT_ID, "web", first.next, 2)
            assert ([item.version for item in last.items], last.next) == (sorted(versions)[2:], None)
            assert list_(VAULT_ID, "other", None, 2).items == ()


def test_an_object_is_deleted_and_recovered(store: Store) -> None:
    """A deletion is a mark on the head; the versions stay readable."""
    with store.writing() as writer:
        add_certificate(writer)
        writer.set_deletion(VAULT_ID, ObjectKind.CERTIFICATE, "WEB", DELETION)
        assert writer.head(VAULT_ID, ObjectKind.CERTIFICATE, "web") == a_head(ObjectKind.CERTIFICATE, deletion=DELETION)
        assert writer.certificate_version(VAULT_ID, "web", None) is not None
        writer.set_deletion(VAULT_ID, ObjectKind.CERTIFICATE, "WEB", None)
        assert writer.head(VAULT_ID, ObjectKind.CERTIFICATE, "web") == a_head(ObjectKind.CERTIFICATE)


def test_what_is_purgeable_is_listed_without_companions(store: Store) -> None:
    """A deleted certificate is listed once its time has come; its key and secret go with it."""
    with store.writing() as writer:
        add_certificate(writer)
        writer.put_head(a_head(ObjectKind.SECRET, "alone", deletion=replace(DELETION, purge_at=START)))
        for kind in KINDS:
            writer.set_deletion(VAULT_ID, kind, "Web", DELETION)
        assert [head.name for head in writer.purgeable(START, 10)] == ["alone"]
        due = writer.purgeable(DELETION.purge_at, 10)
        assert [(head.name, head.kind) for head in due] == [("alone", "secret"), ("Web", "certificate")]
        assert len(writer.purgeable(DELETION.purge_at, 1)) == 1


def test_a_purge_takes_everything_along(store: Store) -> None:
    """Nothing of a purged certificate is left: no version, no policy, no operation, no journal; others stay."""
    with store.writing() as writer:
        add_certificate(writer)
        add_certificate(writer, "other")
        writer.add_operation(an_operation())
        writer.add_journal("operation-1", START, "order", {})
    with store.writing() as writer:
        for kind in KINDS:
            writer.purge(VAULT_ID, kind, "WEB")
    with store.reading() as reader:
        for kind in KINDS:
            assert reader.head(VAULT_ID, kind, "Web") is None
        assert reader.key(VAULT_ID, "Web", VERSION) is None
        assert reader.secret(VAULT_ID, "Web", VERSION) is None
        assert reader.certificate_version(VAULT_ID, "Web", VERSION) is None
        assert reader.certificate(VAULT_ID, "Web") is None
        assert reader.operation_by_id("operation-1") is None
        assert reader.journal("operation-1") == ()
        assert reader.certificate(VAULT_ID, "other") == a_certificate("other")


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_name_is_held_until_the_transaction_ends(store: Store, database_url: str, clock: FakeClock) -> None:
    """A second one that looks at the name, of whatever kind and in whatever case, waits; another name is free meanwhile."""
    other = open_store(database_url, clock, timedelta(milliseconds=100))
    with store.writing() as writer:
        assert writer.head(VAULT_ID, ObjectKind.SECRET, "web") is None
        with pytest.raises(Unavailable), other.writing() as late:
            late.head(VAULT_ID, ObjectKind.CERTIFICATE, "WEB")
        with pytest.raises(Unavailable), other.writing() as late:
            late.advance_head(a_head(ObjectKind.KEY))
        with other.writing() as late:
            assert late.head(VAULT_ID, ObjectKind.SECRET, "mail") is None
    with other.writing() as late:
        assert late.head(VAULT_ID, ObjectKind.CERTIFICATE, "WEB") is None
    other.close()
