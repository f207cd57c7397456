"""What the commands on backups of a deployment share: how one is opened, restored on trial, and shown."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from certworker.cli.progress import position_in, size_of, working
from certworker.errors import SetupError

if TYPE_CHECKING:
    from certworker.settings import Settings
    from certworker.vault.deployment_backup import Contents, DeploymentBackups, MasterKeys
    from certworker.vault.recovery import ReadBack

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="Settings file of the deployment (TOML).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
NOT_IN_BACKUP = "Not in the backup: {} versions of keys that lie in a hardware token. Back the token up by its own means."


@dataclass(frozen=True, slots=True)
class Practice:
    """A backup that was restored into a scratch folder, and what was found there. `restored` counts rows by table."""

    contents: "Contents"
    restored: Mapping[str, int]
    found: "ReadBack"


@contextmanager
def open_master_keys(settings: "Settings") -> Iterator["MasterKeys"]:
    """Open the source of the master key; one under a seal by the service that runs here, or else from the terminal."""
    from certworker.bootstrap import open_source  # noqa: PLC0415  # `--help` and completion start without them
    from certworker.cli.seal_opening import opened_source  # noqa: PLC0415

    if source := opened_source(settings):
        yield source.read
        return
    with open_source(settings) as token:
        yield token.read


def deployment_backups(database_url: str, master_keys: "MasterKeys") -> "DeploymentBackups":
    """Give the service for a database."""
    from certworker.clock import utc_now  # noqa: PLC0415
    from certworker.store.dump import SqlTables  # noqa: PLC0415
    from certworker.vault.deployment_backup import DeploymentBackups  # noqa: PLC0415

    return DeploymentBackups(SqlTables(database_url), master_keys, utc_now)


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


def read_in_scratch(master_keys: "MasterKeys", backup: BinaryIO) -> Practice:
    """Restore a backup into a SQLite database of its own, and read everything back from there."""
    from certworker.clock import utc_now  # noqa: PLC0415
    from certworker.store.dump import SqlTables  # noqa: PLC0415
    from certworker.store.engine import open_store  # noqa: PLC0415
    from certworker.vault.keyring import Keyring, MasterKeyInForce  # noqa: PLC0415
    from certworker.vault.recovery import Recovery  # noqa: PLC0415

    with _scratch() as folder:
        url = f"sqlite:///{folder}/scratch.db"
        with working("Restoring on trial", position=position_in(backup), total=size_of(backup), is_bytes=True):
            contents = deployment_backups(url, master_keys).restore(backup)
        master = MasterKeyInForce(master_keys, contents.header.master_key_id)
        store = open_store(url, utc_now)
        try:
            with working("Opening every record"):
                found = Recovery(store, Keyring(store, master), master).read_back()
        finally:
            store.close()
        return Practice(contents, SqlTables(url).counts(), found)


@contextmanager
def _scratch() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="certworker-drill-"))  # mode 0700
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
