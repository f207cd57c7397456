"""The properties of a vault, and the rules by which they change: one place, whoever asks.

The management plane asks for its callers (`vault/management/vaults.py`); here is what whoever administers the machine may do.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from certworker.errors import BadParameter, Conflict, VaultNotFound
from certworker.vault.store import Reader, Store
from certworker.vault.vaults import DEFAULT_RETENTION_DAYS, SYSTEM_VAULT, NetworkRules, Sku, Vault, check_retention

SKU, RETENTION, PROTECTION = "sku", "softDeleteRetentionInDays", "enablePurgeProtection"


@dataclass(frozen=True, slots=True)
class NewVault:
    """What a vault is made with."""

    sku: Sku = Sku.STANDARD
    retention_days: int = DEFAULT_RETENTION_DAYS
    purge_protection: bool = False

    def __post_init__(self) -> None:
        """Check what no type does. Raises BadParameter."""
        check_retention(self.retention_days)


@dataclass(frozen=True, slots=True)
class VaultUpdate:
    """What is to change; none leaves it as it is. What is said of network rules and tags replaces all of them."""

    sku: Sku | None = None
    retention_days: int | None = None
    purge_protection: bool | None = None
    rbac: bool | None = None
    public_access: bool | None = None
    network: NetworkRules | None = None
    machines: bool | None = None
    disk_encryption: bool | None = None
    templates: bool | None = None
    tags: Mapping[str, str] | None = None


class VaultProperties:
    """Shows and changes the properties of vaults. It asks for no caller: whoever can open the database may do so."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def show(self, name: str) -> Vault:
        """Show a vault. Raises VaultNotFound."""
        with self._store.reading() as reader:
            return _vault(reader, name)

    def update(self, name: str, update: VaultUpdate) -> Vault:
        """Change a vault, and show it as it is then.

        Raises VaultNotFound, BadParameter for what cannot be taken back, Conflict where keys in a token are in the way.
        """
        with self._store.writing() as writer:
            known = _vault(writer, name)
            if known.name == SYSTEM_VAULT:
                raise BadParameter(f"{known.name} is the service's own vault, and stays as it is.", "name")
            changed = changed_vault(writer, known, update)
            writer.replace_vault(changed)
            return changed


def changed_vault(reader: Reader, known: Vault, update: VaultUpdate, *, is_retention_fixed: bool = False) -> Vault:
    """Give a vault as it is after an update.

    With `is_retention_fixed` the retention stays what it was set to at first, as for all callers of the management plane;
    without, only purge protection holds it. Raises BadParameter for what cannot be taken back, Conflict where keys in a token
    are in the way.
    """
    kept = known.deployment
    return replace(
        known,
        sku=_sku(reader, known, update.sku),
        retention_days=_retention(known, update.retention_days, is_fixed=is_retention_fixed),
        purge_protection=_protection(known, update.purge_protection),
        rbac=_either(update.rbac, known.rbac),
        public_access=_either(update.public_access, known.public_access),
        network=known.network if update.network is None else update.network,
        deployment=replace(
            kept,
            machines=_either(update.machines, kept.machines),
            disk_encryption=_either(update.disk_encryption, kept.disk_encryption),
            templates=_either(update.templates, kept.templates),
        ),
        tags=known.tags if update.tags is None else dict(update.tags),
    )


def _either(wanted: bool | None, known: bool) -> bool:  # noqa: FBT001 - what was sent
    return known if wanted is None else wanted


def _vault(reader: Reader, name: str) -> Vault:
    found = reader.vault_by_name(name)
    if found is None:
        names = ", ".join(vault.name for vault in reader.vaults() if vault.name != SYSTEM_VAULT)
        raise VaultNotFound(f"There is no vault named {name[:40]}. There is: {names or 'none'}.")
    return found


def _sku(reader: Reader, vault: Vault, wanted: Sku | None) -> Sku:
    if wanted is Sku.STANDARD and vault.sku is Sku.PREMIUM and reader.has_hsm_keys(vault.id):
        raise Conflict(
            f"{vault.name} has keys in the hardware token, and those are for premium vaults. Delete and purge them; some time "
            "after that they are gone from the token, and the vault can be standard."
        )
    return wanted or vault.sku


def _retention(vault: Vault, wanted: int | None, *, is_fixed: bool) -> int:
    if wanted is None or wanted == vault.retention_days:
        return vault.retention_days
    check_retention(wanted)
    if vault.purge_protection or is_fixed:
        why = f"{vault.name} has purge protection" if vault.purge_protection else f"it is {vault.retention_days} days for good"
        raise BadParameter(f'The property "{RETENTION}" has been set already and it can\'t be modified: {why}.', RETENTION)
    return wanted


def _protection(vault: Vault, wanted: bool | None) -> bool:  # noqa: FBT001 - what was sent
    if wanted is False and vault.purge_protection:
        raise BadParameter(
            f'The property "{PROTECTION}" cannot be set to false. Enabling the purge protection for a vault is an irreversible '
            "action.",
            PROTECTION,
        )
    return bool(wanted) or vault.purge_protection
