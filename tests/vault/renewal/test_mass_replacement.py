"""A whole issuer replaced: who goes when, who does not go by itself, and what a drill leaves alone."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from certworker.crypto.extensions import SubjectNames
from certworker.errors import Conflict, Forbidden, IssuerNotFound
from certworker.settings import IssuerSettings
from certworker.vault.access import SERVICE, Caller
from certworker.vault.imports import Arrival
from certworker.vault.issuance import Pending
from certworker.vault.issuers import IssuerParameters
from certworker.vault.objects import ObjectKind
from certworker.vault.operations import OperationReason, OperationStatus
from certworker.vault.policy import PEM, ActionType, LifetimeAction
from certworker.vault.renewal.mass_replacement import MassReplacement
from certworker.vault.renewal.outlook import NextStep
from tests.support.advising import AdvisingAuthority
from tests.support.clock import FakeClock
from tests.support.deployment import ISSUER, Deployment, open_deployment, policy_for
from tests.support.parcels import a_parcel

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LIMITED = {ISSUER: IssuerSettings(orders="2/1h", certificates_per_domain="100/7d")}


@pytest.fixture
def deployment(tmp_path: Path, clock: FakeClock) -> Iterator[Deployment]:
    """Open a deployment whose CA allows two orders an hour."""
    with open_deployment(tmp_path, clock, issuers=LIMITED) as deployment:
        yield deployment


def issue(deployment: Deployment, clock: FakeClock, *names: str) -> None:
    """Get certificates, each two hours after the one before."""
    for name in names:
        deployment.create(name, policy_for(f"{name}.test"))
        deployment.work()
        clock.advance(2 * HOUR)


def drill(deployment: Deployment, issuer: str = ISSUER) -> MassReplacement:
    """Drill the replacement of an issuer, as the administrator."""
    service = deployment.house.lifecycle.mass_replacements
    return service.drill(deployment.administrator, deployment.vault, issuer)


def run(deployment: Deployment, clock: FakeClock, span: timedelta) -> None:
    """Let the worker go on for a while."""
    until, due = clock() + span, deployment.work()
    while due is not None and due <= until:
        clock.set(max(due, clock()))
        due = deployment.work()
    clock.set(until)


def test_a_drill_gives_turns_and_changes_nothing(deployment: Deployment, clock: FakeClock) -> None:
    """The oldest go first, two at once and then one each half hour; nothing is planned or told by it."""
    issue(deployment, clock, "c", "a", "b", "d")
    plans, events = [deployment.renewal(name) for name in "abcd"], deployment.events()
    found = drill(deployment)
    assert [turn.affected.outlook.certificate.name for turn in found.turns] == ["c", "a", "b", "d"]
    assert [(turn.at - found.at) / HOUR for turn in found.turns] == [0, 0, 0.5, 1]
    assert [(turn.counted_at - found.at) / HOUR for turn in found.turns] == [0, 0, 0.5, 1]
    assert {budget.bucket.kind for budget in found.budgets} == {"account", "domain"}
    assert (found.held, found.under_way) == ((), ())
    assert [deployment.renewal(name) for name in "abcd"] == plans
    assert deployment.events() == events
    assert deployment.authority.issued == 4


def test_what_is_spent_already_is_counted(deployment: Deployment, clock: FakeClock) -> None:
    """A turn that cannot be now is later."""
    issue(deployment, clock, "a")
    for name in ("b", "c"):
        deployment.create(name, policy_for(f"{name}.test"))
    deployment.work()
    found = drill(deployment)
    assert [(turn.at - found.at) / HOUR for turn in found.turns] == [0.5, 1, 1.5]


def test_advised_renewals_do_not_count(tmp_path: Path, clock: FakeClock) -> None:
    """Where the CA can pull windows in, all go at once; what it would take without is told as well."""
    with open_deployment(tmp_path, clock, authority=AdvisingAuthority(), issuers=LIMITED) as deployment:
        issue(deployment, clock, "a", "b", "c", "d")
        deployment.work()
        found = drill(deployment)
        assert all(turn.affected.advised for turn in found.turns)
        assert found.last_at == found.at
        assert found.last_counted_at == found.at + HOUR
        # their windows are not open yet: what is asked for now counts
        asked = deployment.house.lifecycle.mass_replacements.replace(deployment.administrator, deployment.vault, ISSUER)
        assert asked.last_at == asked.at + HOUR


def test_what_is_not_replaced_by_itself_is_told(deployment: Deployment, clock: FakeClock) -> None:
    """Paused, disabled, without AutoRenew, imported from the same CA; each with its reason; strangers are left out."""
    house, vault, caller = deployment.house, deployment.vault, deployment.administrator
    mail = (LifetimeAction(ActionType.EMAIL_CONTACTS, lifetime_percentage=80),)
    issue(deployment, clock, "good", "paused", "off")
    deployment.create("told", policy_for("told.test", lifetime_actions=mail, lifetime_actions_set=True))
    deployment.create("own", policy_for("own.test", "Self"))
    run(deployment, clock, 2 * HOUR)
    house.lifecycle.pauses.pause(caller, vault, "paused", "Its owner moves.")
    version = deployment.get("off").version
    with house.store.writing() as writer:
        off = replace(version.attributes, enabled=False)
        writer.set_attributes(vault.id, ObjectKind.CERTIFICATE, "off", version.version, off, version.tags)
    parcel = a_parcel(names=SubjectNames(dns_names=("stranger.test",)), subject="CN=stranger.test")
    house.imports.import_(
        caller, vault, "stranger", Arrival(parcel.pem(), change=lambda policy: replace(policy, content_type=PEM))
    )
    copy = house.secrets.get(caller, vault, "good").value
    house.imports.import_(caller, vault, "copy", Arrival(copy))
    found = drill(deployment)
    assert [turn.affected.outlook.certificate.name for turn in found.turns] == ["good"]
    held = {affected.outlook.certificate.name: affected.outlook.step for affected in found.held}
    off_by_itself = {"paused": NextStep.PAUSED, "off": NextStep.DISABLED, "told": NextStep.NOTHING}
    assert held == off_by_itself | {"copy": NextStep.PERSON}
    assert all(affected.outlook.why for affected in found.held)


def test_all_are_replaced_in_their_turns(deployment: Deployment, clock: FakeClock) -> None:
    """By urgency, within the budget, each once; what is under way goes its way."""
    issue(deployment, clock, "c", "a", "b", "d")
    deployment.create("new", policy_for("new.test"))
    authority = deployment.authority
    authority.script.append(lambda _request, _progress, at: Pending({"step": "waits"}, at + 3 * HOUR))
    deployment.work()
    service = deployment.house.lifecycle.mass_replacements
    asked = service.replace(deployment.administrator, deployment.vault, ISSUER)
    assert [turn.affected.outlook.certificate.name for turn in asked.turns] == ["c", "a", "b", "d"]
    authority.requests.clear()
    run(deployment, clock, 6 * HOUR)
    order = [request.names[0] for request in authority.requests if request.names != ("new.test",)]
    assert order == ["c.test", "a.test", "b.test", "d.test"]
    for name in "abcd":
        assert len(deployment.versions(name)) == 2
        operation = deployment.operation(name)
        assert (operation.reason, operation.status) == (OperationReason.REQUESTED, OperationStatus.COMPLETED)
    run(deployment, clock, 2 * DAY)
    assert authority.issued == 9


def test_what_cannot_be_is_refused(deployment: Deployment, clock: FakeClock) -> None:
    """An issuer that is not there, one that is disabled, and a caller who may not."""
    issue(deployment, clock, "a")
    with pytest.raises(IssuerNotFound):
        drill(deployment, "nobody")
    house, vault = deployment.house, deployment.vault
    stranger = Caller("nobody", "nobody", vault.tenant_id)
    for method in (house.lifecycle.mass_replacements.drill, house.lifecycle.mass_replacements.replace):
        with pytest.raises(Forbidden):
            method(stranger, vault, ISSUER)
    house.issuers.set(SERVICE, vault, ISSUER, IssuerParameters("Scripted", enabled=False))
    with pytest.raises(Conflict, match="disabled"):
        house.lifecycle.mass_replacements.replace(deployment.administrator, vault, ISSUER)
    assert drill(deployment).turns


def test_an_issuer_that_signed_nothing_has_nothing_to_replace(deployment: Deployment) -> None:
    """The drill is over at once."""
    found = drill(deployment)
    assert (found.turns, found.held, found.under_way, found.last_at) == ((), (), (), found.at)
