"""`certworker backup`: the whole deployment in one sealed file, and back."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from certworker.cli.deployment_backups import (
    NOT_IN_BACKUP,
    AsJson,
    ConfigOption,
    deployment_backups,
    open_backup,
    open_master_keys,
    read_in_scratch,
    shown,
)
from certworker.cli.exits import ExitCode
from certworker.cli.output import show_fields, show_json, show_table, tell
from certworker.cli.progress import Step, position_in, size_of, working

if TYPE_CHECKING:
    from certworker.vault.deployment_backup import Contents

app = typer.Typer(help="Backup of the whole deployment: create, verify, restore.", no_args_is_help=True)

BackupFile = Annotated[Path, typer.Argument(help="File of the backup.")]


@app.command()
def create(
    config: ConfigOption,
    file: BackupFile,
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a backup while the service goes on: everything as it was at one moment, sealed, and read again before it counts.

    The master key is not in it. Keep a copy of that apart: a backup opens only under the master key that it was made under.
    """
    from certworker.cli.local_acts import recorded  # noqa: PLC0415
    from certworker.cli.whole_file import whole_file  # noqa: PLC0415  # `--help` and completion start without them
    from certworker.settings import load_settings  # noqa: PLC0415

    settings = load_settings(config)
    with (
        recorded(settings, "DeploymentBackup", apart=True),
        open_master_keys(settings) as keys,
        whole_file(file, force=force) as opened,
        working("Writing the backup, and reading it again", position=position_in(opened), is_bytes=True),
    ):
        contents = deployment_backups(settings.database_url, keys).create(opened)
    _show(contents, as_json=as_json)
    tell(f"{file} is a backup. It opens under the master key {contents.header.master_key_id}, which is not in it.")


@app.command()
def verify(
    config: ConfigOption,
    file: BackupFile,
    *,
    deep: Annotated[
        bool, typer.Option("--deep", help="Restore it into a scratch folder too, and open every record in it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Open a backup from its first byte to its last, and tell what is in it. Nothing of the deployment is touched."""
    from certworker.settings import load_settings  # noqa: PLC0415

    settings = load_settings(config)
    with open_backup(file) as opened, open_master_keys(settings) as keys:
        with _reading(opened):
            contents = deployment_backups(settings.database_url, keys).contents(opened)
        found = read_in_scratch(keys, opened).found if deep else None
    _show(contents, as_json=as_json)
    if found and found.fault_count:
        for fault in found.faults:
            tell(fault)
        tell(f"{found.fault_count} records of this backup do not come back.")
        raise typer.Exit(ExitCode.ERROR)
    tell("Every record in it opens." if deep else "It is whole. `--deep` opens every record in it as well.")


@app.command()
def restore(config: ConfigOption, file: BackupFile, *, as_json: AsJson = False) -> None:
    """Put a backup into the empty database that the settings name, on SQLite or PostgreSQL: all of it or nothing.

    A backup that is damaged or belongs to another master key is refused before anything is changed. Work that was in progress
    is taken up again by the next `certworker run`.
    """
    from certworker.cli.local_acts import recorded  # noqa: PLC0415
    from certworker.settings import load_settings  # noqa: PLC0415

    settings = load_settings(config)
    with (
        open_backup(file) as opened,
        open_master_keys(settings) as keys,
        recorded(settings, "DeploymentRestore", apart=True),
        _reading(opened),
    ):
        contents = deployment_backups(settings.database_url, keys).restore(opened)
    _show(contents, as_json=as_json)
    tell(f"Restored as it was at {contents.header.created:%Y-%m-%dT%H:%M:%SZ}. Start it: certworker run -c {config}")


def _reading(backup: BinaryIO) -> AbstractContextManager[Step]:
    return working("Reading the backup", position=position_in(backup), total=size_of(backup), is_bytes=True)


def _show(contents: "Contents", *, as_json: bool) -> None:
    values = shown(contents)
    if as_json:
        show_json(values)
    else:
        rows = values.pop("rows")
        show_fields(values)
        show_table(("TABLE", "ROWS"), [(table, count) for table, count in sorted(rows.items()) if count])
    if contents.in_token:
        tell(NOT_IN_BACKUP.format(contents.in_token))
