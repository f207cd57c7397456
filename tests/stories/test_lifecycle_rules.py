"""Stories of the rules by which a certificate is renewed, on the fake clock."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from certworker.settings import MaintenanceSettings, RenewalSettings
from certworker.vault.imports import Arrival
from certworker.vault.issuance import IssuanceRequest, Rejected
from certworker.vault.operations import OperationReason, OperationStatus, Progress
from certworker.vault.policy import ActionType, IssuerParameters, LifetimeAction
from tests.support.clock import START, FakeClock
from tests.support.deployment import ISSUER, Deployment, ScriptedAuthority, check_whole, open_deployment, policy_for
from tests.support.parcels import a_parcel

BERLIN = ZoneInfo("Europe/Berlin")
NIGHTS = {"nights": MaintenanceSettings(match=("contoso/shop-*",), windows=("Sun 02:00-05:00",), time_zone="Europe/Berlin")}


def refuse(_request: IssuanceRequest, _progress: Progress | None, _at: datetime) -> Rejected:
    """Answer as a CA that does not want to."""
    return Rejected("Request rejected", "Not today.")


def let_pass(deployment: Deployment, clock: FakeClock, until: datetime) -> None:
    """Let the time go by, and the worker do what falls due meanwhile."""
    due = deployment.work()
    while due is not None and due <= until:
        clock.set(max(due, clock() + timedelta(seconds=1)))
        due = deployment.work()
    clock.set(max(until, clock()))


def begun(deployment: Deployment, name: str) -> list[datetime]:
    """Tell when the current and all earlier versions of a certificate were made."""
    found = deployment.house.certificates.versions(deployment.administrator, deployment.vault, name, None, 25)
    return sorted(version.attributes.created for version in found.items)


def test_a_maintenance_window_with_a_deadline(tmp_path: Path, clock: FakeClock) -> None:
    """A shop is changed on Sunday nights alone, in summer and winter; and on any day where it would be too late by Sunday."""
    with open_deployment(tmp_path, clock, sections={"maintenance": NIGHTS}) as deployment:
        deployment.create("shop-1", policy_for("shop.test"))
        deployment.create("web", policy_for("web.test"))
        let_pass(deployment, clock, START + timedelta(days=200))
        shop, web = begun(deployment, "shop-1"), begun(deployment, "web")
        assert len(shop) == len(web) == 4
        local = [at.astimezone(BERLIN) for at in shop[1:]]
        assert {at.weekday() for at in local} == {6}
        # spread over the first half of the window, by the clock on the wall
        assert all(time(2) <= at.time() < time(3, 30) for at in local)
        assert {at.utcoffset() for at in local} == {timedelta(hours=1), timedelta(hours=2)}
        assert {at.astimezone(BERLIN).weekday() for at in web[1:]} != {6}

        # now its CA lets it live for six days: it has to be renewed on day 5.7, and no Sunday night may come before
        deployment.authority.validity = timedelta(days=6)
        clock.set(datetime(2026, 8, 2, 12, tzinfo=UTC))
        deployment.house.requested.renew_now(deployment.administrator, deployment.vault, "shop-1")
        deployment.work()
        made, plan = begun(deployment, "shop-1")[-1], deployment.renewal("shop-1")
        assert made == clock()
        assert plan.due_at == made + timedelta(days=5.7)
        outlook = deployment.house.lifecycle.outlooks.show(deployment.administrator, deployment.vault, "shop-1")
        assert "waits for its maintenance window until 2026-08-08T04:48:00Z" in outlook.why
        let_pass(deployment, clock, made + timedelta(days=6))
        assert begun(deployment, "shop-1")[-1] == made + timedelta(days=5.7)
        assert deployment.operation("shop-1").reason is OperationReason.BACKSTOP


def test_a_worker_that_slept_through_the_window_waits_for_the_next(tmp_path: Path, clock: FakeClock) -> None:
    """What fell due on Sunday night does not begin on Monday noon, where there is time until the next Sunday."""
    with open_deployment(tmp_path, clock, sections={"maintenance": NIGHTS}) as deployment:
        deployment.create("shop-1", policy_for("shop.test"))
        deployment.work()
        planned = deployment.renewal("shop-1").due_at
        assert planned is not None
        clock.set(planned + timedelta(days=1, hours=9))
        deployment.work()
        assert len(begun(deployment, "shop-1")) == 1
        assert deployment.renewal("shop-1").due_at == planned + timedelta(days=7)
        assert deployment.renewal("shop-1").failures == 0
        let_pass(deployment, clock, planned + timedelta(days=7))
        assert begun(deployment, "shop-1")[-1] == planned + timedelta(days=7)
        # somebody who asks for it does not wait for Sunday
        clock.advance(timedelta(days=2))
        deployment.house.requested.renew_now(deployment.administrator, deployment.vault, "shop-1")
        deployment.work()
        assert begun(deployment, "shop-1")[-1] == clock()


@pytest.mark.parametrize("issuer", ["Self", "Unknown", ISSUER])
def test_an_imported_certificate_must_not_renew(tmp_path: Path, clock: FakeClock, issuer: str) -> None:
    """Nobody asked for it: it expires, whoever its policy names, and whatever happens to the policy elsewhere."""
    with open_deployment(tmp_path, clock) as deployment:
        house, vault, caller = deployment.house, deployment.vault, deployment.administrator
        arrival = Arrival(a_parcel().pfx(), change=lambda read: replace(read, issuer=IssuerParameters(issuer)))
        not_after = house.imports.import_(caller, vault, "brought", arrival).version.attributes.expires
        assert not_after is not None
        house.certificates.update_policy(caller, vault, "brought", lambda known: replace(known, enabled=False))
        outlook = house.lifecycle.outlooks.show(caller, vault, "brought")
        assert outlook.at is None
        assert outlook.step == ("person" if issuer == "Unknown" else "nothing")
        let_pass(deployment, clock, not_after + timedelta(days=30))
        assert len(begun(deployment, "brought")) == 1
        assert deployment.authority.issued == 0


def test_an_imported_certificate_is_renewed_once_its_owner_says_so(tmp_path: Path, clock: FakeClock) -> None:
    """AutoRenew, with a CA that can sign: from then on it is a certificate like others."""
    with open_deployment(tmp_path, clock) as deployment:
        house, vault, caller = deployment.house, deployment.vault, deployment.administrator
        house.imports.import_(caller, vault, "brought", Arrival(a_parcel().pfx()))
        actions = (LifetimeAction(ActionType.AUTO_RENEW, days_before_expiry=20),)
        house.certificates.update_policy(
            caller,
            vault,
            "brought",
            lambda read: replace(read, issuer=IssuerParameters(ISSUER), lifetime_actions=actions, lifetime_actions_set=True),
        )
        let_pass(deployment, clock, START + timedelta(days=100))
        assert len(begun(deployment, "brought")) == 2
        check_whole(deployment, "brought")
        assert deployment.operation("brought").reason is OperationReason.LIFETIME_ACTION


def test_a_renewal_that_is_asked_for_and_fails_at_first(tmp_path: Path, clock: FakeClock) -> None:
    """It is tried again after 1, 10 and 100 minutes through a restart, until it worked, although nothing else renews it."""
    only_mail = (LifetimeAction(ActionType.EMAIL_CONTACTS, lifetime_percentage=80),)
    authority = ScriptedAuthority()
    with open_deployment(tmp_path, clock, authority=authority) as deployment:
        deployment.create("web", policy_for("web.test", lifetime_actions=only_mail, lifetime_actions_set=True))
        deployment.work()
        asked = clock.advance(timedelta(days=10))
        authority.script.extend([refuse] * 3)
        deployment.house.requested.renew_now(deployment.administrator, deployment.vault, "web")
        let_pass(deployment, clock, asked + timedelta(minutes=5))
        assert deployment.operation("web").status is OperationStatus.FAILED
    with open_deployment(tmp_path, clock, authority=authority) as deployment:
        let_pass(deployment, clock, asked + timedelta(hours=3))
        assert begun(deployment, "web")[-1] == asked + timedelta(minutes=111)
        assert deployment.operation("web").reason is OperationReason.REQUESTED
        renewal = deployment.renewal("web")
        assert (renewal.requested_at, renewal.due_at, renewal.failures) == (None, None, 0)
        let_pass(deployment, clock, START + timedelta(days=200))
        assert len(begun(deployment, "web")) == 2


def test_a_policy_that_changes_is_a_reason_where_the_house_wants_it(tmp_path: Path, clock: FakeClock) -> None:
    """With `renew`, a new name in the policy is in a certificate at once, and once; a change of nothing is none."""
    sections = {"renewal": RenewalSettings(on_policy_change="renew")}
    with open_deployment(tmp_path, clock, sections=sections) as deployment:
        house, vault, caller = deployment.house, deployment.vault, deployment.administrator
        deployment.create("web", policy_for("web.test"))
        deployment.work()
        clock.advance(timedelta(days=1))
        house.certificates.update_policy(caller, vault, "web", lambda known: replace(known, enabled=True))
        let_pass(deployment, clock, clock() + timedelta(days=1))
        assert len(begun(deployment, "web")) == 1
        changed_at = clock()
        house.certificates.update_policy(caller, vault, "web", lambda _: policy_for("shop.test"))
        let_pass(deployment, clock, clock() + timedelta(days=20))
        assert begun(deployment, "web")[-1] == changed_at
        assert deployment.operation("web").reason is OperationReason.POLICY_CHANGED
        assert len(begun(deployment, "web")) == 2
    (tmp_path / "other").mkdir()
    with open_deployment(tmp_path / "other", clock, anew=True) as deployment:
        deployment.create("web", policy_for("web.test"))
        deployment.work()
        caller, vault = deployment.administrator, deployment.vault
        deployment.house.certificates.update_policy(caller, vault, "web", lambda _: policy_for("shop.test"))
        let_pass(deployment, clock, clock() + timedelta(days=20))
        assert len(begun(deployment, "web")) == 1


def test_a_policy_that_is_mended_is_tried_at_once(tmp_path: Path, clock: FakeClock) -> None:
    """A mistake in the set-up waits a day; its owner, who has mended it, does not."""

    def blame(_request: IssuanceRequest, _progress: Progress | None, _at: datetime) -> Rejected:
        return Rejected("Request rejected", "No such name.", configuration=True)

    with open_deployment(tmp_path, clock) as deployment:
        deployment.create("web", policy_for("web.test"))
        deployment.work()
        planned = deployment.renewal("web").due_at
        assert planned is not None
        clock.set(planned)
        deployment.authority.script.append(blame)
        deployment.work()
        deployment.work()
        assert deployment.renewal("web").due_at == clock() + timedelta(days=1)
        clock.advance(timedelta(hours=1))
        caller, vault = deployment.administrator, deployment.vault
        deployment.house.certificates.update_policy(caller, vault, "web", lambda _: policy_for("shop.test"))
        deployment.work()
        deployment.work()
        assert begun(deployment, "web")[-1] == clock()


def test_settings_that_change_are_heard_after_a_start(tmp_path: Path, clock: FakeClock) -> None:
    """A window that was taken away is not waited for, and one that was set is; nothing else of a plan changes."""
    with open_deployment(tmp_path, clock) as deployment:
        deployment.create("shop-1", policy_for("shop.test"))
        deployment.create("web", policy_for("web.test"))
        deployment.work()
        before = {name: deployment.renewal(name) for name in ("shop-1", "web")}
    with open_deployment(tmp_path, clock, sections={"maintenance": NIGHTS}) as deployment:
        deployment.work()
        moved = deployment.renewal("shop-1").due_at
        assert moved is not None
        assert moved.astimezone(BERLIN).weekday() == 6
        assert deployment.renewal("shop-1") == replace(before["shop-1"], due_at=moved)
        assert deployment.renewal("web") == before["web"]
    with open_deployment(tmp_path, clock) as deployment:
        deployment.work()
        assert {name: deployment.renewal(name) for name in before} == before
