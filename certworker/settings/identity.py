"""[identity]: tokens, and who else may say who somebody is."""

import re
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import Field, field_validator, model_validator

from certworker.settings.section import Port, Section

_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.-]{0,63}")


class ForeignIssuer(Section):
    """[identity.issuers.NAME]: OpenID Connect providers whose tokens are taken as they come, by a name of your own."""

    url: str | None = Field(None, description="https URL of the issuer, as it stands in `iss`; its keys are found by discovery")
    audiences: tuple[str, ...] = Field((), description="what `aud` may be; none: the vaults' and the management plane's own")
    ca_bundle: Path | None = Field(None, description="PEM file of roots that the issuer's TLS certificate is checked by")
    timeout_seconds: float = Field(5.0, gt=0, le=60, description="seconds that the issuer has to show its keys")
    keys_days: float = Field(
        1.0, gt=0, le=30, description="days for which its keys are believed while it does not answer; it is asked every hour"
    )
    skew_seconds: int = Field(60, ge=0, le=600, description="seconds that the issuer's clock may differ by")
    longest_seconds: int = Field(86400, ge=60, le=2592000, description="seconds that a token may hold at the most, from `iat`")
    object_id_claim: str = Field("sub", description="claim that names who calls; the object id is made of it and the issuer")
    application_claim: str = Field("azp", description="claim that names the application; none in a token: the issuer's name")
    user_name_claim: str = Field("preferred_username", description="claim with the name that is shown and logged")
    groups_claim: str = Field("", description="claim with the groups that count for access; none: its tokens have none")
    tenant_claim: str = Field("", description="claim that must be as `tenant`, for a provider of many; none: any")
    tenant: str = Field("", description="what `tenant_claim` must be")

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        parts = urlsplit(self.url or "")
        if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment or parts.username is not None:
            raise ValueError("url is not an https URL without a query, such as https://login.example.com/realm")
        if bool(self.tenant_claim) != bool(self.tenant):
            raise ValueError("tenant_claim and tenant go together")
        return self

    @property
    def issuer(self) -> str:
        """The issuer as its tokens name it."""
        return self.url or ""


class ManagedIdentity(Section):
    """[identity.managed.NAME]: endpoints on loopback that give the tokens of one managed identity, by a name of your own."""

    identity: str = Field("", description="object id or client id of the identity whose tokens are given")
    kind: Literal["app-service", "imds"] = Field(
        "app-service", description="app-service (IDENTITY_ENDPOINT and IDENTITY_HEADER) or imds (whoever is on this machine)"
    )
    listen: str = Field("127.0.0.1", description="loopback address to listen on")
    port: Port = Field(0, description="TCP port; needed")
    header_file: Path | None = Field(None, description="file (mode 0600) with what IDENTITY_HEADER must be, of app-service")

    @field_validator("listen")
    @classmethod
    def _on_loopback(cls, value: str) -> str:
        if not ip_address(value).is_loopback:
            raise ValueError(f"{value} is not a loopback address, such as 127.0.0.1: whoever reaches it gets tokens")
        return value

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        try:
            UUID(self.identity)
        except ValueError:
            raise ValueError("identity is not the object id or client id of an identity, a GUID") from None
        if not self.port:
            raise ValueError("port is needed: those who ask are told it")
        if (self.kind == "app-service") != (self.header_file is not None):
            raise ValueError("header_file goes with kind app-service, which needs it")
        return self


class IdentitySettings(Section):
    """[identity]: the tokens of the built-in identity provider."""

    token_seconds: int = Field(3600, ge=300, le=86400, description="seconds that an access token holds")
    refresh_days: int = Field(90, ge=1, le=365, description="days that a refresh token holds; each one counts once")
    refresh_reuse_seconds: int = Field(
        30, ge=0, le=600, description="seconds in which a used refresh token may come again, from programs that share one"
    )
    code_seconds: int = Field(300, ge=30, le=600, description="seconds that an authorization code holds")
    device_code_seconds: int = Field(900, ge=60, le=3600, description="seconds in which a user has to enter a device code")
    password_grant: bool = Field(
        default=False, description="let programs sign users in by their password (az login -u); a page is safer"
    )
    guesses: int = Field(10, ge=1, le=100, description="wrong passwords for one user before the next has to wait")
    lockout_seconds: int = Field(60, ge=1, le=3600, description="seconds of the first wait; each further one is twice as long")
    signing_key_days: int = Field(90, ge=1, le=3650, description="days that a key signs tokens before another takes its place")
    issuers: Mapping[str, ForeignIssuer] = Field(default_factory=dict, description="tables by a name of your own")
    managed: Mapping[str, ManagedIdentity] = Field(default_factory=dict, description="tables by a name of your own")

    @field_validator("issuers", "managed")
    @classmethod
    def _check_names(cls, value: Mapping[str, Section]) -> Mapping[str, Section]:
        if wrong := next((name for name in value if not _NAME.fullmatch(name)), None):
            raise ValueError(f"{wrong[:80]!r} is no name: 1 to 64 of 0-9, a-z, A-Z, '_', '.' and '-'")
        return value

    @field_validator("issuers")
    @classmethod
    def _check_issuers(cls, value: Mapping[str, ForeignIssuer]) -> Mapping[str, ForeignIssuer]:
        if len({found.issuer.rstrip("/") for found in value.values()}) < len(value):
            raise ValueError("an issuer is named twice")
        return value
