"""Claims: who gets what is due, and when it falls due again."""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from certworker.errors import LeaseLost
from certworker.vault.objects import Deletion, ObjectKind
from certworker.vault.operations import OperationStatus
from certworker.vault.store import Reader, Store
from tests.store.workers import Pair, claim_operations, claim_renewals
from tests.support.clock import START
from tests.support.records import (
    VAULT_ID,
    VERSION,
    a_certificate,
    a_head,
    add_certificate,
    add_head,
    an_operation,
    some_attributes,
)

LEASE = timedelta(minutes=5)
SECOND = timedelta(seconds=1)
NO_TIME = timedelta(0)


def test_what_has_been_due_the_longest_is_claimed_first(store: Store) -> None:
    """Operations are claimed in the order of their due times, those of one time as they were added; later ones are not."""
    due = {"c": START, "b": START - SECOND, "d": START, "later": START + SECOND, "manual": None}
    with store.writing() as writer:
        for name, at in due.items():
            add_head(writer, name)
            writer.add_operation(an_operation(name, name, due_at=at))
        claims = [writer.claim_operation("worker", START, LEASE) for _ in range(4)]
    assert [claim.id if claim else None for claim in claims] == ["b", "c", "d", None]


def test_a_lease_keeps_others_away_until_it_runs_out(store: Store) -> None:
    """Under a lease nothing is claimed; a lease of no time has run out at once, and the fence tells the claims apart."""
    with store.writing() as writer:
        add_head(writer)
        writer.add_operation(an_operation())
        first = writer.claim_operation("first", START, NO_TIME)
        second = writer.claim_operation("second", START, LEASE)
        assert first == an_operation(fence=1)
        assert second == an_operation(fence=2)
        assert writer.claim_operation("third", START, LEASE) is None


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_on_sqlite_a_lease_runs_by_the_callers_time(store: Store) -> None:
    """A virtual clock can move on past a lease: it runs out at its last second, and not before."""
    with store.writing() as writer:
        add_certificate(writer)
        assert writer.claim_renewal("first", START, LEASE) is not None
        assert writer.claim_renewal("second", START + LEASE - SECOND, LEASE) is None
        assert writer.claim_renewal("second", START + LEASE, LEASE) is not None


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_on_postgresql_a_lease_runs_by_the_databases_clock(store: Store) -> None:
    """A worker whose clock is a day ahead does not take a lease away."""
    with store.writing() as writer:
        add_head(writer)
        writer.add_operation(an_operation())
        assert writer.claim_operation("first", START, LEASE) is not None
        assert writer.claim_operation("second", START + timedelta(days=1), LEASE) is None


def test_a_renewal_is_claimed_when_it_is_due(store: Store) -> None:
    """The certificate comes with its fence counted up, once; under its lease it is not claimed again."""
    with store.writing() as writer:
        add_certificate(writer)
        add_certificate(writer, "later", START + SECOND)
        add_certificate(writer, "never", None)
        assert writer.claim_renewal("worker", START, LEASE) == a_certificate(fence=1)
        assert writer.claim_renewal("worker", START, LEASE) is None


def test_a_renewal_is_not_claimed_while_something_is_in_the_way(store: Store) -> None:
    """Deleted, disabled and versionless certificates are left alone, and those that are being issued already."""
    with store.writing() as writer:
        for name in ("deleted", "disabled", "busy", "versionless"):
            add_certificate(writer, name)
        deletion = Deletion(START, START)
        writer.set_deletion(VAULT_ID, ObjectKind.CERTIFICATE, "deleted", deletion)
        disabled = some_attributes(enabled=False)
        writer.set_attributes(VAULT_ID, ObjectKind.CERTIFICATE, "disabled", VERSION, disabled, {})
        writer.add_operation(an_operation("busy", due_at=None))
        writer.put_head(a_head(ObjectKind.CERTIFICATE, "versionless", None))
        assert writer.claim_renewal("worker", START, LEASE) is None
        assert next_due(writer) is None

        writer.delete_operation("operation-1")
        claimed = writer.claim_renewal("worker", START, LEASE)
        assert claimed is not None
        assert claimed.name == "busy"


def test_a_renewal_is_recorded_under_its_fence_only(store: Store) -> None:
    """Whoever was overtaken cannot plan the next renewal; without a fence it is replaced in any case."""
    renewal = replace(a_certificate().renewal, due_at=START + LEASE, failures=0, last_error=None, reason=None)
    with store.writing() as writer:
        add_certificate(writer)
        first = writer.claim_renewal("first", START, NO_TIME)
        second = writer.claim_renewal("second", START, LEASE)
        assert first is not None
        assert second is not None
        with pytest.raises(LeaseLost):
            writer.set_renewal(VAULT_ID, "web", first.fence, renewal)
        writer.set_renewal(VAULT_ID, "web", second.fence, renewal)
        assert writer.certificate(VAULT_ID, "Web") == replace(second, renewal=renewal)
        writer.set_renewal(VAULT_ID, "WEB", None, second.renewal)
        assert writer.claim_renewal("third", START, LEASE) == replace(second, fence=3)


