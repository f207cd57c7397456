"""Gates before the claims, and what is remembered of failures and budgets, on both databases."""

from dataclasses import replace
from datetime import datetime, timedelta

from certworker.settings.rates import Rate
from certworker.vault.operations import OperationStatus
from certworker.vault.resilience.gates import PROBE_TIME, Gate, GateReason, after_answer
from certworker.vault.resilience.memory import FailureMemory, MemoryKey
from certworker.vault.resilience.ports import Bucket
from certworker.vault.store import Reader, Store, Writer
from tests.store.workers import Pair, claim_one_of_each
from tests.support.clock import START
from tests.support.records import VAULT_ID, a_certificate, a_policy, add_certificate, add_head, an_operation

LEASE = timedelta(minutes=5)
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
ISSUER = a_policy().issuer.name


def close(writer: Writer, reason: GateReason = GateReason.OUTAGE, until: datetime = START + HOUR) -> Gate:
    """Close the issuer's gate."""
    writer.hold_gate(VAULT_ID, ISSUER)
    gate = Gate(VAULT_ID, ISSUER, reason, until, START, 1, ("ONE", "TWO", "THREE"))
    writer.put_gate(gate)
    return gate


def next_due(reader: Reader) -> tuple[datetime | None, datetime | None]:
    """Tell when renewals and operations are looked at next."""
    return reader.next_renewal(), reader.next_operation()


def fill(writer: Writer) -> None:
    """Add three renewals and three operations that are due."""
    for name in ("a", "b", "c"):
        add_certificate(writer, name)
        add_head(writer, f"{name}-pending")
        writer.add_operation(an_operation(f"{name}-pending", f"{name}-operation"))


def test_a_closed_gate_keeps_everything_back(store: Store) -> None:
    """Nothing is claimed, and nobody is woken before it opens, whatever case the policy writes its issuer in."""
    with store.writing() as writer:
        fill(writer)
        assert next_due(writer) == (START, START)
        gate = close(writer)
        assert writer.claim_renewal("worker", START, LEASE) is None
        assert writer.claim_operation("worker", START, LEASE) is None
        assert next_due(writer) == (START + HOUR, START + HOUR)
        assert (writer.gate(VAULT_ID, ISSUER.upper()), writer.gates()) == (gate, (gate,))
        writer.put_gate(after_answer(gate))
        assert writer.claim_renewal("worker", START, LEASE)
        assert writer.claim_operation("worker", START, LEASE)


def test_a_budget_keeps_back_only_what_is_new(store: Store) -> None:
    """What was begun has been paid for."""
    with store.writing() as writer:
        fill(writer)
        close(writer, GateReason.BUDGET)
        assert writer.claim_renewal("worker", START, LEASE) is None
        assert writer.claim_operation("worker", START, LEASE)
        assert writer.next_operation() == START


def test_what_is_cancelled_passes_a_closed_gate(store: Store) -> None:
    """Who cancels does not wait for the CA."""
    with store.writing() as writer:
        fill(writer)
        close(writer)
        writer.request_cancellation("b-operation", START)
        claimed = writer.claim_operation("worker", START, LEASE)
        assert claimed is not None
        assert claimed.id == "b-operation"
        assert writer.claim_operation("worker", START, LEASE) is None


def test_one_probe_goes_through_when_the_time_has_come(store: Store) -> None:
    """Of renewals and operations one alone; what it begins passes as well, and after a while another one goes."""
    later = START + HOUR
    with store.writing() as writer:
        fill(writer)
        close(writer)
        probe = writer.claim_renewal("worker", later, LEASE)
        assert probe is not None
        assert writer.claim_renewal("worker", later, LEASE) is None
        assert writer.claim_operation("worker", later, LEASE) is None
        gate = writer.gate(VAULT_ID, ISSUER)
        assert gate is not None
        assert gate.is_probe(probe.name)
        assert gate.closed_until == later + PROBE_TIME
        # what the probe has begun is its own
        writer.add_operation(an_operation(probe.name, "probing"))
        claimed = writer.claim_operation("worker", later, LEASE)
        assert claimed is not None
        assert claimed.id == "probing"
        assert writer.claim_operation("worker", later, LEASE) is None
        # nothing came of it in time
        another = writer.claim_operation("worker", later + PROBE_TIME, LEASE)
        assert another is not None
        assert another.id == "a-operation"


def test_of_many_workers_one_sends_the_probe(pair: Pair, store: Store, database_url: str) -> None:
    """Two processes claim at the same moment, and one thing is claimed."""
    with store.writing() as writer:
        fill(writer)
        close(writer, until=START)
    one, two = pair.run(claim_one_of_each, database_url)
    assert len(one + two) == 1


