"""Settings: from a TOML file and the environment; each has a default, a unit and a help line.

An environment variable goes before the file: `CERTWORKER_SERVER__PORT=9443` is `port` in `[server]`.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, ValidationError

from certworker.errors import SettingsError
from certworker.settings.audit import AuditOutput, AuditSettings
from certworker.settings.history import HistorySettings
from certworker.settings.hook import HookSettings
from certworker.settings.identity import IdentitySettings
from certworker.settings.issuers import IssuerSettings, find_circle
from certworker.settings.mail import Mail
from certworker.settings.management import ManagementSettings
from certworker.settings.notices import Notices
from certworker.settings.renewal import MaintenanceSettings, RenewalSettings
from certworker.settings.revocation import RevocationSettings
from certworker.settings.section import Addresses, ApplicationId, Networks, Port, Section
from certworker.settings.spare_keys import SpareKeySettings
from certworker.settings.throttling import ThrottlingSettings
from certworker.settings.webhooks import WebhookSettings

__all__ = [
    "AuditOutput",
    "AuditSettings",
    "Challenges",
    "HistorySettings",
    "HookSettings",
    "HsmSettings",
    "IdentitySettings",
    "IssuerSettings",
    "Log",
    "Mail",
    "MaintenanceSettings",
    "ManagementSettings",
    "Metrics",
    "Network",
    "Notices",
    "Port",
    "Release",
    "RenewalSettings",
    "RevocationSettings",
    "Seal",
    "SealKind",
    "Section",
    "Server",
    "Settings",
    "SpareKeySettings",
    "ThrottlingSettings",
    "WebhookSettings",
    "Worker",
    "load_settings",
]

PREFIX = "CERTWORKER_"
Anchored = TypeVar("Anchored", bound=Section)

_DNS_SETTINGS = ("dns_server", "dns_zone", "tsig_key", "tsig_secret_file", "dns_hook", "dns_servers")
_NAME_SERVER = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]]+)(:[0-9]{1,5})?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")


class Server(Section):
    """[server]: the HTTPS port that every plane is on."""

    listen: Addresses = Field(("127.0.0.1", "::1"), description="addresses to listen on")
    port: Port = Field(8443, description="TCP port; 0 takes a free one")
    public_port: Port = Field(0, description="TCP port in URLs given out, where a proxy stands before; 0 is the same as port")
    domain: str = Field("localhost", description="domain of all names: vaults are at NAME.vault.DOMAIN, others at login.DOMAIN")
    processes: int = Field(1, ge=1, le=64, description="number of API processes")
    threads: int = Field(8, ge=1, le=256, description="threads for requests in each API process")
    trusted_proxies: Networks = Field(
        (), description="addresses or CIDR ranges of proxies whose proxy_header tells the client's address; none: no proxy"
    )
    proxy_header: Literal["x-forwarded-for", "forwarded"] = Field(
        "x-forwarded-for", description="header that the trusted proxies set: x-forwarded-for or forwarded (RFC 7239)"
    )
    drain_seconds: int = Field(10, ge=0, le=600, description="seconds that open requests are given at a stop")
    certificate_file: Path | None = Field(
        None, description="PEM file of the server's certificate and chain; none: its own root issues"
    )
    key_file: Path | None = Field(None, description="PEM file of the server's private key; goes with certificate_file")


class SealKind(StrEnum):
    """What opens the master key after a start."""

    NONE = "none"
    PASSPHRASE = "passphrase"  # noqa: S105  # the word, not one
    SHAMIR = "shamir"


class Seal(Section):
    """[seal]: what private keys and secrets are encrypted under."""

    kind: SealKind = Field(
        SealKind.NONE, description="none, passphrase or shamir: a start waits for the passphrase or the shares (seal unseal)"
    )
    master_key_file: Path = Field(
        Path("master.key"), description="file (mode 0600) with the 32-byte master key in hex; where there is a seal, wrapped"
    )
    master_key_env: str | None = Field(None, description="name of the environment variable with the master key, for the file")
    master_key_credential: str | None = Field(
        None, description="name of the systemd credential (LoadCredential=) with the master key, for the file"
    )
    master_key_label: str | None = Field(
        None, description="label of the AES-256 master key in the token of [hsm], which it never leaves, for the file"
    )
    socket: Path = Field(Path("seal.sock"), description="unix socket (mode 0600) at which a sealed service is opened")

    @property
    def elsewhere(self) -> tuple[str, ...]:
        """Name the sources of the master key that are set, other than the file."""
        names = ("master_key_env", "master_key_credential", "master_key_label")
        return tuple(name for name in names if getattr(self, name))


class HsmSettings(Section):
    """[hsm]: the PKCS#11 token that the keys of premium vaults lie in."""

    module: Path | None = Field(None, description="PKCS#11 library of the token, its whole path; none: there is no token")
    token_label: str = Field("certworker", description="label of the token")
    pin_file: Path | None = Field(None, description="file (mode 0600) with the token's user PIN; or pin_env")
    pin_env: str | None = Field(None, description="name of the environment variable with the token's user PIN; or pin_file")
    sessions: int = Field(8, ge=1, le=256, description="sessions with the token in each process")
    wait_seconds: float = Field(5.0, gt=0, le=60, description="seconds to wait for a free session before an answer 503")
    raw_oaep: bool = Field(
        default=False,
        description="decrypt raw RSA in the token and take OAEP off outside, for tokens that lack OAEP with SHA-256",
    )


