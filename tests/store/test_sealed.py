"""Sealed records in both databases: pages, terms, exchanges, and a master key that is put in force meanwhile."""

from pathlib import Path

import pytest

from certworker.crypto.sealing import new_key
from certworker.errors import MasterKeyChanged
from certworker.vault.keyring import Keyring, SoftwareMasterKey
from tests.support.clock import FakeClock
from tests.support.deployment import open_deployment
from tests.vault.test_resealing import fill, read_all, rotate, rotate_vaults


def test_records_are_sealed_anew_on_either_database(database_url: str, tmp_path: Path, clock: FakeClock) -> None:
    """Pages, terms and exchanges are the same on PostgreSQL; a master key that was changed meanwhile is noticed there too."""
    with open_deployment(tmp_path, clock, database_url) as deployment:
        fill(deployment)
        before = read_all(deployment)
        assert [remaining for _, _, remaining in rotate_vaults(deployment)] == [0, 0]
        rotate(deployment, tmp_path)
        assert read_all(deployment) == before
        stale = Keyring(deployment.house.store, SoftwareMasterKey(new_key()))
        key = stale.new_vault_key(deployment.vault.id, clock(), 3)
        with pytest.raises(MasterKeyChanged), deployment.house.store.writing() as writer:
            writer.add_wrapped_key(key)
