"""Signing in on a page: authorization codes (RFC 6749 section 4.1, RFC 7636) and device codes (RFC 8628)."""

import hashlib
import hmac
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from certworker.clock import Clock, whole_second
from certworker.settings.identity import IdentitySettings
from certworker.vault.identities.records import User
from certworker.vault.sign_in.clients import Client, check_redirect, must_fit
from certworker.vault.sign_in.grants import AuthorizationCode, DeviceCode, DeviceState, hash_of, new_grant
from certworker.vault.sign_in.minting import Granted
from certworker.vault.sign_in.refusals import SignInRefused, invalid_grant
from certworker.vault.sign_in.scopes import Wanted, read_scope
from certworker.vault.sign_in.sessions import Sessions, SignedIn, new_family
from certworker.vault.store import Store, Writer

INTERVAL_SECONDS: Final = 5
_ALPHABET: Final = "BCDFGHJKLMNPQRSTVWXZ"
"""Without vowels: no words, and nothing that looks like another (RFC 8628 section 6.1)."""
_USER_CODE: Final = 9
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Authorization:
    """What a client asks a user for on the page."""

    client: Client
    redirect_uri: str
    scope: str
    challenge: str
    nonce: str = ""


@dataclass(frozen=True, slots=True)
class StartedDevice:
    """A device code that was given out."""

    device_code: str = field(repr=False)
    user_code: str
    expires_in_seconds: int
    interval_seconds: int = INTERVAL_SECONDS


class AuthorizationCodes:
    """Gives authorization codes to users who have signed in, and tokens for them."""

    def __init__(self, store: Store, sessions: Sessions, settings: IdentitySettings, clock: Clock) -> None:
        self._store = store
        self._sessions = sessions
        self._holds = timedelta(seconds=settings.code_seconds)
        self._clock = clock

    def give(self, asked: Authorization, user: User) -> str:
        """Give a code."""
        text, hashed = new_grant()
        code = AuthorizationCode(
            hashed,
            user.tenant_id,
            asked.client.client_id,
            user.object_id,
            asked.redirect_uri,
            asked.challenge,
            asked.scope,
            asked.nonce,
            new_family(),
            whole_second(self._clock()) + self._holds,
        )
        with self._store.writing() as writer:
            writer.add_authorization_code(code)
        return text

    def redeem(
        self, client: Client, code: str, redirect_uri: str, verifier: str, wanted: Wanted | None, issuer: str
    ) -> Granted:
        """Give tokens for a code, once: shown again, it ends what came of it. Raises SignInRefused."""
        at, hashed = whole_second(self._clock()), hash_of(code)
        with self._store.reading() as reader:
            found = reader.authorization_code(hashed)
        if found is None or (found.client_id, found.tenant_id) != (client.client_id, client.tenant_id):
            raise invalid_grant(70000, "The provided value for the 'code' parameter is not valid.")
        if found.redirect_uri != redirect_uri:
            raise invalid_grant(500112, "The redirect_uri is not the one that the authorization code was given for.")
        if check_redirect(client, redirect_uri) == "web":
            # it has a server, which can keep a secret, whatever else the application is
            must_fit(replace(client, is_public=False))
        # a verifier without a challenge: somebody took the challenge away on the way here (RFC 9700 section 4.8.2)
        if (found.challenge or verifier) and not _fits(verifier, found.challenge):
            raise invalid_grant(501481, "The code_verifier does not match the code_challenge of the authorization request.")
        if at >= found.expires:
            raise invalid_grant(70008, "The provided authorization code has expired. Send a new interactive request.")
        with self._store.reading() as reader:
            user = self._sessions.user(reader, found.object_id)
        asked = read_scope(found.scope)
        signed_in = SignedIn(user, client, at, found.family, found.nonce)
        return self._sessions.grant(signed_in, _narrowed(asked, wanted), issuer, lambda writer: _use_code(writer, found, at))


def _use_code(writer: Writer, code: AuthorizationCode, at: datetime) -> SignInRefused | None:
    if writer.use_authorization_code(code.hash, at):
        return None
    writer.delete_refresh_family(code.family)
    return invalid_grant(54005, "The authorization code was already redeemed. Send a new interactive request.")


def _narrowed(asked: Wanted, wanted: Wanted | None) -> Wanted:
    if wanted is None or (wanted.audience is None and not wanted.names):
        return asked
    return Wanted(wanted.audience, wanted.names, asked.openid)


def check_challenge(challenge: str, method: str) -> str:
    """Give back what PKCE binds a code by (RFC 7636 section 4.3): S256 only. Raises SignInRefused."""
    if challenge and (method != "S256" or not _CHALLENGE.fullmatch(challenge)):
        text = "The code_challenge must be 43 characters of base64url, and the code_challenge_method S256."
        raise SignInRefused("invalid_request", 501491, text)
    return challenge


