"""Which vault's audit records can be read in which store (Microsoft.Insights/diagnosticSettings)."""

import re
from dataclasses import dataclass, replace
from datetime import datetime

from certworker.clock import Clock, whole_second
from certworker.errors import InvalidResource, ResourceConflict, ResourceNotFound
from certworker.vault.access import Access
from certworker.vault.management.places import VaultPlace, find_vault
from certworker.vault.management.scopes import find_scope
from certworker.vault.management.stores import DiagnosticSetting, StorageAccount
from certworker.vault.objects import fold_name
from certworker.vault.rights.caller import Caller
from certworker.vault.rights.scopes import vault_scope
from certworker.vault.store import Reader, Store, Writer
from certworker.vault.vaults import Vault

READ = "Microsoft.Insights/diagnosticSettings/read"
WRITE = "Microsoft.Insights/diagnosticSettings/write"
DELETE = "Microsoft.Insights/diagnosticSettings/delete"
READ_STORE = "Microsoft.Storage/storageAccounts/read"
READ_RECORDS = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"
"""The data action by which the records of a store are read."""
AUDIT_EVENT = "AuditEvent"
GROUPS = ("audit", "allLogs")
"""Category groups; AuditEvent is in both of them."""
MOST_SETTINGS = 5
_NAME = re.compile(r"[^<>*%&:\\?+/\x00-\x1f]{1,260}")


@dataclass(frozen=True, slots=True)
class NewSetting:
    """What is asked for: the resource id of the store, and what is to be turned on."""

    storage_account_id: str
    categories: tuple[str, ...]
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ShownSetting:
    """A setting with the resource ids of its vault and of its store."""

    setting: DiagnosticSetting
    vault_id: str
    storage_account_id: str


@dataclass(frozen=True, slots=True)
class Routed:
    """A vault whose records are to be seen in a store, from `since` on."""

    vault: Vault
    since: datetime


class Diagnostics:
    """Routes the records of vaults to stores. `resource` is the resource id of a vault, as clients write it."""

    def __init__(self, store: Store, access: Access, clock: Clock) -> None:
        self._store = store
        self._access = access
        self._clock = clock

    def get(self, caller: Caller, resource: str, name: str) -> ShownSetting:
        """Find a setting. Raises AuthorizationFailed, ResourceNotFound."""
        with self._store.reading() as reader:
            self._access.require_action(caller, resource, READ, reader)
            vault = _vault(reader, resource)
            found = _find(reader, vault, name)
            if found is None:
                raise ResourceNotFound(f"The diagnostic setting '{name[:100]}' doesn't exist.")
            return _shown(reader, vault, found)

    def list(self, caller: Caller, resource: str) -> tuple[ShownSetting, ...]:
        """List the settings of a vault by name. Raises AuthorizationFailed, ResourceNotFound."""
        with self._store.reading() as reader:
            self._access.require_action(caller, resource, READ, reader)
            vault = _vault(reader, resource)
            return tuple(_shown(reader, vault, found) for found in reader.diagnostic_settings(vault.id))

    def put(self, caller: Caller, resource: str, name: str, new: NewSetting) -> ShownSetting:
        """Make a setting or replace it. Needs the right at the vault, and to see the store.

        Raises AuthorizationFailed, ResourceNotFound, InvalidResource, ResourceConflict.
        """
        with self._store.writing() as writer:
            self._access.require_action(caller, resource, WRITE, writer)
            vault = _vault(writer, resource)
            _check(name, new)
            self._access.require_action(caller, new.storage_account_id, READ_STORE, writer)
            account = find_account(writer, caller.tenant_id, new.storage_account_id)
            at, before = whole_second(self._clock()), _find(writer, vault, name)
            setting = DiagnosticSetting(
                vault_id=vault.id,
                name=before.name if before else name,
                storage_account=account.name,
                categories=new.categories,
                groups=new.groups,
                since=at,
                created=before.created if before else at,
                updated=at,
                created_by=before.created_by if before else caller.object_id,
                updated_by=caller.object_id,
            )
            if before and before.routes and before.storage_account == account.name:
                setting = replace(setting, since=before.since)  # what was to be seen there stays so
            _check_others(writer, vault, setting)
            writer.put_diagnostic_setting(setting)
            return _shown(writer, vault, setting)

    def delete(self, caller: Caller, resource: str, name: str) -> bool:
        """Delete a setting; tell whether it was there. Raises AuthorizationFailed, ResourceNotFound."""
        with self._store.writing() as writer:
            self._access.require_action(caller, resource, DELETE, writer)
            return writer.delete_diagnostic_setting(_vault(writer, resource).id, name)

    def require_vault(self, caller: Caller, resource: str) -> None:
        """Refuse whoever may not see the settings of a vault, and what is no vault."""
        with self._store.reading() as reader:
            self._access.require_action(caller, resource, READ, reader)
            _vault(reader, resource)


