"""Stories of CAs that say when they want their certificates renewed (RFC 9773), on the fake clock."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from ca_sim.acme.objects import Order
from ca_sim.acme.renewal_info import certificate_id
from ca_sim.certificates import Certificate
from ca_sim.in_process import InProcess, in_process
from ca_sim.incidents import Cause
from ca_sim.settings import read
from certworker.crypto.x509 import read_certificate
from certworker.vault.access import SERVICE
from certworker.vault.events import EventType
from certworker.vault.issuance import IssuanceRequest, Pending, Step, Trouble
from certworker.vault.objects import CertificateVersion
from certworker.vault.operations import OperationReason, OperationStatus, Progress
from certworker.vault.renewal.advice import Known
from certworker.vault.watches import WatchKind
from tests.issuers.in_process import InProcessConnect
from tests.support.advising import AdvisingAuthority, Incident
from tests.support.clock import START, FakeClock
from tests.support.deployment import ISSUER, Deployment, check_whole, open_deployment, policy_for
from tests.support.simulation import Board, acme_issuer

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
AUTHORITY = {
    "profiles": {"tls": {"validity_seconds": 47 * 86_400}},
    # one certificate a week for the same names: who renews without saying what is replaced is refused
    "acme": {"renewal_retry_seconds": 86_400, "rate_limits": {"duplicate_certificates": 1}},
}


@contextmanager
def authority_on(clock: FakeClock, board: Board) -> Iterator[InProcess]:
    """Open the simulated CA, which outlives every restart of the deployment."""
    with in_process(read(AUTHORITY), clock, {"http-01": board}) as authority:
        yield authority


@contextmanager
def started(folder: Path, clock: FakeClock, authority: InProcess, board: Board, seed: int) -> Iterator[Deployment]:
    """Start the deployment, with dice of its own."""
    parameters, settings = acme_issuer(authority)
    connect = InProcessConnect(authority)
    with open_deployment(folder, clock, seed=seed, connect=connect, issuers={ISSUER: settings}) as deployment:
        deployment.house.issuers.set(SERVICE, deployment.vault, ISSUER, parameters)
        board.find = deployment.house.challenges.find
        yield deployment


def live(deployment: Deployment, clock: FakeClock, until: datetime, *names: str, tick: timedelta = timedelta()) -> None:
    """Let the worker do what is due, and time go on to what is due next; there is a valid certificate at every moment.

    With a `tick`, the worker looks no more often than that.
    """
    due = deployment.work()
    while due is not None and due < until:
        clock.set(max(due, clock() + (tick if due > clock() else timedelta())))
        for name in names:
            expires = deployment.get(name).version.attributes.expires
            assert expires is not None
            assert expires > clock()
        due = deployment.work()
    clock.set(max(until, clock()))


def point_of(deployment: Deployment, name: str) -> tuple[str, datetime]:
    """Tell the point that is known for the current version of a certificate."""
    with deployment.house.store.reading() as reader:
        watch = reader.watch(WatchKind.ADVICE, deployment.vault.id, name)
    assert watch is not None
    window = Known.read(watch.state).window
    assert window is not None
    return watch.version, window.point


def book_of(authority: InProcess) -> tuple[list[Certificate], list[Order]]:
    """List what the CA has issued, and the orders that it had."""
    book = authority.house.book
    certificates = [certificate for _, certificate in book.certificates(after=0, limit=1000)]
    return certificates, [order for _, order in book.orders(after=0, limit=1000)]


def versions_of(deployment: Deployment, name: str) -> tuple[CertificateVersion, ...]:
    """List the versions of a certificate."""
    return deployment.house.certificates.versions(deployment.administrator, deployment.vault, name, None, 25).items


def named(certificate: Certificate) -> str:
    """Name a certificate as orders name what they replace."""
    return certificate_id(x509.load_pem_x509_certificate(certificate.chain.encode()))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("months", [2, pytest.param(12, marks=pytest.mark.long)])
def test_a_year_of_a_47_day_certificate(tmp_path: Path, clock: FakeClock, months: int) -> None:
    """Every renewal begins inside the window of what it replaces, says so, and goes past the limits; restarts move no point."""
    board, points = Board(), dict[str, set[datetime]]()
    with authority_on(clock, board) as authority:
        for month in range(months):
            with started(tmp_path, clock, authority, board, seed=month) as deployment:
                if month == 0:
                    deployment.create("web", policy_for("web.example.test"))
                    live(deployment, clock, START + HOUR)
                live(deployment, clock, START + (month + 1) * 30 * DAY, "web")
                version, point = point_of(deployment, "web")
                points.setdefault(version, set()).add(point)
                check_whole(deployment, "web")
                came = sorted(version.attributes.created for version in versions_of(deployment, "web"))
        certificates, orders = book_of(authority)
        assert len(certificates) == len(orders) == len(came) == {2: 2, 12: 12}[months]
        assert all(len(found) == 1 for found in points.values())
        for before, renewed_at in zip(certificates, came[1:], strict=False):
            window = authority.house.acme.renewals.window(before)
            assert window.start <= renewed_at <= window.end
        replaced = [order.replaces for order in orders]
        assert replaced == [None, *(named(certificate) for certificate in certificates[:-1])]


def test_a_ca_that_must_revoke_is_ahead_of_nobody(tmp_path: Path, clock: FakeClock) -> None:
    """Its windows are pulled in; all is replaced before it revokes, though the same names had a certificate this week."""
    board, names = Board(), [f"web-{number}" for number in range(4)]
    with authority_on(clock, board) as authority, started(tmp_path, clock, authority, board, seed=1) as deployment:
        for name in names:
            deployment.create(name, policy_for(f"{name}.example.test"))
        live(deployment, clock, START + HOUR)
        live(deployment, clock, START + 2 * DAY, *names)
        for incident in (1, 2):
            authority.house.incidents.begin(Cause(revoke_after_seconds=5 * 86_400, explanation_url="https://ca.test/why"))
            live(deployment, clock, START + 2 * DAY + incident * 2 * DAY, *names)
        live(deployment, clock, clock() + 4 * DAY, *names)
        certificates, orders = book_of(authority)
        current = {read_certificate(deployment.get(name).version.der).serial.lower().lstrip("0") for name in names}
        assert not [one for one in certificates if one.revoked_at and one.serial in current]
        assert len([one for one in certificates if one.revoked_at]) >= len(names)
        assert all(order.replaces for order in orders[len(names) :])
        advised = [event for event in deployment.events() if event.type is EventType.RENEWAL_ADVISED]
        assert {event.name for event in advised} == set(names)
        assert {event.detail["explanation_url"] for event in advised} == {"https://ca.test/why"}
        assert deployment.operation("web-3").failures == 0


@dataclass
class LimitedAuthority(AdvisingAuthority):
    """A CA that issues so many certificates in three hours, whoever asks, and answers 429 to the rest."""

    most: int = 0
    times: list[datetime] = field(default_factory=list)
    throttled: int = 0

    def step(self, request: IssuanceRequest, progress: Progress | None, at: datetime) -> Step:
        """Issue, unless there were too many lately."""
        lately = [time for time in self.times if at - time < 3 * HOUR]
        if self.most and len(lately) >= self.most:
            self.throttled += 1
            return Pending({}, lately[0] + 3 * HOUR, failure="Too many.", trouble=Trouble.THROTTLED)
        self.times.append(at)
        return super().step(request, progress, at)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("count", [30, pytest.param(60, marks=pytest.mark.long), pytest.param(3000, marks=pytest.mark.fleet)])
def test_a_mass_revocation(tmp_path: Path, clock: FakeClock, count: int) -> None:
    """A CA must revoke all in a day, and says so by its windows alone: all are replaced in time, and none lapses."""
    authority, tick = LimitedAuthority(validity=90 * DAY), timedelta(minutes=10)
    names = [f"web-{number}" for number in range(count)]
    with open_deployment(tmp_path, clock, authority=authority) as deployment:
        for number, name in enumerate(names):
            if number % (count // 10) == 0:
                live(deployment, clock, clock() + HOUR, tick=tick)  # not all are of one age
            deployment.create(name, policy_for(f"{name}.test"))
        live(deployment, clock, clock() + HOUR, tick=tick)
        assert authority.issued == count
        authority.most = max(count * 3 // 20, min(count // 6, 10))  # a fifth more than what a day must hold, or a third
        authority.pause = DAY
        authority.incident = Incident(clock(), clock() + DAY)
        before = len(authority.times)
        live(deployment, clock, clock() + DAY, tick=tick)
        assert all(deployment.get(name).version.attributes.created > authority.incident.began for name in names)
        assert authority.issued == 2 * count
        replaced = authority.times[before:]
        assert max(sum(at <= time < at + 3 * HOUR for time in replaced) for at in replaced) <= authority.most
        operations = [deployment.operation(name) for name in names]
        assert {operation.reason for operation in operations} == {OperationReason.ADVISED}
        assert {operation.status for operation in operations} == {OperationStatus.COMPLETED}
        check_whole(deployment, names[0])
        live(deployment, clock, clock() + DAY, tick=tick)
        assert authority.issued == 2 * count
