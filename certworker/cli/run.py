"""`certworker run`: the long-running service."""

import logging
import os
from functools import partial
from pathlib import Path

from certworker.api.server_certificate import ServerCertificate
from certworker.bootstrap import open_house
from certworker.cli.logs import set_up_logging
from certworker.cli.sealing import Sealing
from certworker.cli.service import Role, Service, Signals
from certworker.cli.supervisor import StopAskedError
from certworker.cli.systemd import notify
from certworker.errors import SetupError
from certworker.seal.keeper import HINT, Keeper, keeper_of
from certworker.seal.sources import source_of
from certworker.settings import PREFIX, Settings, load_settings

_log = logging.getLogger(__name__)


def run_service(config: Path, role: Role, port: int | None, metrics_port: int | None) -> None:
    """Run the service until SIGTERM or SIGINT; ports given here go before the settings. Raises SetupError."""
    for name, value in (("SERVER__PORT", port), ("METRICS__PORT", metrics_port)):
        if value is not None:
            os.environ[PREFIX + name] = str(value)  # the processes read their settings for themselves
    settings = load_settings(config)
    set_up_logging(settings.log, "service")
    with Signals().caught() as signals:
        keeper = keeper_of(settings.seal)
        prepare = partial(_prepare, settings, config, role, keeper)
        service = Service(config, settings, role, signals, sealing=Sealing(keeper, prepare) if keeper else None)
        try:
            if keeper:
                keeper.start()
            else:
                prepare()
            service.bind()
            service.start()
            notify("READY=1")
            _log.info("Ready%s (%s).", ", and sealed: " + HINT if keeper else "", service.addresses())
            for _ in signals.until_stopped(service):
                continue
            _log.info("Stopping.")
        except StopAskedError:
            _log.info("Stopped while starting.")
        finally:
            service.close()


def _prepare(settings: Settings, config: Path, role: Role, keeper: Keeper | None) -> None:
    """Check the database and the master key, and make the server's certificate."""
    source = source_of(settings.seal, keeper.key) if keeper else None
    with open_house(settings, source=source) as house:
        if not house.founding.is_done():
            raise SetupError(f"This deployment has not been set up. Run: certworker init -c {config}")
        if role is not Role.WORKER:
            ServerCertificate(house).ensure()
