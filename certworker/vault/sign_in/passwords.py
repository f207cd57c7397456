"""Passwords of users, and what keeps others from guessing them."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from certworker.clock import Clock, whole_second
from certworker.errors import BadParameter, IdentityDisabled, Unauthenticated
from certworker.settings.identity import IdentitySettings
from certworker.vault.audit.record import AuditRecord
from certworker.vault.audit.trail import Trace, current_trace, tracing
from certworker.vault.directory import Directory
from certworker.vault.identities.records import User, fold_user_name
from certworker.vault.identities.users import Users
from certworker.vault.rights.caller import Caller
from certworker.vault.sign_in.grants import Guesses
from certworker.vault.sign_in.refusals import invalid_grant
from certworker.vault.store import Store

LONGEST_LOCK: Final = timedelta(hours=1)
MUST_CHANGE: Final = 50055
"""The number of a refusal that a new password mends."""
_MOST_DOUBLINGS: Final = 12


class PasswordCheck:
    """Checks passwords. Whoever guesses too often has to wait, and each further time twice as long."""

    def __init__(self, store: Store, directory: Directory, settings: IdentitySettings, clock: Clock) -> None:
        self._store = store
        self._users = Users(store, clock)
        self._directory = directory
        self._guesses = settings.guesses
        self._lock = timedelta(seconds=settings.lockout_seconds)
        self._clock = clock

    def check(self, tenant_id: str, user_name: str, password: str, new_password: str = "") -> User:
        """Give the user of a name whose password this is. Raises SignInRefused.

        A try counts before it is made, so that many at once gain nothing; the right password takes the count back. Names that
        nobody has are counted likewise: whether there is one is not told. Whoever has a password that somebody else has set
        chooses a `new_password`.
        """
        digest = _digest(tenant_id, user_name)
        if wait := self._count(digest):
            raise invalid_grant(50053, f"Too many sign-in attempts with a wrong password. Try again in {wait} seconds.")
        try:
            user = self._directory.check_password(tenant_id, user_name, password)
        except IdentityDisabled as error:
            raise invalid_grant(50057, str(error)) from None
        except Unauthenticated:
            raise invalid_grant(50126, "Error validating credentials due to invalid username or password.") from None
        with self._store.writing() as writer:
            writer.delete_guesses(digest)
        if not user.must_change_password:
            return user
        if not new_password:
            raise invalid_grant(MUST_CHANGE, "Choose a new password: the one of now was set by somebody else.")
        try:
            with _recorded(user):
                self._users.change_password(Caller(user.object_id, "", tenant_id), password, new_password)
        except BadParameter as error:
            raise invalid_grant(MUST_CHANGE, str(error)) from None
        return replace(user, must_change_password=False)

    def _count(self, digest: str) -> int:
        """Count a try; where it is too early for one, give the seconds to wait."""
        at = whole_second(self._clock())
        with self._store.writing() as writer:
            known = writer.hold_guesses(digest, at)
            # none is longer, unless the clock was set back
            if known.locked_until and at < known.locked_until <= at + LONGEST_LOCK:
                return max(1, int((known.locked_until - at).total_seconds()))
            writer.put_guesses(self._after(known, at))
        return 0

    def _after(self, known: Guesses, at: datetime) -> Guesses:
        count = known.count + 1
        over = count - self._guesses
        until = at + min(self._lock * 2 ** min(over, _MOST_DOUBLINGS), LONGEST_LOCK) if over >= 0 else None
        return replace(known, count=count, last=at, locked_until=until)


@contextmanager
def _recorded(user: User) -> Iterator[None]:
    """Let a change of password have a record of its own in its transaction: a sign-in has one only once it is answered."""
    under_way = current_trace()
    if under_way is None:
        yield
        return
    record = under_way.record
    claims = {"objectidentifier": user.object_id, "tid": user.tenant_id, "upn": user.user_name}

    def changed() -> AuditRecord:
        where = f"/tenants/{user.tenant_id}"
        return record()._replace(id=str(uuid4()), operation="MeChangePassword", resource_id=where, identity=claims)

    with tracing(Trace(changed)):
        yield


def _digest(tenant_id: str, user_name: str) -> str:
    return hashlib.sha256(f"{tenant_id}\n{fold_user_name(user_name.strip())}".encode(errors="replace")).hexdigest()
