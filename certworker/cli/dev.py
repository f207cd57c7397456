"""`certworker dev`: everything on one machine, made on the first start and gone on with on the next."""

import json
import logging
import os
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from certworker.api.server_certificate import ServerCertificate
from certworker.bootstrap import House, make_master_key, open_house
from certworker.cli import sockets as listening
from certworker.cli.demo import plant_demo
from certworker.cli.home import HOSTS_HINT, ISSUER, VAULT, Home, Ports, resolves, write_json, write_private
from certworker.cli.live import show_live
from certworker.cli.logs import set_up_logging
from certworker.cli.service import Role, Service, Signals
from certworker.cli.supervisor import Program, python
from certworker.errors import SetupError
from certworker.settings import Settings, load_settings
from certworker.vault.access import SERVICE, Caller
from certworker.vault.issuers import IssuerParameters
from certworker.vault.vaults import Vault

_log = logging.getLogger(__name__)

_SETTINGS = """\
# Written by `certworker dev` at each start; settings of your own belong into a file for `certworker run`.
database_url = "sqlite:///certworker.db"

[server]
port = {https}

[seal]
master_key_file = "master.key"

[metrics]
port = {metrics}

[network]
allow_private = ["localhost"]

[challenges]
http01_listen = ["127.0.0.1", "::1"]
http01_port = {http01}

[issuers.{issuer}]
ca_bundle = "ca_sim/root.pem"
"""

_AUTHORITY_SETTINGS = """\
# Written by `certworker dev` at each start.
port = {acme}
management_port = {acme_management}
state_directory = {state}
http01_port = {http01}
default_profile = "classic"

[resolver]
"*" = "127.0.0.1"

[profiles.classic]
validity_seconds = 7776000
description = "A server certificate for 90 days"

[profiles.shortlived]
validity_seconds = 518400
description = "A server certificate for 6 days"

[profiles.minutes]
validity_seconds = 240
description = "A server certificate for 4 minutes, to watch a renewal"
"""


def run_dev(folder: Path, port: int, *, demo: bool) -> None:
    """Run everything until SIGTERM or SIGINT. Raises SetupError where it cannot start."""
    home = Home(folder)
    home.make()
    # the live view owns the terminal: what the processes print goes to a file beside it
    output = home.log if sys.stdout.isatty() else None
    with ExitStack() as stack:
        lock = home.lock()
        stack.callback(os.close, lock)
        home.remove_dev_json()
        set_up_logging("info", "dev", output)
        settings = _write_settings(home, ports := _choose_ports(port))
        make_master_key(home.master_key)
        house = stack.enter_context(open_house(settings))
        credentials = _found(home, house)
        vault = _set_issuer(house, ports)
        service = Service(home.settings, settings, Role.ALL, kept=(lock,), output=output)
        stack.callback(service.close)
        signals = stack.enter_context(Signals(of_terminal=True).caught())
        service.prepare(house)
        service.bind()
        service.start([_authority(home, lock, output)])
        write_private(home.ca_bundle, ServerCertificate(house).root().decode())
        seen = house.fleet.last_event()
        if demo:
            plant_demo(house, Caller(credentials["object_id"], credentials["client_id"], credentials["tenant_id"]), vault)
        stack.callback(home.remove_dev_json)
        write_json(home.dev_json, _describe(home, settings, ports, credentials))
        hints = _hints(home, output)
        for hint in hints:
            _log.info("%s", hint)
        show_live(house, signals.until_stopped(service), _headline(home, settings), hints, after=seen)


def _hints(home: Home, output: Path | None) -> list[str]:
    hints = [f"Ready: {home.dev_json} tells clients where and as whom."]
    if output:
        hints.append(f"What the processes say goes to {output}.")
    if not resolves(f"{VAULT}.vault.localhost"):
        hints.append(HOSTS_HINT)
    return hints


def _choose_ports(https: int) -> Ports:
    """Take the ports after `https` where they are free, and any others where not."""
    https = https or listening.free_port(0)
    others = [listening.free_port(https + offset) for offset in range(1, 5)]
    return Ports(https, *others)


def _write_settings(home: Home, ports: Ports) -> Settings:
    values = {
        "https": ports.https,
        "metrics": ports.metrics,
        "acme": ports.acme,
        "acme_management": ports.acme_management,
        "http01": ports.http01,
        "issuer": ISSUER,
        "state": json.dumps(str(home.authority_state)),
    }
    write_private(home.settings, _SETTINGS.format(**values))
    write_private(home.authority_settings, _AUTHORITY_SETTINGS.format(**values))
    return load_settings(home.settings)


def _found(home: Home, house: House) -> Mapping[str, str]:
    """Set the deployment up on the first start; afterwards give the credentials that were kept."""
    credentials = home.read_credentials()
    if house.founding.is_done() and credentials:
        return credentials
    if house.founding.is_done():
        # killed between the founding and the writing of its credentials: the administrator gets a new secret
        administrator, secret = house.founding.renew_secret()
    else:
        founded = house.founding.found(VAULT, "dev administrator")
        administrator, secret = founded.administrator, founded.client_secret
    credentials = {
        "tenant_id": administrator.tenant_id,
        "client_id": administrator.client_id,
        "client_secret": secret,
        "object_id": administrator.object_id,
    }
    write_json(home.credentials, credentials)
    return credentials


def _set_issuer(house: House, ports: Ports) -> Vault:
    with house.store.reading() as reader:
        vault = reader.vault_by_name(VAULT)
    if vault is None:
        raise SetupError(f"The dev vault {VAULT} is missing from the database.")
    parameters = IssuerParameters("Acme", f"https://localhost:{ports.acme}/directory")
    house.issuers.set(SERVICE, vault, ISSUER, parameters)
    return vault


def _authority(home: Home, lock: int, output: Path | None) -> Program:
    ready = home.authority_state / "ready.json"
    ready.unlink(missing_ok=True)
    command = python(
        "ca_sim.app", "serve", "--config", str(home.authority_settings), "--ready-file", str(ready), "--parent-fd", "{parent}"
    )
    return Program("ca-sim", command, (lock,), ready_file=ready, output=output)


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
            "rest_url": None,
            "management_url": f"http://127.0.0.1:{ports.acme_management}",
            "ca_bundle": str(home.authority_state / "root.pem"),
            "http01_port": ports.http01,
            "issuer": ISSUER,
        },
    }


def _headline(home: Home, settings: Settings) -> str:
    return f"certworker dev   vault https://{VAULT}.{settings.vault_suffix}   home {home.folder}"
