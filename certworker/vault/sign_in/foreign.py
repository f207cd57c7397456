"""Foreign issuers: whose tokens are taken, and who the bearer of one is here.

What a foreign token says of people is mapped to object ids that nobody of our own directory has, so that no issuer can speak
for them. Roles and access policies name those ids.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any, Protocol
from uuid import NAMESPACE_URL, uuid5

from certworker.clock import Clock
from certworker.crypto.foreign_tokens import Claims, UnprovenToken, prove_by_key, read_token, texts_of
from certworker.errors import Unauthenticated
from certworker.settings.identity import ForeignIssuer
from certworker.vault.rights.caller import Caller
from certworker.vault.sign_in.times import check_span
from certworker.vault.store import HotReader
from certworker.vault.verified import VerifiedTokens

MOST_GROUPS = 1000


class IssuerKeys(Protocol):
    """Finds the keys that foreign issuers sign by."""

    def find(self, authority: str, key_id: str) -> Mapping[str, Any] | None:
        """Find the key that an issuer calls by this id, as a JWK. Raises Unavailable where it does not answer."""

    def is_at_hand(self, authority: str, key_id: str) -> bool:
        """Tell whether a key can be found, or not found, without asking."""


@dataclass(frozen=True, slots=True)
class Trusted:
    """A foreign issuer that the settings name, and how its keys are found."""

    name: str
    settings: ForeignIssuer
    keys: IssuerKeys


class ForeignTokens:
    """Proves the tokens of others. `others` finds the keys of issuers that only a federated credential names."""

    def __init__(self, trusted: tuple[Trusted, ...], others: IssuerKeys, clock: Clock) -> None:
        self._trusted = {found.settings.issuer.rstrip("/"): found for found in trusted}
        self._others = others
        self._clock = clock
        self._verified = VerifiedTokens()

    def must_ask(self, token: str | None) -> bool:
        """Tell whether somebody else has to be asked for keys before a bearer token can be checked, which takes its time."""
        if not self._trusted or token is None or not (found := self._read(token)):
            return False
        trusted, unproven = found
        return not trusted.keys.is_at_hand(_issuer(unproven), unproven.key_id)

    def caller(self, reader: HotReader, token: str, tenant_id: str, audiences: tuple[str, ...]) -> Caller | None:
        """Tell from a bearer token of a foreign issuer who calls; none where it is of no issuer that the settings name.

        Raises Unauthenticated, and Unavailable where the issuer does not show the token's key.
        """
        if not self._trusted or not (found := self._read(token)):
            return None
        trusted, unproven = found
        claims, settings = self._prove(trusted.keys, token, unproven), trusted.settings
        check_span(claims, self._clock(), timedelta(seconds=settings.skew_seconds), timedelta(seconds=settings.longest_seconds))
        wanted = settings.audiences or audiences
        if not set(texts_of(claims.get("aud"))) & set(wanted):
            raise Unauthenticated(f"AKV10022: Invalid audience. Expected {wanted[0]}, found: {claims.get('aud')}.")
        if settings.tenant_claim and claims.get(settings.tenant_claim) != settings.tenant:
            raise Unauthenticated(f"AKV10032: Invalid issuer. The token's {settings.tenant_claim} is not {settings.tenant}.")
        return _caller(reader, trusted, claims, tenant_id)

    def prove(self, token: str, unproven: UnprovenToken) -> Claims:
        """Give the claims of a token that its issuer signed. Raises Unauthenticated, Unavailable.

        The issuer must be known to be one whose word counts: it is asked for its keys.
        """
        trusted = self._trusted.get(_issuer(unproven))
        return self._prove(trusted.keys if trusted else self._others, token, unproven)

    def _read(self, token: str) -> tuple[Trusted, UnprovenToken] | None:
        try:
            unproven = read_token(token)
        except Unauthenticated:
            return None
        trusted = self._trusted.get(_issuer(unproven))
        return (trusted, unproven) if trusted else None

    def _prove(self, keys: IssuerKeys, token: str, unproven: UnprovenToken) -> Claims:
        if not unproven.key_id:
            raise Unauthenticated("The token's header has no kid.")
        # looked at every time: a key that its issuer has taken away counts no more
        jwk = keys.find(_issuer(unproven), unproven.key_id)
        if jwk is None:
            raise Unauthenticated(f"The token's issuer {_issuer(unproven)[:200]} has no key of its kid.")
        key = sha256(json.dumps(jwk, sort_keys=True).encode()).hexdigest()
        known = self._verified.find(token)
        if known and known[0] == key:
            return known[1]
        claims = prove_by_key(token, unproven, jwk)
        self._verified.keep(token, key, claims)
        return claims


def foreign_id(issuer: str, value: str) -> str:
    """Give the object id of what a foreign issuer calls so, made of both, even where the value is a GUID.

    So no issuer speaks for another one's people, nor for somebody who was deleted here and whose roles were not.
    """
    return str(uuid5(NAMESPACE_URL, f"{issuer.rstrip('/')}#{value}"))


def _caller(reader: HotReader, trusted: Trusted, claims: Claims, tenant_id: str) -> Caller:
    settings = trusted.settings
    subject = claims.get(settings.object_id_claim)
    if not isinstance(subject, str) or not subject:
        raise Unauthenticated(f"The token has no {settings.object_id_claim}, which names who calls.")
    object_id = foreign_id(settings.issuer, subject)
    if reader.identity(object_id) is not None:
        raise Unauthenticated(f"The token's {settings.object_id_claim} is of this directory, for which it cannot speak.")
    named = texts_of(claims.get(settings.groups_claim))[:MOST_GROUPS] if settings.groups_claim else []
    groups = frozenset(foreign_id(settings.issuer, name) for name in named)
    application = claims.get(settings.application_claim) or claims.get("client_id")
    user_name = claims.get(settings.user_name_claim)
    return Caller(
        object_id,
        application if isinstance(application, str) else trusted.name,
        tenant_id,
        groups=frozenset(group for group in groups if reader.identity(group) is None),
        issuer=settings.issuer,
        user_name=user_name if isinstance(user_name, str) else "",
    )


def _issuer(unproven: UnprovenToken) -> str:
    return unproven.issuer.rstrip("/")
