"""Which solver an issuer's settings ask for."""

from dataclasses import dataclass, field
from pathlib import Path

from certworker.errors import SettingsError, SetupError
from certworker.issuers.acme.dns_solver import DnsSolver, Publisher
from certworker.issuers.acme.hook import Hook
from certworker.issuers.acme.solvers import DNS_01, HTTP_01, TLS_ALPN_01, BoardSolver, HandshakeSolver, Solver
from certworker.issuers.acme.web_root import WebRootSolver
from certworker.network.dns import DynamicUpdates, NameServer, UpdateKey, Zones
from certworker.network.egress import EgressRules
from certworker.seal.private_files import read_private
from certworker.vault.issuance import ChallengeBoard

EXCHANGE_SECONDS = 5.0
"""How long one question to one name server may take."""

UPDATES_IN_A_STEP, HOOKS_IN_A_STEP = 5, 1


@dataclass(frozen=True, slots=True)
class DnsSettings:
    """How TXT records are published: at `server` by dynamic update with a TSIG key, or by a `hook`.

    `servers` are asked whether a record is there; without any, those of its zone. `patience_seconds` is how long that may take.
    """

    server: str | None = None
    zone: str | None = None
    ttl_seconds: int = 60
    key_name: str = ""
    key_algorithm: str = "hmac-sha256"
    key_file: Path | None = None
    hook: tuple[str, ...] = ()
    hook_seconds: float = 30.0
    servers: tuple[str, ...] = ()
    patience_seconds: int = 300


@dataclass(frozen=True, slots=True)
class ChallengeSettings:
    """The type of challenge, and what solves it. `web_root` takes the place of the own http-01 responder."""

    kind: str = HTTP_01
    web_root: Path | None = None
    dns: DnsSettings = field(default_factory=DnsSettings)


def choose_solver(settings: ChallengeSettings, board: ChallengeBoard, rules: EgressRules) -> Solver:
    """Build the solver. Raises SettingsError where its settings cannot be used as they are now."""
    if settings.kind == HTTP_01:
        return WebRootSolver(settings.web_root) if settings.web_root else BoardSolver(board)
    if settings.kind == TLS_ALPN_01:
        return HandshakeSolver(board)
    if settings.kind == DNS_01:
        return _dns_solver(settings.dns, rules)
    raise SettingsError(f"There is no challenge {settings.kind}: {HTTP_01}, {DNS_01} and {TLS_ALPN_01} are supported.")


def _dns_solver(settings: DnsSettings, rules: EgressRules) -> DnsSolver:
    publisher: Publisher
    if settings.hook:
        publisher, batch = Hook(settings.hook, settings.hook_seconds), HOOKS_IN_A_STEP
    elif settings.server and settings.key_file:
        key = UpdateKey(settings.key_name, settings.key_algorithm, _secret(settings.key_file)).check()
        server = NameServer.read(settings.server)
        publisher = DynamicUpdates(rules, server, key, settings.zone, settings.ttl_seconds, EXCHANGE_SECONDS)
        batch = UPDATES_IN_A_STEP
    else:
        raise SettingsError(f"The challenge {DNS_01} needs a server that takes updates, with its TSIG key, or a hook.")
    zones = Zones(rules, [NameServer.read(text) for text in settings.servers], EXCHANGE_SECONDS)
    return DnsSolver(publisher, zones, batch, settings.patience_seconds)


def _secret(path: Path) -> str:
    try:
        return read_private(path, "The file of the TSIG secret")
    except SetupError as error:
        raise SettingsError(str(error)) from error
