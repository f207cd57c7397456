"""One process of the service, started by the supervisor: `python -m certworker.cli.child ROLE ...`."""

import argparse
import logging
import os
import select
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from threading import Event, Thread

from certworker.api.app import build_app
from certworker.api.challenges import build_challenge_app
from certworker.api.handshakes import HandshakeResponder
from certworker.api.identity.managed import build_managed_app
from certworker.api.ops import build_ops_app
from certworker.api.sealed import build_sealed_app, build_sealed_ops_app, sealed_context
from certworker.api.serve import BackgroundServer, serve
from certworker.api.server_certificate import ServerCertificate
from certworker.bootstrap import House, open_house
from certworker.cli.core_dumps import forbid_core_dumps
from certworker.cli.logs import set_up_logging
from certworker.cli.sockets import inherit
from certworker.clock import utc_now
from certworker.errors import CertworkerError, SetupError
from certworker.issuers.limits import limits_by
from certworker.measures import Measure
from certworker.metrics import Metrics
from certworker.metrics.counters import Counters, counters_of_process
from certworker.metrics.exposition import Exposition, SealedExposition
from certworker.seal.private_files import read_private
from certworker.settings import Settings, load_settings
from certworker.worker.round import Group
from certworker.worker.rounds import Rounds
from certworker.worker.scheduler import Scheduler

ROTATION_SECONDS = 5.0
"""How often an API process looks whether the server's certificate was rotated."""

_STOPPING = frozenset({signal.SIGTERM, signal.SIGINT})

_log = logging.getLogger(__name__)


