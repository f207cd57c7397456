"""Update: what the owner says of a version of a key that is there. The key itself never changes."""

from dataclasses import replace

from certworker.clock import Clock, whole_second
from certworker.vault.access import Access, Caller
from certworker.vault.companions import require_unmanaged
from certworker.vault.heads import live_head
from certworker.vault.key_lifetimes import key_notice
from certworker.vault.key_settings import KeySettings, changed
from certworker.vault.key_versions import plan_rotation, policy_of
from certworker.vault.objects import KeyVersion, ObjectKind, not_found
from certworker.vault.store import Store
from certworker.vault.vaults import Vault


class KeyUpdates:
    """Changes versions of keys in place."""

    def __init__(self, store: Store, access: Access, clock: Clock) -> None:
        self._store = store
        self._access = access
        self._clock = clock

    def update(self, caller: Caller, vault: Vault, name: str, version: str | None, settings: KeySettings) -> KeyVersion:
        """Change a version, the current one where none is named.

        Raises KeyNotFound, BadParameter, Forbidden for a managed one. An end that stays as it was is told once.
        """
        self._access.require(caller, vault, "keys", "update", name=name)
        at = whole_second(self._clock())
        with self._store.writing() as writer:
            head = live_head(writer, vault, ObjectKind.KEY, name)
            require_unmanaged(head, "update")
            known = writer.key(vault.id, name, version)
            if known is None:
                raise not_found(ObjectKind.KEY, name, version)
            new = changed(known, settings, at)
            place = (vault.id, ObjectKind.KEY, name, new.version)
            writer.set_attributes(*place, new.attributes, new.tags)
            writer.set_key_properties(vault.id, name, new.version, new.key_ops, new.release_policy)
            expires = new.attributes.expires
            if expires != known.attributes.expires:
                new = replace(new, notice_at=key_notice(expires, policy_of(writer, vault.id, name), at))
                writer.set_notice(*place, new.notice_at)
                if new.version == head.current_version:
                    plan_rotation(writer, new)
        return new
