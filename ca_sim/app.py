"""The command `ca-sim`: serves a simulated authority, and shows its settings."""

import json
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import asyncio

    from ca_sim.server import Running

log = logging.getLogger(__name__)
cli = typer.Typer(
    help="A simulated certification authority that speaks ACME.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@cli.command()
def settings() -> None:
    """Print every setting with its default, unit and help, as a TOML file."""
    from ca_sim.settings import sample  # noqa: PLC0415 - the other command starts without it

    typer.echo(sample(), nl=False)


@cli.command()
def serve(
    config: Annotated[Path | None, typer.Option("--config", "-c", help="Settings (TOML). None: the defaults.")] = None,
    ready_file: Annotated[
        Path | None, typer.Option(help="JSON file to write once the authority answers; removed at the end.")
    ] = None,
    parent_fd: Annotated[int | None, typer.Option(help="Inherited pipe or socket: stop when its other end is closed.")] = None,
) -> None:
    """Serve until SIGTERM, SIGINT, or the end of --parent-fd."""
    # Imported here so that --help does not wait for the web server.
    from ca_sim.clock import utc_now  # noqa: PLC0415
    from ca_sim.files import StateError, write_whole  # noqa: PLC0415
    from ca_sim.server import ListenError, run  # noqa: PLC0415
    from ca_sim.settings import SettingsError, load  # noqa: PLC0415

    def ready(running: "Running") -> None:
        if ready_file is not None:
            document = {
                "acme_directory": running.directory_url,
                "management_url": running.management_url,
                "ca_bundle": str((chosen.state / "root.pem").resolve()) if chosen.state else None,
                "http01_port": chosen.http01_port,
                "pid": os.getpid(),
            }
            write_whole(ready_file, json.dumps(document, indent=2).encode() + b"\n")
        typer.echo(f"ca-sim is ready: ACME directory {running.directory_url}")
        sys.stdout.flush()

    try:
        chosen = load(config)
        _log_to_stderr(chosen.log_level)
        run(chosen, utc_now, ready=ready, prepare=lambda stop: _stop_on_signals(stop, parent_fd))
    except (SettingsError, StateError, ListenError, OSError) as error:
        typer.echo(f"ca-sim: {error}", err=True)
        raise typer.Exit(2 if isinstance(error, SettingsError) else 1) from error
    # Not after an error: the file may then be that of the ca-sim that holds the port.
    if ready_file is not None:
        ready_file.unlink(missing_ok=True)


def _log_to_stderr(level: str) -> None:
    logging.basicConfig(level=level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("uvicorn").setLevel(logging.WARNING)


def _stop_on_signals(stop: "asyncio.Event", parent_fd: int | None) -> None:
    import asyncio  # noqa: PLC0415
    import signal  # noqa: PLC0415

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if parent_fd is not None:
        _stop_at_end(parent_fd, stop, loop)


def _stop_at_end(parent_fd: int, stop: "asyncio.Event", loop: "asyncio.AbstractEventLoop") -> None:
    def look() -> None:
        try:
            ended = not os.read(parent_fd, 4096)
        except BlockingIOError:
            return
        except OSError:
            ended = True  # a socket that was reset
        if ended:
            log.info("the parent process is gone")
            loop.remove_reader(parent_fd)
            stop.set()

    try:
        os.set_blocking(parent_fd, False)
        loop.add_reader(parent_fd, look)
    except OSError as error:
        raise OSError(f"--parent-fd {parent_fd} is not an open pipe or socket: {error.strerror}") from error


def main() -> None:
    """Run the command."""
    cli()


if __name__ == "__main__":
    main()
