"""`certworker audit`: the log of who did what; and whether it is still what was written."""

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from certworker.cli.exits import ExitCode
from certworker.cli.options import AlwaysJson, AsJson, VaultUrl
from certworker.cli.output import plain, show_json, show_table, tell
from certworker.cli.progress import working
from certworker.errors import BadParameter, Forbidden, SetupError, Unavailable
from certworker.vault.audit.search import Search, Shown, claims_of, position_of, properties_of, vault_of

if TYPE_CHECKING:
    from certworker.audit.verifying import Verification
    from certworker.audit.witness import Witness
    from certworker.settings import Settings

app = typer.Typer(help="The audit log: search it, follow it, and verify that it is what was written.", no_args_is_help=True)

API_VERSION: Final = "2026-11-01"
_OVERLAP: Final = timedelta(seconds=10)
"""So far back each look of `tail -f` goes: records of changes come into the log a little after their time."""
_PAGE: Final = 1000
_COLUMNS: Final = ("TIME", "RESULT", "STATUS", "OPERATION", "VAULT", "CALLER", "FROM", "OBJECT")
_WHO_READS: Final = (
    "The log is read by whoever has the role Storage Blob Data Reader there, which Owner does not bring along "
    "(`certworker access assign` gives it, with --scope); on the machine itself, with --config."
)

Find = Callable[[Search], tuple[Shown, ...]]

Config = Annotated[
    Path | None, typer.Option("--config", "-c", help="Settings file: read the files of this machine, and not over the API.")
]
OfSettings = Annotated[Path, typer.Option("--config", "-c", help="Settings file.")]
Store = Annotated[str | None, typer.Option("--store", help="Resource id of the storage account that vaults are routed to.")]
Subscription = Annotated[
    str | None, typer.Option("--subscription", help="Its whole log; without it and --store, that of the one there is.")
]


