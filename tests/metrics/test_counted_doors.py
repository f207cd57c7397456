"""What comes through the doors is counted: exchanges with CAs, what they mean, deliveries, transactions and clocks."""

import socket
import ssl
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path

import httpcore
import pytest

from certworker.measures import Purpose, asking
from certworker.metrics.counters import Counters
from certworker.network.counting import count_failure, skew_of
from certworker.network.egress import EgressRefused, EgressRules, Unreachable
from certworker.network.http import build_client
from certworker.network.in_process import CarriedConnect
from certworker.vault.issuance import IssuanceRequest, Pending, Rejected, Step, Trouble
from certworker.vault.notification.message import Delivery
from certworker.vault.operations import Progress
from certworker.vault.vaults import Contact
from tests.metrics.test_counters import Series, told
from tests.support.clock import START, FakeClock
from tests.support.deployment import ISSUER, Deployment, open_deployment, policy_for
from tests.support.recording import Recorder, an_audience

COUNTED = "certworker_"


@pytest.fixture
def counters(tmp_path: Path, clock: FakeClock) -> Counters:
    """Count in a folder of the test's own."""
    return Counters(tmp_path, clock)


@pytest.fixture
def mail() -> Recorder:
    """Give a relay."""
    return Recorder()


@pytest.fixture
def deployment(tmp_path: Path, clock: FakeClock, counters: Counters, mail: Recorder) -> Iterator[Deployment]:
    """Set up a house with a worker, which counts."""
    with open_deployment(tmp_path, clock, measures=counters, audience=an_audience(mail, Recorder())) as opened:
        yield opened


def counted(counters: Counters, name: str) -> Series:
    """Give the series of a metric that something was counted in, by their labels' values in the order of the labels' names."""
    found = {}
    for place, value in told(counters).items():
        series, _, labels = place.partition("[")
        if series == COUNTED + name and (value or not name.endswith("_total")):
            found[" ".join(part.split("'")[3] for part in labels.split("), ") if "'" in part)] = value
    return found


def test_an_issuance_is_counted_step_by_step(deployment: Deployment, counters: Counters, clock: FakeClock) -> None:
    """Each exchange by how far it had come and what became of it; failures by their class; what was put off, and why."""

    def throttled(_: IssuanceRequest, __: Progress | None, ___: object) -> Step:
        return Pending({"step": "ordered"}, None, "Too many requests.", trouble=Trouble.THROTTLED)

    def ordered(_: IssuanceRequest, __: Progress | None, ___: object) -> Step:
        return Pending({"step": "ordered"}, clock())

    def refused(_: IssuanceRequest, __: Progress | None, ___: object) -> Step:
        return Rejected("Certificate issuer error", "No such account.", configuration=True)

    def broken(_: IssuanceRequest, __: Progress | None, ___: object) -> Step:
        raise RuntimeError("broken")

    for name, script in (("web", [throttled, ordered]), ("odd", [refused]), ("ill", [broken])):
        deployment.authority.script = deque(script)
        deployment.create(name, policy_for(f"{name}.test"))
        deployment.work()
        clock.advance(timedelta(hours=1))
        deployment.work()
    assert counted(counters, "issuance_steps_total") == {
        f"{ISSUER} retry begin": 1,
        f"{ISSUER} pending ordered": 1,
        f"{ISSUER} issued ordered": 1,
        f"{ISSUER} rejected begin": 1,
        f"{ISSUER} error begin": 1,
        f"{ISSUER} issued begin": 1,
    }
    assert counted(counters, "issuance_failures_total") == {
        f"throttled {ISSUER}": 1,
        f"configuration {ISSUER}": 1,
        f"unexpected {ISSUER}": 1,
    }
    assert counted(counters, "ca_rate_limited_total") == {ISSUER: 1}
    assert counted(counters, "renewals_deferred_total") == {f"{ISSUER} throttled": 1, f"{ISSUER} back_off": 1}
    assert counted(counters, "issuance_duration_seconds_count") == {ISSUER: 2}
    assert counted(counters, "round_items_total")["operations"] == 5
    assert counted(counters, "scheduler_runs_total")["rounds done"] >= 5
    assert counted(counters, "database_transactions_total")["write done"] > 10


