"""Revocation, from a CA's word to the replacement: the whole worker, a simulated CA, one clock."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from certworker.crypto.x509 import read_certificate
from certworker.errors import BadParameter
from certworker.vault.access import SERVICE
from certworker.vault.events import EventType
from certworker.vault.imports import Arrival
from certworker.vault.issuers import IssuerParameters
from certworker.vault.operations import OperationStatus
from certworker.vault.policy import ActionType, KeyProperties, LifetimeAction, Policy
from certworker.vault.policy import IssuerParameters as PolicyIssuer
from certworker.vault.revocation.compromised import compromised_since
from certworker.vault.revocation.standing import Standing
from certworker.vault.vaults import Vault
from certworker.worker.rounds import Rounds
from tests.support.clock import START, FakeClock
from tests.support.deployment import ISSUER, Deployment, check_whole, policy_for
from tests.support.revoking import check, pass_time, revoke_at_ca, revoke_intermediate, status_of, told
from tests.support.simulation import Simulation, open_simulation

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
REUSED = KeyProperties("EC", None, "P-256", reuse_key=True)


@pytest.fixture
def simulation(tmp_path: Path, clock: FakeClock) -> Iterator[Simulation]:
    """Open a deployment and its CA, which does not say by other ways that it wants a certificate replaced."""
    with open_simulation(tmp_path, clock, authority_settings={"acme": {"renewal_info": False}}) as opened:
        yield opened


def issue(simulation: Simulation, name: str = "web", **changes: object) -> str:
    """Get a certificate from the CA; give its version."""
    deployment = simulation.deployment
    deployment.create(name, policy_for(f"{name}.test", **changes))  # type: ignore[arg-type]
    simulation.run(lambda: deployment.operation(name).status is OperationStatus.COMPLETED)
    return deployment.get(name).version.version


def key_of(deployment: Deployment, name: str) -> bytes:
    """Give the public key of a certificate's current version."""
    return read_certificate(deployment.get(name).version.der).public_key


def test_a_revoked_leaf_is_replaced_within_minutes_of_being_found(simulation: Simulation) -> None:
    """It is found by itself within a day, told once with its reason, and what takes its place is good."""
    deployment = simulation.deployment
    first = issue(simulation)
    pass_time(simulation, 2 * HOUR)
    assert status_of(deployment, "web").status.standing is Standing.GOOD  # type: ignore[union-attr]
    revoke_at_ca(simulation, "web", "superseded")
    pass_time(simulation, DAY + HOUR, HOUR)
    (found,) = told(deployment, EventType.CERTIFICATE_FOUND_REVOKED)
    assert (found.version, found.detail["reason"], found.detail["source"]) == (first, "superseded", "ocsp")
    (begun,) = told(deployment, EventType.RENEWAL_STARTED)
    assert begun.detail["reason"] == "revoked"
    assert begun.at - found.at <= 2 * MINUTE
    assert len(deployment.versions("web")) == 2
    assert check_whole(deployment, "web") != first
    assert status_of(deployment, "web").status.standing is Standing.GOOD  # type: ignore[union-attr]


def test_a_compromised_key_is_replaced_wherever_it_is_and_never_comes_back(simulation: Simulation) -> None:
    """Two certificates share it; both get other keys though their policies reuse them, and it is refused when it is brought."""
    deployment, house = simulation.deployment, simulation.deployment.house
    issue(simulation, key=REUSED)
    compromised = key_of(deployment, "web")
    arrival = Arrival(house.secrets.get(deployment.administrator, deployment.vault, "web").value, change=_from_ca)
    vault = a_second_vault(deployment)
    house.issuers.set(SERVICE, vault, ISSUER, IssuerParameters("Acme", simulation.authority.house.directory_url))
    house.imports.import_(deployment.administrator, vault, "copy", arrival)
    simulation.clock.advance(HOUR)
    house.dealings.revocations.revoke(deployment.administrator, deployment.vault, "web", None, "keyCompromise")
    pass_time(simulation, 10 * MINUTE, MINUTE)
    assert key_of(deployment, "web") != compromised
    with house.store.reading() as reader:
        copy = reader.certificate_version(vault.id, "copy", None)
        assert copy is not None
        assert read_certificate(copy.der).public_key not in (compromised, key_of(deployment, "web"))
        assert compromised_since(reader, compromised) == START + HOUR + timedelta(seconds=2)
    assert [event.name for event in told(deployment, EventType.KEY_COMPROMISED)] == ["copy"]
    with pytest.raises(BadParameter, match="never used again"):
        house.imports.import_(deployment.administrator, deployment.vault, "again", arrival)
    versions = deployment.versions("web")
    pass_time(simulation, 3 * DAY, 6 * HOUR)
    assert deployment.versions("web") == versions


def _from_ca(policy: Policy) -> Policy:
    renews = (LifetimeAction(ActionType.AUTO_RENEW, lifetime_percentage=70),)
    return replace(policy, issuer=PolicyIssuer(ISSUER), key=replace(policy.key, reuse_key=True), lifetime_actions=renews)


def a_second_vault(deployment: Deployment) -> Vault:
    """Make another vault."""
    vault = replace(deployment.vault, id="second", name="second")
    with deployment.house.store.writing() as writer:
        writer.add_vault(vault)
        writer.add_wrapped_key(deployment.house.keyring.new_vault_key(vault.id, START))
    return vault


