"""A new version of a key, however it comes: made current, planned, and told, as part of a larger transaction."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from certworker.errors import CertworkerError, Unavailable
from certworker.vault.events import Event, EventType
from certworker.vault.expiries import times
from certworker.vault.heads import begin_version
from certworker.vault.key_lifetimes import DEFAULT_POLICY, key_notice, rotation_due
from certworker.vault.materials import Material, Materials
from certworker.vault.objects import KeyVersion, ObjectKind
from certworker.vault.rotation_policy import RotationPolicy
from certworker.vault.store import Reader, Writer
from certworker.vault.vaults import Vault


def with_material(key: KeyVersion, material: Material) -> KeyVersion:
    """Put a key that was made into the record of its version."""
    return replace(
        key,
        kty=material.kty,
        public_key=material.public_key,
        sealed_key=material.sealed_key,
        hsm_key_id=material.hsm_key_id,
    )


def add_version(writer: Writer, vault: Vault, key: KeyVersion, reason: str, at: datetime) -> KeyVersion:
    """Make a version the current one, plan its first notice, and tell it. Raises DeletedButRecoverable, Conflict."""
    head = begin_version(writer, vault, ObjectKind.KEY, key.name, key.version, at)
    policy = policy_of(writer, vault.id, key.name)
    key = replace(key, name=head.name, notice_at=key_notice(key.attributes.expires, policy, at))
    writer.add_key(key)
    tell_new_key(writer, key, vault.name, reason, at)
    return key


def plan_rotation(writer: Writer, key: KeyVersion) -> None:
    """Plan the rotation of a key whose current version, or whose end, is another now. A worker at it loses its claim."""
    known = writer.rotation(key.vault_id, key.name)
    if known:
        due_at = rotation_due(known.policy, key.attributes)
        writer.put_rotation(replace(known, due_at=due_at, failures=0, last_error=None))


def policy_of(reader: Reader, vault_id: str, name: str) -> RotationPolicy:
    """Give the policy that a key goes by: its own, or the default."""
    rotation = reader.rotation(vault_id, name)
    return rotation.policy if rotation else DEFAULT_POLICY


def tell_new_key(writer: Writer, key: KeyVersion, vault_name: str, reason: str, at: datetime) -> None:
    """Tell of a new version that is nobody's companion."""
    detail = {"vault": vault_name, "reason": reason, **times(key.attributes)}
    place = (key.vault_id, ObjectKind.KEY, key.name)
    writer.add_event(Event(EventType.KEY_NEW_VERSION, at, *place, version=key.version, detail=detail))


@contextmanager
def discarding(materials: Materials, material: Material) -> Iterator[None]:
    """Give up a key that was made where storing it is refused.

    Where the database does not answer it may have been stored: then the worker finds out, and destroys what is unused.
    """
    try:
        yield
    except Unavailable:
        raise
    except CertworkerError:
        materials.discard(material)
        raise
