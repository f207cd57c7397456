"""A CA that is away, and a fleet of one certificate: nobody else is there to say so."""

from datetime import timedelta
from pathlib import Path

import pytest

from certworker.vault.events import EventType
from certworker.vault.operations import OperationStatus
from tests.issuers.contract.parties import PARTIES, Party
from tests.support.clock import FakeClock
from tests.support.deployment import ISSUER, policy_for
from tests.support.scraping import of, scrape
from tests.support.simulation import Simulation


def is_up(simulation: Simulation) -> bool:
    """Tell what is scraped of the CA."""
    return scrape(simulation.deployment)["certworker_issuer_up"][of(vault="contoso", issuer=ISSUER)] == 1


@pytest.mark.parametrize("party", PARTIES, ids=lambda party: party.name)
@pytest.mark.parametrize("kind", ["drop-before", "error"])
def test_one_certificate_tells_that_its_ca_is_away(party: Party, kind: str, tmp_path: Path, clock: FakeClock) -> None:
    """Who breaks every connection is down within minutes, and up with its first answer; who answers with errors is neither."""
    with party.open(tmp_path, clock) as simulation:
        deployment, begun = simulation.deployment, clock()
        status = {"status": 500} if kind == "error" else {}
        simulation.arm(kind=kind, at=[party.places], ends=(begun + timedelta(hours=6)).isoformat(), **status)
        deployment.create("web", policy_for("web.example.test"))
        while clock() < begun + timedelta(minutes=11):
            assert is_up(simulation)
            clock.set(max(deployment.work() or clock(), clock() + timedelta(seconds=1)))
        deployment.work()
        assert is_up(simulation) == (kind == "error")
        simulation.run(lambda: deployment.operation("web").status is not OperationStatus.IN_PROGRESS)
        assert deployment.operation("web").status is OperationStatus.COMPLETED
        assert is_up(simulation)
        told = [event.type for event in deployment.events()]
        assert told.count(EventType.ISSUER_DOWN) == told.count(EventType.ISSUER_UP) == (kind != "error")
        if kind != "error":
            # it was probed each half hour at the least, where a certificate's own failures would have it wait for a day
            assert clock() < begun + timedelta(hours=7)
