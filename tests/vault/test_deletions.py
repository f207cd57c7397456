"""Purge protection: nothing goes before its date, whoever asks; then the worker lets it go."""

from dataclasses import replace
from datetime import timedelta

import pytest

from certworker.errors import CertificateNotFound, PurgeProtected
from certworker.vault.events import EventType
from certworker.vault.key_creation import WantedKey
from certworker.vault.objects import ObjectKind
from certworker.vault.secrets import NewSecret
from tests.support.clock import FakeClock
from tests.support.deployment import Deployment, check_whole, policy_for


def protect(deployment: Deployment, days: int) -> None:
    """Switch purge protection on, and set how long what was deleted is kept."""
    with deployment.house.store.writing() as writer:
        writer.replace_vault(replace(deployment.vault, retention_days=days, purge_protection=True))


def test_a_person_cannot_purge_and_the_worker_can_in_time(deployment: Deployment, clock: FakeClock) -> None:
    """Protection that was switched on after the request was let in counts as well."""
    house, who = deployment.house, (deployment.administrator, deployment.vault, "web")
    deployment.create("web", policy_for("web.test", "Self"))
    house.certificates.delete(*who)
    protect(deployment, 90)
    with pytest.raises(PurgeProtected, match='Operation "purge" is not allowed because purge protection is enabled'):
        house.certificates.purge(*who)
    clock.advance(timedelta(days=90, seconds=-1))
    deployment.work()
    assert house.certificates.deleted(*who).head.name == "web"
    clock.advance(timedelta(seconds=1))
    deployment.rounds.run("clearance", clock())
    with pytest.raises(CertificateNotFound):
        house.certificates.deleted(*who)


def test_what_is_protected_can_be_recovered(deployment: Deployment) -> None:
    """Protection is against the loss, and not against the way back."""
    house, who = deployment.house, (deployment.administrator, deployment.vault, "web")
    deployment.create("web", policy_for("web.test", "Self"))
    protect(deployment, 7)
    house.certificates.delete(*who)
    house.certificates.recover(*who)
    check_whole(deployment, "web")


def test_the_worker_purges_every_kind_on_its_date(deployment: Deployment, clock: FakeClock) -> None:
    """Certificates with what they manage, keys and secrets, each once, protected or not; an event tells of each."""
    house, who = deployment.house, (deployment.administrator, deployment.vault)
    protect(deployment, 7)
    vault = replace(deployment.vault, retention_days=7, purge_protection=True)
    deployment.create("web", policy_for("web.test", "Self"))
    house.key_life.creation.create(*who, "sign", WantedKey("EC"))
    house.secrets.set(*who, "db", NewSecret("hush"))
    for delete, purge, name in (
        (house.certificates.delete, house.certificates.purge, "web"),
        (house.key_life.deletions.delete, house.key_life.deletions.purge, "sign"),
        (house.secrets.delete, house.secrets.purge, "db"),
    ):
        delete(who[0], vault, name)
        with pytest.raises(PurgeProtected):
            purge(who[0], vault, name)
    assert deployment.rounds.run("clearance", clock.advance(timedelta(days=7, seconds=-1))) == 0
    assert deployment.rounds.run("clearance", clock.advance(timedelta(seconds=1))) == 3
    assert deployment.rounds.run("clearance", clock()) == 0
    purged = [(event.kind, event.name) for event in deployment.events() if event.type is EventType.OBJECT_PURGED]
    assert sorted(purged) == [("certificate", "web"), ("key", "sign"), ("secret", "db")]
    with house.store.reading() as reader:
        for kind, name in ((kind, name) for kind in ObjectKind for name in ("web", "sign", "db")):
            assert reader.head(vault.id, kind, name) is None
        assert reader.key(vault.id, "sign", None) is None
        assert reader.secret(vault.id, "db", None) is None
