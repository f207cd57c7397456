"""The CA of a simulation: `ca_sim`, set up and troubled as the scenario says."""

import hmac
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from ca_sim.acme.urls import place
from ca_sim.faults.rules import Fault, FaultKind
from ca_sim.identifiers import Identifier
from ca_sim.in_process import InProcess, NoAnswerError, in_process
from ca_sim.incidents import Cause
from ca_sim.problems import UnauthorizedError
from ca_sim.settings import Settings, read
from certworker.network.egress import Unreachable
from certworker.network.in_process import Answered
from certworker.simulate.calls import Calls
from certworker.simulate.clock import SimulatedClock
from certworker.simulate.scenario import MassRevocation, Scenario

PLACES = ("acme.*", "port.*")
_DAY_SECONDS = 86_400
_PLAIN = "without-renewal-info"


@dataclass(slots=True)
class Board:
    """An http-01 validation without a socket: what was put up for a token is looked at where it lies."""

    find: Callable[[str], str | None] = lambda _token: None

    async def __call__(self, _identifier: Identifier, token: str, key_authorization: str) -> None:
        """Compare, as a validation does."""
        shown = self.find(token)
        if shown is None or not hmac.compare_digest(shown.encode(), key_authorization.encode()):
            raise UnauthorizedError("the answer is not the key authorization")


@dataclass(frozen=True, slots=True)
class SimulatedAuthority:
    """The CA, and the way to it."""

    inside: InProcess
    board: Board
    calls: Calls

    @property
    def plain_directory_url(self) -> str:
        """Give the directory that is silent about renewal information."""
        return f"{self.inside.house.directory_url}?{_PLAIN}"

    def carry(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answered:
        """Carry a request to it. Raises Unreachable."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        plane = host.partition(".")[0]
        self.calls.count(place(method, parts.path) if plane == "acme" else f"{plane}.{parts.path.split('/')[1]}")
        try:
            answer = self.inside.request(method, url, headers, body)
        except NoAnswerError as error:
            raise Unreachable(f"{host} broke the connection: {error}.") from error
        return answer.status, answer.headers, _without_advice(answer.body) if parts.query == _PLAIN else answer.body

    def revoke_many(self, serials: Sequence[str], cause: MassRevocation) -> int:
        """Begin an incident over these certificates (serial numbers in hexadecimal); say how many they are."""
        found = self.inside.house.incidents.begin(
            Cause(
                serials=frozenset(serials),
                reason=cause.reason,
                revoke_after_seconds=round(cause.notice_hours * 3600),
                announced=cause.announced,
                explanation_url="https://ca-sim.example/incident",
            )
        )
        return len(found.serials)

    def settle(self) -> None:
        """Carry out what is due at the CA."""
        self.inside.house.incidents.settle()


@contextmanager
def open_authority(scenario: Scenario, clock: SimulatedClock) -> Iterator[SimulatedAuthority]:
    """Open the CA in this process, and arm what is to go wrong."""
    board = Board()
    with in_process(_settings(scenario), clock, {"http-01": board}) as inside:
        for fault in _faults(scenario):
            inside.house.faults.arm(fault)
        yield SimulatedAuthority(inside, board, Calls(scenario.start, clock))


def profile_name(days: float) -> str:
    """Name the kind of certificate that is valid for so many days."""
    return f"days-{days:g}"


def _settings(scenario: Scenario) -> Settings:
    limits = scenario.limits
    profiles = {
        profile_name(kind.days): {"validity_seconds": round(kind.days * _DAY_SECONDS), "ocsp": False}
        for kind in scenario.certificates.validity
    }
    return read(
        {
            "profiles": profiles,
            "acme": {
                "renewal_info": scenario.advice.share > 0,
                "renewal_window": list(scenario.advice.window),
                "renewal_retry_seconds": round(scenario.advice.poll_hours * 3600),
                "rate_limits": {
                    "new_orders_per_account": limits.orders_in_3_hours,
                    "certificates_per_domain": limits.certificates_per_domain_in_7_days,
                    "duplicate_certificates": limits.duplicates_in_7_days,
                },
            },
        }
    )


def _faults(scenario: Scenario) -> Iterator[Fault]:
    for outage in scenario.outage:
        yield Fault(
            kind=FaultKind.DROP_BEFORE if outage.silent else FaultKind.ERROR,
            at=PLACES,
            begins=scenario.at(outage.from_day),
            ends=scenario.at(outage.from_day + outage.for_days),
            status=None if outage.silent else 503,
        )
    for throttle in scenario.throttle:
        begins = scenario.at(throttle.from_day)
        yield Fault(
            kind=FaultKind.THROTTLE,
            at=PLACES,
            begins=begins,
            ends=begins + timedelta(hours=throttle.for_hours),
            seconds=throttle.retry_after_minutes * 60,
        )
    if scenario.lost_answers:
        places = ("acme.new-order", "acme.finalize", "acme.certificate", "port.order", "port.finalize")
        yield Fault(kind=FaultKind.DROP_AFTER, at=places, rate=scenario.lost_answers)


def _without_advice(directory: bytes) -> bytes:
    try:
        document = json.loads(directory)
    except ValueError:
        return directory  # an error of the CA
    document.pop("renewalInfo", None)
    return json.dumps(document).encode()
