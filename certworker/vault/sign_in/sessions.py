"""Sessions: what a client that a user has signed in with is given, and how it goes on by refresh tokens."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import uuid4

from certworker.clock import Clock, whole_second
from certworker.settings.identity import IdentitySettings
from certworker.vault.identities.records import User
from certworker.vault.sign_in.clients import Client
from certworker.vault.sign_in.grants import RefreshToken, hash_of, new_grant
from certworker.vault.sign_in.minting import Granted, Mint
from certworker.vault.sign_in.refusals import SignInRefused, invalid_grant
from certworker.vault.sign_in.scopes import ResourceBook, Wanted
from certworker.vault.store import Reader, Store, Writer

_OFFLINE: Final = "offline_access"
_OPENID: Final = "openid"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A user who has signed in with a client, when, and in which family of refresh tokens it goes on."""

    user: User
    client: Client
    at: datetime
    family: str
    nonce: str = ""


Take = Callable[[Writer], SignInRefused | None]
"""Takes what tokens are given for, or says why it does not hold."""


class _Use(StrEnum):
    AGAIN = "again"
    GONE = "gone"
    EXPIRED = "expired"


class Sessions:
    """Gives tokens for users, and takes refresh tokens, each of which counts once."""

    def __init__(self, store: Store, mint: Mint, resources: ResourceBook, settings: IdentitySettings, clock: Clock) -> None:
        self._store = store
        self._mint = mint
        self._resources = resources
        self._holds = timedelta(days=settings.refresh_days)
        self._again = timedelta(seconds=settings.refresh_reuse_seconds)
        self._clock = clock

    def grant(self, signed_in: SignedIn, wanted: Wanted, issuer: str, take: Take | None = None) -> Granted:
        """Give what a scope asks for. Raises SignInRefused.

        `take` takes what the tokens are given for, in the transaction that keeps the new refresh token: what cannot be given
        costs nothing, and nothing is left over where that ends meanwhile.
        """
        user, client = signed_in.user, signed_in.client
        with self._store.reading() as reader:
            resource = self._resources.find(reader, user.tenant_id, wanted.audience)
        scopes = self._resources.scopes(resource, wanted)
        access = self._mint.for_user(user, client, resource, scopes, issuer)
        id_token = self._mint.id_token(user, client, issuer, signed_in.nonce) if _OPENID in wanted.openid else None
        refresh, kept = self._new_refresh_token(signed_in) if _OFFLINE in wanted.openid else (None, None)
        if take or kept:
            with self._store.writing() as writer:
                refused = take(writer) if take else None
                if kept and not refused:
                    writer.add_refresh_token(kept)
            if refused:
                raise refused
        full = tuple(f"{resource.audience}/{name}" for name in scopes) + tuple(sorted(wanted.openid))
        return Granted(access, full, id_token, refresh, user)

    def refresh(self, client: Client, token: str, wanted: Wanted, issuer: str) -> Granted:
        """Give new tokens for a refresh token, for any resource of the tenant. Raises SignInRefused.

        Who shows one again that was used ends its whole family: one of the two has stolen it (RFC 9700 section 4.14.2). For
        some seconds it is taken once more: programs that share one start at the same time.
        """
        at, hashed = whole_second(self._clock()), hash_of(token)
        with self._store.reading() as reader:
            found = reader.refresh_token(hashed)
            if found is None or (found.client_id, found.tenant_id) != (client.client_id, client.tenant_id):
                raise _refused(_Use.GONE)
            if at >= found.expires:
                raise _refused(_Use.EXPIRED)
            user = self.user(reader, found.object_id)
        openid = wanted.openid | {_OFFLINE, _OPENID}  # a client that has one goes on
        signed_in = SignedIn(user, client, found.signed_in, found.family)
        asked = Wanted(wanted.audience, wanted.names, openid)
        return self.grant(signed_in, asked, issuer, lambda writer: self._use(writer, hashed, at))

    def _use(self, writer: Writer, hashed: str, at: datetime) -> SignInRefused | None:
        found = writer.hold_refresh_token(hashed)
        if found is None:
            return _refused(_Use.GONE)
        if found.used and not timedelta(0) <= at - found.used < self._again:
            writer.delete_refresh_family(found.family)
            return _refused(_Use.AGAIN)
        writer.use_refresh_token(hashed, at)
        return None

    def user(self, reader: Reader, object_id: str) -> User:
        """Find a user who may go on. Raises SignInRefused where they were disabled or deleted."""
        user = reader.user(object_id)
        if user is None:
            raise invalid_grant(50034, "The user account does not exist in the directory.")
        if not user.enabled:
            raise invalid_grant(50057, f"The account of {user.user_name} is disabled.")
        return user

    def _new_refresh_token(self, signed_in: SignedIn) -> tuple[str, RefreshToken]:
        text, hashed = new_grant()
        at = whole_second(self._clock())
        token = RefreshToken(
            hashed,
            signed_in.family,
            signed_in.client.tenant_id,
            signed_in.client.client_id,
            signed_in.user.object_id,
            signed_in.at,
            at,
            at + self._holds,
        )
        return text, token


def new_family() -> str:
    """Name a new family of refresh tokens."""
    return uuid4().hex


def _refused(use: _Use) -> SignInRefused:
    match use:
        case _Use.EXPIRED:
            return invalid_grant(700082, "The refresh token has expired due to inactivity. Sign in again.")
        case _Use.AGAIN:
            text = "The refresh token was used before, and all that came of it was revoked. Sign in again."
            return invalid_grant(70043, text)
    return invalid_grant(70000, "The provided value for the 'refresh_token' parameter is not valid. Sign in again.")
