"""The command `ca-sim`: serves a simulated authority, and shows its settings.

Read with argparse: a supervisor waits for this process to start, and typer would make it wait a sixth of a second more.
"""

import argparse
import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    from ca_sim.server import Running
    from ca_sim.settings import Settings

log = logging.getLogger(__name__)
FAILED = 1
BAD_SETTINGS = 2


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit: 0 after a clean stop, 1 when it cannot serve, 2 for bad settings or arguments."""
    asked = _parser().parse_args(arguments)
    sys.exit(_serve(asked) if asked.command == "serve" else _show_settings())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("ca-sim", description="A simulated certification authority that speaks ACME.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("settings", help="print every setting with its default, unit and help, as a TOML file")
    serve = commands.add_parser("serve", help="serve until SIGTERM, SIGINT, or the end of --parent-fd")
    serve.add_argument("-c", "--config", type=Path, metavar="FILE", help="settings (TOML); without it, the defaults")
    serve.add_argument(
        "--ready-file", type=Path, metavar="PATH", help="JSON file to write once the authority answers; removed at the end"
    )
    serve.add_argument("--parent-fd", type=int, metavar="N", help="inherited pipe or socket: stop when its other end is closed")
    return parser


def _show_settings() -> int:
    from ca_sim.settings import sample  # noqa: PLC0415 - each command imports what it needs

    sys.stdout.write(sample())
    return 0


def _serve(asked: argparse.Namespace) -> int:
    # Imported here so that --help does not wait for the web server.
    from ca_sim.clock import precise_now  # noqa: PLC0415
    from ca_sim.files import StateError  # noqa: PLC0415
    from ca_sim.server import ListenError, run  # noqa: PLC0415
    from ca_sim.settings import SettingsError, load  # noqa: PLC0415

    try:
        settings = load(asked.config)
        _log_to_stderr(settings.log_level, settings.log_format)
        run(
            settings,
            precise_now,
            ready=lambda running: _tell(running, settings, asked.ready_file),
            prepare=lambda stop: _stop_on_signals(stop, asked.parent_fd),
        )
    except (SettingsError, StateError, ListenError, OSError) as error:
        sys.stderr.write(f"ca-sim: {error}\n")
        return BAD_SETTINGS if isinstance(error, SettingsError) else FAILED
    # Not after an error: the file may then be that of the ca-sim that holds the port.
    if asked.ready_file is not None:
        asked.ready_file.unlink(missing_ok=True)
    return 0


def _tell(running: "Running", settings: "Settings", ready_file: Path | None) -> None:
    """Write the ready file (mode 0600) and one line to standard output."""
    from ca_sim.files import write_whole  # noqa: PLC0415

    if ready_file is not None:
        document = {
            "acme_directory": running.directory_url,
            "management_url": running.management_url,
            "bases": dict(running.bases),
            "ca_bundle": str((settings.state / "root.pem").resolve()) if settings.state else None,
            "http01_port": settings.http01_port,
            "pid": os.getpid(),
        }
        write_whole(ready_file, json.dumps(document, indent=2).encode() + b"\n")
    sys.stdout.write(f"ca-sim is ready: ACME directory {running.directory_url}\n")
    sys.stdout.flush()


def _log_to_stderr(level: str, form: str) -> None:
    from ca_sim.log_lines import JsonLines, TextLines  # noqa: PLC0415

    handler = logging.StreamHandler()
    as_text = form == "text" or (form == "auto" and sys.stderr.isatty())
    handler.setFormatter(TextLines() if as_text else JsonLines())
    logging.basicConfig(level=level.upper(), handlers=[handler])
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


if __name__ == "__main__":
    main()
