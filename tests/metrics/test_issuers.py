"""What the metrics tell of an issuer's gate: whether its CA answers, until when it is left alone, and its circuit."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from certworker.vault.resilience.gates import GateReason
from tests.support.clock import START, FakeClock
from tests.support.deployment import ISSUER, Deployment, open_deployment, policy_for
from tests.support.scraping import of, scrape

CA = {"vault": "contoso", "issuer": ISSUER}
UNTIL = START + timedelta(hours=1)


@pytest.fixture(scope="module")
def clock() -> FakeClock:
    """One clock for all of them."""
    return FakeClock(START)


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory, clock: FakeClock) -> Iterator[Deployment]:
    """Set up a house with a certificate."""
    with open_deployment(tmp_path_factory.mktemp("house"), clock) as opened:
        opened.create("web", policy_for("web.test"))
        yield opened


@pytest.mark.parametrize(
    ("reason", "minutes", "up", "state"),
    [
        (None, 0, 1, "closed"),
        (GateReason.OUTAGE, 0, 0, "open"),
        (GateReason.OUTAGE, 59, 0, "open"),
        (GateReason.OUTAGE, 60, 0, "half_open"),
        (GateReason.THROTTLED, 0, 1, "open"),
        (GateReason.THROTTLED, 60, 1, "half_open"),
        (GateReason.BUDGET, 0, 1, "closed"),
    ],
)
def test_a_gate_tells_how_it_stands(
    deployment: Deployment, clock: FakeClock, reason: GateReason | None, minutes: int, up: int, state: str
) -> None:
    """A CA that throttles answers, and a budget of our own is no trouble; with its time over, a circuit is half open."""
    with deployment.house.store.writing() as writer:
        gate = writer.hold_gate(deployment.vault.id, ISSUER)
        writer.put_gate(replace(gate, reason=reason, since=START - timedelta(days=1), closed_until=UNTIL if reason else None))
    clock.set(START + timedelta(minutes=minutes))
    found = scrape(deployment)
    assert found["certworker_issuer_up"] == {of(**CA): up}
    assert {labels for labels, value in found["certworker_issuer_circuit"].items() if value} == {of(**CA, state=state)}
    assert len(found["certworker_issuer_circuit"]) == 3
    closed = {of(**CA, reason=reason.value): UNTIL.timestamp()} if reason else {}
    assert found.get("certworker_issuer_gate_closed_until_timestamp_seconds", {}) == closed