class Worker(Section):
    """[worker]: the scheduler and the rounds."""

    tick_seconds: float = Field(1.0, gt=0, le=3600, description="seconds between two looks at what is due")
    parallel: int = Field(2, ge=1, le=64, description="operations that are worked on at once in each worker process")


class Metrics(Section):
    """[metrics]: the plain HTTP port for /metrics, /healthz, /readyz and the live view."""

    listen: str = Field("127.0.0.1", description="address to listen on")
    port: Port = Field(9464, description="TCP port; 0 takes a free one")
    certificate_series: int = Field(
        1000, ge=0, le=20_000, description="certificates that get series of their own: the unhealthy, then what expires first"
    )
    issuer_series: int = Field(
        500, ge=0, le=10_000, description="issuers that get series of their own: those in trouble, then the most used"
    )


class Network(Section):
    """[network]: what the service may connect to."""

    allow_private: tuple[str, ...] = Field(
        (), description="host names, *.suffixes or CIDR networks that may be private, loopback or link-local"
    )
    subnets: Mapping[str, Networks] = Field(
        default_factory=dict, description="ranges of virtual networks by the subnet's resource id, for vaults' network rules"
    )
    trusted_services: Mapping[str, ApplicationId] = Field(
        default_factory=dict, description="client ids, by any name, of applications that bypass vaults' network rules"
    )


class Challenges(Section):
    """[challenges]: the worker's responders for http-01 (RFC 8555 section 8.3) and tls-alpn-01 (RFC 8737)."""

    http01_listen: Addresses = Field(("0.0.0.0", "::"), description="addresses that the CA can reach")  # noqa: S104
    http01_port: Port = Field(0, description="TCP port, 80 for CAs on the internet; 0 answers no challenges here")
    tlsalpn01_listen: Addresses = Field(("0.0.0.0", "::"), description="addresses that the CA can reach")  # noqa: S104
    tlsalpn01_port: Port = Field(0, description="TCP port, 443 for CAs on the internet; 0 answers no challenges here")


class Release(Section):
    """[release]: whose attestations keys are released for."""

    authorities: tuple[str, ...] = Field((), description="https URLs of attestation authorities; none: no key is released")
    ca_bundle: Path | None = Field(None, description="PEM file of roots that the authorities' TLS certificates are checked by")
    max_age_seconds: int = Field(300, ge=1, le=86400, description="seconds for which an attestation counts after it was made")
    timeout_seconds: float = Field(10.0, gt=0, le=60, description="seconds that an authority has to show its keys")