def _fits(verifier: str, challenge: str) -> bool:
    digest = hashlib.sha256(verifier.encode(errors="replace")).digest()
    made = urlsafe_b64encode(digest).decode().rstrip("=")
    return bool(_VERIFIER.fullmatch(verifier)) and hmac.compare_digest(made, challenge)


class DeviceCodes:
    """Gives device codes to clients that have no browser, and tokens once a user has entered them elsewhere."""

    def __init__(self, store: Store, sessions: Sessions, settings: IdentitySettings, clock: Clock) -> None:
        self._store = store
        self._sessions = sessions
        self._holds = timedelta(seconds=settings.device_code_seconds)
        self._clock = clock

    def start(self, client: Client, scope: str) -> StartedDevice:
        """Give a device code, and what the user enters. Raises SignInRefused."""
        must_fit(client)
        read_scope(scope)
        text, hashed = new_grant()
        at = whole_second(self._clock())
        added = _until(lambda user_code: self._add(client, scope, hashed, user_code, at + self._holds))
        return StartedDevice(text, added, int(self._holds.total_seconds()))

    def _add(self, client: Client, scope: str, hashed: str, user_code: str, expires: datetime) -> bool:
        code = DeviceCode(hashed, user_code, client.tenant_id, client.client_id, scope, INTERVAL_SECONDS, expires)
        with self._store.writing() as writer:
            return writer.add_device_code(code)

    def pending(self, tenant_id: str, user_code: str) -> DeviceCode | None:
        """Find what waits for a user, by what they enter; spaces, hyphens and case do not matter."""
        plain = re.sub(r"[\s-]", "", user_code).upper()[: 2 * _USER_CODE]
        with self._store.reading() as reader:
            code = reader.device_code_of_user(plain)
        live = code and code.state is DeviceState.PENDING and code.tenant_id == tenant_id and self._clock() < code.expires
        return code if live else None

    def settle(self, code: DeviceCode, user: User | None) -> bool:
        """Let a client in for a user, or turn it away where there is none; tell whether it still waited."""
        state = DeviceState.GRANTED if user else DeviceState.DENIED
        with self._store.writing() as writer:
            return writer.settle_device_code(code.user_code, state, user.object_id if user else "")

    def redeem(self, client: Client, device_code: str, issuer: str) -> Granted:
        """Give tokens for a device code, once. Raises SignInRefused, whose word tells why not yet (RFC 8628 section 3.5)."""
        must_fit(client)
        at, hashed = whole_second(self._clock()), hash_of(device_code)
        with self._store.writing() as writer:
            code = writer.device_code(hashed)
            known = code is not None and (code.client_id, code.tenant_id) == (client.client_id, client.tenant_id)
            early = code is not None and known and _is_early(code, at)
            if code and known:
                writer.note_poll(hashed, at, code.interval_seconds + (INTERVAL_SECONDS if early else 0))
        if code is None or not known:
            raise _no_device_code()
        if code.state is not DeviceState.GRANTED or at >= code.expires:
            raise _waiting(code, at, early=early)
        with self._store.reading() as reader:
            user = self._sessions.user(reader, code.object_id)
        signed_in = SignedIn(user, client, at, new_family())
        return self._sessions.grant(signed_in, read_scope(code.scope), issuer, lambda writer: _take_device_code(writer, hashed))


def _take_device_code(writer: Writer, hashed: str) -> SignInRefused | None:
    return None if writer.delete_device_code(hashed) else _no_device_code()


def _no_device_code() -> SignInRefused:
    return invalid_grant(70000, "The provided value for the 'device_code' parameter is not valid.")


def _is_early(code: DeviceCode, at: datetime) -> bool:
    waits = code.state is DeviceState.PENDING and code.polled is not None
    return waits and code.polled is not None and at - code.polled < timedelta(seconds=code.interval_seconds - 1)


def _waiting(code: DeviceCode, at: datetime, *, early: bool) -> SignInRefused:
    if at >= code.expires:
        return SignInRefused("expired_token", 70019, "The verification code has expired. Begin again.")
    if code.state is DeviceState.DENIED:
        return SignInRefused("access_denied", 70018, "The user has turned the sign-in down.")
    if early:
        return SignInRefused(
            "slow_down", 70016, f"Wait {code.interval_seconds + INTERVAL_SECONDS} seconds before each request."
        )
    return SignInRefused("authorization_pending", 70016, "The user has not entered the code yet. Ask again.")


def _until(add: Callable[[str], bool]) -> str:
    while True:
        user_code = "".join(secrets.choice(_ALPHABET) for _ in range(_USER_CODE))
        if add(user_code):
            return user_code
