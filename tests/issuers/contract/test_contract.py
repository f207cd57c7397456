"""What every provider of the house must do, whatever its CA does: the same cases for each."""

from datetime import timedelta
from pathlib import Path

import pytest

from certworker.crypto.x509 import read_certificate
from certworker.metrics import Metrics
from certworker.vault.events import EventType
from certworker.vault.operations import OperationStatus
from tests.issuers.contract.parties import BLOCKED, PARTIES, SLOW_SECONDS, KilledError, Party, Wire, issued
from tests.support.clock import FakeClock
from tests.support.deployment import check_whole, policy_for
from tests.support.heard import hearing
from tests.support.simulation import Simulation

MOST_EXCHANGES = 40


@pytest.fixture(params=PARTIES, ids=lambda party: party.name)
def party(request: pytest.FixtureRequest) -> Party:
    """Take each provider in turn."""
    found: Party = request.param
    return found


def is_over(simulation: Simulation, name: str = "web") -> bool:
    """Tell whether the operation has come to an end."""
    return simulation.deployment.operation(name).status is not OperationStatus.IN_PROGRESS


def issue(simulation: Simulation, host: str = "web.example.test") -> None:
    """Ask for a certificate, and go on until its operation is over."""
    simulation.deployment.create("web", policy_for(host))
    simulation.run(lambda: is_over(simulation))


def check_had(simulation: Simulation) -> None:
    """Check that the certificate is whole, for the operation's own key, and the only one that the CA issued for that key."""
    operation = simulation.deployment.operation("web")
    assert operation.status is OperationStatus.COMPLETED, operation.error_message
    assert check_whole(simulation.deployment, "web") == operation.version
    leaf = read_certificate(simulation.deployment.get("web").version.der)
    assert leaf.public_key == operation.public_key
    (one,) = issued(simulation)
    assert one.serial == leaf.serial


def told(simulation: Simulation) -> list[EventType]:
    """List what was told of the operation, without its steps."""
    kinds = [event.type for event in simulation.deployment.events()]
    return [kind for kind in kinds if kind in (EventType.OPERATION_RETRY, EventType.OPERATION_FAILED)]


def attempts(simulation: Simulation, result: str) -> float:
    """Read the counter of attempts, as a scrape would."""
    text = Metrics(simulation.deployment.house.store, simulation.deployment.house.clock, 1000, 500).text()[0].decode()
    lines = [line for line in text.splitlines() if line.startswith("certworker_issuance_attempts_total{")]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if f'result="{result}"' in line)


def test_it_issues(party: Party, tmp_path: Path, clock: FakeClock) -> None:
    """One certificate, for the key that was made for it, without a failed attempt, and soon."""
    with party.open(tmp_path, clock) as simulation:
        begun = clock()
        issue(simulation)
        check_had(simulation)
        assert told(simulation) == []
        assert clock() - begun < timedelta(minutes=10)
        assert attempts(simulation, "issued") == 1


def test_a_slow_ca_is_waited_for(party: Party, tmp_path: Path, clock: FakeClock) -> None:
    """The operation stays in progress, nothing counts as a failure, and the CA is not asked without end."""
    wire = Wire()
    with party.open(tmp_path, clock, slow=True, wire=wire) as simulation:
        begun = clock()
        issue(simulation)
        check_had(simulation)
        assert told(simulation) == []
        assert timedelta(seconds=SLOW_SECONDS) <= clock() - begun < timedelta(seconds=3 * SLOW_SECONDS)
        assert wire.exchanges < 200


def test_a_refusal_is_told(party: Party, tmp_path: Path, clock: FakeClock) -> None:
    """The operation fails in Key Vault's words with the CA's reason; event and counter say so; nothing was issued."""
    with party.open(tmp_path, clock) as simulation:
        issue(simulation, f"www.{BLOCKED}")
        operation = simulation.deployment.operation("web")
        assert operation.status is OperationStatus.FAILED
        assert operation.error_code in ("Request rejected", "Certificate issuer error")
        assert BLOCKED in (operation.error_message or "")
        assert told(simulation) == [EventType.OPERATION_FAILED]
        assert attempts(simulation, "failed") == 1
        assert issued(simulation) == []


def test_a_cancelled_order_is_given_up(party: Party, tmp_path: Path, clock: FakeClock) -> None:
    """While the CA works, the operation is cancelled: no version comes of it, and none is issued later."""
    with party.open(tmp_path, clock, slow=True) as simulation:
        deployment = simulation.deployment
        deployment.create("web", policy_for("web.example.test"))
        for _ in range(5):
            clock.set(max(clock(), deployment.work() or clock()))
        deployment.house.certificates.request_cancellation(deployment.administrator, deployment.vault, "web")
        simulation.run(lambda: is_over(simulation))
        assert deployment.operation("web").status is OperationStatus.CANCELLED
        clock.advance(timedelta(seconds=3 * SLOW_SECONDS))
        deployment.work()
        assert deployment.versions("web") == ()


@pytest.mark.parametrize("count", [1, 3])
def test_a_lost_answer_places_nothing_twice(party: Party, tmp_path: Path, clock: FakeClock, count: int) -> None:
    """The CA did what was asked, and nobody heard: it is found out, and not asked for again."""
    with party.open(tmp_path, clock) as simulation:
        simulation.arm(kind="drop-after", at=[party.issues], count=count)
        issue(simulation)
        check_had(simulation)


