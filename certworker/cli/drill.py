"""`certworker drill`: recovery, practised as regularly as a cron job likes."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from certworker.cli.deployment_backups import (
    NOT_IN_BACKUP,
    AsJson,
    ConfigOption,
    Practice,
    deployment_backups,
    open_backup,
    open_master_keys,
    read_in_scratch,
    shown,
)
from certworker.cli.exits import ExitCode
from certworker.cli.mass_revocation import mass_revocation
from certworker.cli.output import show_fields, show_json, show_table, tell
from certworker.cli.progress import position_in, working

if TYPE_CHECKING:
    from certworker.settings import Settings
    from certworker.vault.deployment_backup import MasterKeys

app = typer.Typer(help="Drills: is what was saved worth anything, and what if a CA must revoke?", no_args_is_help=True)
app.command("mass-revocation")(mass_revocation)


@app.callback()
def drill() -> None:
    """Practise what must not fail when it is needed."""


@app.command()
def recovery(
    config: ConfigOption,
    file: Annotated[Path | None, typer.Argument(help="Backup to practise with; without one, one is made now.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Restore a backup into a scratch folder, open every record, compare the counts, and report; exit code 0 if all is well.

    The live database is only read, and the scratch folder (in TMPDIR; it holds nothing unsealed) is removed afterwards.
    """
    from certworker.settings import load_settings  # noqa: PLC0415

    settings, begin = load_settings(config), monotonic()
    live = None if file is None else _count_live(settings)
    with open_master_keys(settings) as keys, open_backup(file) if file else _fresh_backup(settings, keys) as opened:
        practice = read_in_scratch(keys, opened)
    live = dict(practice.contents.rows) if file is None else live
    report = _report(practice, live, monotonic() - begin)
    if as_json:
        show_json(report)
    else:
        _show(report)
    if practice.found.in_token:
        tell(NOT_IN_BACKUP.format(practice.found.in_token))
    if not report["ok"]:
        tell("The drill failed: this backup does not bring everything back.")
        raise typer.Exit(ExitCode.ERROR)
    tell(f"The drill went well: everything came back, in {report['seconds']} seconds.")


@contextmanager
def _fresh_backup(settings: "Settings", master_keys: "MasterKeys") -> Iterator[BinaryIO]:
    with tempfile.TemporaryFile(prefix="certworker-drill-") as file:
        with working("Making a backup to practise with", position=position_in(file), is_bytes=True):
            deployment_backups(settings.database_url, master_keys).create(file)
        file.seek(0)
        yield file


def _count_live(settings: "Settings") -> Mapping[str, int] | None:
    """Count the live rows, to be shown beside an older backup's; none where there is no live database (any more)."""
    from certworker.errors import CertworkerError  # noqa: PLC0415
    from certworker.store.dump import SqlTables  # noqa: PLC0415

    try:
        return SqlTables(settings.database_url).counts()
    except CertworkerError:
        return None


def _report(practice: Practice, live: Mapping[str, int] | None, seconds: float) -> dict[str, Any]:
    found, rows = practice.found, practice.contents.rows
    tables = {
        name: {"live": live.get(name) if live else None, "backup": rows.get(name), "restored": practice.restored.get(name)}
        for name in sorted({*rows, *practice.restored})
    }
    lost = [name for name, counts in tables.items() if (counts["backup"] or 0) != (counts["restored"] or 0)]
    faults = [*(f"The table {name} did not come back whole." for name in lost), *found.faults]
    return {
        "ok": not faults,
        "seconds": round(seconds, 1),
        "backup": {name: value for name, value in shown(practice.contents).items() if name != "rows"},
        "tables": tables,
        "opened": dict(found.opened),
        "fitting_keys": found.keys,
        "fitting_certificates": found.certificates,
        "fault_count": found.fault_count + len(lost),
        "faults": faults,
    }


def _show(report: Mapping[str, Any]) -> None:
    show_fields(report["backup"])
    # what is empty everywhere tells nothing; JSON has it all
    held = [(name, *counts.values()) for name, counts in report["tables"].items() if any(counts.values())]
    show_table(("TABLE", "LIVE", "BACKUP", "RESTORED"), held)
    show_table(("OPENED", "RECORDS"), [(kind, count) for kind, count in report["opened"].items() if count])
    show_fields({name: report[name] for name in ("fitting_keys", "fitting_certificates", "fault_count")})
    for fault in report["faults"]:
        tell(fault)