def test_a_route_leads_past_a_closed_gate(store: Store) -> None:
    """What is sent to another issuer stands before that one's gate."""
    with store.writing() as writer:
        fill(writer)
        close(writer)
        assert {one.name for one in writer.stalled_renewals(ISSUER.lower(), START, 10)} == {"a", "b", "c"}
        assert len(writer.stalled_operations(ISSUER, START, 2)) == 2
        writer.set_route(VAULT_ID, "b", "other")
        claimed = writer.claim_renewal("worker", START, LEASE)
        assert claimed is not None
        assert (claimed.name, claimed.route, claimed.asked_issuer) == ("b", "other", "other")
        assert writer.claim_renewal("worker", START, LEASE) is None
        writer.put_certificate(a_certificate("b"))
        found = writer.certificate(VAULT_ID, "b")
        assert found is not None
        assert found.route == "other"
        writer.clear_routes(VAULT_ID, ISSUER)
        found = writer.certificate(VAULT_ID, "b")
        assert found is not None
        assert found.route is None


def test_what_waits_is_spread(store: Store) -> None:
    """A second for each; what is claimed already stays where it is."""
    with store.writing() as writer:
        fill(writer)
        held = writer.claim_renewal("worker", START, LEASE)
        assert held is not None
        assert writer.spread(VAULT_ID, ISSUER.upper(), START) == 6
        times = [writer.operation(VAULT_ID, f"{name}-pending") for name in ("a", "b", "c")]
        seconds = [one.due_at for one in times if one and one.due_at]
        assert all(START <= at < START + 6 * SECOND for at in seconds)
        assert len(set(seconds)) == 3
        kept = writer.certificate(VAULT_ID, held.name)
        assert kept is not None
        assert kept.renewal.due_at == START


def test_failures_are_remembered_and_forgotten(store: Store) -> None:
    """By CA and set of names, with all that is known of them."""
    key = MemoryKey("acme https://ca.test/directory", "digest")
    memory = FailureMemory(key, 2, START, START + SECOND, START + HOUR, START + 2 * HOUR)
    with store.writing() as writer:
        writer.put_failure_memory(memory)
        assert writer.failure_memory(MemoryKey(key.ca, "other")) is None
    with store.reading() as reader:
        assert reader.failure_memory(key) == memory
    with store.writing() as writer:
        writer.forget_failures(key)
        assert writer.failure_memory(key) is None


def test_a_bucket_gives_all_at_once_and_then_one_at_a_time(store: Store) -> None:
    """300 in 3 hours: 300 now, the next in 36 seconds, and after three hours 300 again."""
    bucket, rate = Bucket("account", "vault/ca"), Rate(300, 3 * HOUR)
    with store.writing() as writer:
        assert writer.token_at(bucket, rate, START) <= START
        assert [writer.spend(bucket, rate, START) for _ in range(301)] == [True] * 300 + [False]
        assert writer.token_at(bucket, rate, START) == START + 36 * SECOND
        assert not writer.spend(bucket, rate, START + 35 * SECOND)
        assert writer.spend(bucket, rate, START + 36 * SECOND)
        # a reservation takes the next token, and those after it
        assert writer.reserve(bucket, rate, START + 36 * SECOND) == START + 72 * SECOND
        assert writer.reserve(bucket, rate, START + 36 * SECOND) == START + 108 * SECOND
        assert not writer.spend(bucket, rate, START + 108 * SECOND)
        assert writer.forget_spent(START + 2 * HOUR) == 0
        assert writer.forget_spent(START + 4 * HOUR) == 1
        assert sum(writer.spend(bucket, rate, START + 5 * HOUR) for _ in range(301)) == 300


def test_ended_operations_are_not_stalled(store: Store) -> None:
    """Only what a worker would look at can be sent elsewhere, and nothing under a lease."""
    with store.writing() as writer:
        fill(writer)
        close(writer, GateReason.BUDGET)
        claimed = writer.claim_operation("worker", START, LEASE)
        assert claimed is not None
        assert claimed.status is OperationStatus.IN_PROGRESS
        stalled = writer.stalled_operations(ISSUER, START, 10)
        assert claimed.id not in {one.id for one in stalled}


def test_what_a_clock_that_went_ahead_has_noted_is_forgotten(store: Store) -> None:
    """Gates open, memories and spent tokens go, orders are looked at now; what was noted before stays."""
    rate, ahead = Rate(1, HOUR), START + 1000 * HOUR
    keys = [MemoryKey("ca", "old"), MemoryKey("ca", "new")]
    buckets = [Bucket("account", "old"), Bucket("account", "new")]
    with store.writing() as writer:
        add_head(writer, "web")
        writer.add_operation(replace(an_operation("web", "order"), updated=ahead, due_at=ahead + HOUR))
        close(writer, until=ahead + HOUR)
        for key, bucket, at in zip(keys, buckets, (START, ahead), strict=True):
            writer.put_failure_memory(FailureMemory(key, 1, at, at, at + HOUR))
            assert writer.spend(bucket, rate, at)
        writer.forget_future(START, ahead)
        assert [writer.failure_memory(key) is not None for key in keys] == [True, False]
        assert [writer.spend(bucket, rate, START) for bucket in buckets] == [False, True]
        assert writer.next_operation() == START
        assert writer.claim_operation("worker", START, LEASE)
