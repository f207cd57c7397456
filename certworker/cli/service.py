"""The long-running service: settings, sockets, processes, signals."""

import logging
import os
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from time import sleep
from types import FrameType

from certworker.cli import sockets as listening
from certworker.cli.counting import CountingFolder
from certworker.cli.logs import follow_settings
from certworker.cli.sealing import Sealing
from certworker.cli.supervisor import POLL_SECONDS, Program, Supervisor, python
from certworker.cli.systemd import notify
from certworker.errors import CertworkerError, SetupError
from certworker.settings import PREFIX, Settings, load_settings

STOP_MARGIN_SECONDS = 5
_NEED_RESTART = (
    "database_url",
    "server.listen",
    "server.port",
    "metrics.listen",
    "metrics.port",
    "challenges",
    "seal",
    "identity.managed",
)

_log = logging.getLogger(__name__)


class Role(StrEnum):
    """What a service process does: answer requests, do what is due, or both."""

    ALL = "all"
    API = "api"
    WORKER = "worker"


class Service:
    """The processes of one deployment on this machine, and the sockets that they share."""

    def __init__(
        self,
        config: Path,
        settings: Settings,
        role: Role,
        signals: "Signals",
        *,
        kept: Sequence[int] = (),
        output: Path | None = None,
        sealing: Sealing | None = None,
    ) -> None:
        self._config = config
        self._settings = settings
        self._role = role
        self._kept = tuple(kept)
        self._output = output
        self._sealing = sealing
        self._sockets = ExitStack()
        self._counting = CountingFolder()
        stop_seconds = settings.server.drain_seconds + STOP_MARGIN_SECONDS
        self.supervisor = Supervisor(stop_seconds, signals.stop_asked, self._counting.ended, self._counting.fell)
        self._https: list[socket.socket] = []
        self._ops: list[socket.socket] = []
        self._http01: list[socket.socket] = []
        self._tlsalpn01: list[socket.socket] = []
        self._managed: list[socket.socket] = []

    def bind(self) -> None:
        """Listen on every port. Raises SetupError where one is taken."""
        settings = self._settings
        self._sockets.callback(
            lambda: listening.close([*self._https, *self._ops, *self._http01, *self._tlsalpn01, *self._managed])
        )
        if self._role is not Role.WORKER:
            self._https = listening.bind(settings.server.listen, settings.server.port, "server.port")
            # where the port was left to the system, the processes learn it from here
            os.environ[PREFIX + "SERVER__PORT"] = str(listening.port_of(self._https))
            for name, found in settings.identity.managed.items():
                self._managed += listening.bind((found.listen,), found.port, f"identity.managed.{name}.port")
        self._ops = listening.bind((settings.metrics.listen,), settings.metrics.port, "metrics.port")
        if self._role is not Role.API:
            asked = settings.challenges
            self._http01 = self._bind_responder("http-01", asked.http01_listen, asked.http01_port)
            self._tlsalpn01 = self._bind_responder("tls-alpn-01", asked.tlsalpn01_listen, asked.tlsalpn01_port)

    def _bind_responder(self, challenge: str, addresses: Sequence[str], port: int) -> list[socket.socket]:
        try:
            return listening.bind(addresses, port, f"challenges.{challenge.replace('-', '')}_port") if port else []
        except SetupError as error:
            # the responses lie in the database: a further worker may leave the answers to the first one
            if self._role is not Role.WORKER:
                raise
            _log.warning("%s This worker leaves %s challenges to another one.", error, challenge)
            return []

    def addresses(self) -> str:
        """Tell where the service can be reached."""
        parts = []
        if self._https:
            parts.append(f"vaults at https://NAME.vault.{self._settings.server.domain}:{listening.port_of(self._https)}")
        parts.append(f"metrics at http://{self._settings.metrics.listen}:{listening.port_of(self._ops)}/metrics")
        return ", ".join(parts)

    def start(self, beside: Sequence[Program] = ()) -> None:
        """Start the processes, and those `beside` them, and come back when they serve. Raises SetupError."""
        self._counting.make()
        self.supervisor.start([*beside, *self.programs()])

    def programs(self) -> list[Program]:
        """Name the processes of this role; while the service is sealed, the one that says so."""
        if self._sealing and self._sealing.is_sealed:
            bound = {
                "--https": self._https,
                "--ops": self._ops,
                "--http01": self._http01,
                "--tlsalpn01": self._tlsalpn01,
            }
            return [self._program("sealed", "sealed", bound)]
        programs = []
        if self._role is not Role.WORKER:
            sockets = {"--https": self._https, "--ops": self._ops, "--managed": self._managed}
            count = self._settings.server.processes
            programs += [self._program("api", f"api-{number}", sockets) for number in range(1, count + 1)]
        if self._role is not Role.API:
            own = {
                "--http01": self._http01,
                "--tlsalpn01": self._tlsalpn01,
                "--ops": self._ops if self._role is Role.WORKER else [],
            }
            programs.append(self._program("worker", "worker", own))
        return programs

    def tend(self) -> None:
        """Look after the seal: opened or closed, other processes take the place of those that run."""
        if self._sealing and self._sealing.has_changed():
            try:
                self.supervisor.replace(self.programs())
            except SetupError as error:
                _log.error("The processes stay as they were: %s", error)
                self._sealing.put_off()
            else:
                self._sealing.settle()

    def reload(self) -> None:
        """Read the settings again, and put new processes in the place of the old, which finish what they have begun.

        With settings that cannot be used, everything stays as it is.
        """
        notify("RELOADING=1")
        try:
            fresh = load_settings(self._config)
            for name in _NEED_RESTART:
                if _value(fresh, name) != _value(self._settings, name):
                    _log.warning("%s has changed; that takes effect at the next start.", name)
            follow_settings(fresh.log)
            before, self._settings = self._settings, fresh
            try:
                self.supervisor.replace(self.programs())
            except SetupError:
                self._settings = before
                raise
            _log.info("The settings were read again.")
        except CertworkerError as error:
            _log.error("The settings stay as they were: %s", error)
        notify("READY=1")

    def close(self) -> None:
        """Stop the processes and close the sockets."""
        notify("STOPPING=1")
        self.supervisor.stop()
        self._counting.remove()
        self._sockets.close()
        if self._sealing:
            self._sealing.close()

    def _program(self, role: str, name: str, sockets: dict[str, list[socket.socket]]) -> Program:
        command = [
            *python("certworker.cli.child", role, "--config", str(self._config)),
            "--ready",
            "{ready}",
            "--parent",
            "{parent}",
        ]
        inherited = list(self._kept)
        for option, bound in sockets.items():
            if bound:
                numbers = [listener.fileno() for listener in bound]
                command += [option, *(str(number) for number in numbers)]
                inherited += numbers
        environment = self._counting.environment
        return Program(name, tuple(command), tuple(inherited), output=self._output, environment=environment, role=role)


