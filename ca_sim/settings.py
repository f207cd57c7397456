"""Settings: frozen, read from one TOML file; each has a default, a unit and a line of help."""

import difflib
import ipaddress
import json
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo

from ca_sim.acme.settings import AcmeSettings
from ca_sim.authority.profiles import Profile
from ca_sim.authority.settings import AuthoritySettings
from ca_sim.clock_settings import ClockSettings
from ca_sim.digicert.settings import DigicertSettings
from ca_sim.globalsign.settings import GlobalsignSettings
from ca_sim.setting import DAY, Port, Seconds, Section, Url, setting
from ca_sim.validation.settings import ValidationSettings

_HOST = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


class SettingsError(Exception):
    """The settings cannot be used; the message says in one line what is wrong and what would be right."""


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError as error:
        raise ValueError(f"{text!r} is not an IP address") from error


def _canonical(text: str) -> str:
    try:
        return _address(text)
    except ValueError:
        return text


def _endpoint(text: str) -> str:
    host, _, port = text.rpartition(":")
    _address(host.removeprefix("[").removesuffix("]"))
    if not re.fullmatch("[0-9]{1,5}", port) or not 0 < int(port) <= 65535:  # noqa: PLR2004 - the last port
        raise ValueError(f"{text!r} has no port")
    return text


def _host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise ValueError(f"{text!r} is not a host name")
    return text.lower()


def _pattern(text: str) -> str:
    plain = text.removeprefix("*.")
    if text != "*" and (not plain or "*" in plain):
        raise ValueError(f"{text!r} is not a pattern")
    return text.lower()


Address = Annotated[str, AfterValidator(_address)]
Pattern = Annotated[str, AfterValidator(_pattern)]
KeyType = Literal["ec-p256", "ec-p384", "rsa-2048", "rsa-4096"]


