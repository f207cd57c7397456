"""Subscriptions and resource groups: shown to those who have a role somewhere in them, and changed."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from certworker.clock import Clock, whole_second
from certworker.errors import InvalidResource, ResourceConflict, ResourceNotFound
from certworker.vault.access import Access, Caller, principals_of
from certworker.vault.management.places import (
    Locations,
    check_resource_tags,
    fold_location,
    require_group,
    scope_of_subscription,
    subscription_of,
)
from certworker.vault.management.vaults import delete_held, vaults_of_group
from certworker.vault.objects import fold_name
from certworker.vault.rights.scopes import covers, fold_scope, group_scope
from certworker.vault.store import Store
from certworker.vault.vaults import ResourceGroup, Subscription

_READ: Final = "Microsoft.Resources/subscriptions/resourceGroups/read"
_WRITE: Final = "Microsoft.Resources/subscriptions/resourceGroups/write"
_DELETE: Final = "Microsoft.Resources/subscriptions/resourceGroups/delete"
_NAME: Final = re.compile(r"[\w().-]{0,89}[\w()-]")


class ResourceGroups:
    """The resource groups of subscriptions, and the subscriptions themselves."""

    def __init__(self, store: Store, access: Access, locations: Locations, clock: Clock) -> None:
        self._store = store
        self._access = access
        self.locations = locations
        self._clock = clock

    def subscriptions(self, caller: Caller) -> tuple[Subscription, ...]:
        """List the subscriptions of the caller's tenant in which, or above which, the caller has any role."""
        with self._store.reading() as reader:
            found = reader.subscriptions(caller.tenant_id)
            assignments = reader.role_assignments(caller.tenant_id, principals_of(reader, caller))
        scopes = [fold_scope(assignment.scope) for assignment in assignments]
        return tuple(
            one for one in found if any(_touches(scope, fold_scope(scope_of_subscription(one.id))) for scope in scopes)
        )

    def subscription(self, caller: Caller, subscription_id: str) -> Subscription:
        """Show a subscription likewise. Raises ResourceNotFound."""
        for found in self.subscriptions(caller):
            if found.id == subscription_of(subscription_id):
                return found
        raise ResourceNotFound(f"The subscription '{subscription_id[:64]}' could not be found.", "SubscriptionNotFound")

    def list_(self, caller: Caller, subscription_id: str) -> tuple[ResourceGroup, ...]:
        """List the resource groups that the caller may read, by name."""
        with self._store.reading() as reader:
            found = reader.resource_groups(subscription_of(subscription_id))
        return tuple(group for group in found if self._access.may(caller, _scope(group), _READ))

    def get(self, caller: Caller, subscription_id: str, name: str) -> ResourceGroup:
        """Show a resource group. Raises AuthorizationFailed, ResourceNotFound."""
        self._access.require_action(caller, group_scope(subscription_of(subscription_id), name), _READ)
        with self._store.reading() as reader:
            return require_group(reader, subscription_of(subscription_id), name)

    def put(
        self, caller: Caller, subscription_id: str, name: str, location: str | None, tags: Mapping[str, str]
    ) -> tuple[ResourceGroup, bool]:
        """Make a resource group, or replace its tags; tell whether it is new.

        Raises AuthorizationFailed, InvalidResource, ResourceConflict where it is in another location.
        """
        subscription_id = subscription_of(subscription_id)
        self._access.require_action(caller, group_scope(subscription_id, name), _WRITE)
        if not _NAME.fullmatch(name):
            message = (
                f"The resource group's name '{name[:90]}' is invalid: it has 1 to 90 letters, digits, underscores, "
                "parentheses, hyphens and periods, and does not end with a period."
            )
            raise InvalidResource("InvalidResourceGroup", message, "name")
        place, checked = self.locations.check(location), check_resource_tags(dict(tags))
        with self._store.writing() as writer:
            known = writer.resource_group(subscription_id, name)
            if known and fold_location(known.location) != fold_location(place):
                message = f"The resource group '{known.name}' is in {known.location} already, and cannot be moved to {place}."
                raise ResourceConflict("InvalidResourceGroupLocation", message)
            group = known or ResourceGroup(subscription_id, name, place, whole_second(self._clock()))
            group = replace(group, tags=checked)
            writer.put_resource_group(group)
        return group, known is None

    def patch(self, caller: Caller, subscription_id: str, name: str, tags: Mapping[str, str] | None) -> ResourceGroup:
        """Replace the tags of a resource group. Raises as `put`, and ResourceNotFound."""
        self._access.require_action(caller, group_scope(subscription_of(subscription_id), name), _WRITE)
        with self._store.writing() as writer:
            group = require_group(writer, subscription_of(subscription_id), name)
            if tags is not None:
                group = replace(group, tags=check_resource_tags(dict(tags)))
                writer.put_resource_group(group)
        return group

    def delete(self, caller: Caller, subscription_id: str, name: str) -> None:
        """Delete a resource group with all that is in it: its vaults can be recovered once there is a group of the name again.

        Roles that were assigned at the group, and at stores of audit records in it, go with them. Raises
        AuthorizationFailed, ResourceNotFound.
        """
        self._access.require_action(caller, group_scope(subscription_of(subscription_id), name), _DELETE)
        at = whole_second(self._clock())
        with self._store.writing() as writer:
            group = require_group(writer, subscription_of(subscription_id), name)
            for vault in vaults_of_group(writer, group):
                delete_held(writer, vault.id, caller, at)
            for account in writer.storage_accounts(group.subscription_id):
                if fold_name(account.resource_group) == fold_name(group.name):
                    writer.delete_assignments_at(account.resource_id, below=True)
            # as the group writes it: a path has other spellings of a name
            writer.delete_assignments_at(_scope(group), below=False)
            writer.delete_resource_group(group.subscription_id, group.name)


def _scope(group: ResourceGroup) -> str:
    return group_scope(group.subscription_id, group.name)


def _touches(assigned: str, subscription: str) -> bool:
    return covers(assigned, subscription) or covers(subscription, assigned)
