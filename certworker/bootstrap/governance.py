"""Who may do what and where the log is read, as the management plane asks for it, wired."""

from dataclasses import dataclass

from certworker.bootstrap.ground import Ground
from certworker.vault.management.diagnostics import Diagnostics
from certworker.vault.management.places import Locations
from certworker.vault.management.role_assignments import RoleAssignments
from certworker.vault.management.role_definitions import RoleDefinitions
from certworker.vault.management.storage_accounts import StorageAccounts


@dataclass(frozen=True, slots=True)
class Governance:
    """Roles and their assignments, stores of audit records, and what is routed to them."""

    role_definitions: RoleDefinitions
    role_assignments: RoleAssignments
    diagnostics: Diagnostics
    storage_accounts: StorageAccounts


def governance(ground: Ground) -> Governance:
    """Wire the services."""
    store, access, clock = ground.store, ground.access, ground.clock
    return Governance(
        RoleDefinitions(store, access, clock),
        RoleAssignments(store, access, clock),
        Diagnostics(store, access, clock),
        StorageAccounts(store, access, Locations(ground.settings.management.locations), clock),
    )