def main(arguments: list[str] | None = None) -> int:
    """Run one role until it is told to stop; give the exit code."""
    forbid_core_dumps()
    options = _parse(arguments)
    settings = load_settings(Path(options.config))
    set_up_logging(settings.log, options.role)
    watch_parent(options.parent)
    try:
        counters = counters_of_process(utc_now)
        counters.count(Measure.PROCESS_STARTS, options.role)
        counters.count(Measure.PROCESS_EXITS, options.role, "status_1", by=0)  # the first one is to be an increase of something
        if options.role == "sealed":
            _run_sealed(settings, counters, options)
            return 0
        with open_house(settings, role=options.role, measures=counters) as house:
            if settings.seal.master_key_env:
                # it was read: the programs that this process starts do not need it
                os.environ.pop(settings.seal.master_key_env, None)
            run = _run_api if options.role == "api" else _run_worker
            run(house, counters, options)
    except CertworkerError as error:
        sys.stderr.write(f"certworker: {error}\n")
        return 1
    return 0


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="certworker.cli.child")
    parser.add_argument("role", choices=("api", "worker", "sealed"))
    parser.add_argument("--config", required=True)
    parser.add_argument("--ready", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    for name in ("--https", "--ops", "--http01", "--tlsalpn01", "--managed"):
        parser.add_argument(name, type=int, nargs="*", default=())
    return parser.parse_args(arguments)


def watch_parent(descriptor: int) -> None:
    """End in order when the supervisor is gone, however it died: its end of the pipe closes with it."""

    def wait() -> None:
        # whoever shares the pipe may have made it non-blocking: waited for, not read from
        select.select([descriptor], [], [])
        os.kill(os.getpid(), signal.SIGTERM)

    Thread(target=wait, name="parent-watch", daemon=True).start()


def _tell_ready(descriptor: int) -> None:
    os.write(descriptor, b"1")
    os.close(descriptor)


def _run_sealed(settings: Settings, counters: Counters, options: argparse.Namespace) -> None:
    """Answer on every port that the service is sealed; a worker has nothing else to do meanwhile."""
    servers: list[BackgroundServer | HandshakeResponder] = []
    if options.ops:
        servers.append(
            BackgroundServer(
                build_sealed_ops_app(settings, SealedExposition(counters, settings.seal).text), inherit(options.ops)
            )
        )
    if options.https:
        servers.append(BackgroundServer(build_sealed_app(), inherit(options.https), sealed_context(settings, utc_now)))
    if options.http01:
        servers.append(BackgroundServer(build_sealed_app(), inherit(options.http01)))
    if options.tlsalpn01:
        servers.append(HandshakeResponder(lambda _: None, utc_now, inherit(options.tlsalpn01)))  # knows no name
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
    for server in servers:
        server.start()
    _tell_ready(options.ready)
    signal.sigwait(_STOPPING)
    for server in servers:
        server.stop()


def _run_api(house: House, counters: Counters, options: argparse.Namespace) -> None:
    certificate = ServerCertificate(house)
    stopping = Event()
    ops = _operators(house, counters, options)
    rotation = Thread(target=_follow_rotation, args=(certificate, stopping), name="rotation", daemon=True)
    rotation.start()
    beside = [*ops, *_managed(house, options.managed)]
    for server in beside:
        server.start()
    try:
        serve(
            build_app(house),
            inherit(options.https),
            ssl_context=certificate.context(),
            drain_seconds=house.settings.server.drain_seconds,
            on_ready=lambda: _tell_ready(options.ready),
        )
    finally:
        stopping.set()
        for server in beside:
            server.stop()


def _operators(house: House, counters: Counters, options: argparse.Namespace) -> list[BackgroundServer]:
    """Serve the operators' port, where it is this process that does."""
    settings = house.settings
    told, channels = settings.metrics, house.lifecycle.notification.audience.places
    state = Metrics(house.store, house.clock, told.certificate_series, told.issuer_series, limits_by(settings), channels)
    text = Exposition(house.store, state.text, counters, settings.seal, writable=house.readiness.standing).text
    return [BackgroundServer(build_ops_app(house, text), inherit(options.ops))] if options.ops else []


def _managed(house: House, numbers: Sequence[int]) -> list[BackgroundServer]:
    """Serve the managed identities that the settings name, each on the socket that was bound for it, in their order."""
    servers = []
    for (name, found), listener in zip(house.settings.identity.managed.items(), inherit(numbers), strict=True):
        header = read_private(found.header_file, f"identity.managed.{name}.header_file") if found.header_file else ""
        if found.header_file and not header:
            raise SetupError(f"identity.managed.{name}.header_file: the file {found.header_file} is empty.")
        servers.append(BackgroundServer(build_managed_app(house, found, header), [listener]))
    return servers


def _follow_rotation(certificate: ServerCertificate, stopping: Event) -> None:
    while not stopping.wait(ROTATION_SECONDS):
        try:
            certificate.refresh()
        except (CertworkerError, OSError) as error:
            _log.warning("The server's certificate could not be looked at: %s", error)


def _run_worker(house: House, counters: Counters, options: argparse.Namespace) -> None:
    # waited for, not handled: a handler may come in the middle of a lock's own code
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
    settings = house.settings.worker
    rounds = [Rounds(house, group=Group.ISSUANCE) for _ in range(settings.parallel)]
    rounds += [Rounds(house, group=group) for group in Group if group is not Group.ISSUANCE]
    scheduler = Scheduler(rounds, house.clock, settings.tick_seconds, house.measures)
    servers: list[BackgroundServer | HandshakeResponder] = []
    if options.http01:
        servers.append(BackgroundServer(build_challenge_app(house), inherit(options.http01)))
    if options.tlsalpn01:
        servers.append(HandshakeResponder(house.challenges.find, house.clock, inherit(options.tlsalpn01)))
    servers += _operators(house, counters, options)
    for server in servers:
        server.start()
    scheduler.start()
    _tell_ready(options.ready)
    signal.sigwait(_STOPPING)
    _log.info("Stopping: the rounds under way are finished first.")
    scheduler.stop()
    for server in servers:
        server.stop()


if __name__ == "__main__":
    raise SystemExit(main())
