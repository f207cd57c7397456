"""The deployment of a simulation: a house on a database in a folder, with a vault, an issuer and a contact."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from random import Random

from certworker.bootstrap import NO_PROVIDERS, House, build, make_master_key
from certworker.crypto.extensions import SubjectNames
from certworker.network.in_process import CarriedConnect
from certworker.settings import Seal, Settings
from certworker.settings.revocation import RevocationSettings
from certworker.settings.spare_keys import SpareKeySettings
from certworker.simulate.authority import SimulatedAuthority, profile_name
from certworker.simulate.clock import WorkersClock
from certworker.simulate.mailbox import Mailbox
from certworker.simulate.port import AdvisingPort, AuthorityPort
from certworker.simulate.scenario import Scenario
from certworker.store.engine import open_store
from certworker.store.migrate import migrate
from certworker.vault.access import SERVICE
from certworker.vault.issuance import Providers
from certworker.vault.issuers import IssuerParameters
from certworker.vault.notification.audience import MAIL, Audience
from certworker.vault.policy import IssuerParameters as PolicyIssuer
from certworker.vault.policy import KeyProperties, Policy, X509Properties
from certworker.vault.store import Store
from certworker.vault.vaults import Contact, Vault
from certworker.worker.rounds import Rounds

ISSUER, PLAIN_ISSUER = "simulated-ca", "simulated-ca-without-advice"
OWNER = "simulation"
_KEYS = {
    "ec-p256": KeyProperties("EC", None, "P-256"),
    "ec-p384": KeyProperties("EC", None, "P-384"),
    "rsa-2048": KeyProperties("RSA", 2048),
}


class Exchange(StrEnum):
    """How certificates come from the CA."""

    ACME = "acme"
    """By the ACME client and the CA's server, over a way without sockets."""
    PORT = "port"
    """By calls: decision, journal, store and notices are real, JWS and HTTP are left out."""


@dataclass(slots=True)
class Deployment:
    """A house at work. `start_anew` is what a restart of the worker does."""

    make: Callable[[int], House]
    vault: Vault
    mailbox: Mailbox
    house: House
    rounds: Rounds
    starts: int = 1

    def start_anew(self) -> None:
        """Forget all that is in memory, and go on with what the database says."""
        self.starts += 1
        self.house = self.make(self.starts)
        self.rounds = Rounds(self.house, OWNER)
        self.rounds.take_over()


@contextmanager
def open_deployment(
    folder: Path, scenario: Scenario, clock: WorkersClock, authority: SimulatedAuthority, exchange: Exchange, seed: int
) -> Iterator[Deployment]:
    """Set a deployment up in an empty folder; nothing of it is to outlive the simulation."""
    hours = scenario.worker.revocation_check_hours
    settings = Settings(
        database_url=f"sqlite:///{folder}/certworker.db",
        seal=Seal(master_key_file=folder / "master.key"),
        spare_keys=SpareKeySettings(count=4 if scenario.certificates.key == "rsa-2048" else 0),
        revocation=RevocationSettings(enabled=hours > 0, check_seconds=round(hours * 3600) if hours else 86_400),
    )
    make_master_key(settings.seal.master_key_file)
    migrate(settings.database_url)
    store = open_store(settings.database_url, clock, durable=False, records_acts=False)
    mailbox = Mailbox(scenario.start)
    try:
        make = _maker(settings, clock, store, scenario, authority, mailbox, exchange, seed)
        house = make(1)
        authority.board.find = house.challenges.find
        founded = house.founding.found("fleet", "simulation")
        for name, parameters in _issuers(authority, exchange).items():
            house.issuers.set(SERVICE, founded.vault, name, parameters)
        house.contacts.set(SERVICE, founded.vault, (Contact(scenario.worker.email),))
        yield Deployment(make, founded.vault, mailbox, house, Rounds(house, OWNER))
    finally:
        store.close()


def policy_of(scenario: Scenario, number: int) -> Policy:
    """Give the policy of a certificate by its number: which validity it has follows from its number and the shares."""
    days = _validity(scenario, number)
    domain = number % scenario.certificates.domains
    names = SubjectNames(dns_names=(f"host-{number}.domain-{domain}.example",))
    return Policy(
        key=_KEYS[scenario.certificates.key],
        x509=X509Properties(names=names, validity_months=max(1, int(days // 30.5))),
        issuer=PolicyIssuer(ISSUER if _point(number) < scenario.advice.share else PLAIN_ISSUER, profile_name(days)),
    )


def _validity(scenario: Scenario, number: int) -> float:
    # another place of the same sequence: who is advised does not depend on the validity
    point, total = _point(number + 7919), 0.0
    for kind in scenario.certificates.validity:
        total += kind.share
        if point < total:
            return kind.days
    return scenario.certificates.validity[-1].days


def _point(number: int) -> float:
    """Give a number in [0, 1) to a certificate's own; the golden ratio spreads any amount of them evenly."""
    return number * 0.6180339887498949 % 1


def _maker(
    settings: Settings,
    clock: WorkersClock,
    store: Store,
    scenario: Scenario,
    authority: SimulatedAuthority,
    mailbox: Mailbox,
    exchange: Exchange,
    seed: int,
) -> Callable[[int], House]:
    providers = _providers(scenario, authority) if exchange is Exchange.PORT else NO_PROVIDERS
    connect, audience = CarriedConnect(authority.carry), Audience({MAIL: mailbox}, ())

    def make(start: int) -> House:
        random = Random(f"{seed}/{start}")  # noqa: S311 - repeatable
        return build(settings, clock, store, random, providers, connect=connect, audience=audience)

    return make


def _providers(scenario: Scenario, authority: SimulatedAuthority) -> Providers:
    house, calls = authority.inside.house, authority.calls
    validities = {profile_name(kind.days): timedelta(days=kind.days) for kind in scenario.certificates.validity}
    return {
        "port": AdvisingPort(house, calls, validities, timedelta(hours=scenario.advice.poll_hours)),
        "plainport": AuthorityPort(house, calls, validities, exempt=False),
    }


def _issuers(authority: SimulatedAuthority, exchange: Exchange) -> dict[str, IssuerParameters]:
    if exchange is Exchange.PORT:
        return {ISSUER: IssuerParameters("Port"), PLAIN_ISSUER: IssuerParameters("PlainPort")}
    directory = authority.inside.house.directory_url
    return {ISSUER: IssuerParameters("Acme", directory), PLAIN_ISSUER: IssuerParameters("Acme", authority.plain_directory_url)}
