"""Grants: what is asked and what is changed."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import bindparam, delete, select, update

from certworker.store.tables.grants import (
    AUTHORIZATION_CODE,
    DEVICE_CODE,
    GUESSES,
    REFRESH_TOKEN,
    authorization_code_record,
    authorization_code_values,
    device_code_record,
    device_code_values,
    guesses_record,
    guesses_values,
    refresh_token_record,
    refresh_token_values,
)
from certworker.store.tables.vaults import SIGNING_KEY
from certworker.store.transaction import Transaction
from certworker.vault.sign_in.grants import AuthorizationCode, DeviceCode, DeviceState, Guesses, RefreshToken

GUESSES_KEPT: Final = timedelta(days=1)

_CODE = select(AUTHORIZATION_CODE).where(AUTHORIZATION_CODE.c.hash == bindparam("hash"))
_DEVICE_CODE = select(DEVICE_CODE).where(DEVICE_CODE.c.hash == bindparam("hash"))
_DEVICE_CODE_OF_USER = select(DEVICE_CODE).where(DEVICE_CODE.c.user_code == bindparam("user_code"))
_REFRESH_TOKEN = select(REFRESH_TOKEN).where(REFRESH_TOKEN.c.hash == bindparam("hash"))
_REFRESH_TOKEN_HELD = _REFRESH_TOKEN.with_for_update()
_FAMILY_HELD = (
    select(REFRESH_TOKEN.c.hash)
    .where(REFRESH_TOKEN.c.family == bindparam("family"))
    .order_by(REFRESH_TOKEN.c.hash)
    .with_for_update()
)
_CODES_HELD, _DEVICE_CODES_HELD, _REFRESH_TOKENS_HELD = (
    select(table.c.hash).where(table.c.object_id == bindparam("object_id")).order_by(table.c.hash).with_for_update()
    for table in (AUTHORIZATION_CODE, DEVICE_CODE, REFRESH_TOKEN)
)
_GUESSES_HELD = select(GUESSES).where(GUESSES.c.digest == bindparam("digest")).with_for_update()


class GrantReader(Transaction):
    """What can be asked of grants."""

    def authorization_code(self, code_hash: str) -> AuthorizationCode | None:
        """Find an authorization code."""
        row = self._one(_CODE, hash=code_hash)
        return authorization_code_record(row) if row else None

    def device_code(self, code_hash: str) -> DeviceCode | None:
        """Find a device code by the hash of what the client holds."""
        row = self._one(_DEVICE_CODE, hash=code_hash)
        return device_code_record(row) if row else None

    def device_code_of_user(self, user_code: str) -> DeviceCode | None:
        """Find a device code by what the user enters."""
        row = self._one(_DEVICE_CODE_OF_USER, user_code=user_code)
        return device_code_record(row) if row else None

    def refresh_token(self, token_hash: str) -> RefreshToken | None:
        """Find a refresh token."""
        row = self._one(_REFRESH_TOKEN, hash=token_hash)
        return refresh_token_record(row) if row else None


class GrantWriter(GrantReader):
    """What can be changed in grants."""

    def add_authorization_code(self, code: AuthorizationCode) -> None:
        """Add an authorization code."""
        self._add(AUTHORIZATION_CODE, authorization_code_values(code), "The authorization code is taken.")

    def use_authorization_code(self, code_hash: str, at: datetime) -> bool:
        """Use an authorization code; tell whether it was the first time."""
        unused = (AUTHORIZATION_CODE.c.hash == code_hash, AUTHORIZATION_CODE.c.used.is_(None))
        return self._change(update(AUTHORIZATION_CODE).where(*unused).values(used=at)) > 0

    def add_device_code(self, code: DeviceCode) -> bool:
        """Add a device code, unless the user code is taken; tell whether it was added."""
        return self._try_add(DEVICE_CODE, device_code_values(code))

    def note_poll(self, code_hash: str, at: datetime, interval_seconds: int) -> None:
        """Note when a client has asked, and how long it has to wait from now on."""
        self._update(DEVICE_CODE, {"hash": code_hash}, {"polled": at, "interval_seconds": interval_seconds})

    def settle_device_code(self, user_code: str, state: DeviceState, object_id: str) -> bool:
        """Grant or deny a device code that is pending; tell whether it was."""
        this = {"user_code": user_code, "state": DeviceState.PENDING}
        return self._update(DEVICE_CODE, this, {"state": state, "object_id": object_id}) > 0

    def delete_device_code(self, code_hash: str) -> bool:
        """Take a device code back; tell whether there was one."""
        return self._delete(DEVICE_CODE, {"hash": code_hash}) > 0

    def add_refresh_token(self, token: RefreshToken) -> None:
        """Add a refresh token."""
        self._add(REFRESH_TOKEN, refresh_token_values(token), "The refresh token is taken.")

    def hold_refresh_token(self, token_hash: str) -> RefreshToken | None:
        """Find a refresh token, and keep others from using or ending it until the end."""
        row = self._one(_REFRESH_TOKEN_HELD, hash=token_hash)
        return refresh_token_record(row) if row else None

    def use_refresh_token(self, token_hash: str, at: datetime) -> bool:
        """Use a refresh token; tell whether it was the first time."""
        unused = (REFRESH_TOKEN.c.hash == token_hash, REFRESH_TOKEN.c.used.is_(None))
        return self._change(update(REFRESH_TOKEN).where(*unused).values(used=at)) > 0

    def delete_refresh_family(self, family: str) -> int:
        """End all refresh tokens of a family; give the count."""
        # what is being exchanged has an heir that is seen only once that is done
        self._all(_FAMILY_HELD, family=family)
        return self._delete(REFRESH_TOKEN, {"family": family})

    def delete_grants_of(self, object_id: str) -> int:
        """End all codes and refresh tokens of a user; give the count."""
        for held in (_CODES_HELD, _DEVICE_CODES_HELD, _REFRESH_TOKENS_HELD):
            self._all(held, object_id=object_id)
        return sum(self._delete(table, {"object_id": object_id}) for table in (AUTHORIZATION_CODE, DEVICE_CODE, REFRESH_TOKEN))

    def hold_guesses(self, digest: str, at: datetime) -> Guesses:
        """Find what was tried in vain for a user name, or begin to count, and keep others from doing so until the end."""
        self._try_add(GUESSES, guesses_values(Guesses(digest, 0, at)))
        row = self._one(_GUESSES_HELD, digest=digest)
        return guesses_record(row) if row else Guesses(digest, 0, at)

    def put_guesses(self, guesses: Guesses) -> None:
        """Replace what was tried in vain."""
        self._put(GUESSES, guesses_values(guesses), key=("digest",))

    def delete_guesses(self, digest: str) -> None:
        """Forget what was tried in vain."""
        self._delete(GUESSES, {"digest": digest})

    def retire_signing_keys(self, tenant_id: str, but: str, retires: datetime) -> int:
        """Let all of a tenant's signing keys but one retire at a time, those that do not retire yet; give the count."""
        these = (SIGNING_KEY.c.tenant_id == tenant_id, SIGNING_KEY.c.id != but, SIGNING_KEY.c.retires.is_(None))
        return self._change(update(SIGNING_KEY).where(*these).values(retires=retires))

    def delete_retired_signing_keys(self, at: datetime) -> int:
        """Delete the signing keys that have retired; give the count."""
        return self._change(delete(SIGNING_KEY).where(SIGNING_KEY.c.retires <= at))

    def delete_expired_grants(self, at: datetime) -> int:
        """Forget grants that have expired, and what was tried in vain a day ago; give the count."""
        stale = [delete(table).where(table.c.expires <= at) for table in (AUTHORIZATION_CODE, DEVICE_CODE, REFRESH_TOKEN)]
        stale.append(delete(GUESSES).where(GUESSES.c.last <= at - GUESSES_KEPT))
        return sum(self._change(statement) for statement in stale)
