"""What a user sees of each way in which a CA misbehaves, while a certificate is renewed that is had in the end."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from certworker.metrics import Metrics
from certworker.vault.events import EventType
from certworker.vault.operations import OperationStatus
from tests.issuers.contract.parties import ACME, PARTIES, Party
from tests.support.clock import FakeClock
from tests.support.deployment import check_whole, policy_for
from tests.support.simulation import Simulation

RETRY, FAILED = EventType.OPERATION_RETRY, EventType.OPERATION_FAILED
RETRIED, ENDED = "retried", "failed"
REFUSED = "What the issuer sent is refused."

ON_THE_WIRE: Mapping[str, tuple[Mapping[str, object], str]] = {
    "latency": ({"kind": "latency", "seconds": 60}, "in time"),
    "error": ({"kind": "error", "status": 500}, "unavailable"),
    "busy": ({"kind": "throttle", "status": 503, "seconds": 900, "as_date": True}, "too many requests"),
    "throttle": ({"kind": "throttle", "seconds": 900}, "too many requests"),
    "drop-before": ({"kind": "drop-before"}, "broke the connection"),
    "drop-after": ({"kind": "drop-after"}, "broke the connection"),
    "truncated": ({"kind": "mangle", "mangling": "truncated"}, "sent"),
    "html": ({"kind": "mangle", "mangling": "html"}, "sent"),
    "json": ({"kind": "mangle", "mangling": "json"}, "sent"),
    "huge": ({"kind": "mangle", "mangling": "huge"}, "bytes"),
}
"""Faults of the wire at the request that places or finalizes: the operation goes on, and says why it waits."""

IN_WHAT_IS_ISSUED: Mapping[str, tuple[Mapping[str, object], str]] = {
    "wrong-key": ({"kind": "wrong-key"}, REFUSED),
    "wrong-names": ({"kind": "wrong-names"}, REFUSED),
    "wrong-validity": ({"kind": "wrong-validity"}, "expired"),
    "garbage": ({"kind": "garbage"}, "certificate"),
}
"""Faults in the certificate: the operation ends, the old version stays, and the renewal is tried again by itself."""

TAKEN: Mapping[str, tuple[Mapping[str, object], str]] = {
    "wrong-chain": ({"kind": "wrong-chain"}, "the chain is missing"),
    "shortened": ({"kind": "wrong-validity", "seconds": 6 * 86_400}, "got 6 days"),
}
"""What is taken, since it serves for now, with a warning."""

IN_ACME: Mapping[str, tuple[Mapping[str, object], str]] = {
    "validation": ({"kind": "validation"}, "connection"),
    "caa": ({"kind": "caa"}, "CAA"),
}


@pytest.fixture(params=PARTIES, ids=lambda party: party.name)
def party(request: pytest.FixtureRequest) -> Party:
    """Take each provider in turn."""
    found: Party = request.param
    return found


class Renewal:
    """A certificate whose renewal is due, the fault that meets it, and all that was told of it meanwhile."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        deployment = simulation.deployment
        deployment.create("web", policy_for("web.example.test"))
        simulation.run(lambda: deployment.operation("web").status is OperationStatus.COMPLETED)
        self.before = check_whole(deployment, "web")
        due = deployment.renewal("web").due_at
        assert due
        simulation.clock.set(due)
        self.seen: list[str] = []

    def run(self, fault: Mapping[str, object]) -> None:
        """Let the fault strike once, and go on until the next version is there."""
        deployment = self.simulation.deployment
        self.simulation.arm(**{"count": 1, **fault})
        self.simulation.run(self._renewed, most=timedelta(days=20))
        assert self.simulation.authority.house.faults.list_()[0].struck == 1
        assert check_whole(deployment, "web") != self.before

    def _renewed(self) -> bool:
        operation = self.simulation.deployment.operation("web")
        self.seen += [operation.status_details or "", operation.error_message or ""]
        return self.simulation.deployment.get("web").version.version != self.before

    def told(self, kind: EventType) -> list[str]:
        """List the errors that events of a kind tell."""
        return [event.detail["error"] for event in self.simulation.deployment.events() if event.type is kind]

    def counted(self, result: str) -> float:
        """Read the counter of attempts, as a scrape would."""
        house = self.simulation.deployment.house
        text = Metrics(house.store, house.clock, 1000, 500).text()[0].decode()
        lines = [line for line in text.splitlines() if line.startswith("certworker_issuance_attempts_total{")]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if f'result="{result}"' in line)

    def check_seen(self, kind: EventType, result: str, says: str) -> None:
        """Check that the operation, an event and the counter told of it."""
        assert any(says in text for text in self.seen), self.seen
        assert any(says in error for error in self.told(kind)), self.told(kind)
        assert self.counted(result) >= 1
        assert self.counted("issued") == 2