@pytest.mark.long
def test_every_answer_is_lost_once(party: Party, tmp_path: Path, clock: FakeClock) -> None:
    """Whichever answer does not come, it costs patience alone."""
    for number in range(MOST_EXCHANGES):
        folder = tmp_path / str(number)
        folder.mkdir()
        with party.open(folder, clock) as simulation:
            simulation.arm(kind="drop-after", at=[party.places], skip=number, count=1)
            issue(simulation)
            check_had(simulation)
            if not simulation.authority.house.faults.list_()[0].struck:
                return
    raise AssertionError("an issuance takes more exchanges than expected")


@pytest.mark.long
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_kill_at_any_exchange_loses_nothing(party: Party, tmp_path: Path, clock: FakeClock, after: bool) -> None:  # noqa: FBT001
    """The process dies before or after any exchange with the CA; another goes on when the lease has run out."""
    for number in range(MOST_EXCHANGES):
        folder, wire = tmp_path / str(number), Wire(kill_at=number, after=after)
        folder.mkdir()
        with party.open(folder, clock, wire=wire) as simulation:
            simulation.deployment.create("web", policy_for("web.example.test"))
            killed = False
            while not is_over(simulation):
                try:
                    simulation.run(lambda: is_over(simulation))
                except KilledError:
                    killed = True
                    clock.advance(timedelta(minutes=10))
            check_had(simulation)
            if not killed:
                return
    raise AssertionError("an issuance takes more exchanges than expected")


@pytest.mark.parametrize("kind", ["wrong-key", "wrong-names", "wrong-chain", "wrong-validity", "garbage"])
def test_what_does_not_fit_is_refused(party: Party, tmp_path: Path, clock: FakeClock, kind: str) -> None:
    """Another key, other names, a chain that is none: told, never a version, and the certificate is had when asked again."""
    with party.open(tmp_path, clock) as simulation:
        simulation.arm(kind=kind, count=1)
        issue(simulation)
        deployment = simulation.deployment
        operation = deployment.operation("web")
        if operation.status is not OperationStatus.COMPLETED:
            assert operation.error_message
            assert deployment.versions("web") == ()
            assert attempts(simulation, "failed") == 1
            issue(simulation)
        assert deployment.operation("web").status is OperationStatus.COMPLETED
        leaf = read_certificate(deployment.get("web").version.der)
        assert leaf.public_key == deployment.operation("web").public_key
        assert leaf.names.dns_names == ("web.example.test",)


def test_a_ca_that_is_down_for_a_day_is_waited_for(party: Party, tmp_path: Path, clock: FakeClock) -> None:
    """Probes come less and less often, down to one in half an hour, each is told, and the certificate is had soon after."""
    with party.open(tmp_path, clock) as simulation:
        back = clock() + timedelta(days=1)
        simulation.arm(kind="error", at=[party.places], ends=back.isoformat())
        issue(simulation)
        check_had(simulation)
        assert 48 <= told(simulation).count(EventType.OPERATION_RETRY) <= 60
        assert clock() - back < timedelta(hours=1)
        assert attempts(simulation, "retried") >= 3


@pytest.mark.parametrize("as_date", [False, True], ids=["seconds", "date"])
def test_a_long_retry_after_is_kept(party: Party, tmp_path: Path, clock: FakeClock, as_date: bool) -> None:  # noqa: FBT001
    """A CA that says 429 and six hours is not asked for six hours; the operation says when it will be."""
    with party.open(tmp_path, clock) as simulation:
        simulation.arm(kind="throttle", at=[party.places], count=1, seconds=6 * 3600, as_date=as_date)
        begun = clock()
        simulation.deployment.create("web", policy_for("web.example.test"))
        due = simulation.deployment.work()
        assert due
        assert due >= begun + timedelta(hours=6)
        assert f"{due:%Y-%m-%dT%H:%M:%SZ}" in (simulation.deployment.operation("web").status_details or "")
        simulation.run(lambda: is_over(simulation))
        check_had(simulation)


@pytest.mark.parametrize("mangling", ["truncated", "html", "json", "huge"])
def test_garbage_is_not_believed(party: Party, tmp_path: Path, clock: FakeClock, mangling: str) -> None:
    """Half an answer, a web page, other JSON, a gigabyte: told, and asked again; nothing is placed twice for it."""
    with party.open(tmp_path, clock) as simulation:
        simulation.arm(kind="mangle", at=[party.issues], mangling=mangling, count=1)
        issue(simulation)
        check_had(simulation)


def test_nothing_secret_is_told(party: Party, tmp_path: Path, clock: FakeClock) -> None:
    """Neither journal, events, errors nor the log hold the issuer's password, and each exchange with the CA has its line."""
    with party.open(tmp_path, clock) as simulation, hearing() as heard:
        parameters, _ = party.prepare(simulation.authority)
        simulation.arm(kind="error", rate=0.3, seed=7)
        issue(simulation)
        with simulation.deployment.house.store.reading() as reader:
            journal = reader.journal(simulation.deployment.operation("web").id)
        seen = f"{journal} {simulation.deployment.events()} {simulation.deployment.operation('web').progress}"
        assert not parameters.credential or parameters.credential not in seen
        heard.check_silent_about(*([parameters.credential] if parameters.credential else []))
        assert any('"logger":"certworker.outgoing"' in line and '"operation_id"' in line for line in heard.lines)
