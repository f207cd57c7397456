"""What is there is changed in place: attributes, tags and policy; and the companions follow their certificate everywhere."""

from dataclasses import replace
from datetime import timedelta

import pytest

from certworker.errors import (
    BadParameter,
    CertificateNotFound,
    Disabled,
    Forbidden,
    IssuerNotFound,
    KeyNotFound,
    LeaseLost,
    SecretNotFound,
)
from certworker.vault.companions import require_unmanaged
from certworker.vault.deletions import Deletions
from certworker.vault.objects import ObjectHead, ObjectKind
from certworker.vault.policy import ActionType, IssuerParameters, LifetimeAction, Policy
from certworker.vault.updates import Update
from tests.support.clock import START, FakeClock
from tests.support.deployment import ISSUER, Deployment, check_whole, policy_for

COMPANIONS = (ObjectKind.KEY, ObjectKind.SECRET)


@pytest.fixture
def web(deployment: Deployment, clock: FakeClock) -> tuple[str, str]:
    """Make a certificate with two versions, and move the clock on; give the older and the current version."""
    older = deployment.create("web", policy_for("web.test", "Self")).version
    current = deployment.create("web", policy_for("web.test", "Self")).version
    clock.advance(timedelta(days=1))
    return older, current


def update(deployment: Deployment, version: str | None, change: Update) -> None:
    """Update, as the administrator."""
    deployment.house.updates.update(deployment.administrator, deployment.vault, "web", version, change)


def test_the_companions_follow(deployment: Deployment, web: tuple[str, str], clock: FakeClock) -> None:
    """Tags and attributes of one version go to its key and its secret; the other version is left alone."""
    house, vault, caller = deployment.house, deployment.vault, deployment.administrator
    before = house.certificates.get(caller, vault, "web", web[0])
    update(deployment, None, Update(enabled=False, tags={"a": "b"}))
    certificate = deployment.get("web").version
    key = house.keys.get(caller, vault, "web")
    assert (certificate.attributes.enabled, certificate.tags) == (False, {"a": "b"})
    assert (certificate.attributes, certificate.tags) == (key.attributes, key.tags)
    assert (certificate.attributes.created, certificate.attributes.updated) == (START, clock())
    with pytest.raises(Disabled, match="not allowed on a disabled secret"):
        house.secrets.get(caller, vault, "web")
    assert house.secrets.get(caller, vault, "web", web[0]).secret.attributes.enabled
    assert house.certificates.get(caller, vault, "web", web[0]) == before
    update(deployment, web[1], Update(enabled=True))
    check_whole(deployment, "web")
    assert deployment.get("web").version.tags == {"a": "b"}
    update(deployment, web[0], Update(tags={}, enabled=False))
    assert not house.certificates.get(caller, vault, "web", web[0]).version.attributes.enabled
    check_whole(deployment, "web")


def test_a_disabled_one_is_not_renewed(deployment: Deployment, clock: FakeClock) -> None:
    """Nor is it forgotten: enabled again, it is renewed."""
    deployment.create("web", policy_for("web.test"))
    deployment.work()
    update(deployment, None, Update(enabled=False))
    clock.advance(timedelta(days=80))
    deployment.work()
    assert len(deployment.versions("web")) == 1
    update(deployment, None, Update(enabled=True))
    deployment.work()
    deployment.work()
    assert len(deployment.versions("web")) == 2


def test_the_times_are_the_certificates_own(deployment: Deployment, web: tuple[str, str]) -> None:
    """They can be repeated, and not changed."""
    attributes = deployment.get("web").version.attributes
    update(deployment, None, Update(not_before=attributes.not_before, expires=attributes.expires))
    for change, field in ((Update(expires=START), "attributes.exp"), (Update(not_before=START), "attributes.nbf")):
        with pytest.raises(BadParameter, match=f"{field} cannot be changed: it is what the certificate says") as refused:
            update(deployment, web[0], change)
        assert refused.value.field == field


def test_the_policy_is_changed_and_the_plan_with_it(deployment: Deployment, web: tuple[str, str], clock: FakeClock) -> None:
    """By way of any version; the policy is that of all."""
    action = LifetimeAction(ActionType.AUTO_RENEW, days_before_expiry=10)
    before = deployment.renewal("web")
    change = Update(change=lambda known: replace(known, lifetime_actions=(action,), lifetime_actions_set=True))
    update(deployment, web[0], change)
    certificate = deployment.get("web").certificate
    assert (certificate.policy.lifetime_actions, certificate.policy_updated) == ((action,), clock())
    assert certificate.renewal.jitter == before.jitter
    assert certificate.renewal.due_at != before.due_at
    with pytest.raises(IssuerNotFound):
        update(deployment, None, Update(change=lambda known: replace(known, issuer=IssuerParameters("nobody"))))
    update(deployment, None, Update(change=lambda known: replace(known, issuer=IssuerParameters(ISSUER))))
    assert deployment.get("web").certificate.policy.issuer.name == ISSUER


