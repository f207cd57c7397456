"""Grants: what stands for somebody who has signed in, until it is exchanged for tokens (RFC 6749 section 1.3).

Each is found by the hash of what its client holds, which is kept nowhere: whoever reads the database can redeem nothing.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


def new_grant() -> tuple[str, str]:
    """Make what a client will hold, of 384 random bits, and its hash."""
    text = secrets.token_urlsafe(48)
    return text, hash_of(text)


def hash_of(text: str) -> str:
    """Hash what a client holds; there is nothing to guess, so that one round is enough."""
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


@dataclass(frozen=True, slots=True)
class AuthorizationCode:
    """What a user who signed in on a page leaves for the client (RFC 6749 section 4.1), bound to it by PKCE (RFC 7636).

    All that it was exchanged for is of one `family`, which ends where it is shown again.
    """

    hash: str
    tenant_id: str
    client_id: str
    object_id: str
    redirect_uri: str
    challenge: str
    scope: str
    nonce: str
    family: str
    expires: datetime
    used: datetime | None = None


class DeviceState(StrEnum):
    """What became of a device code."""

    PENDING = "pending"
    GRANTED = "granted"
    DENIED = "denied"


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """A client that waits for a user to enter `user_code` elsewhere (RFC 8628)."""

    hash: str
    user_code: str
    tenant_id: str
    client_id: str
    scope: str
    interval_seconds: int
    expires: datetime
    state: DeviceState = DeviceState.PENDING
    object_id: str = ""
    polled: datetime | None = None


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A refresh token. It counts once: what takes its place is of the same family, and whoever shows it again ends them all."""

    hash: str
    family: str
    tenant_id: str
    client_id: str
    object_id: str
    signed_in: datetime
    """When the user showed a password."""
    issued: datetime
    expires: datetime
    used: datetime | None = None


@dataclass(frozen=True, slots=True)
class Guesses:
    """Passwords that were tried in vain for one user name, by its digest. Nobody may try before `locked_until`."""

    digest: str
    count: int
    last: datetime
    locked_until: datetime | None = None


class GrantReader(Protocol):
    """What can be asked of grants; a part of the port to the database."""

    def authorization_code(self, code_hash: str) -> AuthorizationCode | None:
        """Find an authorization code."""

    def device_code(self, code_hash: str) -> DeviceCode | None:
        """Find a device code by the hash of what the client holds."""

    def device_code_of_user(self, user_code: str) -> DeviceCode | None:
        """Find a device code by what the user enters."""

    def refresh_token(self, token_hash: str) -> RefreshToken | None:
        """Find a refresh token."""


class GrantWriter(GrantReader, Protocol):
    """What can be changed in grants, inside one transaction."""

    def add_authorization_code(self, code: AuthorizationCode) -> None:
        """Add an authorization code."""

    def use_authorization_code(self, code_hash: str, at: datetime) -> bool:
        """Use an authorization code; tell whether it was the first time."""

    def add_device_code(self, code: DeviceCode) -> bool:
        """Add a device code, unless the user code is taken; tell whether it was added."""

    def note_poll(self, code_hash: str, at: datetime, interval_seconds: int) -> None:
        """Note when a client has asked, and how long it has to wait from now on."""

    def settle_device_code(self, user_code: str, state: DeviceState, object_id: str) -> bool:
        """Grant or deny a device code that is pending; tell whether it was."""

    def delete_device_code(self, code_hash: str) -> bool:
        """Take a device code back; tell whether there was one."""

    def add_refresh_token(self, token: RefreshToken) -> None:
        """Add a refresh token."""

    def hold_refresh_token(self, token_hash: str) -> RefreshToken | None:
        """Find a refresh token, and keep others from using or ending it until the end."""

    def use_refresh_token(self, token_hash: str, at: datetime) -> bool:
        """Use a refresh token; tell whether it was the first time."""

    def delete_refresh_family(self, family: str) -> int:
        """End all refresh tokens of a family; give the count."""

    def delete_grants_of(self, object_id: str) -> int:
        """End all codes and refresh tokens of a user; give the count."""

    def hold_guesses(self, digest: str, at: datetime) -> Guesses:
        """Find what was tried in vain for a user name, or begin to count, and keep others from doing so until the end."""

    def put_guesses(self, guesses: Guesses) -> None:
        """Replace what was tried in vain."""

    def delete_guesses(self, digest: str) -> None:
        """Forget what was tried in vain."""

    def retire_signing_keys(self, tenant_id: str, but: str, retires: datetime) -> int:
        """Let all of a tenant's signing keys but one retire at a time, those that do not retire yet; give the count."""

    def delete_retired_signing_keys(self, at: datetime) -> int:
        """Delete the signing keys that have retired; give the count."""

    def delete_expired_grants(self, at: datetime) -> int:
        """Forget grants that have expired, and what was tried in vain a day ago; give the count."""