@pytest.mark.parametrize("name", ON_THE_WIRE)
def test_a_fault_of_the_wire_delays(party: Party, tmp_path: Path, clock: FakeClock, name: str) -> None:
    """The operation says what went wrong and when it goes on; event and counter call it a retry."""
    fault, says = ON_THE_WIRE[name]
    with party.open(tmp_path, clock) as simulation:
        renewal = Renewal(simulation)
        renewal.run({**fault, "at": [party.tells if fault["kind"] == "mangle" else party.issues]})
        renewal.check_seen(RETRY, RETRIED, says)
        assert renewal.told(FAILED) == []


@pytest.mark.parametrize("name", IN_WHAT_IS_ISSUED)
def test_what_is_issued_wrongly_fails_and_is_renewed_again(party: Party, tmp_path: Path, clock: FakeClock, name: str) -> None:
    """The operation fails and says why; the old version stays until another attempt brings the right one."""
    fault, says = IN_WHAT_IS_ISSUED[name]
    with party.open(tmp_path, clock) as simulation:
        renewal = Renewal(simulation)
        renewal.run(fault)
        renewal.check_seen(FAILED, ENDED, says)


@pytest.mark.parametrize("name", TAKEN)
def test_what_serves_for_now_is_taken_with_a_warning(party: Party, tmp_path: Path, clock: FakeClock, name: str) -> None:
    """The operation, the event of the new version and a counter tell what is not as it should be."""
    fault, says = TAKEN[name]
    with party.open(tmp_path, clock) as simulation:
        renewal = Renewal(simulation)
        renewal.run({**fault, "at": [party.chains if name == "wrong-chain" else "*.issue"]})
        assert says in (simulation.deployment.operation("web").status_details or "")
        new = [event for event in simulation.deployment.events() if event.type is EventType.CERTIFICATE_NEW_VERSION][-1]
        assert says in new.detail["warnings"]
        assert renewal.counted("issued") == 2


@pytest.mark.parametrize("name", IN_ACME)
def test_a_failed_validation_fails_and_is_renewed_again(tmp_path: Path, clock: FakeClock, name: str) -> None:
    """The CA's reason is told, and the next attempt succeeds."""
    fault, says = IN_ACME[name]
    with ACME.open(tmp_path, clock, changed={"acme": {"authorization_reuse": 0}}) as simulation:
        renewal = Renewal(simulation)
        renewal.run(fault)
        renewal.check_seen(FAILED, ENDED, says)


def test_refused_nonces_are_not_seen(tmp_path: Path, clock: FakeClock) -> None:
    """A refused nonce is used up in the exchange: nobody has to hear of it."""
    with ACME.open(tmp_path, clock) as simulation:
        renewal = Renewal(simulation)
        simulation.arm(kind="bad-nonce", rate=0.5, seed=3)
        renewal.simulation.run(renewal._renewed)
        assert simulation.authority.house.faults.list_()[0].struck >= 3
        assert renewal.told(RETRY) == renewal.told(FAILED) == []


def test_a_stuck_order_is_waited_for(party: Party, tmp_path: Path, clock: FakeClock) -> None:
    """An order that the CA works on for hours is no failure, and its certificate is had."""
    with party.open(tmp_path, clock) as simulation:
        renewal, begun = Renewal(simulation), clock()
        renewal.run({"kind": "stuck", "seconds": 5 * 3600})
        assert clock() >= begun + timedelta(hours=5)
        assert renewal.told(FAILED) == renewal.told(RETRY) == []


@pytest.mark.long
def test_an_order_that_is_stuck_for_good_is_given_up(tmp_path: Path, clock: FakeClock) -> None:
    """When an ACME order has expired unfinished, the renewal is begun anew, with another key."""
    with ACME.open(tmp_path, clock) as simulation:
        renewal = Renewal(simulation)
        renewal.run({"kind": "stuck"})
        renewal.check_seen(FAILED, ENDED, "did not issue before the order expired")


@pytest.mark.parametrize("seconds", [-7200, 7200])
def test_a_ca_whose_clock_is_wrong(party: Party, tmp_path: Path, clock: FakeClock, seconds: int) -> None:
    """A certificate from two hours ago or from the future is either taken or refused in words; one is had in the end."""
    with party.open(tmp_path, clock) as simulation:
        renewal = Renewal(simulation)
        renewal.run({"kind": "clock-skew", "seconds": seconds})
        version = simulation.deployment.get("web").version
        assert version.attributes.not_before
        assert version.attributes.not_before <= clock() + timedelta(hours=2)
