"""Stories of CAs in trouble, on a fake clock: nothing lapses, nobody storms, and what waits is worked off in order."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from certworker.settings import IssuerSettings
from certworker.vault.access import SERVICE
from certworker.vault.events import EventType
from certworker.vault.issuance import IssuanceRequest, Pending, Rejected, Step, Trouble
from certworker.vault.issuers import IssuerParameters
from certworker.vault.operations import OperationStatus, Progress
from tests.support.clock import FakeClock
from tests.support.deployment import ISSUER, Deployment, ScriptedAuthority, open_deployment, policy_for

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SECOND_CA = "second-ca"
Mood = Callable[[IssuanceRequest, datetime], Step | None]


@dataclass
class MoodyAuthority(ScriptedAuthority):
    """Issues at once, unless its mood has another answer. It keeps a book of who asked when, and what was issued when."""

    mood: Mood = lambda _request, _at: None
    asked: list[tuple[datetime, str]] = field(default_factory=list)
    gave: list[tuple[datetime, str]] = field(default_factory=list)

    def step(self, request: IssuanceRequest, progress: Progress | None, at: datetime) -> Step:
        """Answer as the mood is, or issue."""
        self.asked.append((at, request.names[0]))
        answer = self.mood(request, at)
        if answer is None:
            self.gave.append((at, request.names[0]))
        return answer or self.issue(request, progress, at)


def down(_request: IssuanceRequest, _at: datetime) -> Step:
    """Be away."""
    return Pending({}, None, "The CA cannot be reached.", trouble=Trouble.OUTAGE)


def well(_request: IssuanceRequest, _at: datetime) -> None:
    """Issue."""


@contextmanager
def fleet(
    folder: Path,
    clock: FakeClock,
    count: int,
    settings: IssuerSettings | None = None,
    second: MoodyAuthority | None = None,
    host: str = "host-{}.test-{}.example",
) -> Iterator[tuple[Deployment, MoodyAuthority]]:
    """Open a deployment with so many certificates of 90 days, all issued within the same second."""
    first, issuers = MoodyAuthority(), {ISSUER: settings or IssuerSettings()}
    providers = {"second": second} if second else {}
    with open_deployment(folder, clock, authority=first, issuers=issuers, providers=providers) as deployment:
        if second:
            deployment.house.issuers.set(SERVICE, deployment.vault, SECOND_CA, IssuerParameters("Second"))
        for number in range(count):
            deployment.create(f"web-{number}", policy_for(host.format(number, number)))
        while len(first.gave) < count:
            clock.set(max(deployment.work() or clock(), clock()))
        first.asked.clear()
        first.gave.clear()
        yield deployment, first


def pass_time(deployment: Deployment, clock: FakeClock, until: datetime) -> None:
    """Let the worker work, and time go on from one thing that is due to the next."""
    while True:
        due = deployment.work()
        if due is None or due > until:
            clock.set(until)
            return
        clock.set(max(due, clock()))


def gather(deployment: Deployment, clock: FakeClock, count: int) -> datetime:
    """Let all renewals fall due at the same moment; give it."""
    at = max(deployment.renewal(f"web-{number}").due_at or clock() for number in range(count))
    clock.set(at)
    return at


def told(deployment: Deployment) -> Counter[EventType]:
    """Count the events by their type."""
    with deployment.house.store.reading() as reader:
        return Counter(event.type for event in reader.events(0, 1_000_000))


def all_renewed(deployment: Deployment, count: int) -> bool:
    """Whether every certificate has two versions."""
    return all(len(deployment.versions(f"web-{number}")) == 2 for number in range(count))


@pytest.mark.parametrize("days", [3, pytest.param(5, marks=pytest.mark.long)])
def test_a_ca_is_down_for_days_in_the_renewal_window(tmp_path: Path, clock: FakeClock, days: int) -> None:
    """Few ask while it is down, nobody's failures are counted for long, and afterwards all are renewed, one by one."""
    count = 20
    with fleet(tmp_path, clock, count) as (deployment, ca):
        # the renewals fall due over two days; the CA goes down before the first of them
        begin = min(deployment.renewal(f"web-{number}").due_at or clock() for number in range(count)) - HOUR
        pass_time(deployment, clock, begin)
        ca.mood = down
        pass_time(deployment, clock, begin + days * DAY)
        # it was looked at about twice an hour, and not by each of the twenty
        assert 20 * days < len(ca.asked) < 2 * 24 * days + 20
        assert max(Counter(at for at, _ in ca.asked).values()) <= 3
        assert not ca.gave
        # what was counted before it was known to be down was counted against the first three
        assert sorted(deployment.operation(f"web-{number}").failures for number in range(count))[: count - 3] == [0] * (
            count - 3
        )
        events = told(deployment)
        assert (events[EventType.ISSUER_DOWN], events[EventType.ISSUER_UP]) == (1, 0)
        # it comes back, and one probe opens the gate
        ca.mood = well
        back = clock()
        pass_time(deployment, clock, back + 2 * HOUR)
        assert all_renewed(deployment, count)
        assert told(deployment)[EventType.ISSUER_UP] == 1
        # no lapse: the versions before are valid for weeks still
        assert all(
            (deployment.get(f"web-{number}").version.attributes.expires or back) > back + 80 * DAY for number in range(3)
        )
        # spread out: not all that had waited came in the same second
        seconds = Counter(at for at, _ in ca.gave)
        assert max(seconds.values()) <= 3
        assert len(seconds) > count // 2


