"""Settings: frozen, read from one TOML file; each has a default, a unit and a line of help."""

import difflib
import ipaddress
import json
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

DAY = 86_400


class SettingsError(Exception):
    """The settings cannot be used; the message says in one line what is wrong and what would be right."""


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError as error:
        raise ValueError(f"{text!r} is not an IP address") from error


def _endpoint(text: str) -> str:
    host, _, port = text.rpartition(":")
    _address(host.removeprefix("[").removesuffix("]"))
    if not port.isdigit() or not 0 < int(port) <= 65535:  # noqa: PLR2004 - the last port
        raise ValueError(f"{text!r} has no port")
    return text


def _host(text: str) -> str:
    if not text or any(letter in "/:@?# " for letter in text):
        raise ValueError(f"{text!r} is not a host name")
    return text.lower()


def _pattern(text: str) -> str:
    plain = text.removeprefix("*.")
    if text != "*" and (not plain or "*" in plain):
        raise ValueError(f"{text!r} is not a pattern")
    return text.lower()


Address = Annotated[str, AfterValidator(_address)]
Pattern = Annotated[str, AfterValidator(_pattern)]
Seconds = Annotated[int, Field(strict=True, ge=1)]
Port = Annotated[int, Field(strict=True, ge=0, le=65535)]
KeyType = Literal["ec-p256", "ec-p384", "rsa-2048", "rsa-4096"]