class Settings(Section):
    """What a simulated authority is set up with; `load` reads it from a file."""

    listen_hosts: tuple[Address, ...] = setting(
        ("127.0.0.1", "::1"),
        unit="IP addresses",
        help="Where the ACME server (HTTPS) listens. ::1 is left out on a machine without IPv6.",
    )
    port: Port = setting(14000, unit="TCP port", help="Port of the ACME server; 0 takes a free one.")
    external_host: Annotated[str, AfterValidator(_host)] = setting(
        "localhost", unit="host name", help="Host name in the URLs that clients are given."
    )
    management_host: Address = setting(
        "127.0.0.1", unit="IP address", help="Where the management endpoint (plain HTTP, no password) listens."
    )
    management_port: Port = setting(15000, unit="TCP port", help="Port of the management endpoint; 0 takes a free one.")
    public_port: Port = setting(
        14002, unit="TCP port", help="Port (plain HTTP) of what certificates point to: issuers, CRLs, OCSP; 0 takes a free one."
    )
    state_directory: str = setting(
        "",
        unit="directory, seen from the working directory",
        help="Where keys and memory are kept over a restart. Empty: all in memory, gone at the end.",
    )
    key_type: KeyType = setting(
        "ec-p256",
        unit="ec-p256, ec-p384, rsa-2048 or rsa-4096",
        help="Keys of the default root and intermediate, when they are made; keys in the state directory stay as they are.",
    )
    http01_port: Annotated[int, Field(strict=True, ge=1, le=65535)] = setting(
        5002, unit="TCP port", help="Port that http-01 validation connects to, in place of 80."
    )
    tlsalpn01_port: Annotated[int, Field(strict=True, ge=1, le=65535)] = setting(
        5001,
        unit="TCP port",
        help="Port that tls-alpn-01 validation connects to, and http-01 when it is redirected to https, in place of 443.",
    )
    dns_server: str = setting(
        "",
        unit="address:port, [address]:port for IPv6",
        help="DNS server to ask for addresses, in place of the resolver table, and for TXT and CAA records, which dns-01 and"
        " check_caa need. Empty: the table, and no dns-01.",
    )
    validation_timeout_seconds: Seconds = setting(
        5, unit="seconds", help="Longest time that one validation may take, and then the look at CAA records."
    )
    order_lifetime_seconds: Seconds = setting(
        7 * DAY, unit="seconds", help="Time to finish an order and its pending authorizations."
    )
    authorization_lifetime_seconds: Seconds = setting(
        30 * DAY, unit="seconds", help="Time that an authorization stays valid after its validation."
    )
    nonce_lifetime_seconds: Seconds = setting(3600, unit="seconds", help="Time that an unused nonce can be used.")
    retry_after_seconds: Annotated[int, Field(strict=True, ge=0)] = setting(
        1, unit="seconds", help="Retry-After of orders and authorizations that are being processed."
    )
    orders_per_page: Annotated[int, Field(strict=True, ge=1, le=1000)] = setting(
        50, unit="orders", help="Length of a page in an account's list of orders."
    )
    blocked_identifiers: tuple[str, ...] = setting(
        (), unit="names or addresses", help="What the authority refuses to issue for: these, and all names below them."
    )
    terms_of_service: Url = setting(
        "https://ca-sim.example/terms", unit="URL", help="Terms that a new account must agree to; empty: none."
    )
    website: Url = setting("https://ca-sim.example/", unit="URL", help="Website that the directory names; empty: none.")
    caa_identities: tuple[str, ...] = setting(
        ("ca-sim.example",), unit="host names", help="Names by which CAA records can mean this authority."
    )
    log_level: Literal["debug", "info", "warning", "error"] = setting(
        "info", unit="debug, info, warning or error", help="Least level of the lines on standard error."
    )
    log_format: Literal["auto", "json", "text"] = setting(
        "auto", unit="auto, json or text", help="Form of those lines; auto: text on a terminal, JSON elsewhere."
    )
    default_profile: str = setting("", unit="profile", help="Profile of orders that name none. Empty: the first one.")
    clock: ClockSettings = ClockSettings()
    acme: AcmeSettings = AcmeSettings()
    validation: ValidationSettings = ValidationSettings()
    authority: AuthoritySettings = AuthoritySettings()
    digicert: DigicertSettings = DigicertSettings()
    globalsign: GlobalsignSettings = GlobalsignSettings()
    resolver: dict[Pattern, Address] = setting(
        {"*": "127.0.0.1"},
        unit="name or pattern = IP address",
        help='Addresses that validation connects to. A full name goes before "*.suffix", the longest suffix before "*".',
    )
    profiles: dict[str, Profile] = setting(
        {
            "classic": {"validity_seconds": 90 * DAY, "description": "A server certificate for 90 days"},
            "shortlived": {"validity_seconds": 6 * DAY, "description": "A server certificate for 6 days"},
        },
        unit="table of validity_seconds (seconds, 10 to 315360000), description (text), issuer (ec, rsa or ml-dsa;"
        " empty: that of key_type), extended_key_usages (serverAuth, clientAuth), key_encipherment, key_identifier,"
        " must_staple, ocsp (true or false), common_name (asked, always or never), max_names (number),"
        " key_types (rsa, ec-p256, ec-p384, ec-p521)",
        help="Kinds of certificates that an order can ask for by name.",
    )

    @field_validator("dns_server")
    @classmethod
    def _check_dns_server(cls, value: str) -> str:
        return _endpoint(value) if value else value

    @field_validator("profiles")
    @classmethod
    def _check_profiles(cls, value: dict[str, Profile]) -> dict[str, Profile]:
        if not value:
            raise ValueError("there is no profile")
        return value

    @field_validator("listen_hosts")
    @classmethod
    def _check_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("there is no address")
        return tuple(dict.fromkeys(value))

    @field_validator("blocked_identifiers")
    @classmethod
    def _lower(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_canonical(entry.lower().removeprefix("*.")) for entry in value)

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.default_profile and self.default_profile not in self.profiles:
            choice = ", ".join(self.profiles)
            raise ValueError(f"default_profile = {self.default_profile!r} is not a profile: give one of {choice}")
        if self.dns_server and "resolver" in self.model_fields_set:
            raise ValueError("dns_server and resolver exclude each other: give one of them")
        if self.validation.check_caa and not (self.dns_server or self.validation.system_resolver):
            raise ValueError("validation.check_caa needs a server to ask: give dns_server or validation.system_resolver")
        self._check_ports()
        return self

    def _check_ports(self) -> None:
        ports = {"port": self.port, "public_port": self.public_port}
        ports |= {"digicert.port": self.digicert.port, "globalsign.port": self.globalsign.port}
        if self.management_host in self.listen_hosts:
            ports["management_port"] = self.management_port
        for port in set(ports.values()) - {0}:
            names = [name for name, given in ports.items() if given == port]
            if len(names) > 1:
                raise ValueError(f"{' and '.join(names)} are all {port}: give each a port of its own, or 0 for a free one")

    @property
    def profile_of_default(self) -> str:
        """Name the profile of an order that names none."""
        return self.default_profile or next(iter(self.profiles))

    @property
    def state(self) -> Path | None:
        """Give the state directory, None in memory."""
        return Path(self.state_directory) if self.state_directory else None