def limited(most: int, period: timedelta) -> Mood:
    """Issue so many in a time, and then refuse with a time to come back, as CAs do."""
    taken: list[datetime] = []

    def mood(_request: IssuanceRequest, at: datetime) -> Step | None:
        recent = [one for one in taken if one > at - period]
        if len(recent) >= most:
            retry_at = recent[-most] + period
            return Pending({}, retry_at, "Too many new orders.", trouble=Trouble.THROTTLED)
        taken.append(at)
        return None

    return mood


@pytest.mark.parametrize("count", [30, pytest.param(5000, marks=[pytest.mark.fleet, pytest.mark.timeout(3600)])])
def test_many_renewals_on_one_day_stay_within_the_budget(tmp_path: Path, clock: FakeClock, count: int) -> None:
    """What the account may ask is asked, and no more: the CA never has to say no, and the most urgent go first."""
    most = max(count // 20, 10)
    settings = IssuerSettings(orders=f"{most}/3h")
    with fleet_without_wait(tmp_path, clock, count, settings) as (deployment, ca):
        due = gather(deployment, clock, count)
        refusals: list[datetime] = []
        strict = limited(most * 2, 3 * HOUR)  # a full bucket, and what comes back to it meanwhile

        def mood(request: IssuanceRequest, at: datetime) -> Step | None:
            answer = strict(request, at)
            refusals.extend([at] if answer else [])
            return answer

        ca.mood = mood
        while len(ca.gave) < count:
            following = deployment.work()
            assert following is not None
            clock.set(max(following, clock()))
        assert not refusals
        assert len(ca.asked) == count
        begun = (count - most) * (3 * HOUR / most)
        assert begun - HOUR < ca.gave[-1][0] - due < begun + HOUR
        assert told(deployment)[EventType.OPERATION_RETRY] == 0
        assert all(deployment.renewal(f"web-{number}").failures == 0 for number in range(0, count, 10))


@contextmanager
def fleet_without_wait(
    folder: Path, clock: FakeClock, count: int, settings: IssuerSettings
) -> Iterator[tuple[Deployment, MoodyAuthority]]:
    """Open a fleet as if it had been there before its issuer had a budget."""
    with fleet(folder, clock, count):
        pass
    ca = MoodyAuthority()
    with open_deployment(folder, clock, authority=ca, issuers={ISSUER: settings}) as deployment:
        yield deployment, ca


def test_a_ca_that_throttles_is_left_alone_until_it_says(tmp_path: Path, clock: FakeClock) -> None:
    """Without a budget in the settings the CA's own word is kept: for the whole account, with one event, and no failure."""
    count = 30
    with fleet(tmp_path, clock, count) as (deployment, ca):
        gather(deployment, clock, count)
        ca.mood = limited(10, HOUR)
        while not all_renewed(deployment, count):
            following = deployment.work()
            assert following is not None
            clock.set(max(following, clock()))
        asked = Counter(at for at, _ in ca.asked)
        # after each ten, one no for the first that asks; then nobody asks before the CA allows it
        refusals = len(ca.asked) - len(ca.gave)
        assert 1 <= told(deployment)[EventType.ISSUER_THROTTLED] <= refusals <= 6
        assert all(deployment.renewal(f"web-{number}").failures == 0 for number in range(count))
        assert len(asked) > 3


def test_failover_to_a_second_ca_and_back(tmp_path: Path, clock: FakeClock) -> None:
    """While the first CA is down the second one renews; the renewal after that is the first one's again."""
    second, count = MoodyAuthority(), 5
    settings = IssuerSettings(fallback=(SECOND_CA,))
    with fleet(tmp_path, clock, count, settings, second) as (deployment, first):
        begin = gather(deployment, clock, count)
        first.mood = down
        pass_time(deployment, clock, begin + 3 * HOUR)
        assert all_renewed(deployment, count)
        assert (len(first.gave), len(second.gave)) == (0, count)
        # none of them before the first CA had been down for an hour
        assert min(at for at, _ in second.gave) >= begin + HOUR
        assert told(deployment)[EventType.ISSUER_FAILED_OVER] == count
        for number in range(count):
            # the lineage is kept: the operation tells who issued, and the policy is as its owner wrote it
            policy = deployment.house.certificates.policy(deployment.administrator, deployment.vault, f"web-{number}").policy
            assert (deployment.operation(f"web-{number}").policy.issuer.name, policy.issuer.name) == (SECOND_CA, ISSUER)
        first.mood = well
        gather(deployment, clock, count)
        pass_time(deployment, clock, clock() + 2 * DAY)
        assert (len(first.gave), len(second.gave)) == (count, count)
        assert all(deployment.operation(f"web-{number}").policy.issuer.name == ISSUER for number in range(count))


def test_an_order_that_is_stuck_is_left_with_its_key(tmp_path: Path, clock: FakeClock) -> None:
    """A key that the first CA may have certified is never shown to the second one."""
    second = MoodyAuthority()
    settings = IssuerSettings(fallback=(SECOND_CA,))
    with fleet(tmp_path, clock, 3, settings, second) as (deployment, first):
        begin = gather(deployment, clock, 3)

        def ordered_then_down(_request: IssuanceRequest, _at: datetime) -> Step:
            return Pending({"step": "ordered"}, None, "The CA is away.", trouble=Trouble.OUTAGE)

        first.mood = ordered_then_down
        deployment.work()
        keys = {deployment.operation(f"web-{number}").public_key for number in range(3)}
        assert all(deployment.operation(f"web-{number}").progress for number in range(3))
        pass_time(deployment, clock, begin + 3 * HOUR)
        assert all_renewed(deployment, 3)
        assert len(second.gave) == 3
        assert keys.isdisjoint(deployment.operation(f"web-{number}").public_key for number in range(3))


@pytest.mark.parametrize("count", [50, pytest.param(1000, marks=[pytest.mark.fleet, pytest.mark.timeout(1200)])])
def test_one_broken_certificate_among_many_good_ones(tmp_path: Path, clock: FakeClock, count: int) -> None:
    """It holds up nobody, does not close its CA's gate, and is tried with patience."""
    broken = "host-7.test-7.example"

    def mood(request: IssuanceRequest, _at: datetime) -> Step | None:
        return down(request, _at) if broken in request.names else None

    with fleet(tmp_path, clock, count) as (deployment, ca):
        begin = gather(deployment, clock, count)
        ca.mood = mood
        pass_time(deployment, clock, begin + 10 * DAY)
        assert sum(len(deployment.versions(f"web-{number}")) == 2 for number in range(count)) == count - 1
        assert len(deployment.versions("web-7")) == 1
        assert sum(name == broken for _, name in ca.asked) < 30
        assert told(deployment)[EventType.ISSUER_DOWN] == 0
        # it is mended before it expires, and comes in time
        ca.mood = well
        pass_time(deployment, clock, begin + 12 * DAY)
        assert len(deployment.versions("web-7")) == 2


@pytest.mark.long
def test_only_mistakes_in_the_set_up_pause_what_has_expired(tmp_path: Path, clock: FakeClock) -> None:
    """Daily attempts go on until the end and for 30 days after the first of them; then a person is asked, and told how."""

    def refuse(_request: IssuanceRequest, _at: datetime) -> Step:
        return Rejected("Request rejected", "CAA forbids it.", configuration=True)

    with fleet(tmp_path, clock, 2) as (deployment, ca):

        def mood(request: IssuanceRequest, at: datetime) -> Step:
            return refuse(request, at) if request.names[0].startswith("host-0") else down(request, at)

        begin = gather(deployment, clock, 2)
        expires = deployment.get("web-0").version.attributes.expires
        assert expires is not None
        ca.mood = mood
        pass_time(deployment, clock, expires - DAY)
        assert deployment.renewal("web-0").pause is None
        assert deployment.renewal("web-0").blamed_since
        pass_time(deployment, clock, max(expires, begin + 31 * DAY) + 2 * DAY)
        pause = deployment.renewal("web-0").pause
        assert pause is not None
        assert pause.by == "certworker"
        assert "certworker certificate resume web-0" in pause.why
        assert told(deployment)[EventType.RENEWAL_PAUSED] == 1
        # what failed in passing is never paused
        assert deployment.renewal("web-1").pause is None
        assert deployment.operation("web-1").status in (OperationStatus.IN_PROGRESS, OperationStatus.FAILED)