class Profile(BaseModel):
    """A kind of certificate that an order can ask for by name (draft-ietf-acme-profiles)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    validity_seconds: Annotated[int, Field(strict=True, ge=10, le=3650 * DAY)]
    description: str = ""


def _setting(default: Any, *, unit: str, help: str) -> Any:  # noqa: A002, ANN401 - pydantic's own shape
    return Field(default=default, description=help, json_schema_extra={"unit": unit}, validate_default=True)


class Settings(BaseModel):
    """What a simulated authority is set up with; `load` reads it from a file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    listen_hosts: tuple[Address, ...] = _setting(
        ("127.0.0.1", "::1"),
        unit="IP addresses",
        help="Where the ACME server (HTTPS) listens. ::1 is left out on a machine without IPv6.",
    )
    port: Port = _setting(14000, unit="TCP port", help="Port of the ACME server; 0 takes a free one.")
    external_host: Annotated[str, AfterValidator(_host)] = _setting(
        "localhost", unit="host name", help="Host name in the URLs that clients are given."
    )
    management_host: Address = _setting(
        "127.0.0.1", unit="IP address", help="Where the management endpoint (plain HTTP, no password) listens."
    )
    management_port: Port = _setting(15000, unit="TCP port", help="Port of the management endpoint; 0 takes a free one.")
    state_directory: str = _setting(
        "",
        unit="directory, seen from the working directory",
        help="Where keys and memory are kept over a restart. Empty: all in memory, gone at the end.",
    )
    key_type: KeyType = _setting(
        "ec-p256",
        unit="ec-p256, ec-p384, rsa-2048 or rsa-4096",
        help="Keys of root and intermediate, when they are made; keys in the state directory stay as they are.",
    )
    http01_port: Annotated[int, Field(strict=True, ge=1, le=65535)] = _setting(
        5002, unit="TCP port", help="Port that http-01 validation connects to, in place of 80."
    )
    dns_server: str = _setting(
        "",
        unit="address:port, [address]:port for IPv6",
        help="DNS server to ask for A and AAAA records, in place of the resolver table. Empty: the table.",
    )
    validation_timeout_seconds: Seconds = _setting(5, unit="seconds", help="Longest time that one validation may take.")
    order_lifetime_seconds: Seconds = _setting(
        7 * DAY, unit="seconds", help="Time to finish an order and its pending authorizations."
    )
    authorization_lifetime_seconds: Seconds = _setting(
        30 * DAY, unit="seconds", help="Time that an authorization stays valid after its validation."
    )
    nonce_lifetime_seconds: Seconds = _setting(3600, unit="seconds", help="Time that an unused nonce can be used.")
    retry_after_seconds: Annotated[int, Field(strict=True, ge=0)] = _setting(
        1, unit="seconds", help="Retry-After of orders and authorizations that are being processed."
    )
    orders_per_page: Annotated[int, Field(strict=True, ge=1, le=1000)] = _setting(
        50, unit="orders", help="Length of a page in an account's list of orders."
    )
    blocked_identifiers: tuple[str, ...] = _setting(
        (), unit="names or addresses", help="What the authority refuses to issue for: these, and all names below them."
    )
    terms_of_service: str = _setting(
        "https://ca-sim.example/terms", unit="URL", help="Terms that a new account must agree to; empty: none."
    )
    website: str = _setting("https://ca-sim.example/", unit="URL", help="Website that the directory names; empty: none.")
    caa_identities: tuple[str, ...] = _setting(
        ("ca-sim.example",), unit="host names", help="Names by which CAA records can mean this authority."
    )
    log_level: Literal["debug", "info", "warning", "error"] = _setting(
        "info", unit="debug, info, warning or error", help="Least level of the lines on standard error."
    )
    default_profile: str = _setting("", unit="profile", help="Profile of orders that name none. Empty: the first one.")
    resolver: dict[Pattern, Address] = _setting(
        {"*": "127.0.0.1"},
        unit="name or pattern = IP address",
        help='Addresses that validation connects to. A full name goes before "*.suffix", the longest suffix before "*".',
    )
    profiles: dict[str, Profile] = _setting(
        {
            "classic": {"validity_seconds": 90 * DAY, "description": "A server certificate for 90 days"},
            "shortlived": {"validity_seconds": 6 * DAY, "description": "A server certificate for 6 days"},
        },
        unit="table of validity_seconds (seconds, 10 to 315360000) and description (text)",
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
        return value

    @field_validator("blocked_identifiers")
    @classmethod
    def _lower(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(entry.lower().removeprefix("*.") for entry in value)

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.default_profile and self.default_profile not in self.profiles:
            choice = ", ".join(self.profiles)
            raise ValueError(f"default_profile = {self.default_profile!r} is not a profile: give one of {choice}")
        if self.dns_server and "resolver" in self.model_fields_set:
            raise ValueError("dns_server and resolver exclude each other: give one of them")
        return self

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
        return f"{where} is missing: expected {_right(str(fault['loc'][0]))}"
    given = json.dumps(fault["input"], default=str)
    return f"{where} = {given}: {what}; expected {_right(str(fault['loc'][0]))}"


def _explain_unknown(where: str, loc: tuple[str | int, ...]) -> str:
    known = list(Settings.model_fields) if len(loc) == 1 else list(Profile.model_fields)
    near = difflib.get_close_matches(str(loc[-1]), known, n=1)
    return f"{where} is not a setting: " + (f"did you mean {near[0]}?" if near else f"use one of {', '.join(known)}")


def _right(name: str) -> str:
    unit, default = _unit(name), _toml(Settings.model_fields[name].default)
    return f"{unit} (default {default})" if name not in {"resolver", "profiles"} else unit


def _unit(name: str) -> str:
    extra = Settings.model_fields[name].json_schema_extra
    return str(extra["unit"]) if isinstance(extra, dict) else ""


def _toml(value: object) -> str:
    # Strings, integers and lists of them are written alike in JSON and in TOML.
    return json.dumps(value, ensure_ascii=False)


def sample() -> str:
    """Give a TOML file with every setting at its default: help and unit as `# text`, the setting as `#name = value`."""
    blocks = ["# Settings of ca-sim, the simulated certification authority; each is shown with its default."]
    for name, field in Settings.model_fields.items():
        head = f"# {field.description}\n# Unit: {_unit(name)}."
        if name == "resolver":
            rows = [f"#{_toml(pattern)} = {_toml(address)}" for pattern, address in field.default.items()]
            blocks.append("\n".join([head, "#[resolver]", *rows]))
        elif name == "profiles":
            blocks.append("\n\n".join([head, *(_table(*item) for item in field.default.items())]))
        else:
            blocks.append(f"{head}\n#{name} = {_toml(field.default)}")
    return "\n\n".join(blocks) + "\n"


def _table(name: str, profile: dict[str, Any]) -> str:
    return "\n".join([f"#[profiles.{name}]", *(f"#{key} = {_toml(value)}" for key, value in profile.items())])
