"""A process dies while a vault is made, deleted, recovered or purged: each has happened whole, or not at all."""

from collections.abc import Callable
from pathlib import Path

import pytest

from certworker.vault.management.places import VaultPlace
from certworker.vault.management.vaults import VaultWish
from certworker.vault.secrets import NewSecret
from tests.stories.test_crash import Killed, MortalStore
from tests.support.clock import FakeClock
from tests.support.deployment import Deployment, open_deployment

AT_THE_COMMIT = pytest.mark.parametrize("committed", [False, True], ids=["before the commit", "after the commit"])


def die(folder: Path, clock: FakeClock, act: Callable[[Deployment], object], *, committed: bool) -> None:
    """Act in a process that dies at its first write."""
    opened = open_deployment(folder, clock, wrap=lambda store: MortalStore(store, 1, committed=committed))
    with pytest.raises(Killed), opened as deployment:
        act(deployment)


def place(deployment: Deployment, name: str = "second") -> VaultPlace:
    """Say where the vault is."""
    return VaultPlace(deployment.vault.subscription_id, deployment.vault.resource_group, name)


def make(deployment: Deployment, *, recover: bool = False) -> None:
    """Make the vault, or recover it."""
    wish = VaultWish("local", deployment.vault.tenant_id, recover=recover)
    deployment.house.resources.vaults.put(deployment.administrator, place(deployment), wish, rbac_by_default=True)


def delete(deployment: Deployment) -> None:
    """Delete it."""
    deployment.house.resources.vaults.delete(deployment.administrator, place(deployment))


def purge(deployment: Deployment) -> None:
    """Purge it."""
    here = place(deployment)
    deployment.house.resources.deleted_vaults.purge(deployment.administrator, here.subscription_id, "local", here.name)


def use(deployment: Deployment) -> str:
    """Write into it and read from it."""
    vault = deployment.house.resources.vaults.get(deployment.administrator, place(deployment)).vault
    deployment.house.secrets.set(deployment.administrator, vault, "one", NewSecret("its value"))
    return deployment.house.secrets.get(deployment.administrator, vault, "one").value


def where(deployment: Deployment) -> str:
    """Tell whether the vault is there, deleted, or gone with its key."""
    with deployment.house.store.reading() as reader:
        live, deleted = reader.vault_by_name("second"), reader.deleted_vault("second")
        known = live or deleted
        assert bool(known) == bool(known and reader.wrapped_keys(known.id))
    return "live" if live else "deleted" if deleted else "gone"


@AT_THE_COMMIT
def test_a_death_at_each_turn_of_its_life(tmp_path: Path, clock: FakeClock, *, committed: bool) -> None:
    """What was cut off is done again, by the same request, and comes to the same."""
    turns: tuple[tuple[Callable[[Deployment], None], str, str], ...] = (
        (make, "gone", "live"),
        (delete, "live", "deleted"),
        (lambda deployment: make(deployment, recover=True), "deleted", "live"),
        (delete, "live", "deleted"),
        (purge, "deleted", "gone"),
    )
    with open_deployment(tmp_path, clock):
        pass
    for act, before, after in turns:
        die(tmp_path, clock, act, committed=committed)
        with open_deployment(tmp_path, clock) as deployment:
            assert where(deployment) == (after if committed else before)
            if not committed:
                act(deployment)
            assert where(deployment) == after
            if after == "live":
                assert use(deployment) == "its value"


def test_another_master_key_was_put_in_force_meanwhile(tmp_path: Path, clock: FakeClock) -> None:
    """A vault key that was wrapped by the master key of before is never added: the vault is made again, or not."""
    with open_deployment(tmp_path, clock) as deployment:
        with deployment.house.store.writing() as writer:
            known = writer.master_key_id()
            assert known
            writer.set_master_key_id("another", clock())
        with pytest.raises(Exception, match="another"):
            make(deployment)
        assert where(deployment) == "gone"
        with deployment.house.store.writing() as writer:
            writer.set_master_key_id(known, clock())
        make(deployment)
        assert use(deployment) == "its value"
