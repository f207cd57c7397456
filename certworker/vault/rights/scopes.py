"""Scopes: where a role assignment holds. They are resource ids, compared without regard to case; `/` is the tenant."""

from certworker.vault.vaults import Vault

ROOT = "/"
PROVIDER = "Microsoft.KeyVault"


def subscription_scope(subscription_id: str) -> str:
    """Name a subscription."""
    return f"/subscriptions/{subscription_id}"


def group_scope(subscription_id: str, resource_group: str) -> str:
    """Name a resource group."""
    return f"{subscription_scope(subscription_id)}/resourceGroups/{resource_group}"


def vault_scope(vault: Vault) -> str:
    """Name a vault: its resource id."""
    return f"{group_scope(vault.subscription_id, vault.resource_group)}/providers/{PROVIDER}/vaults/{vault.name}"


def object_scope(vault: Vault, noun: str, name: str) -> str:
    """Name one key, secret or certificate in a vault; `noun` is the word of its path."""
    return f"{vault_scope(vault)}/{noun}/{name}"


def fold_scope(scope: str) -> str:
    """Give a scope in the form in which scopes are compared and stored."""
    return scope.lower().rstrip("/") or ROOT


def covers(folded: str, target: str) -> bool:
    """Tell whether what is assigned at a folded scope holds at another folded one: there, or below."""
    return folded in (ROOT, target) or target.startswith(f"{folded}/")
