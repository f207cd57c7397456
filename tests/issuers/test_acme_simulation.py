"""The service and the simulated authority on one clock: what the CA's own books say of renewals, keys and revocations."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from ca_sim.acme.objects import Order
from certworker.crypto.renewal_info import certificate_id
from certworker.crypto.x509 import read_certificate
from certworker.vault.events import EventType
from certworker.vault.objects import ObjectKind
from tests.support.clock import FakeClock
from tests.support.deployment import ISSUER, policy_for
from tests.support.simulation import Simulation, open_simulation

KINDS = (ObjectKind.CERTIFICATE, ObjectKind.KEY, ObjectKind.SECRET)


@pytest.fixture
def simulation(tmp_path: Path, clock: FakeClock) -> Iterator[Simulation]:
    """Open both sides, and get the first certificate."""
    with open_simulation(tmp_path, clock) as opened:
        opened.deployment.create("web", policy_for("web.test"))
        settle(opened)
        yield opened


def settle(simulation: Simulation) -> bytes:
    """Let the operation come to its end, and give the current certificate."""
    deployment = simulation.deployment
    simulation.run(lambda: deployment.operation("web").status == "completed", most=timedelta(hours=1))
    return deployment.get("web").version.der


def renew(simulation: Simulation) -> bytes:
    """Renew the certificate now."""
    deployment = simulation.deployment
    deployment.house.requested.renew_now(deployment.administrator, deployment.vault, "web")
    return settle(simulation)


def orders(simulation: Simulation) -> list[Order]:
    """List the orders in the CA's book."""
    return [order for _, order in simulation.authority.house.book.orders(after=0, limit=100)]


def test_the_book_shows_what_replaced_what(simulation: Simulation) -> None:
    """Each renewal names the certificate that it takes the place of; there is one order for each."""
    deployment = simulation.deployment
    first = deployment.get("web").version.der
    second = renew(simulation)
    renew(simulation)
    assert [order.replaces for order in orders(simulation)] == [None, certificate_id(first), certificate_id(second)]


def test_a_certificate_that_was_replaced_elsewhere_is_renewed_all_the_same(simulation: Simulation) -> None:
    """The CA refuses the replacement, and gets the same order without it."""
    deployment = simulation.deployment
    first = deployment.get("web").version
    renew(simulation)
    with deployment.house.store.writing() as writer:  # as if the database had been put back to before the renewal
        for head in filter(None, (writer.head(deployment.vault.id, kind, "web") for kind in KINDS)):
            writer.put_head(replace(head, current_version=first.version))
    renew(simulation)
    assert [order.replaces for order in orders(simulation)] == [None, certificate_id(first.der), None]
    assert deployment.operation("web").failures == 0


def test_a_revocation_is_in_the_book(simulation: Simulation) -> None:
    """With its reason; a renewal under another account key goes on after it."""
    deployment, house = simulation.deployment, simulation.deployment.house
    leaf = deployment.get("web").version.der
    who = (deployment.administrator, deployment.vault)
    house.dealings.account_keys.roll(*who, ISSUER)
    house.dealings.revocations.revoke(*who, "web", None, "keyCompromise")
    kept = simulation.authority.house.book.certificate(read_certificate(leaf).serial)
    assert kept is not None
    assert (kept.revoked_at, kept.reason) == (simulation.clock(), 1)
    (event,) = [event for event in deployment.events() if event.type is EventType.CERTIFICATE_REVOKED]
    assert (event.detail["issuer"], event.detail["reason"]) == (ISSUER, "keyCompromise")
    assert renew(simulation) != leaf
