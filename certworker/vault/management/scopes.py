"""Scopes as clients write them: which there are, and how each is written here."""

from certworker.errors import BadParameter, InvalidResource, ResourceNotFound
from certworker.vault.management.places import VaultPlace, find_vault
from certworker.vault.objects import check_name
from certworker.vault.rights.data_actions import NOUNS
from certworker.vault.rights.scopes import ROOT, fold_scope, group_scope, object_scope, subscription_scope, vault_scope
from certworker.vault.store import Reader
from certworker.vault.vaults import Vault

_LONGEST = 1024


def subscription_of(scope: str) -> str | None:
    """Tell the subscription that a scope is in; none for the tenant's own."""
    segments = scope.split("/")
    return segments[2].lower() if len(segments) > 2 and segments[1].lower() == "subscriptions" else None  # noqa: PLR2004


def find_scope(reader: Reader, tenant_id: str, scope: str) -> str:
    """Give a scope of a tenant as it is written here: with the names that the resources themselves have.

    Raises ResourceNotFound where there is no such resource, InvalidResource for what is no scope.
    """
    if len(scope) > _LONGEST:
        raise InvalidResource("InvalidScope", f"The scope is longer than {_LONGEST} characters.", "scope")
    match [segment.lower() for segment in scope.strip("/").split("/") if segment]:
        case []:
            return ROOT
        case ["subscriptions", subscription]:
            return _subscription(reader, tenant_id, subscription)
        case ["subscriptions", subscription, "resourcegroups", group]:
            return _group(reader, _subscription(reader, tenant_id, subscription), group)
        case ["subscriptions", subscription, "resourcegroups", group, "providers", "microsoft.keyvault", "vaults", name, *rest]:
            _group(reader, _subscription(reader, tenant_id, subscription), group)
            return _in_vault(find_vault(reader, VaultPlace(subscription, group, name)), scope, rest)
        case ["subscriptions", subscription, "resourcegroups", group, "providers", "microsoft.storage", kind, name]:
            _group(reader, _subscription(reader, tenant_id, subscription), group)
            store = reader.storage_account(name) if kind == "storageaccounts" else None
            if store and fold_scope(store.resource_id) == fold_scope(scope):
                return store.resource_id
    raise _missing(scope)


def _subscription(reader: Reader, tenant_id: str, subscription: str) -> str:
    found = reader.subscription(subscription)
    if found is None or found.tenant_id != tenant_id:
        raise ResourceNotFound(f"The subscription '{subscription[:64]}' could not be found.", "SubscriptionNotFound")
    return subscription_scope(found.id)


def _group(reader: Reader, within: str, group: str) -> str:
    found = reader.resource_group(within.rsplit("/", 1)[1], group)
    if found is None:
        raise ResourceNotFound(f"Resource group '{group[:90]}' could not be found.", "ResourceGroupNotFound")
    return group_scope(found.subscription_id, found.name)


def _in_vault(vault: Vault, scope: str, rest: list[str]) -> str:
    match rest:
        case []:
            return vault_scope(vault)
        case [noun, _] if noun in NOUNS:
            try:  # what is not there yet can have roles for it: it is what an application is to write
                return object_scope(vault, noun, check_name(scope.rstrip("/").rsplit("/", 1)[1]))
            except BadParameter as error:
                raise InvalidResource("InvalidScope", str(error), "scope") from None
    raise _missing(scope)


def _missing(scope: str) -> ResourceNotFound:
    return ResourceNotFound(f"The resource '{scope[:300]}' was not found.")