def routed_to(reader: Reader, account: StorageAccount) -> tuple[Routed, ...]:
    """List the vaults whose records can be read in a store, each once; a deleted vault's too, until it is purged."""
    since: dict[str, datetime] = {}
    for setting in reader.settings_for_store(account.name):
        if setting.routes:
            since[setting.vault_id] = min(setting.since, since.get(setting.vault_id, setting.since))
    vaults = {vault_id: reader.vault(vault_id) for vault_id in since}
    return tuple(Routed(vault, since[vault_id]) for vault_id, vault in vaults.items() if vault)


def find_account(reader: Reader, tenant_id: str, resource_id: str) -> StorageAccount:
    """Find the store of a resource id. Raises ResourceNotFound, InvalidResource where it is something else."""
    place = find_scope(reader, tenant_id, resource_id)
    account = reader.storage_account(place.rsplit("/", 1)[1])
    if account is None or account.resource_id != place:
        raise InvalidResource("BadRequest", f"'{resource_id[:300]}' is not the resource id of a storage account.")
    return account


def _vault(reader: Reader, resource: str) -> Vault:
    match resource.strip("/").split("/"):
        case [first, subscription, groups, group, providers, provider, kind, name]:
            words = [word.lower() for word in (first, groups, providers, provider, kind)]
            if words == ["subscriptions", "resourcegroups", "providers", "microsoft.keyvault", "vaults"]:
                return find_vault(reader, VaultPlace(subscription, group, name))
    message = f"The resource '{resource[:300]}' does not support diagnostic settings: vaults do."
    raise InvalidResource("ResourceTypeNotSupported", message)


def _find(reader: Reader, vault: Vault, name: str) -> DiagnosticSetting | None:
    folded = fold_name(name)
    return next((found for found in reader.diagnostic_settings(vault.id) if fold_name(found.name) == folded), None)


def _shown(reader: Reader, vault: Vault, setting: DiagnosticSetting) -> ShownSetting:
    account = reader.storage_account(setting.storage_account)
    return ShownSetting(setting, vault_scope(vault), account.resource_id if account else "")


def _check(name: str, new: NewSetting) -> None:
    if not _NAME.fullmatch(name) or name.endswith((".", " ")):
        raise InvalidResource("BadRequest", "A setting's name has 1 to 260 characters, and none of <>*%&:\\?+/.", "name")
    for category in new.categories:
        if category != AUDIT_EVENT:
            message = f"Category '{category[:64]}' is not supported: a vault's is {AUDIT_EVENT}."
            raise InvalidResource("BadRequest", message, "category")
    for group in new.groups:
        if group not in GROUPS:
            message = f"Category group '{group[:64]}' is not supported: a vault has {' and '.join(GROUPS)}."
            raise InvalidResource("BadRequest", message, "categoryGroup")


def _check_others(writer: Writer, vault: Vault, setting: DiagnosticSetting) -> None:
    others = [found for found in writer.diagnostic_settings(vault.id) if fold_name(found.name) != fold_name(setting.name)]
    if len(others) >= MOST_SETTINGS:
        message = f"A resource has at most {MOST_SETTINGS} diagnostic settings. Delete one first."
        raise ResourceConflict("Conflict", message)
    for other in others:
        if other.routes and setting.routes and other.storage_account == setting.storage_account:
            message = (
                f"The data sink '{setting.storage_account}' is already used in the diagnostic setting '{other.name}' for the "
                f"category '{AUDIT_EVENT}'."
            )
            raise ResourceConflict("Conflict", message)
