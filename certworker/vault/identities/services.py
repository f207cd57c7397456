"""The services of the directory, together."""

from dataclasses import dataclass

from certworker.clock import Clock
from certworker.vault.identities.applications import Applications
from certworker.vault.identities.groups import Groups
from certworker.vault.identities.objects import DirectoryObjects
from certworker.vault.identities.service_principals import ServicePrincipals
from certworker.vault.identities.users import Users
from certworker.vault.store import Store


@dataclass(frozen=True, slots=True)
class Identities:
    """Who there is, and what may be changed in it."""

    users: Users
    groups: Groups
    applications: Applications
    service_principals: ServicePrincipals
    objects: DirectoryObjects


def identity_services(store: Store, clock: Clock) -> Identities:
    """Wire them."""
    return Identities(
        Users(store, clock),
        Groups(store, clock),
        Applications(store, clock),
        ServicePrincipals(store, clock),
        DirectoryObjects(store),
    )