@pytest.mark.parametrize("way", ["policy", "update"])
def test_a_change_goes_before_a_renewal_that_was_claimed(deployment: Deployment, clock: FakeClock, way: str) -> None:
    """The worker that knows the policy as it was loses its claim; the next one goes by the new policy."""
    deployment.create("web", policy_for("web.test"))
    deployment.work()
    clock.advance(timedelta(days=80))
    with deployment.house.store.writing() as writer:
        claimed = writer.claim_renewal("slow", clock(), timedelta(minutes=3))
    assert claimed is not None
    current, who = deployment.get("web").version, (deployment.administrator, deployment.vault, "web")

    def change(known: Policy) -> Policy:
        return replace(known, issuer=IssuerParameters("Self"))

    if way == "policy":
        deployment.house.certificates.update_policy(*who, change)
    else:
        update(deployment, None, Update(change=change))
    with pytest.raises(LeaseLost):
        deployment.house.issuances.renew(deployment.vault, claimed, current)
    deployment.work()
    assert deployment.operation("web").policy.issuer.name == "Self"


def test_nothing_changes_of_what_is_refused(deployment: Deployment, web: tuple[str, str]) -> None:
    """Too many tags, a policy that cannot work: the rest of the update is refused with them."""
    before = deployment.get("web")
    wrong = Update(enabled=False, change=lambda known: replace(known, content_type="text/plain"))
    for change in (wrong, Update(enabled=False, tags={str(number): "" for number in range(16)})):
        with pytest.raises(BadParameter):
            update(deployment, web[1], change)
    assert deployment.get("web") == before


def test_what_is_not_there_is_not_found(deployment: Deployment, web: tuple[str, str]) -> None:
    """An unknown version, an unknown name, a deleted one, and one without a version yet."""
    house, vault, caller = deployment.house, deployment.vault, deployment.administrator
    deployment.create("pending", policy_for("web.test", "Unknown"))
    for name, version in (("web", "0" * 32), ("nobody", None), ("pending", None)):
        with pytest.raises(CertificateNotFound, match=version or name):
            house.updates.update(caller, vault, name, version, Update(enabled=False))
    house.certificates.delete(caller, vault, "web")
    with pytest.raises(CertificateNotFound):
        update(deployment, web[1], Update(enabled=False))


def test_companions_come_and_go_with_their_certificate(deployment: Deployment, web: tuple[str, str]) -> None:
    """Deleted, recovered and purged together, with all their versions."""
    house, vault, caller = deployment.house, deployment.vault, deployment.administrator
    house.certificates.delete(caller, vault, "web")
    for get, error in ((house.keys.get, KeyNotFound), (house.secrets.get, SecretNotFound)):
        with pytest.raises(error):
            get(caller, vault, "web")
    house.certificates.recover(caller, vault, "web")
    check_whole(deployment, "web")
    assert {version.version for version in house.keys.versions(caller, vault, "web", None, 25).items} == set(web)
    house.certificates.delete(caller, vault, "web")
    house.certificates.purge(caller, vault, "web")
    with house.store.reading() as reader:
        for kind in ObjectKind:
            assert reader.head(vault.id, kind, "web") is None
        assert reader.key(vault.id, "web", web[0]) is None
        assert reader.secret(vault.id, "web", web[0]) is None


@pytest.mark.parametrize("kind", COMPANIONS)
def test_companions_are_not_touched_alone(deployment: Deployment, web: tuple[str, str], kind: ObjectKind) -> None:
    """Neither deleted, nor recovered or purged; and whoever writes to one is to ask first."""
    vault, at, deletions = deployment.vault, START, Deletions()
    with pytest.raises(Forbidden, match="it belongs to the certificate"), deployment.house.store.writing() as writer:
        deletions.delete(writer, vault, head_of(deployment, kind), at)
    deployment.house.certificates.delete(deployment.administrator, vault, "web")
    for touch in (deletions.recover, deletions.purge):
        with pytest.raises(Forbidden), deployment.house.store.writing() as writer:
            touch(writer, vault, head_of(deployment, kind), at)
    deployment.house.certificates.recover(deployment.administrator, vault, "web")
    assert check_whole(deployment, "web") == web[1]
    with pytest.raises(Forbidden, match='Operation "set" is not allowed'):
        require_unmanaged(head_of(deployment, kind), "set")
    require_unmanaged(replace(head_of(deployment, kind), managed=False), "set")


def head_of(deployment: Deployment, kind: ObjectKind) -> ObjectHead:
    """Read a head."""
    with deployment.house.store.reading() as reader:
        head = reader.head(deployment.vault.id, kind, "web")
    assert head is not None
    return head
