"""`certworker run`: the long-running service."""

import logging
import os
from pathlib import Path

from certworker.api.server_certificate import ServerCertificate
from certworker.bootstrap import House, open_house
from certworker.cli.logs import set_up_logging
from certworker.cli.notify import notify
from certworker.cli.service import Role, Service, Signals
from certworker.cli.supervisor import StopAskedError
from certworker.errors import SetupError
from certworker.settings import PREFIX, load_settings

_log = logging.getLogger(__name__)


def run_service(config: Path, role: Role, port: int | None, metrics_port: int | None) -> None:
    """Run the service until SIGTERM or SIGINT; ports given here go before the settings. Raises SetupError."""
    for name, value in (("SERVER__PORT", port), ("METRICS__PORT", metrics_port)):
        if value is not None:
            os.environ[PREFIX + name] = str(value)  # the processes read their settings for themselves
    settings = load_settings(config)
    set_up_logging(settings.log.level, "service")
    with Signals().caught() as signals:
        service = Service(config, settings, role, signals)
        try:
            with open_house(settings) as house:
                _prepare(house, config, role)
            service.bind()
            service.start()
            notify("READY=1")
            _log.info("Ready (%s).", service.addresses())
            for _ in signals.until_stopped(service):
                continue
            _log.info("Stopping.")
        except StopAskedError:
            _log.info("Stopped while starting.")
        finally:
            service.close()


def _prepare(house: House, config: Path, role: Role) -> None:
    """Check the database and the master key, and make the server's certificate."""
    if not house.founding.is_done():
        raise SetupError(f"This deployment has not been set up. Run: certworker init -c {config}")
    if role is not Role.WORKER:
        ServerCertificate(house).ensure()
