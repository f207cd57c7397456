"""The command `certworker`."""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from certworker.cli import (
    access,
    audit,
    az_setup,
    backup,
    certificate,
    contact,
    csr,
    doctor,
    drill,
    identity,
    issuer,
    key,
    notices,
    plan,
    revocation,
    seal,
    secret,
    session,
    simulate,
    status,
    vault,
)
from certworker.cli.core_dumps import forbid_core_dumps
from certworker.cli.endings import ended_in_order, keep_to_ascii, open_closed_streams, told_in_a_line
from certworker.cli.exits import EPILOG, exit_code_of
from certworker.cli.options import AlwaysJson
from certworker.cli.output import tell
from certworker.cli.vault import PurgeProtection, RetentionDays, SkuOption, new_vault
from certworker.errors import CertworkerError

DEFAULT_HOME = "~/.certworker"
DEFAULT_PORT = 8443
INTERRUPTED = 128 + signal.SIGINT


class Commands(TyperGroup):
    """The commands; an error of ours is one line and an exit code of the table."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]
        """Run the command that is meant."""
        try:
            return super().invoke(ctx)
        except CertworkerError as error:
            tell(f"certworker: {error}")
            raise typer.Exit(exit_code_of(error)) from None
        except typer.Abort as abort:
            if not isinstance(abort.__context__, KeyboardInterrupt):
                raise
            tell("")  # Ctrl-C at a question ends as it does elsewhere, on a line of its own
            raise typer.Exit(INTERRUPTED) from None


app = typer.Typer(
    cls=Commands,
    epilog=EPILOG,
    help="A vault that speaks the Azure Key Vault API, and a worker that keeps its certificates alive.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="Settings file (TOML); see `certworker settings`.")]


@app.command()
def dev(
    home: Annotated[
        Path | None, typer.Option(help=f"Folder for everything that is kept; default $CERTWORKER_HOME or {DEFAULT_HOME}.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="HTTPS port; 0 takes a free one.")] = DEFAULT_PORT,
    demo: Annotated[bool, typer.Option("--demo", help="Plant a first set of certificates, one for each road.")] = False,  # noqa: FBT002
) -> None:
    """Run everything on this machine: vault, worker, identity provider and a simulated CA.

    Once all serves, HOME/dev.json (mode 0600) tells clients where and as whom; it is taken away at the stop. Ctrl-C or SIGTERM
    stops; the next start goes on with the same data.
    """
    from certworker.cli.dev import run_dev  # noqa: PLC0415  # the other commands start without it

    run_dev(home or Path(os.environ.get("CERTWORKER_HOME", DEFAULT_HOME)).expanduser(), port, demo=demo)


@app.command()
def run(
    config: ConfigOption,
    role: Annotated[str, typer.Option(help="all, api or worker.")] = "all",
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="HTTPS port, before server.port.")] = None,
    metrics_port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port for metrics, before metrics.port.")] = None,
) -> None:
    """Run the service in the foreground. SIGTERM drains and stops; SIGHUP reads the settings again.

    Further processes with `--role api` or `--role worker` can work beside it on the same database.
    """
    from certworker.cli.run import run_service  # noqa: PLC0415
    from certworker.cli.service import Role  # noqa: PLC0415

    if role not in set(Role):
        raise typer.BadParameter("it is all, api or worker", param_hint="--role")
    run_service(config, Role(role), port, metrics_port)


@app.command()
def init(
    config: ConfigOption,
    vault: Annotated[str, typer.Option(help="Name of the first vault.")] = "main",
    administrator: Annotated[str, typer.Option(help="Display name of the first administrator.")] = "administrator",
    sku: SkuOption = None,
    retention_days: RetentionDays = None,
    purge_protection: PurgeProtection = None,
    shares: Annotated[int, typer.Option(help="How many shares are handed out, where `seal.kind` is shamir.")] = 5,
    threshold: Annotated[int, typer.Option(help="How many of them open the seal.")] = 3,
    as_json: AlwaysJson = True,  # noqa: ARG001, FBT002  # it is JSON in any case
) -> None:
    """Set a deployment up: master key (unless there is one), database, subscription, administrator and first vault.

    Prints the administrator's credentials as JSON on standard output. The client secret is shown this once; so are the shares
    of the seal, where `seal.kind` is shamir. Where it is passphrase, that is asked for.
    """
    from certworker.bootstrap import open_house  # noqa: PLC0415
    from certworker.cli.first_key import first_master_key  # noqa: PLC0415
    from certworker.cli.local_acts import recorded  # noqa: PLC0415
    from certworker.settings import load_settings  # noqa: PLC0415
    from certworker.store.migrate import require_current  # noqa: PLC0415

    settings, new = load_settings(config), new_vault(sku, retention_days, purge_protection)
    require_current(settings.database_url, or_none=True)  # to bring it up to date is the service's
    with (
        first_master_key(settings, shares, threshold) as first,
        open_house(settings, source=first.source) as house,
        recorded(settings, "DeploymentInit"),
    ):
        founded = house.founding.found(vault, administrator, new)
    shown: dict[str, object] = {
        "tenant_id": founded.administrator.tenant_id,
        "subscription_id": founded.vault.subscription_id,
        "client_id": founded.administrator.client_id,
        "client_secret": founded.client_secret,
        "object_id": founded.administrator.object_id,
        "authority": settings.authority,
        "vault_url": f"https://{founded.vault.name}.{settings.vault_suffix}",
    }
    if first.shares:
        shown["seal_shares"] = first.shares
    typer.echo(json.dumps(shown, indent=2))
    typer.echo(first.to_do(), err=True)


@app.command()
def ca_bundle(config: ConfigOption) -> None:
    """Print the PEM bundle that clients check the server's certificate by."""
    from certworker.api.server_certificate import ServerCertificate  # noqa: PLC0415
    from certworker.bootstrap import open_house  # noqa: PLC0415
    from certworker.settings import load_settings  # noqa: PLC0415

    with open_house(load_settings(config), migrating=False) as house:
        typer.echo(ServerCertificate(house).root(), nl=False)


@app.command()
def settings() -> None:
    """Print every setting with its default, unit and help, as a settings file."""
    from certworker.cli.sample import sample_settings  # noqa: PLC0415

    typer.echo(sample_settings(), nl=False)


app.add_typer(certificate.app, name="certificate")
app.add_typer(csr.app, name="csr")
app.add_typer(key.app, name="key")
app.add_typer(secret.app, name="secret")
app.add_typer(issuer.app, name="issuer")
app.add_typer(contact.app, name="contact")
app.add_typer(notices.app, name="notify")
app.add_typer(revocation.app, name="revocation")
app.add_typer(vault.app, name="vault")
app.add_typer(access.app, name="access")
app.add_typer(identity.app, name="identity")
app.add_typer(seal.app, name="seal")
app.add_typer(audit.app, name="audit")
app.add_typer(backup.app, name="backup")
app.add_typer(drill.app, name="drill")
app.command()(status.status)
app.command()(plan.plan)
app.command()(doctor.doctor)
app.command()(simulate.simulate)
app.command()(az_setup.az_setup)
app.command()(session.login)
app.command()(session.logout)


def run_command() -> None:
    """Run the command line."""
    open_closed_streams()
    keep_to_ascii()
    forbid_core_dumps()
    if not (sys.stdout.isatty() or os.environ.get("FORCE_COLOR")):
        # help and wrong command lines would be in colours in every pipe of a CI that names itself in the environment
        os.environ["_TYPER_FORCE_DISABLE_TERMINAL"] = "1"
    with ended_in_order(), told_in_a_line():
        app()


if __name__ == "__main__":
    run_command()