class Log(Section):
    """[log]: what the process says."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="the least severity that is printed")
    format: Literal["auto", "json", "text"] = Field(
        "auto", description="json (an object a line), text, or auto: text on a terminal, json elsewhere"
    )


class Settings(Section):
    """All settings. Relative paths are relative to the settings file."""

    database_url: str = Field("sqlite:///certworker.db", description="sqlite:///PATH or postgresql://USER@HOST/NAME")
    server: Server = Server()
    seal: Seal = Seal()
    hsm: HsmSettings = HsmSettings()
    worker: Worker = Worker()
    metrics: Metrics = Metrics()
    network: Network = Network()
    throttling: ThrottlingSettings = ThrottlingSettings()
    challenges: Challenges = Challenges()
    release: Release = Release()
    revocation: RevocationSettings = RevocationSettings()
    spare_keys: SpareKeySettings = SpareKeySettings()
    notices: Notices = Notices()
    history: HistorySettings = HistorySettings()
    mail: Mail = Mail()
    hook: HookSettings = HookSettings()
    webhooks: Mapping[str, WebhookSettings] = Field(default_factory=dict, description="tables by a name of your own")
    renewal: RenewalSettings = RenewalSettings()
    maintenance: Mapping[str, MaintenanceSettings] = Field(default_factory=dict, description="tables by any name")
    issuers: Mapping[str, IssuerSettings] = Field(default_factory=dict, description="tables by issuer name")
    audit: AuditSettings = AuditSettings()
    management: ManagementSettings = ManagementSettings()
    identity: IdentitySettings = IdentitySettings()
    log: Log = Log()

    @property
    def vault_suffix(self) -> str:
        """The part of a vault's host behind its name, with the port: `vault.localhost:8443`."""
        return f"vault.{self.netloc}"

    @property
    def resource(self) -> str:
        """The audience of tokens for the data plane."""
        return f"https://{self.vault_suffix}"

    @property
    def authority(self) -> str:
        """The identity provider's URL."""
        return f"https://login.{self.netloc}"

    @property
    def management_url(self) -> str:
        """The management plane's URL."""
        return f"https://management.{self.netloc}"

    @property
    def graph_url(self) -> str:
        """The URL of the directory's own API."""
        return f"https://graph.{self.netloc}"

    @property
    def netloc(self) -> str:
        """The domain with the port, which is left out where it is https's own."""
        port = self.server.public_port or self.server.port
        return self.server.domain if port == 443 else f"{self.server.domain}:{port}"  # noqa: PLR2004

    def issuer(self, name: str) -> IssuerSettings:
        """Find an issuer's settings without regard to case; the defaults where it has none."""
        wanted = name.casefold()
        return next((found for key, found in self.issuers.items() if key.casefold() == wanted), IssuerSettings())


