"""Grants that wait to be exchanged for tokens, and passwords that were tried in vain."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlalchemy import Row as Found
from sqlmodel import Field

from certworker.store.columns import DeviceStateText, UnixTime
from certworker.store.tables.row import Row, Values, table_of
from certworker.vault.sign_in.grants import AuthorizationCode, DeviceCode, DeviceState, Guesses, RefreshToken


class AuthorizationCodeRow(Row, table=True):
    """An authorization code."""

    __tablename__ = "authorization_code"

    hash: str = Field(primary_key=True)
    tenant_id: str
    client_id: str
    object_id: str
    redirect_uri: str
    challenge: str
    scope: str
    nonce: str
    family: str
    expires: datetime = Field(sa_type=UnixTime, index=True)
    used: datetime | None = Field(sa_type=UnixTime)


class DeviceCodeRow(Row, table=True):
    """A device code."""

    __tablename__ = "device_code"
    __table_args__ = (Index("ix_device_code_user_code", "user_code", unique=True),)

    hash: str = Field(primary_key=True)
    user_code: str
    tenant_id: str
    client_id: str
    scope: str
    interval_seconds: int
    expires: datetime = Field(sa_type=UnixTime, index=True)
    state: DeviceState = Field(sa_type=DeviceStateText)
    object_id: str
    polled: datetime | None = Field(sa_type=UnixTime)


class RefreshTokenRow(Row, table=True):
    """A refresh token."""

    __tablename__ = "refresh_token"

    hash: str = Field(primary_key=True)
    family: str = Field(index=True)
    tenant_id: str
    client_id: str
    object_id: str = Field(index=True)
    signed_in: datetime = Field(sa_type=UnixTime)
    issued: datetime = Field(sa_type=UnixTime)
    expires: datetime = Field(sa_type=UnixTime, index=True)
    used: datetime | None = Field(sa_type=UnixTime)


class GuessesRow(Row, table=True):
    """Passwords that were tried in vain."""

    __tablename__ = "guesses"

    digest: str = Field(primary_key=True)
    count: int
    last: datetime = Field(sa_type=UnixTime, index=True)
    locked_until: datetime | None = Field(sa_type=UnixTime)


AUTHORIZATION_CODE = table_of(AuthorizationCodeRow)
DEVICE_CODE = table_of(DeviceCodeRow)
REFRESH_TOKEN = table_of(RefreshTokenRow)
GUESSES = table_of(GuessesRow)


def authorization_code_record(row: Found[Any]) -> AuthorizationCode:
    """Make the record of an authorization code."""
    return AuthorizationCode(
        hash=row.hash,
        tenant_id=row.tenant_id,
        client_id=row.client_id,
        object_id=row.object_id,
        redirect_uri=row.redirect_uri,
        challenge=row.challenge,
        scope=row.scope,
        nonce=row.nonce,
        family=row.family,
        expires=row.expires,
        used=row.used,
    )


def authorization_code_values(code: AuthorizationCode) -> Values:
    """Make the row of an authorization code."""
    return {
        "hash": code.hash,
        "tenant_id": code.tenant_id,
        "client_id": code.client_id,
        "object_id": code.object_id,
        "redirect_uri": code.redirect_uri,
        "challenge": code.challenge,
        "scope": code.scope,
        "nonce": code.nonce,
        "family": code.family,
        "expires": code.expires,
        "used": code.used,
    }


def device_code_record(row: Found[Any]) -> DeviceCode:
    """Make the record of a device code."""
    return DeviceCode(
        hash=row.hash,
        user_code=row.user_code,
        tenant_id=row.tenant_id,
        client_id=row.client_id,
        scope=row.scope,
        interval_seconds=row.interval_seconds,
        expires=row.expires,
        state=row.state,
        object_id=row.object_id,
        polled=row.polled,
    )


def device_code_values(code: DeviceCode) -> Values:
    """Make the row of a device code."""
    return {
        "hash": code.hash,
        "user_code": code.user_code,
        "tenant_id": code.tenant_id,
        "client_id": code.client_id,
        "scope": code.scope,
        "interval_seconds": code.interval_seconds,
        "expires": code.expires,
        "state": code.state,
        "object_id": code.object_id,
        "polled": code.polled,
    }


def refresh_token_record(row: Found[Any]) -> RefreshToken:
    """Make the record of a refresh token."""
    return RefreshToken(
        hash=row.hash,
        family=row.family,
        tenant_id=row.tenant_id,
        client_id=row.client_id,
        object_id=row.object_id,
        signed_in=row.signed_in,
        issued=row.issued,
        expires=row.expires,
        used=row.used,
    )


def refresh_token_values(token: RefreshToken) -> Values:
    """Make the row of a refresh token."""
    return {
        "hash": token.hash,
        "family": token.family,
        "tenant_id": token.tenant_id,
        "client_id": token.client_id,
        "object_id": token.object_id,
        "signed_in": token.signed_in,
        "issued": token.issued,
        "expires": token.expires,
        "used": token.used,
    }


def guesses_record(row: Found[Any]) -> Guesses:
    """Make the record of what was tried in vain."""
    count = row._mapping["count"]  # noqa: SLF001 - a row has a method of that name
    return Guesses(digest=row.digest, count=count, last=row.last, locked_until=row.locked_until)


def guesses_values(guesses: Guesses) -> Values:
    """Make the row of what was tried in vain."""
    return {
        "digest": guesses.digest,
        "count": guesses.count,
        "last": guesses.last,
        "locked_until": guesses.locked_until,
    }
