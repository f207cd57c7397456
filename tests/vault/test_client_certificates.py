"""Certificates of a vault by which the service itself is known to others."""

from datetime import timedelta

import pytest

from certworker.crypto.keys import public_der
from certworker.crypto.x509 import read_certificate
from certworker.errors import SettingsError
from certworker.vault.client_certificates import ClientCertificates
from certworker.vault.imports import Arrival
from certworker.vault.policy import SELF
from certworker.vault.updates import Update
from tests.support.clock import FakeClock
from tests.support.deployment import Deployment, policy_for
from tests.support.parcels import a_parcel

SETTING = "issuers.ca.client_certificate"


@pytest.fixture
def found(deployment: Deployment) -> ClientCertificates:
    """Find certificates of the deployment."""
    return ClientCertificates(deployment.house.store, deployment.house.materials)


def test_the_current_version_is_found_with_its_key(deployment: Deployment, found: ClientCertificates, clock: FakeClock) -> None:
    """Once there is a newer one, it is that; which vault and which name is read without regard to case."""
    parcel = a_parcel()
    deployment.house.imports.import_(deployment.administrator, deployment.vault, "client", Arrival(parcel.pfx(), None))
    first = found.find("contoso/client", SETTING)
    assert first.certificates == (parcel.leaf, *parcel.chain)
    assert first.open_key() == parcel.key
    assert "open_key" not in repr(first)
    clock.advance(timedelta(days=1))
    deployment.create("client", policy_for("client.test", SELF))
    second = found.find("contoso/CLIENT", SETTING)
    assert second.version != first.version
    assert read_certificate(second.certificates[0]).public_key == public_der(second.open_key())


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("nowhere/client", "there is no vault nowhere: write VAULT/NAME"),
        ("client", "there is no vault client: write VAULT/NAME"),
        ("contoso/", "there is no certificate of this name"),
        ("contoso/none", "there is no certificate of this name: create or import it"),
        ("contoso/deleted", "there is no certificate of this name"),
        ("contoso/disabled", "the current version of this certificate is disabled"),
    ],
)
def test_what_cannot_be_presented_is_told(deployment: Deployment, found: ClientCertificates, place: str, says: str) -> None:
    """With the setting that names it, and what would be right."""
    house, caller, vault = deployment.house, deployment.administrator, deployment.vault
    for name in ("deleted", "disabled"):
        deployment.create(name, policy_for("client.test", SELF))
    house.certificates.delete(caller, vault, "deleted")
    house.updates.update(caller, vault, "disabled", None, Update(enabled=False))
    with pytest.raises(SettingsError, match=f"^{SETTING} is {place}, and .*{says}"):
        found.find(place, SETTING)