def load_settings(path: Path | None, environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings file (none: defaults only) and the environment. Raises SettingsError, which names the setting."""
    values = _read_file(path) if path else {}
    for name, value in environment.items():
        if name.startswith(PREFIX) and "__" in name:
            _put(values, name.removeprefix(PREFIX).casefold().split("__"), value)
    if url := environment.get(PREFIX + "DATABASE_URL"):
        values["database_url"] = url
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        problems = _explain(error)
        where = f"Settings{f' in {path}' if path else ''}: "
        raise SettingsError(where + "; ".join(problems), problems) from None
    _check(settings, path)
    return _anchor(settings, path.parent.absolute() if path else Path.cwd())


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except OSError as error:
        raise SettingsError(f"The settings file {path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"The settings file {path} is not TOML: {error}.") from error


def _put(values: dict[str, Any], path: list[str], value: str) -> None:
    # lists are given with commas; those, numbers and paths are read from text by the model
    for step in path[:-1]:
        name = _known(values, step)
        if not isinstance(values.setdefault(name, {}), dict):
            values[name] = {}
        values = values[name]
    values[_known(values, path[-1])] = value


def _known(values: Mapping[str, Any], name: str) -> str:
    """Find the name in the case in which the file has it: an issuer's table may have capitals."""
    return next((known for known in values if known.casefold() == name), name)


def _explain(error: ValidationError) -> tuple[str, ...]:
    lines = []
    for problem in error.errors(include_url=False):
        name = ".".join(str(step) for step in problem["loc"])
        hint = "there is no such setting" if problem["type"] == "extra_forbidden" else problem["msg"]
        lines.append(f"{name}: {hint}")
    return tuple(lines)


def _check(settings: Settings, path: Path | None) -> None:
    if (settings.server.certificate_file is None) != (settings.server.key_file is None):
        where = f" in {path}" if path else ""
        raise SettingsError(f"Settings{where}: server.certificate_file and server.key_file go together.")
    for name, issuer in settings.issuers.items():
        if wrong := _wrong_challenge(issuer):
            raise SettingsError(f"Settings{f' in {path}' if path else ''}: issuers.{name}.{wrong}")
    if circle := find_circle(settings.issuers):
        where = f" in {path}" if path else ""
        raise SettingsError(f"Settings{where}: issuers.{circle[0]}.fallback leads back to it: {' -> '.join(circle)}.")
    _check_seal(settings.seal, path)
    if settings.hsm.module and bool(settings.hsm.pin_file) == bool(settings.hsm.pin_env):
        where = f" in {path}" if path else ""
        raise SettingsError(f"Settings{where}: hsm.module goes with one of hsm.pin_file and hsm.pin_env.")


def _wrong_challenge(issuer: IssuerSettings) -> str | None:
    """Say what does not fit the type of challenge, and what would be right."""
    given = [name for name in ("web_root", *_DNS_SETTINGS) if getattr(issuer, name)]
    fitting = {"http-01": ("web_root",), "dns-01": _DNS_SETTINGS}.get(issuer.challenge, ())
    if wrong := next((name for name in given if name not in fitting), None):
        owner = "http-01" if wrong == "web_root" else "dns-01"
        return f"{wrong} goes with the challenge {owner}, and this issuer has {issuer.challenge}."
    return _wrong_dns(issuer) if issuer.challenge == "dns-01" else None


def _wrong_dns(issuer: IssuerSettings) -> str | None:
    if bool(issuer.dns_server) == bool(issuer.dns_hook):
        return "challenge: dns-01 needs one of dns_server and dns_hook."
    of_updates = next((name for name in ("dns_zone", "tsig_key", "tsig_secret_file") if getattr(issuer, name)), None)
    if issuer.dns_hook and of_updates:
        return f"{of_updates} goes with dns_server, and this issuer has dns_hook."
    if issuer.dns_server and not (issuer.tsig_key and issuer.tsig_secret_file):
        return "dns_server goes with tsig_key and tsig_secret_file: updates are signed."
    for server in (*filter(None, (issuer.dns_server,)), *issuer.dns_servers):
        if not _NAME_SERVER.fullmatch(server):
            return f"dns_server and dns_servers: {server!r} is neither HOST nor HOST:PORT."
    return None


def _check_seal(seal: Seal, path: Path | None) -> None:
    where = f"Settings{f' in {path}' if path else ''}: seal"
    named = [*(("master_key_file",) if "master_key_file" in seal.model_fields_set else ()), *seal.elsewhere]
    if len(named) > 1:
        raise SettingsError(f"{where}: the master key has one source; of {', '.join(named)} leave one.")
    if seal.kind is not SealKind.NONE and seal.elsewhere:
        raise SettingsError(f"{where}: kind {seal.kind} wraps the master key in its file; {named[0]} goes with kind none.")


def _anchor(settings: Settings, folder: Path) -> Settings:
    """Make relative paths relative to `folder`."""
    url = settings.database_url
    if url.startswith("sqlite:///") and not url.startswith("sqlite:////"):
        url = f"sqlite:///{folder / url.removeprefix('sqlite:///')}"
    server = settings.server.model_copy(
        update={name: folder / found for name in ("certificate_file", "key_file") if (found := getattr(settings.server, name))}
    )
    files = ("ca_bundle", "web_root", "tsig_secret_file")
    issuers = {
        name: issuer.model_copy(update={file: folder / found for file in files if (found := getattr(issuer, file))})
        for name, issuer in settings.issuers.items()
    }
    paths = {"master_key_file": folder / settings.seal.master_key_file, "socket": folder / settings.seal.socket}
    seal = settings.seal.model_copy(update=paths)
    hsm = settings.hsm.model_copy(
        update={name: folder / found for name in ("module", "pin_file") if (found := getattr(settings.hsm, name))}
    )
    bundle = settings.release.ca_bundle
    release = settings.release.model_copy(update={"ca_bundle": folder / bundle}) if bundle else settings.release
    changed = {"server": server, "seal": seal, "hsm": hsm, "release": release, "issuers": issuers}
    changed["audit"] = _anchored(settings.audit, folder, "folder")
    changed["mail"] = _anchored(settings.mail, folder, "password_file", "ca_bundle")
    changed["webhooks"] = {
        name: _anchored(webhook, folder, "secret_file", "ca_bundle") for name, webhook in settings.webhooks.items()
    }
    found = settings.identity
    issuers_of_others = {name: _anchored(issuer, folder, "ca_bundle") for name, issuer in found.issuers.items()}
    managed = {name: _anchored(endpoint, folder, "header_file") for name, endpoint in found.managed.items()}
    changed["identity"] = found.model_copy(update={"issuers": issuers_of_others, "managed": managed})
    return settings.model_copy(update={"database_url": url, **changed})


def _anchored(section: Anchored, folder: Path, *names: str) -> Anchored:
    """Make the relative paths of a section relative to `folder`."""
    return section.model_copy(update={name: folder / found for name in names if (found := getattr(section, name))})
