"""`certworker az-setup`: Azure's own command line, `az`, speaks to this deployment."""

import json
import os
import shutil
from pathlib import Path
from typing import Annotated

import typer

from certworker.cli.azure_cli import CLOUD, SETTINGS, AzureCli, Deployment, exports, script
from certworker.cli.home import write_json
from certworker.cli.logins import Login, check_url, find_login, login_file, read_dev_home
from certworker.cli.output import tell
from certworker.cli.progress import Step, working
from certworker.errors import SetupError, Unauthenticated

_MARK = "certworker.json"
"""What says that a folder was set up, and whether it was made for it alone."""
_PUBLIC_CLOUD = "AzureCloud"


def az_setup(
    *,
    home: Annotated[
        Path | None, typer.Option(help="Folder of a `certworker dev`; its administrator is who az is logged in as.")
    ] = None,
    vault_url: Annotated[
        str | None, typer.Option("--vault-url", help="Any vault of the deployment; else the environment or `certworker login`.")
    ] = None,
    config_dir: Annotated[
        Path | None,
        typer.Option("--config-dir", help="Folder for az's settings; default HOME/az, or ~/.config/certworker/az."),
    ] = None,
    az: Annotated[str, typer.Option("--az", envvar="CERTWORKER_AZ", help="The program az.")] = "az",
    show: Annotated[bool, typer.Option("--print", help="Print a script that does it, and do nothing.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Undo it: log out, and forget the cloud.")] = False,
) -> None:
    """Tell az of this deployment: register and choose it as a cloud, trust its certificate, and log in.

    A folder of settings of its own leaves your other use of az alone. Standard output is what your shell has to know:
    eval "$(certworker az-setup)". The client secret is handed over on standard input; az then keeps it in that folder.
    """
    # az runs in any folder
    cli = AzureCli(az, Path(os.path.abspath(config_dir or _folder(home))))  # noqa: PTH100  # without following links
    if remove:
        _remove(cli)
        return
    login = _find(home, vault_url)
    if show:
        typer.echo(script(Deployment.of(_complete(login)), cli), nl=False)
        return
    _set_up(cli, _complete(login, check=True))


def _folder(home: Path | None) -> Path:
    return (home.expanduser() if home else login_file().parent) / "az"


def _find(home: Path | None, vault_url: str | None) -> Login:
    if home is None:
        return find_login(vault_url)
    login = read_dev_home(home.expanduser())
    if login is None:
        raise Unauthenticated(f"No `certworker dev` serves in {home}: start it with `certworker dev --home {home}`.")
    return login if vault_url is None else find_login(check_url(vault_url))


def _complete(login: Login, *, check: bool = False) -> Login:
    """Find the tenant and the authority where they are not known; with `check`, see that the secret is right."""
    if login.tenant_id and login.authority and not check:
        return login
    from certworker.cli.client import connect  # noqa: PLC0415  # the other commands start without it

    with connect(login) as vault:
        return vault.log_in()


def _set_up(cli: AzureCli, login: Login) -> None:
    alone = _is_alone(cli.folder)
    try:
        cli.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # before anything else, so that --remove works after a set-up that was cut short
        write_json(cli.folder / _MARK, {"cloud": CLOUD, "client_id": login.client_id, "alone": alone})
    except OSError as error:
        raise SetupError(f"The folder {cli.folder} cannot be written to: {error.strerror}.") from error
    if login.ca_bundle:
        cli.write_bundle(login.ca_bundle)
    else:
        cli.bundle.unlink(missing_ok=True)
    with working("Setting az up") as step:
        _log_az_in(cli, login, alone=alone, step=step)
    typer.echo(exports(cli.variables()), nl=False)
    tell(
        f"az is logged in to {Deployment.of(login).netloc} as {login.client_id}, with its settings in {cli.folder}. Your shell "
        'needs the lines on standard output: eval "$(certworker az-setup ...)".'
    )


def _log_az_in(cli: AzureCli, login: Login, *, alone: bool, step: Step) -> None:
    registered = CLOUD in json.loads(cli.run(("cloud", "list", "--query", "[].name", "--output", "json")))
    *first, last = Deployment.of(login).commands(registered=registered, alone=alone)
    for number, command in enumerate(first, 1):
        step.reach(number, len(first) + 2)
        cli.run(command)
    step.reach(len(first) + 1)
    cli.run(last, stdin=login.client_secret)


def _is_alone(folder: Path) -> bool:
    """Whether a folder holds nothing but what an earlier set-up made."""
    if not folder.exists() or not any(folder.iterdir()):
        return True
    mark = _read_mark(folder)
    return bool(mark and mark.get("alone"))


def _read_mark(folder: Path) -> dict[str, object] | None:
    try:
        found = json.loads((folder / _MARK).read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise SetupError(f"{folder / _MARK} cannot be read: {error}.") from error
    return found if isinstance(found, dict) else None


def _remove(cli: AzureCli) -> None:
    mark = _read_mark(cli.folder)
    if mark is None:
        raise SetupError(f"az was not set up in {cli.folder}: there is nothing to remove.")
    names = list(cli.variables())
    if mark.get("alone"):
        shutil.rmtree(cli.folder)
    else:
        _remove_from_others(cli, str(mark.get("client_id")))
    typer.echo(f"unset {' '.join(names)}")
    tell(f"az knows this deployment no more; its secret is gone from {cli.folder}.")


def _remove_from_others(cli: AzureCli, client_id: str) -> None:
    """Take out of a folder what was put into it, and leave the rest."""
    if CLOUD in json.loads(cli.run(("cloud", "list", "--query", "[].name", "--output", "json"))):
        accounts = json.loads(cli.run(("account", "list", "--all", "--query", "[].user.name", "--output", "json")))
        if client_id in accounts:
            cli.run(("logout", "--username", client_id))
        cli.run(("cloud", "set", "--name", _PUBLIC_CLOUD))
        cli.run(("cloud", "unregister", "--name", CLOUD))
    cli.run(("config", "unset", *(setting.partition("=")[0] for setting in SETTINGS)))
    cli.bundle.unlink(missing_ok=True)
    (cli.folder / _MARK).unlink()
