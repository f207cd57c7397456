"""`certworker backup`: the whole deployment in one sealed file, and back."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from certworker.cli.output import show_fields, show_json, show_table, tell
from certworker.errors import SetupError

if TYPE_CHECKING:
    from certworker.settings import Settings
    from certworker.vault.deployment_backup import Contents, DeploymentBackups

app = typer.Typer(help="Backup of the whole deployment: create, verify, restore.", no_args_is_help=True)

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="Settings file of the deployment (TOML).")]
BackupFile = Annotated[Path, typer.Argument(help="File of the backup.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
NOT_IN_BACKUP = "{} versions of keys lie in a hardware token, and are not in the backup: back the token up by its own means."


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
    from certworker.cli.whole_file import whole_file  # noqa: PLC0415  # `--help` and completion start without them
    from certworker.settings import load_settings  # noqa: PLC0415

    backups = deployment_backups(load_settings(config))
    with whole_file(file, force=force) as opened:
        contents = backups.create(opened)
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
    with open_backup(file) as opened:
        contents = deployment_backups(settings).contents(opened)
        if deep:
            from certworker.cli.drill import fail_on_faults, read_in_scratch  # noqa: PLC0415

            found = read_in_scratch(settings, opened).found
            fail_on_faults(found)
    _show(contents, as_json=as_json)
    tell("Every record in it opens." if deep else "It is whole. `--deep` opens every record in it as well.")


@app.command()
def restore(config: ConfigOption, file: BackupFile, *, as_json: AsJson = False) -> None:
    """Put a backup into the empty database that the settings name, on SQLite or PostgreSQL: all of it or nothing.

    A backup that is damaged or belongs to another master key is refused before anything is changed. Work that was in progress
    is taken up again by the next `certworker run`.
    """
    from certworker.settings import load_settings  # noqa: PLC0415

    with open_backup(file) as opened:
        contents = deployment_backups(load_settings(config)).restore(opened)
    _show(contents, as_json=as_json)
    tell(f"Restored as it was at {contents.header.created:%Y-%m-%dT%H:%M:%SZ}. Start it: certworker run -c {config}")


def deployment_backups(settings: "Settings", database_url: str | None = None) -> "DeploymentBackups":
    """Give the service for the database that the settings name, or for another."""
    from certworker.clock import utc_now  # noqa: PLC0415
    from certworker.seal.sources import source_of  # noqa: PLC0415
    from certworker.store.dump import SqlTables  # noqa: PLC0415
    from certworker.vault.deployment_backup import DeploymentBackups  # noqa: PLC0415

    return DeploymentBackups(SqlTables(database_url or settings.database_url), source_of(settings.seal).read, utc_now)


@contextmanager
def open_backup(file: Path) -> Iterator[BinaryIO]:
    """Open a backup for reading. Raises SetupError."""
    try:
        with file.open("rb") as opened:
            yield opened
    except OSError as error:
        raise SetupError(f"The backup {file} cannot be read: {error.strerror}.") from error


def shown(contents: "Contents") -> dict[str, Any]:
    """Show what is in a backup as JSON."""
    header = contents.header
    return {
        "created": f"{header.created:%Y-%m-%dT%H:%M:%SZ}",
        "schema": header.revision,
        "deployment_id": header.deployment_id,
        "master_key_id": header.master_key_id,
        "keys_in_token": contents.in_token,
        "rows": dict(contents.rows),
    }


def _show(contents: "Contents", *, as_json: bool) -> None:
    values = shown(contents)
    if as_json:
        show_json(values)
    else:
        rows = values.pop("rows")
        show_fields(values)
        show_table(("TABLE", "ROWS"), sorted(rows.items()))
    if contents.in_token:
        tell(NOT_IN_BACKUP.format(contents.in_token))
