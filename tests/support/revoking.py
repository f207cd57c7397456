"""Having a simulated authority revoke, and letting the watch find it."""

import json
from datetime import timedelta

from certworker.crypto.x509 import order_chain, read_certificate
from certworker.vault.events import Event, EventType
from certworker.vault.revocation.standing import WatchedCertificate
from tests.support.deployment import Deployment
from tests.support.simulation import Simulation

MANAGEMENT = "http://management.ca-sim.test"
HOUR = timedelta(hours=1)


def revoke_at_ca(simulation: Simulation, name: str, reason: str = "superseded") -> None:
    """Let the authority revoke the current version of a certificate, without a word to who has it."""
    _post(simulation, f"/certificates/{read_certificate(simulation.deployment.get(name).version.der).serial}/revoke", reason)


def revoke_intermediate(simulation: Simulation, name: str, reason: str = "cACompromise") -> None:
    """Let the authority revoke the certificate that issued the current version of another."""
    version = simulation.deployment.get(name).version
    above = order_chain(version.der, version.chain)[0]
    _post(simulation, f"/authority/{read_certificate(above).serial}/revoke", reason)


def _post(simulation: Simulation, path: str, reason: str) -> None:
    body = json.dumps({"reason": reason}).encode()
    answer = simulation.authority.request("POST", MANAGEMENT + path, {"content-type": "application/json"}, body)
    assert answer.status < 300, answer.body


def status_of(deployment: Deployment, name: str) -> WatchedCertificate:
    """Show what is known of a certificate, as the administrator."""
    return deployment.house.lifecycle.revocation.statuses.show(deployment.administrator, deployment.vault, name)


def check(deployment: Deployment, name: str) -> WatchedCertificate:
    """Look at a certificate now, as the administrator."""
    return deployment.house.lifecycle.revocation.statuses.check(deployment.administrator, deployment.vault, name)


def told(deployment: Deployment, event_type: EventType) -> list[Event]:
    """List the events of a type."""
    return [event for event in deployment.events() if event.type is event_type]


def pass_time(simulation: Simulation, span: timedelta, step: timedelta = timedelta(minutes=10)) -> None:
    """Let the worker do what falls due while time goes by, and look at least once in each step."""
    until = simulation.clock() + span
    while simulation.clock() < until:
        due = simulation.deployment.work()
        following = min(simulation.clock() + step, until)
        simulation.clock.set(min(max(due, simulation.clock() + timedelta(seconds=1)), following) if due else following)
    simulation.deployment.work()
