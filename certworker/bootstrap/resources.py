"""What the management plane asks of vaults, wired."""

from dataclasses import dataclass

from certworker.bootstrap.ground import Ground
from certworker.clock import whole_second
from certworker.vault.deletions import Deletions
from certworker.vault.key_creation import KeyCreation
from certworker.vault.keys import Keys
from certworker.vault.management.children import VaultChildren
from certworker.vault.management.deleted_vaults import DeletedVaults
from certworker.vault.management.names import VaultNames
from certworker.vault.management.places import Locations
from certworker.vault.management.resource_groups import ResourceGroups
from certworker.vault.management.vaults import ManagedVaults
from certworker.vault.renewal.replanning import replan_vault
from certworker.vault.secrets import Secrets
from certworker.vault.vaults import Vault


@dataclass(frozen=True, slots=True)
class ResourceServices:
    """Vaults as resources, and what they lie in."""

    vaults: ManagedVaults
    deleted_vaults: DeletedVaults
    names: VaultNames
    children: VaultChildren
    groups: ResourceGroups


def resource_services(ground: Ground) -> ResourceServices:
    """Wire the services."""
    store, access, keyring, clock = ground.store, ground.access, ground.keyring, ground.clock
    locations = Locations(ground.settings.management.locations)

    def recovered(vault: Vault) -> None:
        replan_vault(store, ground.planner, vault, whole_second(clock()))

    secrets = Secrets(store, keyring, access, Deletions(), clock)
    creation = KeyCreation(store, access, ground.materials, clock)
    return ResourceServices(
        ManagedVaults(store, access, keyring, locations, recovered, clock),
        DeletedVaults(store, access, keyring.forget, clock),
        VaultNames(store, access),
        VaultChildren(store, access, secrets, Keys(store, access), creation),
        ResourceGroups(store, access, locations, clock),
    )
