"""`certworker dev`: everything on one machine, made on the first start and gone on with on the next.

A start that finds all as it was opens no database of its own before everything serves: loading what that takes is most of a
second, and the processes do it anyway. That is why `dev_house` is imported late.
"""

import logging
import os
import shlex
import sys
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

from certworker.cli import sockets as listening
from certworker.cli.dev_settings import authority_settings, service_settings
from certworker.cli.home import (
    DIGICERT_ISSUER,
    GLOBALSIGN_ISSUER,
    HOSTS_HINT,
    ISSUER,
    VAULT,
    Home,
    Ports,
    resolves,
    write_json,
    write_private,
)
from certworker.cli.logs import set_up_logging
from certworker.cli.progress import working
from certworker.cli.service import Role, Service, Signals
from certworker.cli.supervisor import Program, StopAskedError, python
from certworker.settings import Log, Metrics, Server, Settings, load_settings

_log = logging.getLogger(__name__)


def run_dev(folder: Path, port: int, *, demo: bool) -> None:
    """Run everything until SIGTERM or SIGINT. Raises SetupError where it cannot start."""
    home = Home(folder)
    home.make()
    # the live view owns the terminal: what the processes print goes to a file beside it
    output = home.log if sys.stdout.isatty() else None
    if output:
        output.touch(mode=0o600)  # a folder that was there before may be open to others
    with suppress(StopAskedError), ExitStack() as stack:
        lock = home.lock()
        stack.callback(os.close, lock)
        home.remove_dev_json()
        set_up_logging(Log(), "dev", output)
        ports = _choose_ports(port)
        first_start = not home.dev_vault_is_made()
        credentials = _prepare(home, ports)
        settings = load_settings(home.settings)
        set_up_logging(settings.log, "dev", output)
        signals = stack.enter_context(Signals(of_terminal=True).caught())
        service = Service(home.settings, settings, Role.ALL, signals, kept=(lock,), output=output)
        stack.callback(service.close)
        service.bind()
        service.start([_authority(home, lock, output)])
        if demo and first_start:
            from certworker.cli.dev_house import plant  # noqa: PLC0415  # see above

            plant(settings, credentials)
        stack.callback(home.remove_dev_json)
        write_json(home.dev_json, _describe(home, settings, ports, credentials))
        hints = _hints(home, output)
        for hint in hints:
            _log.info("%s", hint)
        from certworker.cli.dev_house import follow  # noqa: PLC0415  # see above

        follow(
            home,
            settings,
            signals.until_stopped(service),
            hints,
            demo_for=credentials if demo else None,
            from_start=first_start,
        )


def _hints(home: Home, output: Path | None) -> list[str]:
    hints = [f"Ready: {home.dev_json} tells clients where and as whom."]
    hints.append(f'For Azure\'s own command line: eval "$(certworker az-setup --home {shlex.quote(str(home.folder))})"')
    if output:
        hints.append(f"What the processes say goes to {output}.")
    if not resolves(f"{VAULT}.vault.localhost"):
        hints.append(HOSTS_HINT)
    return hints


def _choose_ports(https: int) -> Ports:
    """Take the ports after `https` where they are free, and any others where not.

    Beside the default port the metrics have theirs as well: there the samples for Prometheus look for them.
    """
    https = https or listening.free_port(0)
    metrics, *others = [listening.free_port(https + offset) for offset in range(1, 8)]
    if https == Server().port:
        metrics = listening.free_port(Metrics().port)
    return Ports(https, metrics, *others)


def _prepare(home: Home, ports: Ports) -> Mapping[str, str]:
    """Make what is missing, and give the administrator's credentials."""
    settings = service_settings(ports)
    write_private(home.authority_settings, authority_settings(home, ports))
    credentials = home.read_credentials()
    if credentials and home.prepared_with() == settings:
        return credentials
    write_private(home.settings, settings)
    from certworker.cli.dev_house import prepare_home  # noqa: PLC0415  # see above

    home.ca_bundle.unlink(missing_ok=True)
    with working("Making the home ready"):
        return prepare_home(home, ports)


def _authority(home: Home, lock: int, output: Path | None) -> Program:
    ready = home.authority_state / "ready.json"
    ready.unlink(missing_ok=True)
    command = python(
        "ca_sim.app", "serve", "--config", str(home.authority_settings), "--ready-file", str(ready), "--parent-fd", "{parent}"
    )
    return Program("ca-sim", command, (lock,), ready_file=ready, output=output, role="ca-sim")


def _describe(home: Home, settings: Settings, ports: Ports, credentials: Mapping[str, str]) -> dict[str, object]:
    metrics = f"http://{settings.metrics.listen}:{ports.metrics}"
    acme = f"https://localhost:{ports.acme}"
    return {
        **credentials,
        "pid": os.getpid(),
        "authority": settings.authority,
        "management_url": settings.management_url,
        "vault_url": f"https://{VAULT}.{settings.vault_suffix}",
        "vault_suffix": settings.vault_suffix,
        "ca_bundle": str(home.ca_bundle),
        "metrics_url": f"{metrics}/metrics",
        "console_url": f"{metrics}/console",
        "ca_sim": {
            "acme_directory": f"{acme}/directory",
            "rest_url": f"https://localhost:{ports.digicert}/services/v2",
            "globalsign_url": f"https://localhost:{ports.globalsign}/v2",
            "public_url": f"http://localhost:{ports.authority_public}",
            "management_url": f"http://127.0.0.1:{ports.acme_management}",
            "ca_bundle": str(home.authority_state / "root.pem"),
            "http01_port": ports.http01,
            "issuer": ISSUER,
            "digicert_issuer": DIGICERT_ISSUER,
            "globalsign_issuer": GLOBALSIGN_ISSUER,
        },
    }