def test_deliveries_are_counted(deployment: Deployment, counters: Counters, mail: Recorder) -> None:
    """By channel and webhook, and what became of them; nothing is told of a contact's address."""
    deployment.house.contacts.set(deployment.administrator, deployment.vault, (Contact("ops@example.test"),))
    mail.script = deque([Delivery(done=False, message="No such mailbox.", final=True)])
    for channel in ("mail", "mail", "webhook"):
        deployment.house.lifecycle.notification.desk.test(deployment.administrator, deployment.vault, channel)
        deployment.work()
    assert counted(counters, "notice_deliveries_total") == {"mail dead ": 1, "mail sent ": 1, "webhook sent inbox": 1}


def test_exchanges_are_counted_for_whom_they_are(counters: Counters, clock: FakeClock) -> None:
    """By purpose, issuer and result; what nobody counts is not; a CA's clock is held against ours."""
    written = format_datetime(clock() - timedelta(seconds=60), usegmt=True)
    answers: deque[tuple[int, Sequence[tuple[str, str]], bytes]] = deque(
        [(200, [], b""), (200, [("Date", written)], b""), (429, [("Date", written), ("Age", "5")], b""), (503, [], b"")]
    )

    def carry(_: str, url: str, __: Mapping[str, str], ___: bytes) -> tuple[int, Sequence[tuple[str, str]], bytes]:
        if not answers:
            raise Unreachable(f"{url} is away.")
        return answers.popleft()

    with CarriedConnect(carry)(EgressRules(), None, 1.0) as client:
        client.get("https://ca.test/")
        with asking(counters, Purpose.ADVICE, "lets", clock):
            client.get("https://ca.test/")
            client.get("https://ca.test/")
            client.get("https://ca.test/")
            with pytest.raises(Unreachable):
                client.get("https://ca.test/")
    assert counted(counters, "ca_requests_total") == {
        "lets advice 2xx": 1,
        "lets advice 4xx": 1,
        "lets advice 5xx": 1,
        "lets advice error": 1,
    }
    assert counted(counters, "ca_rate_limited_total") == {"lets": 1}
    assert counted(counters, "clock_skew_seconds")["lets"] == pytest.approx(59, abs=0.2)


def test_a_port_without_anybody_is_told_from_a_name_without_address(counters: Counters) -> None:
    """What went wrong is one of a few words; the egress rules refuse as well."""

    def nowhere(_: str, __: int) -> Sequence[tuple[socket.AddressFamily, tuple[str, int]]]:
        raise socket.gaierror("no such name")

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        for rules, url in (
            (EgressRules(("127.0.0.0/8",)), f"http://127.0.0.1:{port}/"),
            (EgressRules(lookup=nowhere), "http://ca.example/"),
            (EgressRules(), f"http://127.0.0.1:{port}/"),
        ):
            with (
                asking(counters, Purpose.CRL),
                build_client(rules, timeout_seconds=1) as client,
                pytest.raises((Unreachable, EgressRefused)),
            ):
                client.get(url)
    assert counted(counters, "ca_requests_total") == {" crl refused": 2, " crl dns": 1}


@pytest.mark.parametrize(
    ("cause", "word"),
    [(httpcore.ReadTimeout("late"), "timeout"), (ssl.SSLError("untrusted"), "tls"), (OSError("reset"), "error")],
)
def test_what_went_wrong_is_found_behind_what_is_told_of_it(counters: Counters, cause: Exception, word: str) -> None:
    """The cause says it, and not the text."""
    error = Unreachable("ca.test broke the connection.")
    error.__cause__ = cause
    with asking(counters, Purpose.OCSP):
        count_failure(error, 0.1)
    count_failure(error, 0.1)
    assert counted(counters, "ca_requests_total") == {f" ocsp {word}": 1}


@pytest.mark.parametrize(("ahead", "uncertain", "told_as"), [(10, 1, 9), (-10, 1, -9), (0.4, 0.5, 0), (-3, 3, 0), (0, 0, 0)])
def test_only_what_is_certain_is_skew(ahead: float, uncertain: float, told_as: float) -> None:
    """A slow answer makes no alarm."""
    assert skew_of(START + timedelta(seconds=ahead), START, timedelta(seconds=uncertain)) == timedelta(seconds=told_as)
