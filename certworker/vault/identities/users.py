"""Users: everybody of the tenant may look, administrators of the directory may change."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

from certworker.clock import Clock, whole_second
from certworker.crypto.passwords import check_password_strength, hash_password, password_matches
from certworker.errors import BadParameter, Forbidden
from certworker.vault.identities.records import User
from certworker.vault.identities.rights import DENIED, keep_an_administrator, missing, require_administrator, require_reader
from certworker.vault.identities.rules import check_display_name, check_nickname, check_text, check_user_name
from certworker.vault.rights.caller import Caller
from certworker.vault.store import Reader, Store


class Users:
    """The people of a tenant: the caller's."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def list(self, caller: Caller) -> tuple[User, ...]:
        """List the users. Raises Forbidden."""
        with self._store.reading() as reader:
            require_reader(reader, caller)
            return reader.users(caller.tenant_id)

    def get(self, caller: Caller, who: str) -> User:
        """Find a user by object id or user principal name. Raises Forbidden, DirectoryObjectNotFound."""
        with self._store.reading() as reader:
            require_reader(reader, caller)
            return find_user(reader, caller.tenant_id, who)

    def create(self, caller: Caller, properties: Mapping[str, Any], password: str | None) -> User:
        """Add a user with the properties of the record; without a password nobody signs in by one.

        Raises Forbidden, BadParameter, Conflict where the name is taken.
        """
        at = whole_second(self._clock())
        bare = User(str(uuid4()), caller.tenant_id, properties["user_name"], properties["display_name"], at)
        user = _checked(replace(bare, **properties))
        with self._store.reading() as reader:  # before the slow hash, and again below
            require_administrator(reader, caller)
        if password is not None:
            user = replace(user, password_hash=_hashed(password, user.user_name))
        with self._store.writing() as writer:
            require_administrator(writer, caller)
            writer.add_user(user)
        return user

    def update(self, caller: Caller, who: str, changes: Mapping[str, Any], password: str | None = None) -> User:
        """Change some properties of a user, and the password if one is given.

        Raises Forbidden, DirectoryObjectNotFound, BadParameter, Conflict.
        """
        hashed: dict[str, Any] = {}
        if password is not None:
            with self._store.reading() as reader:
                require_administrator(reader, caller)
                name = changes.get("user_name") or find_user(reader, caller.tenant_id, who).user_name
            hashed = {"password_hash": _hashed(password, name)}
        with self._store.writing() as writer:
            require_administrator(writer, caller)
            before = find_user(writer, caller.tenant_id, who)
            user = _checked(replace(before, **changes, **hashed))
            writer.replace_user(user)
            if hashed or not user.enabled:
                # whoever knows the old password may have signed in by it
                writer.delete_grants_of(user.object_id)
            if before.administrator:
                keep_an_administrator(writer, caller.tenant_id)
        return user

    def delete(self, caller: Caller, who: str) -> None:
        """Delete a user, with all memberships. Role assignments stay, and grant nothing. Raises as `update` does."""
        with self._store.writing() as writer:
            require_administrator(writer, caller)
            user = find_user(writer, caller.tenant_id, who)
            writer.delete_identity(user.object_id)
            if user.administrator:
                keep_an_administrator(writer, caller.tenant_id)

    def change_password(self, caller: Caller, current: str, new: str) -> None:
        """Let a user choose another password, who knows the one of now. Raises Forbidden, BadParameter."""
        with self._store.reading() as reader:
            user = reader.user(caller.object_id)
        if user is None:
            raise Forbidden(f"{DENIED} Only a user has a password.")
        if not password_matches(current, user.password_hash):
            raise BadParameter("The current password is wrong.", "currentPassword")
        hashed = _hashed(new, user.user_name)
        with self._store.writing() as writer:
            found = find_user(writer, caller.tenant_id, user.object_id)
            if found.password_hash != user.password_hash:
                raise BadParameter("The password was changed meanwhile.", "currentPassword")
            writer.replace_user(replace(found, password_hash=hashed, must_change_password=False))
            writer.delete_grants_of(user.object_id)


def find_user(reader: Reader, tenant_id: str, who: str) -> User:
    """Find a user of a tenant by object id or name. Raises DirectoryObjectNotFound."""
    found = reader.user_by_name(tenant_id, who) if "@" in who else reader.user(who.lower())
    if found is None or found.tenant_id != tenant_id:
        raise missing(who)
    return found


def _hashed(password: str, user_name: str) -> str:
    return hash_password(check_password_strength(password, user_name))


def _checked(user: User) -> User:
    check_user_name(user.user_name)
    check_display_name(user.display_name)
    check_nickname(user.mail_nickname)
    for name, text in (("mail", user.mail), ("givenName", user.given_name), ("surname", user.surname)):
        check_text(text or "", name)
    return user