def _value(settings: Settings, name: str) -> object:
    value: object = settings
    for step in name.split("."):
        value = getattr(value, step)
    return value


class Signals:
    """SIGTERM and SIGINT stop. SIGHUP reloads a service; a program of the terminal stops when its terminal is gone.

    A handler only sets a flag: it may come in the middle of anything, of a lock's own code too.
    """

    def __init__(self, *, of_terminal: bool = False) -> None:
        self._of_terminal = of_terminal
        self._stopping = False
        self._reloading = False

    @contextmanager
    def caught(self) -> Iterator["Signals"]:
        """Catch the signals for as long as this lasts."""
        handlers = {
            signal.SIGTERM: self._stop,
            signal.SIGINT: self._stop,
            signal.SIGHUP: self._stop if self._of_terminal else self._reload,
        }
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def stop_asked(self) -> bool:
        """Whether a stop was asked for."""
        return self._stopping

    def until_stopped(self, service: Service) -> Iterator[None]:
        """Come round a few times a second until a stop is asked for; keep the processes alive meanwhile."""
        while not self._stopping:
            if self._reloading:
                self._reloading = False
                service.reload()
            service.tend()
            service.supervisor.look()
            yield
            sleep(POLL_SECONDS)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _reload(self, _number: int, _frame: FrameType | None) -> None:
        self._reloading = True
