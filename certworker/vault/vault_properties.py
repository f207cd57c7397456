"""The properties of a vault: what it can hold, and how it keeps what was deleted. For whoever administers the deployment."""

from dataclasses import dataclass

from certworker.errors import BadParameter, Conflict, VaultNotFound
from certworker.vault.store import Reader, Store, Writer
from certworker.vault.vaults import DEFAULT_RETENTION_DAYS, SYSTEM_VAULT, Sku, Vault, check_retention

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
    """What is to change; none leaves it as it is."""

    sku: Sku | None = None
    retention_days: int | None = None
    purge_protection: bool | None = None


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
            sku = _sku(writer, known, update.sku)
            days = _retention(known, update.retention_days)
            protected = _protection(known, update.purge_protection)
            writer.set_vault_properties(known.id, sku, days, purge_protection=protected)
            return _vault(writer, name)


def _vault(reader: Reader, name: str) -> Vault:
    found = reader.vault_by_name(name)
    if found is None:
        names = ", ".join(vault.name for vault in reader.vaults() if vault.name != SYSTEM_VAULT)
        raise VaultNotFound(f"There is no vault named {name[:40]}. There is: {names or 'none'}.")
    return found


def _sku(writer: Writer, vault: Vault, wanted: Sku | None) -> Sku:
    if wanted is Sku.STANDARD and vault.sku is Sku.PREMIUM and writer.has_hsm_keys(vault.id):
        raise Conflict(
            f"{vault.name} has keys in the hardware token, and those are for premium vaults. Delete and purge them; some time "
            "after that they are gone from the token, and the vault can be standard."
        )
    return wanted or vault.sku


def _retention(vault: Vault, wanted: int | None) -> int:
    if wanted is None or wanted == vault.retention_days:
        return vault.retention_days
    check_retention(wanted)
    if vault.purge_protection:
        raise BadParameter(
            f'The property "{RETENTION}" has been set already and it can\'t be modified: {vault.name} has purge protection.',
            RETENTION,
        )
    return wanted


def _protection(vault: Vault, wanted: bool | None) -> bool:  # noqa: FBT001 - what was sent
    if wanted is False and vault.purge_protection:
        raise BadParameter(
            f'The property "{PROTECTION}" cannot be set to false. Enabling the purge protection for a vault is an irreversible '
            "action.",
            PROTECTION,
        )
    return bool(wanted) or vault.purge_protection
