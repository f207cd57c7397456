"""Stores of audit records as resources (Microsoft.Storage/storageAccounts): made, shown, deleted. They have no blobs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from certworker.clock import Clock, whole_second
from certworker.errors import AuthorizationFailed, InvalidResource, ResourceConflict, ResourceNotFound
from certworker.vault.access import Access
from certworker.vault.management.places import Locations, check_resource_tags, fold_location
from certworker.vault.management.scopes import find_scope
from certworker.vault.management.stores import STORAGE_PROVIDER, StorageAccount, store_scope
from certworker.vault.objects import fold_name
from certworker.vault.rights.caller import Caller
from certworker.vault.rights.decisions import roles_of
from certworker.vault.rights.scopes import group_scope, subscription_scope
from certworker.vault.store import Reader, Store

READ = "Microsoft.Storage/storageAccounts/read"
WRITE = "Microsoft.Storage/storageAccounts/write"
DELETE = "Microsoft.Storage/storageAccounts/delete"
LIST_KEYS = "Microsoft.Storage/storageAccounts/listKeys/action"
CHECK_NAME = "Microsoft.Storage/checknameavailability/read"
KIND = "StorageV2"
SKUS = ("Standard_LRS", "Standard_GRS", "Standard_RAGRS", "Standard_ZRS", "Premium_LRS", "Standard_GZRS", "Standard_RAGZRS")
_NAME = re.compile(r"[a-z0-9]{3,24}")
_NAME_TEXT = "is not a valid storage account name: it has 3 to 24 characters, digits and lower-case letters only."


@dataclass(frozen=True, slots=True)
class NewAccount:
    """What is asked for. What is none stays as it is, or is not set."""

    location: str | None = None
    sku: str | None = None
    kind: str | None = None
    tags: Mapping[str, str] | None = field(default=None)


class StorageAccounts:
    """Makes stores of audit records."""

    def __init__(self, store: Store, access: Access, locations: Locations, clock: Clock) -> None:
        self._store = store
        self._access = access
        self._locations = locations
        self._clock = clock

    def get(self, caller: Caller, subscription: str, group: str, name: str) -> StorageAccount:
        """Find a store. Raises AuthorizationFailed, ResourceNotFound."""
        with self._store.reading() as reader:
            return self._find(reader, caller, subscription, group, name, READ)

    def list(self, caller: Caller, subscription: str, group: str | None = None) -> tuple[StorageAccount, ...]:
        """List the stores of a subscription that the caller may see, or those of a group. Raises AuthorizationFailed."""
        with self._store.reading() as reader:
            if group is not None:
                self._access.require_action(caller, group_scope(subscription, group), READ, reader)
                find_scope(reader, caller.tenant_id, group_scope(subscription, group))
            found = reader.storage_accounts(subscription.lower())
            return tuple(
                account
                for account in found
                if (group is None or fold_name(account.resource_group) == fold_name(group))
                and self._access.may(caller, account.resource_id, READ, reader)
            )

    def put(
        self, caller: Caller, subscription: str, group: str, name: str, new: NewAccount, *, only_change: bool = False
    ) -> StorageAccount:
        """Make a store, or change its tags and SKU; with `only_change` it has to be there.

        Raises AuthorizationFailed, ResourceNotFound, InvalidResource, ResourceConflict.
        """
        with self._store.writing() as writer:
            self._access.require_action(caller, store_scope(subscription, group, name), WRITE, writer)
            place = find_scope(writer, caller.tenant_id, group_scope(subscription, group))
            _check(name, new)
            found = writer.storage_account(name)
            if found and fold_name(group_scope(found.subscription_id, found.resource_group)) != fold_name(place):
                raise ResourceConflict("StorageAccountAlreadyTaken", f"The storage account named {name} is already taken.")
            if found is None and only_change:
                raise _missing(group, name)
            if found is None:
                found = StorageAccount(
                    name=name,
                    tenant_id=caller.tenant_id,
                    subscription_id=subscription.lower(),
                    resource_group=place.rsplit("/", 1)[1],
                    location=self._locations.check(new.location),
                    sku=_needed(new.sku, "sku"),
                    created=whole_second(self._clock()),
                    created_by=caller.object_id,
                )
            elif new.location and fold_location(new.location) != fold_location(found.location):
                message = f"The storage account {name} is in '{found.location}', and stays there."
                raise ResourceConflict("InvalidResourceLocation", message)
            changed = replace(found, sku=new.sku or found.sku, tags=found.tags if new.tags is None else new.tags)
            writer.put_storage_account(changed)
        return changed

    def delete(self, caller: Caller, subscription: str, group: str, name: str) -> bool:
        """Delete a store, and the roles assigned at it; tell whether it was there.

        Raises AuthorizationFailed, ResourceConflict where records go there.
        """
        with self._store.writing() as writer:
            try:
                account = self._find(writer, caller, subscription, group, name, DELETE)
            except ResourceNotFound:
                return False
            used = writer.settings_for_store(account.name)
            if used:
                message = f"The diagnostic setting '{used[0].name}' routes a vault's records here. Delete the setting first."
                raise ResourceConflict("StorageAccountInUse", message)
            writer.delete_assignments_at(account.resource_id, below=True)
            writer.delete_storage_account(account.name)
        return True

    def refuse_keys(self, caller: Caller, subscription: str, group: str, name: str) -> None:
        """Say that a store has no keys, to whoever might ask for them. Raises."""
        with self._store.reading() as reader:
            self._find(reader, caller, subscription, group, name, LIST_KEYS)
        raise AuthorizationFailed(
            "A store of audit records has no keys: whoever has the role Storage Blob Data Reader at it reads the records."
        )

    def why_not(self, caller: Caller, subscription: str, name: str) -> tuple[str, str] | None:
        """Tell why a name cannot be taken, in a word and in a sentence; none where it can. Raises AuthorizationFailed."""
        with self._store.reading() as reader:
            if not _makes_some(reader, caller):
                self._access.require_action(caller, subscription_scope(subscription), CHECK_NAME, reader)
            if not _NAME.fullmatch(name):
                return "AccountNameInvalid", f"{name[:64]} {_NAME_TEXT}"
            if reader.storage_account(name):
                return "AlreadyExists", f"The storage account named {name} is already taken."
        return None

    def _find(self, reader: Reader, caller: Caller, subscription: str, group: str, name: str, action: str) -> StorageAccount:
        self._access.require_action(caller, store_scope(subscription, group, name), action, reader)
        find_scope(reader, caller.tenant_id, group_scope(subscription, group))
        found = reader.storage_account(name)
        wanted = fold_name(store_scope(subscription, group, name))
        if found is None or fold_name(found.resource_id) != wanted:
            raise _missing(group, name)
        return found


def _makes_some(reader: Reader, caller: Caller) -> bool:
    """Tell whether a caller may make stores anywhere: they ask before they do."""
    return any(role.permits(WRITE) for _, role in roles_of(reader, caller))


def _missing(group: str, name: str) -> ResourceNotFound:
    kind = f"{STORAGE_PROVIDER}/storageAccounts/{name[:64]}"
    return ResourceNotFound(f"The Resource '{kind}' under resource group '{group[:90]}' was not found.")


def _check(name: str, new: NewAccount) -> None:
    if not _NAME.fullmatch(name):
        raise InvalidResource("AccountNameInvalid", f"{name[:64]} {_NAME_TEXT}", "accountName")
    if new.kind not in (None, KIND):
        raise InvalidResource("InvalidAccountKind", f"The kind '{new.kind[:64]}' is not supported: it is {KIND}.", "kind")
    if new.sku not in (None, *SKUS):
        raise InvalidResource("InvalidSku", f"The SKU '{new.sku[:64]}' is none of {', '.join(SKUS)}.", "sku")
    check_resource_tags(dict(new.tags or {}))


def _needed(value: str | None, field_name: str) -> str:
    if not value:
        raise InvalidResource("InvalidRequestContent", f"The request needs '{field_name}'.", field_name)
    return value
