"""What a vault can hold, and how it keeps what was deleted: what may be changed, and what may not be taken back."""

from dataclasses import replace
from datetime import timedelta

import pytest

from certworker.errors import BadParameter, Conflict, VaultNotFound
from certworker.vault.vault_properties import NewVault, VaultProperties, VaultUpdate
from certworker.vault.vaults import SYSTEM_VAULT, Sku
from tests.support.clock import START
from tests.support.deployment import Deployment, policy_for


def properties_of(deployment: Deployment) -> VaultProperties:
    """Give the service."""
    return VaultProperties(deployment.house.store)


def test_what_is_named_changes(deployment: Deployment) -> None:
    """And the rest stays as it was."""
    properties, known = properties_of(deployment), deployment.vault
    assert properties.show("CONTOSO") == known
    assert properties.update("contoso", VaultUpdate()) == known
    premium = properties.update("contoso", VaultUpdate(sku=Sku.PREMIUM))
    assert premium == replace(known, sku=Sku.PREMIUM)
    assert properties.update("contoso", VaultUpdate(retention_days=7)) == replace(premium, retention_days=7)
    standard = VaultUpdate(sku=Sku.STANDARD, purge_protection=False)
    assert properties.update("contoso", standard) == replace(known, retention_days=7)
    with deployment.house.store.glance() as reader:
        assert reader.vault_by_name("contoso") == replace(known, retention_days=7)


def test_purge_protection_is_for_ever(deployment: Deployment) -> None:
    """It cannot be switched off, and holds the retention fast; all else goes on."""
    properties = properties_of(deployment)
    on = properties.update("contoso", VaultUpdate(retention_days=30, purge_protection=True))
    assert (on.retention_days, on.purge_protection) == (30, True)
    for update, text in (
        (VaultUpdate(purge_protection=False), 'The property "enablePurgeProtection" cannot be set to false'),
        (VaultUpdate(retention_days=7), 'The property "softDeleteRetentionInDays" has been set already'),
        (VaultUpdate(retention_days=90), "can't be modified"),
        (VaultUpdate(sku=Sku.PREMIUM, purge_protection=False), "irreversible"),
    ):
        with pytest.raises(BadParameter, match=text):
            properties.update("contoso", update)
        assert properties.show("contoso") == on
    assert properties.update("contoso", VaultUpdate(retention_days=30, purge_protection=True)) == on
    assert properties.update("contoso", VaultUpdate(sku=Sku.PREMIUM)).sku is Sku.PREMIUM


@pytest.mark.parametrize("days", [-1, 0, 6, 91])
def test_how_long_it_can_be(deployment: Deployment, days: int) -> None:
    """7 to 90 days."""
    with pytest.raises(BadParameter, match=f"softDeleteRetentionInDays is 7 to 90, and not {days}"):
        properties_of(deployment).update("contoso", VaultUpdate(retention_days=days))
    with pytest.raises(BadParameter):
        NewVault(retention_days=days)


def test_what_was_deleted_keeps_its_date(deployment: Deployment) -> None:
    """A new retention is for what is deleted from then on."""
    house, properties = deployment.house, properties_of(deployment)
    for name, days in (("first", 7), ("second", 90)):
        vault = properties.update("contoso", VaultUpdate(retention_days=days))
        deployment.create(name, policy_for("web.test", "Self"))
        house.certificates.delete(deployment.administrator, vault, name)
    items = house.certificates.list_deleted(deployment.administrator, deployment.vault, None, 25).items
    dates = [item.head.deletion.purge_at for item in items if item.head.deletion]
    assert dates == [START + timedelta(days=7), START + timedelta(days=90)]


def test_keys_in_the_token_hold_the_sku(deployment: Deployment) -> None:
    """A premium vault becomes standard only when its keys are gone from the token; another vault's do not count."""
    properties = properties_of(deployment)
    properties.update("contoso", VaultUpdate(sku=Sku.PREMIUM))
    with deployment.house.store.writing() as writer:
        writer.note_hsm_key("0" * 32, deployment.vault.id, START)
    with pytest.raises(Conflict, match="contoso has keys in the hardware token"):
        properties.update("contoso", VaultUpdate(sku=Sku.STANDARD))
    assert properties.update("contoso", VaultUpdate(sku=Sku.PREMIUM)).sku is Sku.PREMIUM
    with deployment.house.store.writing() as writer:
        writer.forget_hsm_key("0" * 32)
        writer.note_hsm_key("1" * 32, "another", START)
    assert properties.update("contoso", VaultUpdate(sku=Sku.STANDARD)).sku is Sku.STANDARD


def test_vaults_that_are_not_there_or_not_theirs(deployment: Deployment) -> None:
    """The error names those that there are; the service's own is shown, and stays as it is."""
    properties = properties_of(deployment)
    with pytest.raises(VaultNotFound, match="There is: contoso"):
        properties.show("nobody")
    with pytest.raises(VaultNotFound):
        properties.update("nobody", VaultUpdate())
    assert properties.show(SYSTEM_VAULT).name == SYSTEM_VAULT
    with pytest.raises(BadParameter, match="the service's own"):
        properties.update(SYSTEM_VAULT, VaultUpdate(purge_protection=True))
