"""What all sections of the settings have in common."""

import ipaddress
import re
from typing import Annotated, get_origin
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator

_LABEL = re.compile(r"[0-9A-Za-z_]([0-9A-Za-z_-]{0,61}[0-9A-Za-z_])?")

Port = Annotated[int, Field(ge=0, le=65535)]


def is_host(text: str) -> bool:
    """Whether a text can be the name of a host, or is an address."""
    if all(map(_LABEL.fullmatch, text.removesuffix(".").split("."))):
        return True
    try:
        return bool(ipaddress.ip_address(text))
    except ValueError:
        return False


class Section(BaseModel):
    """A table of the settings file. Unknown names are refused: a misspelt setting must not be a silent default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @field_validator(
        "certificate_file",
        "key_file",
        "ca_bundle",
        "master_key_env",
        "master_key_credential",
        "master_key_label",
        "module",
        "pin_file",
        "pin_env",
        "web_root",
        "url",
        "product",
        "client_certificate",
        "dns_server",
        "dns_zone",
        "tsig_key",
        "tsig_secret_file",
        "host",
        "user",
        "password_file",
        "password_env",
        "sender",
        "secret_file",
        "header_file",
        mode="before",
        check_fields=False,
    )
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        """Read an empty text as none, which TOML and the environment have no word for."""
        return None if value == "" else value

    @field_validator(
        "listen",
        "allow_private",
        "http01_listen",
        "tlsalpn01_listen",
        "contacts",
        "products",
        "authorities",
        "dns_hook",
        "dns_servers",
        "fallback",
        "sizes",
        "thresholds",
        "topics",
        "vaults",
        "command",
        "audiences",
        "outputs",
        "trusted_proxies",
        mode="before",
        check_fields=False,
    )
    @classmethod
    def _split_at_commas(cls, value: object, info: ValidationInfo) -> object:
        """Read a list that the environment gives with commas."""
        is_list = get_origin(cls.model_fields[str(info.field_name)].annotation) is tuple
        if not (is_list and isinstance(value, str)):
            return value
        return tuple(part for item in value.split(",") if (part := item.strip()))


def _addresses(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:
        raise ValueError("at least one address is needed")
    for address in value:
        ipaddress.ip_address(address)
    return value


Addresses = Annotated[tuple[str, ...], AfterValidator(_addresses)]


def _networks(value: tuple[str, ...]) -> tuple[str, ...]:
    for network in value:
        ipaddress.ip_network(network, strict=False)
    return value


Networks = Annotated[tuple[str, ...], AfterValidator(_networks)]
"""Addresses and CIDR ranges."""

ApplicationId = Annotated[str, AfterValidator(lambda value: str(UUID(value)))]
"""The client id of an application, in the one form of a UUID."""
