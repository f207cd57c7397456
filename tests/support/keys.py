"""Keys for tests: put into a vault as an import does, and known to the test as well."""

from datetime import datetime
from typing import Final

from certworker.bootstrap import House
from certworker.clock import whole_second
from certworker.crypto.keys import KeyKind, generate_material
from certworker.vault.objects import Attributes, KeyVersion, ObjectHead, ObjectKind, new_version
from certworker.vault.vaults import Vault

EVERY_OPERATION: Final = ("encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey")


def put_key(
    house: House,
    vault: Vault,
    name: str,
    kind: KeyKind,
    private: bytes | None = None,
    *,
    key_ops: tuple[str, ...] = EVERY_OPERATION,
    enabled: bool = True,
    not_before: datetime | None = None,
    expires: datetime | None = None,
) -> KeyVersion:
    """Put a key into a vault, one that is made unless it is given; it becomes the current version."""
    at, version = whole_second(house.clock()), new_version()
    material = house.materials.take(vault, name, version, kind, private or generate_material(kind))
    attributes = Attributes(at, at, enabled, not_before, expires)
    key = KeyVersion(
        vault.id, name, version, material.kty, material.public_key, material.sealed_key, key_ops, attributes, exportable=False
    )
    with house.store.writing() as writer:
        writer.put_head(ObjectHead(vault.id, ObjectKind.KEY, name, version, at))
        writer.add_key(key)
    return key