def load(path: Path | None) -> Settings:
    """Read the settings from a TOML file; None gives the defaults. Raises SettingsError."""
    if path is None:
        return Settings()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read: {error}") from error
    try:
        return read(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: not TOML: {error}") from error
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from error


def read(table: dict[str, Any]) -> Settings:
    """Check a table of settings. Raises SettingsError for the first thing that is wrong."""
    try:
        return Settings.model_validate(table)
    except ValidationError as error:
        # A misspelt name is told first: the setting that is missing for it is only its consequence.
        fault = min(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")
        raise SettingsError(_explain(fault)) from error


def _explain(fault: Any) -> str:  # noqa: ANN401 - pydantic's own shape
    where = ".".join(str(part) for part in fault["loc"] if part != "[key]")
    cause = fault.get("ctx", {}).get("error")
    what = str(cause) if cause else fault["msg"][0].lower() + fault["msg"][1:]
    if fault["type"] == "extra_forbidden":
        return _explain_unknown(where, fault["loc"])
    if not where:
        return what
    if fault["type"] == "missing":
        return f"{where} is missing: expected {_right(fault['loc'])}"
    given = "" if _holds_secrets(fault["loc"]) else " = " + json.dumps(fault["input"], default=str)
    return f"{where}{given}: {what}; expected {_right(fault['loc'])}"


def _explain_unknown(where: str, loc: tuple[str | int, ...]) -> str:
    table = _section(loc[0]) or Settings if len(loc) > 1 else Settings
    known = list(Profile.model_fields) if loc[0] == "profiles" else list(table.model_fields)
    near = difflib.get_close_matches(str(loc[-1]), known, n=1)
    return f"{where} is not a setting: " + (f"did you mean {near[0]}?" if near else f"use one of {', '.join(known)}")


def _section(name: str | int) -> type[Section] | None:
    field = Settings.model_fields.get(str(name))
    kind = field.annotation if field else None
    return kind if isinstance(kind, type) and issubclass(kind, Section) else None


def _holds_secrets(loc: tuple[str | int, ...]) -> bool:
    """Whether a secret setting is meant, or a section that may have one."""
    section = _section(loc[0])
    if section is None:
        return False
    field = section.model_fields.get(str(loc[1])) if len(loc) > 1 else None
    return field is None or (isinstance(field.json_schema_extra, dict) and bool(field.json_schema_extra.get("secret")))


def _right(loc: tuple[str | int, ...]) -> str:
    section = _section(loc[0])
    if section is None:
        return _described(Settings.model_fields[str(loc[0])], table=loc[0] in {"resolver", "profiles"})
    if len(loc) == 1:
        return f"a table of {', '.join(section.model_fields)}"
    field = section.model_fields[str(loc[1])]
    return _described(field, table=isinstance(field.default, dict))


def _described(field: FieldInfo, *, table: bool) -> str:
    return _unit(field) if table else f"{_unit(field)} (default {_toml(field.default)})"


def _unit(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    return str(extra["unit"]) if isinstance(extra, dict) else ""


def _toml(value: object) -> str:
    # Strings, numbers and lists of them are written alike in JSON and in TOML.
    return '""' if value is None else json.dumps(value, ensure_ascii=False, default=str)


def sample() -> str:
    """Give a TOML file with every setting at its default: help and unit as `# text`, the setting as `#name = value`."""
    blocks = ["# Settings of ca-sim, the simulated certification authority; each is shown with its default."]
    tables: list[str] = []
    for name, field in Settings.model_fields.items():
        if section := _section(name):
            tables += _section_sample(name, section)
        elif isinstance(field.default, dict):
            tables.append(_table_sample(name, field))
        else:
            blocks.append(_line_sample(name, field))
    return "\n\n".join([*blocks, *tables]) + "\n"


def _section_sample(name: str, section: type[Section]) -> list[str]:
    """Show a section: its plain settings first, since a table within it ends them."""
    fields = section.model_fields
    plain = [_line_sample(key, field) for key, field in fields.items() if not isinstance(field.default, dict)]
    tables = [_table_sample(f"{name}.{key}", field) for key, field in fields.items() if isinstance(field.default, dict)]
    return [f"#[{name}]\n\n" + "\n\n".join(plain) if plain else f"#[{name}]", *tables]


def _line_sample(name: str, field: FieldInfo) -> str:
    return f"{_head(field)}\n#{name} = {_toml(field.default)}"


def _table_sample(name: str, field: FieldInfo) -> str:
    if any(isinstance(value, dict) for value in field.default.values()):
        rows = "\n\n".join(_table(f"{name}.{key}", value) for key, value in field.default.items())
        return f"{_head(field)}\n\n{rows}"
    return f"{_head(field)}\n{_table(name, field.default)}"


def _head(field: FieldInfo) -> str:
    return f"# {field.description}\n# Unit: {_unit(field)}."


def _table(name: str, values: dict[str, Any]) -> str:
    return "\n".join([f"#[{name}]", *(f"#{_key(key)} = {_toml(value)}" for key, value in values.items())])


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _toml(name)
