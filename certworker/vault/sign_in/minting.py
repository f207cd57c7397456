"""Minting: what the tokens say, of applications and of users."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from certworker.clock import Clock, whole_second
from certworker.vault.directory import Directory
from certworker.vault.identities.records import User
from certworker.vault.sign_in.clients import Client, Proof
from certworker.vault.sign_in.scopes import Resource
from certworker.vault.store import Store
from certworker.vault.vaults import Principal

MOST_GROUPS: Final = 200
"""Of more groups than these a token tells only that there are some, as Microsoft's do; they are looked up at every request."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A bearer token and how many seconds it holds."""

    token: str
    expires_in_seconds: int


@dataclass(frozen=True, slots=True)
class Granted:
    """What a client is given: the access token, and for a user who has signed in what goes with it. Never shown by `repr`."""

    access: AccessToken = field(repr=False)
    scopes: tuple[str, ...] = ()
    id_token: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    user: User | None = None


class Mint:
    """Makes tokens, signed with the tenant's key."""

    def __init__(self, store: Store, directory: Directory, lifetime: timedelta, clock: Clock) -> None:
        self._store = store
        self._directory = directory
        self._lifetime = lifetime
        self._clock = clock

    def for_application(self, principal: Principal, resource: Resource, issuer: str, proof: Proof) -> AccessToken:
        """Make the token of an application that acts for itself, or of a managed identity."""
        claims = {
            **self._of(principal.tenant_id, resource.audience, issuer),
            **_client_claims(principal.client_id, proof),
            **self._groups(principal.object_id),
            "oid": principal.object_id,
            "sub": principal.object_id,
            "idtyp": "app",
        }
        return self._sign(principal.tenant_id, claims)

    def for_user(self, user: User, client: Client, resource: Resource, scopes: tuple[str, ...], issuer: str) -> AccessToken:
        """Make the token by which an application acts for a user."""
        claims = {
            **self._of(user.tenant_id, resource.audience, issuer),
            **_client_claims(client.client_id, client.proof),
            **self._groups(user.object_id),
            **_names(user),
            "scp": " ".join(scopes),
            "idtyp": "user",
        }
        return self._sign(user.tenant_id, claims)

    def id_token(self, user: User, client: Client, issuer: str, nonce: str) -> str:
        """Make the token that tells the client who has signed in (OpenID Connect Core 1.0 section 2)."""
        claims = {**self._of(user.tenant_id, client.client_id, issuer), **_names(user)}
        claims["preferred_username"] = user.user_name
        if user.mail:
            claims["email"] = user.mail
        if nonce:
            claims["nonce"] = nonce
        return self._directory.sign(user.tenant_id, claims)

    def _of(self, tenant_id: str, audience: str, issuer: str) -> dict[str, Any]:
        at = whole_second(self._clock())
        begin = int(at.timestamp())
        times = {"iat": begin, "nbf": begin, "exp": int((at + self._lifetime).timestamp())}
        return {"aud": audience, "iss": issuer, **times, "tid": tenant_id, "ver": "2.0", "uti": secrets.token_urlsafe(16)}

    def _groups(self, object_id: str) -> dict[str, Any]:
        with self._store.glance() as reader:
            groups = sorted(reader.groups_of(object_id))
        if len(groups) > MOST_GROUPS:
            return {"hasgroups": True}
        return {"groups": groups} if groups else {}

    def _sign(self, tenant_id: str, claims: Mapping[str, Any]) -> AccessToken:
        return AccessToken(self._directory.sign(tenant_id, claims), int(self._lifetime.total_seconds()))


def _client_claims(client_id: str, proof: Proof) -> dict[str, str]:
    return {"appid": client_id, "azp": client_id, "appidacr": proof.value, "azpacr": proof.value}


def _names(user: User) -> dict[str, Any]:
    found = {"oid": user.object_id, "sub": user.object_id, "name": user.display_name, "upn": user.user_name}
    more = {"unique_name": user.user_name, "given_name": user.given_name, "family_name": user.surname}
    return found | {name: value for name, value in more.items() if value}
