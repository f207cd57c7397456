"""[issuers.NAME]: how certificates come from a CA."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from certworker.settings.rates import read_rate
from certworker.settings.section import Section

_NAME = re.compile(r"[0-9a-zA-Z-]{1,127}")
_PLACE = re.compile(r"[0-9A-Za-z-]+/[0-9A-Za-z-]+")


class IssuerSettings(Section):
    """[issuers.NAME]: what Key Vault's issuer record has no word for, by the name of the record."""

    ca_bundle: Path | None = Field(None, description="PEM file of roots that the CA's own TLS certificate is checked by")
    challenge: Literal["http-01", "dns-01", "tls-alpn-01"] = Field(
        "http-01", description="type of challenge to answer: http-01, dns-01 or tls-alpn-01; a wildcard needs dns-01"
    )
    web_root: Path | None = Field(
        None, description="folder of a web server that http-01 responses are written below; none: the worker answers itself"
    )
    dns_server: str | None = Field(
        None, description="HOST or HOST:PORT where dns-01 records are put by dynamic update (RFC 2136); or dns_hook"
    )
    dns_zone: str | None = Field(None, description="zone that is updated; none: dns_server is asked which it is")
    dns_ttl_seconds: int = Field(60, ge=0, le=86400, description="seconds for which resolvers may keep a dns-01 record")
    tsig_key: str | None = Field(None, description="name of the TSIG key that signs updates; goes with dns_server")
    tsig_algorithm: Literal["hmac-sha256", "hmac-sha384", "hmac-sha512", "hmac-sha224", "hmac-sha1"] = Field(
        "hmac-sha256", description="the TSIG key's algorithm"
    )
    tsig_secret_file: Path | None = Field(None, description="file (mode 0600) with the TSIG key's secret in base64")
    dns_hook: tuple[str, ...] = Field(
        (), description="program and arguments, run with `present|cleanup NAME VALUE` behind them and no shell; or dns_server"
    )
    dns_hook_seconds: float = Field(30.0, gt=0, le=60, description="seconds after which the hook is killed")
    dns_servers: tuple[str, ...] = Field(
        (), description="name servers (HOST or HOST:PORT) that must show a dns-01 record; none: all those of its zone"
    )
    dns_wait_seconds: int = Field(
        300, ge=0, le=86400, description="seconds that name servers may take to show a record before it counts as a failure"
    )
    contacts: tuple[str, ...] = Field((), description="e-mail addresses for the CA account")
    timeout_seconds: float = Field(15.0, gt=0, le=60, description="seconds that one request to the CA may take")
    url: str | None = Field(
        None, description="https URL that the CA's REST API starts with (DigiCert, GlobalSign); none: the CA's public one"
    )
    product: str | None = Field(
        None, description="DigiCert's product that is ordered where the policy has no certificate type; none: ssl_basic"
    )
    products: tuple[str, ...] = Field(
        ("OV-SSL=ssl_basic", "EV-SSL=ssl_ev_basic", "DV-SSL=ssl_dv_geotrust_flex"),
        description="TYPE=PRODUCT: the product of DigiCert that a policy's certificate type means",
    )
    skip_approval: bool = Field(
        default=True, description="ask DigiCert not to hold orders for an administrator's approval, where the API key may"
    )
    client_certificate: str | None = Field(
        None, description="VAULT/NAME of the certificate by which GlobalSign knows us in TLS; its key lies in no HSM"
    )
    orders: str = Field(
        "", description="NUMBER/TIME (s, m, h, d) of new orders for the account, such as 300/3h; none: the CA's known limit"
    )
    certificates_per_domain: str = Field(
        "", description="NUMBER/TIME of certificates for a registered domain, such as 50/7d; none: the CA's known limit"
    )
    certificates_per_set: str = Field(
        "", description="NUMBER/TIME of certificates for the same set of names, such as 5/7d; none: the CA's known limit"
    )
    fallback: tuple[str, ...] = Field(
        (), description="issuers of the same vault, in order, that renew what this one cannot; the next renewal comes back"
    )
    fallback_after_seconds: int = Field(
        3600, ge=0, le=2592000, description="seconds for which the CA is down before others renew, unless it is urgent"
    )
    preferred_chain: str = Field(
        "", description="common name of the root whose chain is taken, where the CA offers several; none: the CA's default"
    )

    @field_validator("orders", "certificates_per_domain", "certificates_per_set")
    @classmethod
    def _check_rate(cls, value: str) -> str:
        read_rate(value)
        return value

    @field_validator("fallback")
    @classmethod
    def _check_fallback(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len({name.casefold() for name in value}) < len(value):
            raise ValueError("an issuer is named twice")
        if wrong := next((name for name in value if not _NAME.fullmatch(name)), None):
            raise ValueError(f"{wrong[:140]!r} is no name of an issuer: 1 to 127 of 0-9, a-z, A-Z and '-'")
        return value

    @field_validator("url")
    @classmethod
    def _check_url(cls, value: str | None) -> str | None:
        parts = urlsplit(value or "https://ca.example")
        if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment or parts.username is not None:
            raise ValueError("an https URL without a query is needed, such as https://ca.example/v2")
        return value

    @field_validator("client_certificate")
    @classmethod
    def _check_client_certificate(cls, value: str | None) -> str | None:
        if value is not None and not _PLACE.fullmatch(value):
            raise ValueError(f"{value!r} is not VAULT/NAME, a certificate in a vault")
        return value

    @field_validator("products")
    @classmethod
    def _check_products(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for entry in value:
            if not all(entry.partition("=")):
                raise ValueError(f"{entry!r} is not TYPE=PRODUCT, such as OV-SSL=ssl_basic")
        return value


def find_circle(issuers: Mapping[str, IssuerSettings]) -> tuple[str, ...] | None:
    """Find issuers that stand in for each other in a circle, which would send a renewal round and round."""
    standing = {name.casefold(): [other.casefold() for other in found.fallback] for name, found in issuers.items()}

    def walk(name: str, seen: tuple[str, ...]) -> tuple[str, ...] | None:
        if name in seen:
            return (*seen[seen.index(name) :], name)
        found = (walk(other, (*seen, name)) for other in standing.get(name, ()))
        return next((circle for circle in found if circle), None)

    return next((circle for name in standing if (circle := walk(name, ()))), None)
