"""Nonces go from one step of an issuance to the next."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from certworker.issuers.acme.nonces import FRESH, MOST, SpareNonces
from certworker.vault.operations import OperationStatus
from tests.support.clock import START, FakeClock
from tests.support.deployment import policy_for
from tests.support.simulation import Simulation, open_simulation

CA = "https://ca.test/directory"


def test_each_is_given_out_once_and_while_it_is_fresh() -> None:
    """The newest first; an old one is forgotten, as is one from a time that has not come."""
    spare = SpareNonces()
    spare.keep(CA, ["a"], START)
    spare.keep(CA, ["b"], START + timedelta(seconds=1))
    at = START + timedelta(seconds=2)
    assert [spare.take(CA, at), spare.take("https://other.test", at), spare.take(CA, at), spare.take(CA, at)] == [
        "b",
        None,
        "a",
        None,
    ]
    spare.keep(CA, ["c"], START)
    assert spare.take(CA, START + FRESH) is None
    spare.keep(CA, ["d"], START)
    assert spare.take(CA, START - timedelta(seconds=1)) is None


def test_they_are_bounded() -> None:
    """The oldest are dropped."""
    spare = SpareNonces()
    for number in range(MOST + 5):
        spare.keep(CA, [str(number)], START)
    taken = [spare.take(CA, START) for _ in range(MOST + 5)]
    assert taken[:MOST] == [str(number) for number in range(MOST + 4, 4, -1)]
    assert set(taken[MOST:]) == {None}


@pytest.fixture
def simulation(tmp_path: Path, clock: FakeClock) -> Iterator[Simulation]:
    """Open a deployment with an ACME CA in the same thread."""
    with open_simulation(tmp_path, clock) as opened:
        yield opened


def test_an_issuance_asks_for_one_nonce(simulation: Simulation) -> None:
    """The first step has none to begin with; all others go on with what the one before was given."""
    simulation.arm(kind="latency", seconds=1, at=["acme.new-nonce"])
    simulation.deployment.create("web", policy_for("web.example.test"))
    simulation.run(lambda: simulation.deployment.operation("web").status is OperationStatus.COMPLETED)
    assert simulation.authority.house.faults.list_()[0].struck == 1
