"""Deleted vaults: listed, shown, and purged, because somebody asks for it or because their time has come.

With the vault's row its keys go, so that what a copy of its records holds stays sealed for good.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from certworker.clock import Clock
from certworker.errors import InvalidResource, ResourceNotFound
from certworker.vault.access import Access, Caller
from certworker.vault.audit.acts import own_record
from certworker.vault.event_lines import tell_vault
from certworker.vault.management.places import fold_location, scope_of_subscription, subscription_of
from certworker.vault.rights.scopes import vault_scope
from certworker.vault.store import Store, Writer
from certworker.vault.vaults import Vault

_LIST: Final = "Microsoft.KeyVault/deletedVaults/read"
_READ: Final = "Microsoft.KeyVault/locations/deletedVaults/read"
_PURGE: Final = "Microsoft.KeyVault/locations/deletedVaults/purge/action"
_READ_RESULT: Final = "Microsoft.KeyVault/locations/operationResults/read"
_OPERATION: Final = "VaultPurge"


class DeletedVaults:
    """The deleted vaults of a subscription. `forget` is told the id of a vault whose keys are gone."""

    def __init__(self, store: Store, access: Access, forget: Callable[[str], None], clock: Clock) -> None:
        self._store = store
        self._access = access
        self._forget = forget
        self._clock = clock

    def list_(self, caller: Caller, subscription_id: str) -> tuple[Vault, ...]:
        """List deleted vaults by name. Raises AuthorizationFailed."""
        self._access.require_action(caller, scope_of_subscription(subscription_id), _LIST)
        with self._store.reading() as reader:
            return reader.deleted_vaults(subscription_of(subscription_id))

    def get(self, caller: Caller, subscription_id: str, location: str, name: str) -> Vault:
        """Show a deleted vault. Raises AuthorizationFailed, ResourceNotFound."""
        self._access.require_action(caller, scope_of_subscription(subscription_id), _READ)
        with self._store.reading() as reader:
            return _at(reader.deleted_vault(name), subscription_id, location, name)

    def purge(self, caller: Caller, subscription_id: str, location: str, name: str) -> Vault:
        """Delete a deleted vault for good.

        Raises AuthorizationFailed, ResourceNotFound, InvalidResource where it has purge protection.
        """
        self._access.require_action(caller, scope_of_subscription(subscription_id), _PURGE)
        with self._store.writing() as writer:
            found = _at(writer.deleted_vault(name), subscription_id, location, name)
            held = _at(writer.hold_vault(found.id), subscription_id, location, name)
            if held.purge_protection:
                raise InvalidResource("MethodNotAllowed", "Operation 'DeletedVaultPurge' is not allowed.")
            writer.purge_vault(held)
        tell_vault(held, "was purged")
        self._forget(held.id)
        return held

    def is_purged(self, caller: Caller, subscription_id: str, vault_id: str) -> bool:
        """Tell what came of a purge. Raises AuthorizationFailed."""
        self._access.require_action(caller, scope_of_subscription(subscription_id), _READ_RESULT)
        with self._store.reading() as reader:
            return reader.vault(vault_id) is None

    def purge_due(self, at: datetime, limit: int) -> int:
        """Purge the vaults whose time has come, with a record for each; purge protection ends with it. Count them."""
        with self._store.reading() as reader:
            due = reader.purgeable_vaults(at, limit)
        return sum(self._purge_due(vault.id, at) for vault in due)

    def _purge_due(self, vault_id: str, at: datetime) -> bool:
        with self._store.writing() as writer:
            held = writer.hold_vault(vault_id)
            # it may have been recovered since it was listed
            if held is None or held.deleted is None or held.purge_at is None or held.purge_at > at:
                return False
            writer.purge_vault(held)
            self._record(writer, held)
        tell_vault(held, "was purged: its retention is over")
        self._forget(vault_id)
        return True

    def _record(self, writer: Writer, vault: Vault) -> None:
        details = {"vault_id": vault.id, "reason": "the retention is over"}
        writer.add_pending_record(own_record(_OPERATION, vault_scope(vault), self._clock(), details).text())


def _at(found: Vault | None, subscription_id: str, location: str, name: str) -> Vault:
    same = found and found.subscription_id == subscription_of(subscription_id)
    if found is None or found.deleted is None or not same or fold_location(found.location) != fold_location(location):
        raise ResourceNotFound(f"The specified deleted vault '{name[:40]}' does not exist.", "DeletedVaultNotFound")
    return found
