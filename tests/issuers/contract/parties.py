"""The parties of the contract: each provider of the house with the simulated CA that it talks to, and what differs."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from ca_sim.certificates import Certificate
from ca_sim.in_process import InProcess
from ca_sim.planes import PlaneName
from certworker.network.egress import EgressRules
from certworker.network.http import Budget, Connect, EgressClient
from certworker.settings import IssuerSettings
from certworker.vault.issuers import IssuerParameters
from tests.issuers.atlas import client_certificate, globalsign_issuer
from tests.issuers.in_process import InProcessConnect, InProcessTransport
from tests.support.clock import FakeClock
from tests.support.simulation import Prepare, Simulation, acme_issuer, open_simulation

BLOCKED = "blocked.test"
DIGICERT_ACCOUNT, DIGICERT_KEY = "4711", "an-api-key-that-must-not-be-shown"
SLOW_SECONDS = 1800


@dataclass(frozen=True, kw_only=True)
class Party:
    """A provider and its CA.

    `places` is the pattern of its requests' kinds, `issues` the kind at which the CA makes the certificate, `tells` the one
    whose answer has to be read, `chains` where the chain comes from; `slow` are the settings of a CA that takes SLOW_SECONDS.
    `prepare` gives issuer record and settings once the CA is there.
    """

    name: str
    places: str
    issues: str
    tells: str
    chains: str
    settings: Mapping[str, object] = field(default_factory=dict)
    slow: Mapping[str, object]
    prepare: Prepare
    peer_certificate: Callable[[InProcess], bytes | None] = lambda _authority: None

    @contextmanager
    def open(
        self,
        folder: Path,
        clock: FakeClock,
        *,
        slow: bool = False,
        wire: "Wire | None" = None,
        changed: Mapping[str, object] | None = None,
    ) -> Iterator[Simulation]:
        """Open a deployment whose issuer is this one; `changed` are further settings of the CA."""
        wire = wire or Wire()
        settings = {"blocked_identifiers": [BLOCKED], **self.settings, **(self.slow if slow else {}), **(changed or {})}

        def connect(authority: InProcess) -> Connect:
            return wire.connect(InProcessConnect(authority, self.peer_certificate(authority)))

        with open_simulation(folder, clock, issuer=self.prepare, authority_settings=settings, connect=connect) as simulation:
            yield simulation


class KilledError(BaseException):
    """The process is killed: nothing that it would have done afterwards is done."""


@dataclass
class Wire:
    """Counts the exchanges with the CA, and kills the process before or after one of them."""

    exchanges: int = 0
    kill_at: int | None = None
    after: bool = False

    def connect(self, inner: InProcessConnect) -> Connect:
        """Put this between a provider and its CA."""

        def build(rules: EgressRules, ca_bundle: str | None, timeout_seconds: float) -> EgressClient:
            del ca_bundle
            transport = InProcessTransport(inner.authority, rules, inner.peer_certificate)
            return EgressClient(rules, _Killing(self, transport), Budget(rules.total.total_seconds()), timeout_seconds)

        return build


class _Killing(httpx.BaseTransport):
    def __init__(self, wire: Wire, inner: httpx.BaseTransport) -> None:
        self._wire = wire
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        number = self._wire.exchanges
        self._wire.exchanges += 1
        if number == self._wire.kill_at and not self._wire.after:
            raise KilledError
        answer = self._inner.handle_request(request)
        if number == self._wire.kill_at:
            raise KilledError
        return answer


def issued(simulation: Simulation) -> list[Certificate]:
    """List what the CA has issued, by its own book."""
    return [certificate for _, certificate in simulation.authority.house.book.certificates(after=0, limit=10_000)]


ACME = Party(
    name="acme",
    places="acme.*",
    issues="acme.finalize",
    tells="acme.finalize",
    chains="acme.issue",
    slow={"acme": {"issue_seconds": SLOW_SECONDS}},
    prepare=acme_issuer,
)


def _digicert(authority: InProcess) -> tuple[IssuerParameters, IssuerSettings]:
    url = authority.house.bases[PlaneName.DIGICERT] + "/services/v2"
    organization = json.dumps({"id": "1"})
    return IssuerParameters("DigiCert", DIGICERT_ACCOUNT, DIGICERT_KEY, organization), IssuerSettings(url=url)


_DIGICERT = {"accounts": {DIGICERT_ACCOUNT: DIGICERT_KEY}}
DIGICERT = Party(
    name="digicert",
    places="digicert.*",
    issues="digicert.order",
    tells="digicert.order",
    chains="digicert.issue",
    settings={"digicert": _DIGICERT | {"download_lag_seconds": 5, "list_lag_seconds": 30}},
    slow={"digicert": _DIGICERT | {"issue_seconds": SLOW_SECONDS}},
    prepare=_digicert,
)
GLOBALSIGN = Party(
    name="globalsign",
    places="globalsign.*",
    issues="globalsign.request",
    tells="globalsign.retrieve",
    chains="globalsign.trustchain",
    settings={"globalsign": {"stats_lag_seconds": 30}},
    slow={"globalsign": {"issue_seconds": SLOW_SECONDS}},
    prepare=globalsign_issuer,
    peer_certificate=client_certificate,
)
PARTIES = (ACME, DIGICERT, GLOBALSIGN)