def test_the_leases_of_an_owner_that_is_gone_can_be_ended(store: Store) -> None:
    """A worker that died is known by its leases; once they are ended, others claim at once what it held."""
    with store.writing() as writer:
        add_certificate(writer)
        add_head(writer, "pending")
        writer.add_operation(an_operation("pending"))
        assert writer.lease_owners() == ()
        writer.claim_operation("gone", START, LEASE)
        writer.claim_renewal("gone", START, LEASE)
        assert writer.lease_owners() == ("gone",)
        writer.release_leases("other")
        assert writer.claim_operation("worker", START, LEASE) is None
        writer.release_leases("gone")
        assert writer.lease_owners() == ()
        assert writer.claim_operation("worker", START, LEASE) == an_operation("pending", fence=2)
        assert writer.claim_renewal("another", START, LEASE) == a_certificate(fence=2)
        assert set(writer.lease_owners()) == {"another", "worker"}


def test_a_new_policy_leaves_lease_and_fence_alone(store: Store) -> None:
    """Putting a certificate again does not give its lease to others."""
    with store.writing() as writer:
        add_certificate(writer)
        claimed = writer.claim_renewal("worker", START, LEASE)
        writer.put_certificate(a_certificate("WEB"))
        assert writer.certificate(VAULT_ID, "Web") == claimed
        assert writer.claim_renewal("other", START, LEASE) is None


def test_a_rolled_back_claim_is_nobodys(store: Store) -> None:
    """A worker that fails while it claims has claimed nothing."""
    with store.writing() as writer:
        add_head(writer)
        writer.add_operation(an_operation())
    with pytest.raises(AssertionError), store.writing() as writer:
        assert writer.claim_operation("worker", START, LEASE) is None
    with store.writing() as writer:
        assert writer.claim_operation("worker", START, LEASE) == an_operation(fence=1)


def test_two_processes_claim_every_operation_once(store: Store, database_url: str, pair: Pair) -> None:
    """Of 200 operations that are due, each is claimed by exactly one of two processes that work at the same time."""
    with store.writing() as writer:
        for number in range(200):
            add_head(writer, f"web-{number}")
            writer.add_operation(an_operation(f"web-{number}", str(number)))
    one, two = pair.run(claim_operations, database_url)
    assert Counter(one + two) == Counter(map(str, range(200)))
    assert len(one) == len(two)


def test_two_processes_claim_every_renewal_once(store: Store, database_url: str, pair: Pair) -> None:
    """Of 60 renewals that are due, each is claimed by exactly one of two processes."""
    with store.writing() as writer:
        for number in range(60):
            add_certificate(writer, f"web-{number}")
    one, two = pair.run(claim_renewals, database_url)
    assert Counter(one + two) == Counter(f"web-{number}" for number in range(60))
    assert len(one) == len(two)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_claims_do_not_wait_for_each_other(store: Store) -> None:
    """On PostgreSQL a claim that is still open is skipped, so another worker gets the next one at once."""
    with store.writing() as writer:
        for name in ("a", "b"):
            add_head(writer, name)
            writer.add_operation(an_operation(name, name))
    with store.writing() as one, store.writing() as two:
        claims = [writer.claim_operation("worker", START, LEASE) for writer in (one, two)]
    assert [claim.id if claim else None for claim in claims] == ["a", "b"]


def next_due(reader: Reader) -> datetime | None:
    """Tell when an operation or a renewal falls due next."""
    return min((at for at in (reader.next_operation(), reader.next_renewal()) if at), default=None)


def due_after(store: Store, due_at: datetime) -> datetime | None:
    """Set the renewal's due time, and ask what is due next."""
    with store.writing() as writer:
        writer.set_renewal(VAULT_ID, "Web", None, replace(a_certificate().renewal, due_at=due_at))
        return next_due(writer)


def test_the_next_due_time_is_the_earliest_of_all(store: Store) -> None:
    """Operations and renewals are both looked at; what is finished is not."""
    with store.writing() as writer:
        assert next_due(writer) is None
        add_certificate(writer)
        add_head(writer, "pending")
        writer.add_operation(an_operation("pending", due_at=START + LEASE))
    assert due_after(store, START + SECOND) == START + SECOND
    assert due_after(store, START + 2 * LEASE) == START + LEASE
    with store.writing() as writer:
        writer.update_operation(an_operation("pending", status=OperationStatus.CANCELLED))
        assert next_due(writer) == START + 2 * LEASE


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_under_a_lease_is_due_when_the_lease_runs_out(store: Store) -> None:
    """A scheduler is not woken for what somebody is working on, but for what somebody may have dropped."""
    with store.writing() as writer:
        add_certificate(writer)
        writer.claim_renewal("worker", START, LEASE)
        assert next_due(writer) == START + LEASE
        add_head(writer, "pending")
        writer.add_operation(an_operation("pending"))
        writer.claim_operation("worker", START, LEASE - SECOND)
        assert next_due(writer) == START + LEASE - SECOND