def test_an_intermediate_that_is_revoked_counts_for_the_leaf(simulation: Simulation) -> None:
    """The event says which; the leaf's own key is not held to be compromised."""
    deployment = simulation.deployment
    first = issue(simulation)
    revoke_intermediate(simulation, "web", "keyCompromise")
    assert check(deployment, "web").status.standing is Standing.REVOKED  # type: ignore[union-attr]
    (found,) = told(deployment, EventType.CERTIFICATE_FOUND_REVOKED)
    assert found.version == first
    assert "intermediate" in found.detail["about"]
    assert not told(deployment, EventType.KEY_COMPROMISED)
    with deployment.house.store.reading() as reader:
        assert compromised_since(reader, key_of(deployment, "web")) is None
    pass_time(simulation, 5 * MINUTE, MINUTE)
    assert len(deployment.versions("web")) == 2
    # a CA that goes on issuing below it is not asked without a pause
    pass_time(simulation, 3 * DAY, HOUR)
    assert 4 <= len(deployment.versions("web")) <= 5


def test_what_is_unknown_for_a_day_is_told_once(simulation: Simulation) -> None:
    """Neither the responder nor the list answers; that is not good, and not revoked: nothing is replaced for it."""
    deployment = simulation.deployment
    first = issue(simulation)
    pass_time(simulation, 2 * HOUR)
    simulation.arm(kind="error", at=("public.*",), status=503)
    begun = simulation.clock()
    pass_time(simulation, 3 * DAY, 3 * HOUR)
    status = status_of(deployment, "web").status
    assert status is not None
    assert status.standing is Standing.UNKNOWN
    assert "503" in status.why
    (event,) = told(deployment, EventType.REVOCATION_UNKNOWN)
    assert begun + DAY <= event.at <= begun + 2 * DAY + 10 * HOUR
    assert deployment.versions("web") == (first,)
    simulation.authority.house.faults.disarm_all()
    pass_time(simulation, DAY, 3 * HOUR)
    assert status_of(deployment, "web").status.standing is Standing.GOOD  # type: ignore[union-attr]


def test_a_restart_in_the_middle_acts_once(simulation: Simulation) -> None:
    """Another worker finds what the first one recorded; one event, one replacement."""
    deployment = simulation.deployment
    issue(simulation)
    revoke_at_ca(simulation, "web")
    check(deployment, "web")
    for owner in ("second", "third"):
        Rounds(deployment.house, owner).run_due(simulation.clock())
        check(deployment, "web")
    pass_time(simulation, HOUR, 5 * MINUTE)
    assert len(told(deployment, EventType.CERTIFICATE_FOUND_REVOKED)) == 1
    assert len(deployment.versions("web")) == 2


def test_a_clock_that_goes_back_keeps_nobody_waiting(simulation: Simulation) -> None:
    """What was to be looked at next year's day is looked at within the hour; lists of the future are no proof."""
    deployment = simulation.deployment
    issue(simulation)
    simulation.clock.advance(20 * DAY)
    assert check(deployment, "web").status.standing is Standing.GOOD  # type: ignore[union-attr]
    simulation.clock.advance(-19 * DAY)
    pass_time(simulation, HOUR)
    looked = status_of(deployment, "web").status.looked_at  # type: ignore[union-attr]
    assert looked is not None
    assert START + DAY <= looked <= START + DAY + 2 * HOUR
    revoke_at_ca(simulation, "web")
    pass_time(simulation, DAY + HOUR, HOUR)
    assert len(deployment.versions("web")) == 2


def test_what_a_person_has_signed_gets_a_request_with_a_new_key(simulation: Simulation) -> None:
    """A certificate of the issuer Unknown is not replaced by itself: the event says so, and a request waits."""
    deployment = simulation.deployment
    issue(simulation, key=REUSED)
    key = key_of(deployment, "web")
    deployment.house.certificates.update_policy(deployment.administrator, deployment.vault, "web", _by_hand)
    revoke_at_ca(simulation, "web")
    check(deployment, "web")
    pass_time(simulation, 2 * MINUTE, MINUTE)
    (found,) = told(deployment, EventType.CERTIFICATE_FOUND_REVOKED)
    assert found.detail["action"] == "wanted"
    pending = deployment.operation("web")
    assert pending.status is OperationStatus.IN_PROGRESS
    assert pending.due_at is None
    assert pending.public_key != key
    pass_time(simulation, HOUR)
    assert deployment.operation("web") == pending


def _by_hand(policy: Policy) -> Policy:
    return replace(policy, issuer=PolicyIssuer("Unknown"), lifetime_actions=())


def test_an_imported_certificate_is_told_of_and_left_alone(simulation: Simulation) -> None:
    """Its key came from elsewhere, and so will its successor."""
    deployment, house = simulation.deployment, simulation.deployment.house
    issue(simulation)
    value = house.secrets.get(deployment.administrator, deployment.vault, "web").value
    house.imports.import_(deployment.administrator, deployment.vault, "imported", Arrival(value))
    revoke_at_ca(simulation, "web")
    assert check(deployment, "imported").status.standing is Standing.REVOKED  # type: ignore[union-attr]
    pass_time(simulation, HOUR)
    (found,) = [event for event in told(deployment, EventType.CERTIFICATE_FOUND_REVOKED) if event.name == "imported"]
    assert found.detail["action"] == "none"
    assert len(deployment.versions("imported")) == 1
