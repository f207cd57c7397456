"""Purge protection: nothing goes before its date, whoever asks; then the worker lets it go."""

from datetime import timedelta

import pytest

from certworker.errors import CertificateNotFound, PurgeProtected
from certworker.vault.vaults import Sku
from tests.support.clock import FakeClock
from tests.support.deployment import Deployment, check_whole, policy_for


def protect(deployment: Deployment, days: int) -> None:
    """Switch purge protection on, and set how long what was deleted is kept."""
    with deployment.house.store.writing() as writer:
        writer.set_vault_properties(deployment.vault.id, Sku.STANDARD, days, purge_protection=True)


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
    deployment.rounds.keep_up(clock())
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
