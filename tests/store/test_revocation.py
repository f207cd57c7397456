"""What tells of revocations, and compromised keys, on both databases."""

from dataclasses import replace
from datetime import timedelta

import pytest

from certworker.errors import LeaseLost
from certworker.vault.objects import ObjectHead, ObjectKind
from certworker.vault.operations import OperationStatus
from certworker.vault.revocation.compromised import CompromisedKey, digest_of
from certworker.vault.revocation.sources import Source, SourceKind
from certworker.vault.store import Store
from certworker.vault.watches import Watch, WatchKind
from tests.support.clock import START
from tests.support.records import VAULT_ID, a_certificate, a_certificate_version, a_key, an_operation

URL = "http://ca.test/crl"
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def a_list(signer: str = "signer", **changes: object) -> Source:
    """Make a list that is due now."""
    source = Source(SourceKind.LIST, URL, START, START, signer, b"issuer", b"body", '"tag"', "yesterday", (1 << 159) + 1)
    return replace(source, **changes)  # type: ignore[arg-type]


def test_a_list_is_kept_whole(store: Store) -> None:
    """With a number of 20 octets; it is shown without its body, which is asked for by itself."""
    with store.writing() as writer:
        writer.add_source(a_list())
        writer.add_source(a_list(body=b"another"))  # it is known
    with store.reading() as reader:
        assert reader.source(SourceKind.LIST, URL, "signer") == a_list(body=b"")
        assert reader.sources(SourceKind.LIST) == (a_list(body=b""),)
        assert reader.source_body(SourceKind.LIST, URL, "signer") == b"body"
        assert reader.source(SourceKind.LIST, URL, "somebody else") is None
        assert reader.source(SourceKind.RESPONDER, URL, "signer") is None
        assert reader.source_body(SourceKind.LIST, URL) == b""


def test_a_list_is_refreshed_by_one(store: Store) -> None:
    """What is claimed is not claimed again until the lease has run out; a result counts under its own fence."""
    with store.writing() as writer:
        writer.add_source(a_list())
        writer.add_source(a_list("other", due_at=START - MINUTE))
        first = writer.claim_source(None, "one", START, MINUTE)
        second = writer.claim_source((URL, "signer"), "two", START, MINUTE)
        assert first is not None
        assert second is not None
        assert (first.signer, second.signer, second.body) == ("other", "signer", b"body")
        assert writer.claim_source(None, "three", START, MINUTE) is None
        assert set(writer.lease_owners()) == {"one", "two"}
        writer.release_leases("two")
        again = writer.claim_source((URL, "signer"), "three", START, MINUTE)
        assert again is not None
    with pytest.raises(LeaseLost), store.writing() as writer:
        writer.set_source(replace(second, body=b"late"))
    with store.writing() as writer:
        writer.set_source(replace(again, due_at=START + DAY, body=b"new"))
        assert writer.claim_source((URL, "signer"), "four", START, MINUTE) is None
        assert writer.source_body(SourceKind.LIST, URL, "signer") == b"new"


def test_what_nothing_needs_is_forgotten(store: Store) -> None:
    """Use is noted once a day."""
    with store.writing() as writer:
        writer.add_source(a_list())
        writer.add_source(a_list("other"))
        writer.put_source(Source(SourceKind.RESPONDER, "http://ca.test/ocsp", None, START + 3 * DAY))
        writer.put_source(Source(SourceKind.RESPONDER, "http://ca.test/ocsp", START, START + 4 * DAY, failures=2))
        writer.use_sources([URL], START + MINUTE)
        assert writer.delete_unused_sources(START + MINUTE) == 2
        writer.add_source(a_list())
        writer.use_sources([URL], START + 2 * DAY)
        assert writer.delete_unused_sources(START + DAY) == 0
        (responder,) = writer.sources(SourceKind.RESPONDER)
        assert responder.failures == 2


def test_after_the_clock_went_back_nothing_waits_for_the_future(store: Store) -> None:
    """What is due later than anything is planned for falls due now; the rest stays."""
    with store.writing() as writer:
        writer.add_source(a_list(due_at=START + MINUTE))
        writer.add_source(a_list("other", due_at=START + 9 * DAY))
        assert writer.pull_sources_in(START, START + DAY) == 1
        assert writer.next_source() == START
        writer.put_head(ObjectHead(VAULT_ID, ObjectKind.CERTIFICATE, "web", None, START))
        writer.put_watch(Watch(WatchKind.REVOCATION, VAULT_ID, "web", "v", START + 9 * DAY))
        assert writer.pull_watches_in(WatchKind.EXPIRY, START, START + DAY) == 0
        assert writer.pull_watches_in(WatchKind.REVOCATION, START, START + DAY) == 1


def test_a_compromised_key_is_found_by_its_public_half(store: Store) -> None:
    """Once for good; with the live certificates whose current version has it, and the operations that are to."""
    with store.writing() as writer:
        version, key = a_certificate_version(), a_key()
        for kind in (ObjectKind.CERTIFICATE, ObjectKind.KEY):
            writer.put_head(ObjectHead(VAULT_ID, kind, version.name, version.version, START))
        writer.put_certificate(a_certificate(name=version.name))
        writer.add_key(replace(key, name=version.name, version=version.version))
        writer.add_certificate_version(version)
        writer.add_operation(an_operation(public_key=key.public_key, status=OperationStatus.IN_PROGRESS))
        known = CompromisedKey(digest_of(key.public_key), START, VAULT_ID, version.name, version.version)
        assert writer.compromised_key(key.public_key) is None
        assert writer.add_compromised_key(known)
        assert not writer.add_compromised_key(replace(known, since=START + DAY))
        assert writer.compromised_key(key.public_key) == known
        assert [found.version for found in writer.versions_with_key(key.public_key)] == [version.version]
        assert writer.versions_with_key(b"another") == ()
        assert len(writer.operations_with_key(key.public_key)) == 1
        assert [one.name for one in writer.versions_without_watch(WatchKind.REVOCATION, 10)] == [version.name]
        writer.put_watch(Watch(WatchKind.REVOCATION, VAULT_ID, version.name, version.version, None))
        assert writer.versions_without_watch(WatchKind.REVOCATION, 10) == ()
        writer.put_watch(Watch(WatchKind.REVOCATION, VAULT_ID, version.name, "the one before", None))
        assert len(writer.versions_without_watch(WatchKind.REVOCATION, 10)) == 1
