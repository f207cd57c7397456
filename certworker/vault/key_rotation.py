"""Rotation: a key's next version, as its owner asks for it, or as its rotation policy says."""

from dataclasses import replace
from datetime import datetime

from certworker.clock import Clock, whole_second
from certworker.errors import Conflict
from certworker.vault.access import Access, Caller
from certworker.vault.companions import require_unmanaged
from certworker.vault.heads import live_head
from certworker.vault.hsm import IN_HSM
from certworker.vault.key_lifetimes import (
    DEFAULT_NOTIFY,
    check_rotation_policy,
    key_notice_anew,
    rotated_expiry,
    rotation_due,
)
from certworker.vault.key_versions import add_version, discarding, plan_rotation, policy_of, with_material
from certworker.vault.materials import Materials
from certworker.vault.objects import Attributes, KeyVersion, ObjectKind, new_version, not_found
from certworker.vault.operations import back_off
from certworker.vault.rotation_policy import KeyRotation, RotationPolicy
from certworker.vault.store import Reader, Store
from certworker.vault.vaults import Vault


class KeyRotations:
    """Rotates keys, and keeps the policies by which the worker does. The key is made outside of transactions."""

    def __init__(self, store: Store, access: Access, materials: Materials, clock: Clock) -> None:
        self._store = store
        self._access = access
        self._materials = materials
        self._clock = clock

    def policy(self, caller: Caller, vault: Vault, name: str) -> KeyRotation | None:
        """Show a key's policy; none where its owner has set none. Raises KeyNotFound, Forbidden for a managed one."""
        self._access.require(caller, vault, "keys", "getrotationpolicy", name=name)
        with self._store.reading() as reader:
            require_unmanaged(live_head(reader, vault, ObjectKind.KEY, name), "getrotationpolicy")
            return reader.rotation(vault.id, name)

    def set_policy(self, caller: Caller, vault: Vault, name: str, policy: RotationPolicy) -> KeyRotation:
        """Put a policy in the place of a key's own, and plan by it. Raises BadParameter, KeyNotFound, Forbidden."""
        self._access.require(caller, vault, "keys", "setrotationpolicy", name=name)
        check_rotation_policy(policy)
        policy = replace(policy, notify_before_expiry=policy.notify_before_expiry or DEFAULT_NOTIFY)
        at = whole_second(self._clock())
        with self._store.writing() as writer:
            require_unmanaged(live_head(writer, vault, ObjectKind.KEY, name), "setrotationpolicy")
            key, known = _current(writer, vault, name), writer.rotation(vault.id, name)
            due_at = rotation_due(policy, key.attributes)
            rotation = KeyRotation(vault.id, key.name, policy, known.created if known else at, at, due_at)
            writer.put_rotation(rotation)
            notice_at = key_notice_anew(key, policy, at)
            if notice_at != key.notice_at:
                writer.set_notice(vault.id, ObjectKind.KEY, name, key.version, notice_at)
        return rotation

    def rotate(self, caller: Caller, vault: Vault, name: str) -> KeyVersion:
        """Make a key's next version now. Raises KeyNotFound, Forbidden, Conflict, and for one in a token Unavailable."""
        self._access.require(caller, vault, "keys", "rotate", name=name)
        at = whole_second(self._clock())
        with self._store.reading() as reader:
            require_unmanaged(live_head(reader, vault, ObjectKind.KEY, name), "rotate")
            current = _current(reader, vault, name)
        return self._rotate(vault, current, None, at)

    def carry_out(self, rotation: KeyRotation) -> KeyVersion:
        """Rotate a key that was claimed; give its current version. Raises LeaseLost where the claim ran out, and as `rotate`.

        For the worker; it asks for no caller.
        """
        at = whole_second(self._clock())
        with self._store.reading() as reader:
            vault = reader.vault(rotation.vault_id)
            current = reader.key(rotation.vault_id, rotation.name, None)
        if vault is None or current is None:
            raise not_found(ObjectKind.KEY, rotation.name)
        due_at = rotation_due(rotation.policy, current.attributes)
        if due_at is None or due_at > at:
            # the version that the plan was made for has been followed by another while the plan was written
            return self._plan(rotation, current, due_at)
        return self._rotate(vault, current, rotation, at)

    def _plan(self, rotation: KeyRotation, current: KeyVersion, due_at: datetime | None) -> KeyVersion:
        with self._store.writing() as writer:
            writer.set_rotation(replace(rotation, due_at=due_at))
        return current

    def put_off(self, rotation: KeyRotation, error: str) -> None:
        """Plan the next attempt at a rotation that failed: after a minute, and later after longer. Raises LeaseLost."""
        failures = rotation.failures + 1
        due_at = whole_second(self._clock()) + back_off(failures)
        with self._store.writing() as writer:
            writer.set_rotation(replace(rotation, due_at=due_at, failures=failures, last_error=error))

    def _rotate(self, vault: Vault, current: KeyVersion, claimed: KeyRotation | None, at: datetime) -> KeyVersion:
        version, in_hsm = new_version(), current.kty.endswith(IN_HSM)
        material = self._materials.make(vault, current.name, version, self._materials.kind(current), in_hsm=in_hsm)
        with discarding(self._materials, material), self._store.writing() as writer:
            # its name is held first, as by everybody: of two that wait for each other, the database gives one up
            live_head(writer, vault, ObjectKind.KEY, current.name)
            policy = claimed.policy if claimed else policy_of(writer, vault.id, current.name)
            attributes = Attributes(at, at, expires=rotated_expiry(policy, at))
            if claimed:
                planned = replace(claimed, due_at=rotation_due(policy, attributes), failures=0, last_error=None)
                writer.set_rotation(planned)
            # what its owner says of it now: it may have been disabled while the key was made
            still = _still(writer, vault, current)
            attributes = replace(attributes, enabled=still.attributes.enabled)
            key = with_material(replace(still, version=version, attributes=attributes), material)
            added = add_version(writer, vault, key, "rotation" if claimed else "rotate", at)
            if not claimed:
                plan_rotation(writer, added)
        return added


def _current(reader: Reader, vault: Vault, name: str) -> KeyVersion:
    key = reader.key(vault.id, name, None)
    if key is None:
        raise not_found(ObjectKind.KEY, name)
    return key


def _still(reader: Reader, vault: Vault, current: KeyVersion) -> KeyVersion:
    """Look at a version again that is to be followed. Raises Conflict where another has followed it, KeyNotFound."""
    found = _current(reader, vault, current.name)
    if found.version != current.version:
        raise Conflict(f"The key {current.name} was given another version at the same time; look at it, and try again.")
    return found
