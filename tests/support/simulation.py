"""A deployment and an authority on one fake clock and in one thread: real code on both sides, no sockets, no waiting."""

import hmac
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from ca_sim.faults.rules import Fault
from ca_sim.identifiers import Identifier
from ca_sim.in_process import InProcess, in_process
from ca_sim.problems import UnauthorizedError
from ca_sim.settings import Settings as AuthoritySettings
from ca_sim.settings import read
from certworker.network.http import Connect
from certworker.settings import IssuerSettings
from certworker.vault.access import SERVICE
from certworker.vault.issuers import IssuerParameters
from tests.issuers.in_process import InProcessConnect
from tests.support.clock import FakeClock
from tests.support.deployment import ISSUER, Deployment, open_deployment

Find = Callable[[str], str | None]


@dataclass(slots=True)
class Board:
    """An http-01 validation without a socket: what the deployment has put up for a token is looked at where it lies."""

    find: Find = lambda _token: None

    async def __call__(self, _identifier: Identifier, token: str, key_authorization: str) -> None:
        """Compare, as a validation does."""
        shown = self.find(token)
        if shown is None or not hmac.compare_digest(shown.encode(), key_authorization.encode()):
            raise UnauthorizedError("the answer is not the key authorization")


@dataclass(frozen=True, slots=True)
class Simulation:
    """Both sides, and the clock that they share."""

    deployment: Deployment
    authority: InProcess
    clock: FakeClock

    def arm(self, **members: object) -> None:
        """Put a fault in force."""
        self.authority.house.faults.arm(Fault.model_validate(members))

    def run(self, until: Callable[[], bool], *, most: timedelta = timedelta(days=30)) -> datetime:
        """Let the worker do what is due, and time go on to what is due next, until it is so; tell the time."""
        limit = self.clock() + most
        while not until():
            due = self.deployment.work()
            if until():
                break
            assert due is not None, "nothing is due any more, and it is not so yet"
            assert due <= limit, f"it is not so by {limit}"
            self.clock.set(max(due, self.clock()))
        return self.clock()


Prepare = Callable[[InProcess], tuple[IssuerParameters, IssuerSettings]]
"""Gives an issuer's record and settings, once its CA is there."""


def acme_issuer(authority: InProcess) -> tuple[IssuerParameters, IssuerSettings]:
    """Take certificates over ACME."""
    return IssuerParameters("Acme", authority.house.directory_url), IssuerSettings()


@contextmanager
def open_simulation(
    folder: Path,
    clock: FakeClock,
    *,
    issuer: Prepare = acme_issuer,
    authority_settings: Mapping[str, object] | None = None,
    database_url: str | None = None,
    connect: Callable[[InProcess], Connect] = InProcessConnect,
) -> Iterator[Simulation]:
    """Open both sides. `issuer` tells how certificates come, `connect` makes the way between the two."""
    board = Board()
    settings: AuthoritySettings = read(dict(authority_settings or {}))
    with (
        in_process(settings, clock, {"http-01": board}) as authority,
        _deployed(folder, clock, database_url, authority, issuer, connect) as deployment,
    ):
        board.find = deployment.house.challenges.find
        yield Simulation(deployment, authority, clock)


@contextmanager
def _deployed(
    folder: Path,
    clock: FakeClock,
    database_url: str | None,
    authority: InProcess,
    issuer: Prepare,
    connect: Callable[[InProcess], Connect],
) -> Iterator[Deployment]:
    parameters, settings = issuer(authority)
    way = connect(authority)
    with open_deployment(folder, clock, database_url, connect=way, issuers={ISSUER: settings}) as deployment:
        deployment.house.issuers.set(SERVICE, deployment.vault, ISSUER, parameters)
        yield deployment
