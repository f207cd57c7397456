"""`certworker vault`: the properties of a vault, on the machine that has the database."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from certworker.cli.options import AsJson, Wire
from certworker.cli.output import show_fields, show_json
from certworker.vault.vaults import LEAST_RETENTION_DAYS, MOST_RETENTION_DAYS, Sku, Vault

if TYPE_CHECKING:
    from certworker.settings import Settings
    from certworker.vault.vault_properties import NewVault, VaultProperties

app = typer.Typer(help="Vaults: their SKU, and how they keep what was deleted.", no_args_is_help=True)

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="Settings file (TOML); see `certworker settings`.")]
VaultName = Annotated[str, typer.Argument(help="Name of the vault.")]
SkuOption = Annotated[Sku | None, typer.Option("--sku", help="premium: it can have keys in the hardware token.")]
RetentionDays = Annotated[
    int | None,
    typer.Option(
        "--retention-days",
        min=LEAST_RETENTION_DAYS,
        max=MOST_RETENTION_DAYS,
        help="How many days what was deleted can be recovered. What is deleted already keeps its date.",
    ),
]
PurgeProtection = Annotated[
    bool | None,
    typer.Option(
        "--purge-protection/--no-purge-protection",
        help="Let nobody purge before the date. Once on it stays on, and the retention stays as it is.",
    ),
]


@app.command()
def show(config: ConfigOption, name: VaultName, *, as_json: AsJson = False) -> None:
    """Show a vault's properties."""
    from certworker.settings import load_settings  # noqa: PLC0415  # `--help` and completion start without it

    settings = load_settings(config)
    with _properties(settings) as properties:
        _show(settings, properties.show(name), as_json=as_json)


@app.command()
def update(
    config: ConfigOption,
    name: VaultName,
    *,
    sku: SkuOption = None,
    retention_days: RetentionDays = None,
    purge_protection: PurgeProtection = None,
    as_json: AsJson = False,
) -> None:
    """Change a vault's properties; a service that runs goes by them at once.

    A premium vault becomes standard only without keys in the token.
    """
    from certworker.cli.local_acts import recorded  # noqa: PLC0415
    from certworker.settings import load_settings  # noqa: PLC0415
    from certworker.vault.rights.scopes import vault_scope  # noqa: PLC0415
    from certworker.vault.vault_properties import VaultUpdate  # noqa: PLC0415

    wanted = VaultUpdate(sku, retention_days, purge_protection)
    if wanted == VaultUpdate():
        raise typer.BadParameter("nothing is to change: name --sku, --retention-days or --purge-protection")
    settings = load_settings(config)
    with _properties(settings) as properties:
        with recorded(settings, "VaultPatch", vault_scope(properties.show(name))):
            updated = properties.update(name, wanted)
        _show(settings, updated, as_json=as_json)


def new_vault(sku: Sku | None, retention_days: int | None, purge_protection: bool | None) -> "NewVault":  # noqa: FBT001
    """Say what a vault is made with; what was not said is as Key Vault has it."""
    from certworker.vault.vault_properties import NewVault  # noqa: PLC0415

    plain = NewVault()
    return NewVault(sku or plain.sku, retention_days or plain.retention_days, bool(purge_protection))


@contextmanager
def _properties(settings: "Settings") -> Iterator["VaultProperties"]:
    """Open the database alone: no master key is needed, so that a sealed deployment can be looked at."""
    from certworker.clock import utc_now  # noqa: PLC0415
    from certworker.store.engine import open_store  # noqa: PLC0415
    from certworker.store.migrate import require_current  # noqa: PLC0415
    from certworker.vault.vault_properties import VaultProperties  # noqa: PLC0415

    require_current(settings.database_url)
    store = open_store(settings.database_url, utc_now)
    try:
        yield VaultProperties(store)
    finally:
        store.close()


def _show(settings: "Settings", vault: Vault, *, as_json: bool) -> None:
    url = f"https://{vault.name}.{settings.vault_suffix}"
    if as_json:
        show_json(_wire(vault, url))
        return
    fields = {
        "name": vault.name,
        "url": url,
        "sku": vault.sku.value,
        "retention": f"{vault.retention_days} days",
        "purge protection": "on" if vault.purge_protection else "off",
        "created": f"{vault.created:%Y-%m-%dT%H:%M:%SZ}",
    }
    show_fields(fields)


def _wire(vault: Vault, url: str) -> Wire:
    """Show it in the words of Azure's management plane."""
    return {
        "name": vault.name,
        "location": vault.location,
        "properties": {
            "vaultUri": f"{url}/",
            "tenantId": vault.tenant_id,
            "sku": {"family": "A", "name": vault.sku.value},
            "enableSoftDelete": True,
            "softDeleteRetentionInDays": vault.retention_days,
            "enablePurgeProtection": vault.purge_protection,
        },
    }
