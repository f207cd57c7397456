"""`certworker seal`: the master key, the vault keys under it, and who opens them after a start."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from certworker.cli.options import AsJson
from certworker.cli.output import show_fields, show_json, show_table, tell
from certworker.cli.progress import working
from certworker.cli.secret_input import secret_lines
from certworker.errors import SetupError, VaultNotFound

if TYPE_CHECKING:
    from certworker.seal.enclosing import Enclosed
    from certworker.settings import Settings
    from certworker.vault.resealing import Resealed, VaultKeyRotation
    from certworker.vault.store import Store
    from certworker.vault.vaults import Vault

app = typer.Typer(help="The seal: master key, vault keys, and what opens them after a start.", no_args_is_help=True)

Config = Annotated[Path, typer.Option("--config", "-c", help="Settings file (TOML); see `certworker settings`.")]
Shares = Annotated[int, typer.Option(help="How many shares are handed out (shamir).")]
Threshold = Annotated[int, typer.Option(help="How many of them open the seal (shamir).")]


@app.command()
def status(config: Config, *, as_json: AsJson = False) -> None:
    """Show where the master key is, whether it is sealed, and how the vault keys stand. Needs no passphrase.

    Ends with 1 while records remain under older vault keys: `certworker seal rotate-vault-keys` seals them anew.
    """
    from certworker.cli.seal_status import look  # noqa: PLC0415  # the other commands start without it

    with working("Counting records"):
        found = look(_load(config))
    if as_json:
        show_json(found.wire())
    else:
        show_fields(found.fields())
        show_table(("VAULT", "TERM", "TERMS", "RECORDS", "UNDER OLDER TERMS"), found.rows())
    if found.under_older:
        raise typer.Exit(1)


@app.command("rotate-master")
def rotate_master(
    config: Config,
    *,
    new_key_file: Annotated[
        Path | None, typer.Option(help="File (mode 0600) with the new key, where the master key is no file of its own.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Put a new master key in force, while the service goes on. A rotation that was broken off is finished.

    Backups of the database that were made before open under the old master key only: keep that as long as you keep them.
    """
    from certworker.bootstrap import open_house  # noqa: PLC0415
    from certworker.cli.local_acts import recorded  # noqa: PLC0415
    from certworker.cli.seal_opening import opened_source  # noqa: PLC0415
    from certworker.cli.seal_status import master_key_id  # noqa: PLC0415
    from certworker.seal.rotation import is_unfinished, rotate_master_key  # noqa: PLC0415
    from certworker.vault.resealing import MasterKeyRotation  # noqa: PLC0415

    settings = _load(config)
    source = opened_source(settings)
    finishing = source is not None and is_unfinished(source, master_key_id(settings))
    with open_house(settings, source=source, migrating=False) as house:
        if not house.founding.is_done():
            raise SetupError(f"This deployment has not been set up. Run: certworker init -c {config}")
        if finishing:
            text = f"The rotation that was broken off is finished: the master key {house.master.id} is in force."
            _say(text, {"master_key_id": house.master.id, "finished": True}, as_json=as_json)
            return
        source, rotation = house.master_source, MasterKeyRotation(house.store, house.clock)
        with recorded(settings, "MasterKeyRotate"), working("Wrapping every vault key anew"):
            done = rotate_master_key(source, house.master, rotation, new_key_file)
    text = f"The master key {done.new} is in force, and wraps {done.vault_keys} vault keys. It was {done.old}."
    _say(text, {"master_key_id": done.new, "before": done.old, "vault_keys": done.vault_keys}, as_json=as_json)
    tell(done.to_do or f"Back up {source}, apart from the database: without it nothing opens.")


@app.command("rotate-vault-keys")
def rotate_vault_keys(
    config: Config,
    *,
    vault: Annotated[str | None, typer.Option(help="One vault only; else all, the service's own among them.")] = None,
    anew: Annotated[bool, typer.Option("--anew", help="Make new keys even where an earlier rotation was broken off.")] = False,
    as_json: AsJson = False,
) -> None:
    """Give vaults new keys, and seal their records anew under them, while the service goes on.

    Where records remain under older keys, a rotation was broken off: it is finished, and no new key is made. Older keys are
    kept: backups of objects open under them. Ends with 1 where records remain.
    """
    from certworker.bootstrap import open_house  # noqa: PLC0415
    from certworker.cli.local_acts import recorded  # noqa: PLC0415
    from certworker.cli.seal_opening import opened_source  # noqa: PLC0415
    from certworker.vault.resealing import VaultKeyRotation  # noqa: PLC0415

    settings = _load(config)
    with open_house(settings, source=opened_source(settings), migrating=False) as house:
        rotation = VaultKeyRotation(house.store, house.keyring, house.clock)
        with recorded(settings, "VaultKeyRotate"):
            done = [_rotate(rotation, found, anew=anew) for found in _vaults(house.store, vault)]
    _show_resealed(done, as_json=as_json)
    _tell_broken(done)
    if any(one.remaining for one in done):
        raise typer.Exit(1)


@app.command()
def unseal(config: Config, *, as_json: AsJson = False) -> None:
    """Open the seal of the service that runs here: with the passphrase, or with one share after the other.

    It is asked for without echo; or each line of standard input is one.
    """
    from certworker.cli.local_acts import recorded  # noqa: PLC0415
    from certworker.cli.seal_opening import unseal_service  # noqa: PLC0415

    settings = _load(config)
    with recorded(settings, "DeploymentUnseal", apart=True):
        opened = unseal_service(settings, secret_lines)
    _say(opened.text, {"sealed": opened.is_sealed}, as_json=as_json)


