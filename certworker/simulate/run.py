"""The run: time goes from one thing that is due to the next, and everything is done by the product's own rounds."""

import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from time import monotonic, process_time

from certworker.crypto.x509 import read_certificate
from certworker.errors import CertworkerError, OperationInProgress
from certworker.simulate.authority import SimulatedAuthority, open_authority
from certworker.simulate.clock import SimulatedClock, WorkersClock
from certworker.simulate.deployment import Deployment, Exchange, open_deployment, policy_of
from certworker.simulate.findings import Findings, Spent, find
from certworker.simulate.scenario import MassRevocation, Scenario
from certworker.vault.access import SERVICE
from certworker.vault.objects import CertificateVersion

MOST_AT_ONCE = 2_000
"""How often the rounds are run while the time stands still; what is still due then waits for the next step."""

Tell = Callable[[float, int], None]
"""Is told how far it has come: the day, and how many certificates there are."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be simulated. Days and seconds are virtual, but for what it takes."""

    certificates: int
    days: float
    scenario: Scenario
    exchange: Exchange = Exchange.ACME
    seed: int = 1


def simulate(plan: Plan, tell: Tell = lambda _day, _made: None) -> Findings:
    """Play a scenario to its end, and look at what became of it. Raises SettingsError."""
    plan.scenario.check_length(plan.days)
    begun, cpu = monotonic(), process_time()
    clock = SimulatedClock(plan.scenario.start)
    workers = WorkersClock(clock)
    with (
        tempfile.TemporaryDirectory(prefix="certworker-simulate-") as folder,
        open_authority(plan.scenario, clock) as authority,
        open_deployment(Path(folder), plan.scenario, workers, authority, plan.exchange, plan.seed) as deployment,
    ):
        run = Run(plan, clock, workers, authority, deployment, tell)
        run.play()
        spent = Spent(monotonic() - begun, process_time() - cpu, run.steps, run.failed_rounds)
        return find(plan.scenario, plan.scenario.at(plan.days), authority, deployment, spent)


class Run:
    """One play of a scenario."""

    def __init__(
        self,
        plan: Plan,
        clock: SimulatedClock,
        workers: WorkersClock,
        authority: SimulatedAuthority,
        deployment: Deployment,
        tell: Tell,
    ) -> None:
        self._plan = plan
        self._clock = clock
        self._workers = workers
        self._authority = authority
        self._deployment = deployment
        self._tell = tell
        self._random = Random(f"{plan.seed}/scenario")  # noqa: S311 - repeatable
        self._end = plan.scenario.at(plan.days)
        self._moments = sorted(self._moments_of(plan.scenario), key=lambda moment: moment[0])
        self._absent_until = plan.scenario.start
        self._made = 0
        self.steps = 0
        self.failed_rounds = 0

    def play(self) -> None:
        """Go through the whole time."""
        while self._clock() < self._end:
            while self._moments and self._moments[0][0] <= self._clock():
                self._moments.pop(0)[1]()
            due = self._absent_until
            if self._clock() >= self._absent_until:
                self._make_certificates()
                due = self._work()
            self._tell((self._clock() - self._plan.scenario.start) / timedelta(days=1), self._made)
            self._move(due)
        self._authority.settle()

    def _work(self) -> datetime:
        """Do all that is due now; tell when the next thing is."""
        for _ in range(MOST_AT_ONCE):
            self.steps += 1
            try:
                due = self._deployment.rounds.run_due(self._workers())
            except CertworkerError as error:
                self.failed_rounds += 1
                _log.error("A round failed: %s", error)
                return self._clock()
            if due is None:
                return self._end
            if (due := self._workers.true(due)) > self._clock():
                return due
        return self._clock()

    def _move(self, due: datetime) -> None:
        least = timedelta(minutes=self._plan.scenario.worker.least_step_minutes) or timedelta(seconds=1)
        due = max(min(due, self._next_creation()), self._clock() + least)
        if self._moments:
            due = min(due, self._moments[0][0])
        self._clock.move(min(due, self._end))

    def _next_creation(self) -> datetime:
        return self._creation(self._made) if self._made < self._plan.certificates else self._end

    def _creation(self, number: int) -> datetime:
        spread = min(self._plan.scenario.certificates.start_spread_days, self._plan.days)
        return self._plan.scenario.at(spread * number / self._plan.certificates)

    def _make_certificates(self) -> None:
        house, vault = self._deployment.house, self._deployment.vault
        while self._made < self._plan.certificates and self._creation(self._made) <= self._clock():
            policy = policy_of(self._plan.scenario, self._made)
            house.certificates.create(SERVICE, vault, name_of(self._made), policy, tags={})
            self._made += 1

    def _moments_of(self, scenario: Scenario) -> Iterator[tuple[datetime, Callable[[], None]]]:
        for revocation in scenario.mass_revocation:
            yield scenario.at(revocation.day), lambda cause=revocation: self._revoke(cause)  # type: ignore[misc]
            # the CA acts when it said it would, whether it is asked for something then or not
            yield scenario.at(revocation.day) + timedelta(hours=revocation.notice_hours), self._authority.settle
        for downtime in scenario.downtime:
            until = scenario.at(downtime.day) + timedelta(hours=downtime.hours)
            yield scenario.at(downtime.day), lambda until=until: self._stop(until)  # type: ignore[misc]
        for wrong in scenario.wrong_clock:
            ahead = timedelta(hours=wrong.hours)
            yield scenario.at(wrong.day), lambda ahead=ahead: self._set_ahead(ahead)  # type: ignore[misc]
            yield scenario.at(wrong.day) + timedelta(hours=wrong.for_hours), lambda: self._set_ahead(timedelta(0))

    def _revoke(self, cause: MassRevocation) -> None:
        """Let the CA begin a mass revocation of some of what is current, drawn by lot."""
        names = self._random.sample(range(self._made), k=max(1, round(self._made * cause.share))) if self._made else []
        with self._deployment.house.store.reading() as reader:
            found = [reader.certificate_version(self._deployment.vault.id, name_of(number), None) for number in sorted(names)]
        hit = [version for version in found if version]
        self._authority.revoke_many([read_certificate(version.der).serial for version in hit], cause)
        if cause.operator_after_hours:
            at = self._clock() + timedelta(hours=cause.operator_after_hours)
            self._moments.append((at, lambda: self._replace(hit)))
            self._moments.sort(key=lambda moment: moment[0])

    def _replace(self, versions: list[CertificateVersion]) -> None:
        """Do what an operator does who was told: ask for the replacement of what has not been replaced."""
        house, vault = self._deployment.house, self._deployment.vault
        for version in versions:
            with house.store.reading() as reader:
                current = reader.certificate_version(vault.id, version.name, None)
            if current and current.version == version.version:
                with suppress(OperationInProgress):
                    house.requested.renew_now(SERVICE, vault, version.name)

    def _stop(self, until: datetime) -> None:
        self._absent_until = max(self._absent_until, until)
        self._deployment.start_anew()
        self._authority.board.find = self._deployment.house.challenges.find

    def _set_ahead(self, ahead: timedelta) -> None:
        self._workers.ahead = ahead


def name_of(number: int) -> str:
    """Name a certificate by its number."""
    return f"certificate-{number:06}"