@app.command()
def search(
    *,
    vault: Annotated[str | None, typer.Option(help="Name of the vault.")] = None,
    operation: Annotated[str | None, typer.Option(help="Such as SecretGet.")] = None,
    caller: Annotated[str | None, typer.Option(help="Object id, client id, or user principal name of who asked.")] = None,
    since: Annotated[str | None, typer.Option(help="Time in ISO 8601, or how long ago, such as 90m, 12h, 7d.")] = None,
    until: Annotated[str | None, typer.Option(help="Likewise.")] = None,
    result: Annotated[str | None, typer.Option(help="Success or Failure.")] = None,
    object_: Annotated[str | None, typer.Option("--object", help="Name of the key, secret or certificate.")] = None,
    correlation: Annotated[str | None, typer.Option(help="Correlation id.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many at the most.")] = 100,
    config: Config = None,
    store: Store = None,
    subscription: Subscription = None,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Search the log; the newest records come first."""
    if result and result.lower() not in {"success", "failure"}:
        raise BadParameter(f"{plain(result[:40])!r} is no result: give Success or Failure.")
    wanted = Search(vault, operation, caller, _time(since), _time(until), result, object_, correlation, limit)
    with _opened(config, store, subscription, vault_url) as find, working("Searching the audit log"):
        found = find(wanted)
    if as_json:
        show_json(list(found))
    else:
        show_table(_COLUMNS, [_row(record) for record in found])


@app.command()
def tail(
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as records come.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, max=_PAGE, help="How many to begin with.")] = 10,
    config: Config = None,
    store: Store = None,
    subscription: Subscription = None,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Show the newest records, the newest last; with -f, and those that come."""
    with _opened(config, store, subscription, vault_url) as find:
        shown: deque[str] = deque(maxlen=10 * _PAGE)
        looks, pause = Search(limit=lines), Event()
        while True:
            for record in reversed(find(looks)):
                if position_of(record)[1] not in shown:
                    shown.append(position_of(record)[1])
                    _print(record, as_json=as_json)
                    looks = replace(looks, limit=_PAGE, since=_before(position_of(record)[0]))
            if not follow:
                return
            pause.wait(1)


@app.command()
def verify(
    *,
    config: Config = None,
    folder: Annotated[Path | None, typer.Option(help="Folder of the files, in place of the settings' one.")] = None,
    heads: Annotated[
        Path | None, typer.Option(help="What `certworker audit heads` has written, in place of the database.")
    ] = None,
    all_hosts: Annotated[bool, typer.Option("--all-hosts", help="The files of all machines are here.")] = False,
    as_json: AsJson = False,
) -> None:
    """Verify the log's files against the signed heads in the database: ends with 1 where anything is wrong.

    Finds records that were changed, dropped or swapped, a tail or a file that is gone, and chains that are forged.
    """
    from certworker.audit.witness import parse_witness  # noqa: PLC0415  # `--help` starts without it

    if config is None and folder is None:
        raise typer.BadParameter("give --config, or --folder", param_hint="--config")
    if heads:
        found = _verify(folder or _settings(config).audit.folder, parse_witness(_read(heads)), all_hosts)
    elif config:
        found = _verify_by(_settings(config), folder, all_hosts)
    else:
        assert folder is not None  # noqa: S101  # as was looked at above
        found = _verify(folder, None, all_hosts)
    if as_json:
        from certworker.audit.verifying import shown_verification  # noqa: PLC0415

        show_json(shown_verification(found))
    else:
        _show(found)
    if not found.passed:
        raise typer.Exit(ExitCode.ERROR)


@app.command()
def heads(config: OfSettings, *, as_json: AlwaysJson = True) -> None:  # noqa: ARG001  # it is JSON in any case
    """Print the signed heads, cuts and public keys as JSON, for whoever verifies elsewhere."""
    from certworker.audit.witness import read_witness  # noqa: PLC0415
    from certworker.bootstrap import open_house  # noqa: PLC0415
    from certworker.cli.seal_opening import opened_source  # noqa: PLC0415

    settings = _settings(config)
    with open_house(settings, source=opened_source(settings), migrating=False) as house:
        typer.echo(read_witness(house.store).as_json(house.clock()))


@app.command("rotate-key")
def rotate_key(config: OfSettings, *, as_json: AsJson = False) -> None:
    """Make a new key that signs heads. Processes that start from now on use it; what older keys signed still counts."""
    from certworker.audit.notary import Notary  # noqa: PLC0415
    from certworker.bootstrap import open_house  # noqa: PLC0415
    from certworker.cli.local_acts import recorded  # noqa: PLC0415
    from certworker.cli.seal_opening import opened_source  # noqa: PLC0415

    settings = _settings(config)
    with open_house(settings, source=opened_source(settings), migrating=False) as house, recorded(settings, "AuditKeyRotate"):
        signer = Notary(house.store, house.keyring, house.clock).rotate()
    if as_json:
        show_json({"key_id": signer.id})
    else:
        typer.echo(f"The audit log is signed by the key {signer.id} from the next start of each process on.")


@contextmanager
def _opened(config: Path | None, store: str | None, subscription: str | None, vault_url: str | None) -> Iterator[Find]:
    if config:
        from certworker.audit.searching import search_files  # noqa: PLC0415

        folder = _settings(config).audit.folder

        def find(wanted: Search) -> tuple[Shown, ...]:
            try:
                return search_files(folder, wanted)
            except OSError as error:
                raise SetupError(f"The audit log in {folder} cannot be read: {error.strerror}.") from error

        yield find
        return
    from certworker.cli.management_client import open_management  # noqa: PLC0415

    with open_management(vault_url) as client:
        base = store.rstrip("/") + "/certworker" if store else None
        if base is None:
            base = f"/subscriptions/{subscription or client.subscription()}/providers/Certworker.Audit"

        def ask(wanted: Search) -> tuple[Shown, ...]:
            try:
                return _ask(client.get, f"{base}/auditEvents", wanted)
            except Forbidden as error:
                raise Forbidden(f"{error}\n{_WHO_READS}") from error

        yield ask


def _ask(get: Callable[..., Any], path: str, wanted: Search) -> tuple[Shown, ...]:
    """Ask page after page."""
    from base64 import urlsafe_b64encode  # noqa: PLC0415

    found: list[Shown] = []
    while len(found) < wanted.limit:
        query = {"$top": str(min(_PAGE, wanted.limit - len(found)))}
        if terms := _filter(wanted):
            query["$filter"] = terms
        if found:
            query["$skiptoken"] = urlsafe_b64encode(" ".join(position_of(found[-1])).encode()).decode().rstrip("=")
        page = get(path, API_VERSION, **query)
        found += page["value"]
        if not page.get("nextLink"):
            break
    return tuple(found)


def _filter(wanted: Search) -> str:
    terms: Mapping[str, str | None] = {
        "eventTimestamp ge": wanted.since,
        "eventTimestamp le": wanted.until,
        "vault eq": wanted.vault,
        "operationName eq": wanted.operation,
        "caller eq": wanted.caller,
        "resultType eq": wanted.result,
        "object eq": wanted.object,
        "correlationId eq": wanted.correlation,
    }
    quoted = {name: value.replace("'", "''") for name, value in terms.items() if value}
    return " and ".join(f"{name} '{value}'" for name, value in quoted.items())


def _verify_by(settings: "Settings", folder: Path | None, all_hosts: bool) -> "Verification":  # noqa: FBT001
    import socket  # noqa: PLC0415

    from certworker.audit.notary import Notary  # noqa: PLC0415
    from certworker.audit.verifying import verify_live  # noqa: PLC0415
    from certworker.audit.witness import read_witness  # noqa: PLC0415
    from certworker.bootstrap import open_house  # noqa: PLC0415
    from certworker.cli.seal_opening import opened_source  # noqa: PLC0415

    where = folder or settings.audit.folder
    with (
        open_house(settings, source=opened_source(settings), migrating=False) as house,
        _reading(where),
        working("Verifying the audit log"),
    ):
        notary = Notary(house.store, house.keyring, house.clock)
        return verify_live(
            where, lambda: read_witness(house.store, notary.broken_keys()), socket.gethostname(), all_hosts=all_hosts
        )


def _verify(folder: Path, witness: "Witness | None", all_hosts: bool) -> "Verification":  # noqa: FBT001
    import socket  # noqa: PLC0415

    from certworker.audit.verifying import verify as verify_folder  # noqa: PLC0415

    with _reading(folder), working("Verifying the audit log"):
        return verify_folder(folder, witness, socket.gethostname(), all_hosts=all_hosts)


@contextmanager
def _reading(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable(f"The audit log in {folder} cannot be read: {error.strerror}.") from error


def _show(found: "Verification") -> None:
    for chain in found.chains:
        end = "closed" if chain.closed else f"not closed; a power cut may have cost {_lost(chain.at_risk)} at most"
        span = f"{chain.first}-{chain.last}, {chain.begun} to {chain.ended}"
        typer.echo(plain(f"{chain.chain_id}  {chain.role}@{chain.host}  {_count(chain.records)} ({span}); {end}"))
        for note in chain.notes:
            typer.echo(plain(f"  note: {note}"))
        for finding in chain.findings:
            typer.echo(plain(f"  WRONG: {finding}"))
    for note in found.notes:
        typer.echo(plain(f"note: {note}"))
    for finding in found.findings:
        typer.echo(plain(f"WRONG: {finding}"))
    verdict = "as they were written" if found.passed else "NOT as they were written"
    chains = "1 chain" if len(found.chains) == 1 else f"{len(found.chains)} chains"
    tell(f"{_count(found.records)} in {chains}: {verdict}.")


def _lost(at_risk: int | None) -> str:
    return "as many records as its opening said, which is deleted," if at_risk is None else _count(at_risk)


def _count(records: int) -> str:
    return "1 record" if records == 1 else f"{records} records"


def _print(record: Shown, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(record, ensure_ascii=True, separators=(",", ":")))
    else:
        typer.echo("  ".join(plain(str(cell)) or "-" for cell in _row(record)))


def _row(record: Shown) -> tuple[object, ...]:
    claims, properties = claims_of(record), properties_of(record)
    caller = next((claims[name] for name in ("upn", "appid", "objectidentifier") if claims.get(name)), "")
    about = str(properties.get("id") or properties.get("name") or properties.get("requestUri", ""))
    status = properties.get("httpStatusCode")
    return (
        record.get("time"),
        record.get("resultType"),
        status,
        record.get("operationName"),
        vault_of(record),
        caller,
        record.get("callerIpAddress"),
        about,
    )


def _time(text: str | None) -> str | None:
    """Read a time, or how long ago it is. Raises BadParameter."""
    from certworker.audit.reading import read_time  # noqa: PLC0415
    from certworker.clock import utc_now  # noqa: PLC0415

    if text is None:
        return None
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400}
    if text[:-1].isdecimal() and text[-1:] in units and len(text) <= 9:  # noqa: PLR2004
        return read_time((utc_now() - timedelta(seconds=int(text[:-1]) * units[text[-1]])).isoformat())
    try:
        return read_time(text)
    except ValueError:
        raise BadParameter(f"{text[:40]!r} is no time: give 2026-11-22T10:00:00Z, or 90m, 12h, 7d.") from None


def _before(time: str) -> str:
    return f"{(datetime.fromisoformat(time) - _OVERLAP).astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def _settings(config: Path | None) -> "Settings":
    from certworker.settings import load_settings  # noqa: PLC0415

    return load_settings(config)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError(f"{path} cannot be read: {error}.") from error