@app.command("seal")
def seal_again(config: Config, *, as_json: AsJson = False) -> None:
    """Seal the service that runs here again: it forgets the key, and answers 503 until it is unsealed."""
    from certworker.cli.local_acts import recorded  # noqa: PLC0415
    from certworker.seal.channel import ask  # noqa: PLC0415

    settings = _load(config)
    with recorded(settings, "DeploymentSeal", apart=True):
        ask(settings.seal.socket, {"ask": "seal"})
    _say("The service is being sealed.", {"sealed": True}, as_json=as_json)


@app.command()
def enable(
    config: Config,
    *,
    kind: Annotated[str, typer.Option(help="passphrase or shamir.")],
    shares: Shares = 5,
    threshold: Threshold = 3,
    as_json: AsJson = False,
) -> None:
    """Put the master key's file under a seal. The passphrase is asked for; shares are printed, this once.

    Then set `seal.kind` and restart the service. Copies of the plain file open everything still: destroy them, or rotate
    the master key afterwards.
    """
    from certworker.cli.local_acts import recorded  # noqa: PLC0415
    from certworker.cli.seal_opening import new_seal  # noqa: PLC0415
    from certworker.seal.enclosing import enclose  # noqa: PLC0415

    settings = _load(config)
    if settings.seal.elsewhere:
        raise SetupError("A seal wraps the master key in its file, and the settings take it from elsewhere.")
    with recorded(settings, "SealEnable", apart=True):
        enclose(settings.seal, new_seal(kind, shares, threshold), partial(_show_shares, threshold, kind, as_json=as_json))
    tell(f'Now set  kind = "{kind}"  in [seal] of {config}, and restart the service.')


@app.command()
def change(config: Config, *, shares: Shares = 5, threshold: Threshold = 3, as_json: AsJson = False) -> None:
    """Change the passphrase, or hand out other shares; the old ones open nothing any more. The service goes on.

    What opens the seal now is asked for first, unless the service is unsealed.
    """
    from certworker.cli.local_acts import recorded  # noqa: PLC0415
    from certworker.cli.seal_opening import adopt, new_seal, opened_source  # noqa: PLC0415
    from certworker.seal.enclosing import change_lock  # noqa: PLC0415
    from certworker.seal.master_file import MasterFile  # noqa: PLC0415
    from certworker.settings import SealKind  # noqa: PLC0415

    settings = _load(config)
    source = opened_source(settings)
    if settings.seal.kind is SealKind.NONE or not isinstance(source, MasterFile):
        raise SetupError("There is no seal ([seal] kind is none).")
    new = new_seal(settings.seal.kind, shares, threshold)
    show = partial(_show_shares, threshold, settings.seal.kind.value, as_json=as_json)
    with recorded(settings, "SealChange", apart=True):
        adopt(settings.seal, change_lock(source, new, show))
    tell("Older copies of the master key file still open with what opened them: rotate the master key, and destroy them.")


@app.command()
def disable(config: Config, *, as_json: AsJson = False) -> None:
    """Take the seal off: the file holds the master key itself from now on. Then set `kind` to none and restart the service."""
    from certworker.cli.local_acts import recorded  # noqa: PLC0415
    from certworker.cli.seal_opening import opened_source  # noqa: PLC0415
    from certworker.seal.enclosing import disclose  # noqa: PLC0415
    from certworker.seal.master_file import MasterFile  # noqa: PLC0415
    from certworker.settings import SealKind  # noqa: PLC0415

    settings = _load(config)
    source = opened_source(settings)
    if settings.seal.kind is SealKind.NONE or not isinstance(source, MasterFile):
        raise SetupError("There is no seal ([seal] kind is none).")
    with recorded(settings, "SealDisable", apart=True):
        disclose(source)
    if as_json:
        show_json({"kind": SealKind.NONE.value})
    tell(f'Now set  kind = "none"  in [seal] of {config}, and restart the service.')


def _load(config: Path) -> "Settings":
    from certworker.settings import load_settings  # noqa: PLC0415

    return load_settings(config)


def _rotate(rotation: "VaultKeyRotation", vault: "Vault", *, anew: bool) -> "Resealed":
    with working(f"Sealing the records of {vault.name} anew") as step:
        return rotation.rotate(vault, anew=anew, told=step.reach)


def _say(text: str, values: Mapping[str, object], *, as_json: bool) -> None:
    if as_json:
        show_json(values)
    else:
        typer.echo(text)


def _show_resealed(done: Sequence["Resealed"], *, as_json: bool) -> None:
    rows = [(one.vault.name, one.term, one.is_new_term, one.records, one.remaining) for one in done]
    if as_json:
        names = ("vault", "term", "is_new_term", "sealed_anew", "remaining")
        show_json({"value": [dict(zip(names, row, strict=True)) for row in rows]})
    else:
        show_table(("VAULT", "TERM", "NEW", "SEALED ANEW", "REMAINING"), rows)


def _show_shares(threshold: int, kind: str, enclosed: "Enclosed", *, as_json: bool) -> None:
    if as_json:
        handed_out = {"shares": list(enclosed.shares), "threshold": threshold} if enclosed.shares else {}
        show_json({"kind": kind, **handed_out})
    else:
        for share in enclosed.shares:
            typer.echo(share)
    if enclosed.shares:
        tell(f"Give each share to another person. {threshold} of them open the seal; they are not shown again.")


def _vaults(store: "Store", name: str | None) -> list["Vault"]:
    with store.reading() as reader:
        if name is None:
            return list(reader.every_vault())
        found = reader.vault_by_name(name)
    if found is None:
        raise VaultNotFound(f"There is no vault '{name[:40]}'.")
    return [found]


def _tell_broken(done: list["Resealed"]) -> None:
    for one in done:
        for place in one.broken:
            tell(f"This record does not open, and stays as it is: {place}")
