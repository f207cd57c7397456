"""Reading the log as a resource: who has the right to a store sees what is routed there; who has it on a subscription, all."""

import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from certworker.audit.notary import Notary
from certworker.audit.searching import Visible, search_files
from certworker.audit.verifying import Verification, verify_live
from certworker.audit.witness import Witness, read_witness
from certworker.errors import ResourceNotFound, Unavailable
from certworker.vault.access import Access
from certworker.vault.audit.search import Search, Shown, properties_of
from certworker.vault.management.diagnostics import READ_RECORDS as READ
from certworker.vault.management.diagnostics import routed_to
from certworker.vault.management.places import subscription_of
from certworker.vault.management.stores import StorageAccount, store_scope
from certworker.vault.rights.caller import Caller
from certworker.vault.rights.scopes import subscription_scope, vault_scope
from certworker.vault.store import Reader, Store
from certworker.vault.vaults import Vault


class AuditEvents:
    """Shows records, and verifies the log, for callers who have the right to."""

    def __init__(self, store: Store, access: Access, notary: Notary, folder: Path) -> None:
        self._store = store
        self._access = access
        self._notary = notary
        self._folder = folder

    def of_store(self, caller: Caller, subscription_id: str, group: str, name: str, search: Search) -> tuple[Shown, ...]:
        """List the newest records of the vaults that are routed to a store, each from when it was.

        Raises ResourceNotFound, AuthorizationFailed.
        """
        account = self._account(caller, subscription_id, group, name)
        with self._store.reading() as reader:
            routed = _routed(reader, account)
        return self._search(search, lambda record: _is_routed(record, routed))

    def of_subscription(self, caller: Caller, subscription_id: str, search: Search) -> tuple[Shown, ...]:
        """List the newest records of a subscription, and those of no subscription. Raises AuthorizationFailed."""
        subscription_id = subscription_of(subscription_id)
        self._access.require_action(caller, subscription_scope(subscription_id), READ, data=True)
        with self._store.reading() as reader:
            others = frozenset(vault.id for vault in reader.vaults() if vault.subscription_id != subscription_id)
        here = subscription_scope(subscription_id).casefold()

        def is_visible(record: Shown) -> bool:
            resource = str(record.get("resourceId", "")).casefold()
            if resource.startswith("/subscriptions/"):
                return resource == here or resource.startswith(f"{here}/")
            return properties_of(record).get("vault_id") not in others

        return self._search(search, is_visible)

    def verify_for_store(self, caller: Caller, subscription_id: str, group: str, name: str) -> Verification:
        """Verify the log of this machine. Raises ResourceNotFound, AuthorizationFailed."""
        self._account(caller, subscription_id, group, name)
        return self._verify()

    def verify_for_subscription(self, caller: Caller, subscription_id: str) -> Verification:
        """Verify the log of this machine. Raises AuthorizationFailed."""
        self._access.require_action(caller, subscription_scope(subscription_id), READ, data=True)
        return self._verify()

    def _account(self, caller: Caller, subscription_id: str, group: str, name: str) -> StorageAccount:
        """Find a store that the caller may read. Who may not is told that first."""
        asked = store_scope(subscription_id, group, name)
        self._access.require_action(caller, asked, READ, data=True)
        with self._store.reading() as reader:
            account = reader.storage_account(name)
        if account is None or account.resource_id.casefold() != asked.casefold():
            raise ResourceNotFound(f"The storage account '{name[:64]}' was not found in the resource group '{group[:90]}'.")
        return account

    def _search(self, search: Search, visible: Visible) -> tuple[Shown, ...]:
        try:
            return search_files(self._folder, search, visible)
        except OSError as error:
            raise Unavailable(f"The audit log cannot be read: {error.strerror}.") from error

    def _verify(self) -> Verification:
        def read() -> Witness:
            return read_witness(self._store, self._notary.broken_keys())

        try:
            return verify_live(self._folder, read, socket.gethostname())
        except OSError as error:
            raise Unavailable(f"The audit log cannot be read: {error.strerror}.") from error


def _routed(reader: Reader, account: StorageAccount) -> Mapping[str, str]:
    """Tell from when on records count, by the vault's id and by its resource id in lower case."""
    routed: dict[str, str] = {}
    for found in routed_to(reader, account):
        since = f"{found.since.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
        routed |= dict.fromkeys(_keys(found.vault), since)
    return routed


def _keys(vault: Vault) -> tuple[str, str]:
    return vault.id, vault_scope(vault).casefold()


def _is_routed(record: Shown, routed: Mapping[str, str]) -> bool:
    resource = str(record.get("resourceId", "")).casefold()
    key = "/".join(resource.split("/")[:9]) or str(properties_of(record).get("vault_id", ""))
    since = routed.get(key)
    return since is not None and str(record.get("time", "")) >= since


def read_time(text: str) -> str:
    """Give a time in ISO 8601 as records have it. Raises ValueError."""
    at = datetime.fromisoformat(text)
    try:
        utc = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        raise ValueError("the time is before the year 1 or after 9999 in UTC") from None
    # not by strftime, which writes years before 1000 with fewer digits
    return f"{utc.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
