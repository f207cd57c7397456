"""The form of a backup: opaque to its owner, and readable only by the deployment that made it.

A backup reads, in format 1:

    CWBK            4 bytes
    format          1 byte, 1
    master key      16 bytes, the id of the master key: another one cannot open it
    scope           16 bytes, of the SHA-256 over tenant and subscription: a backup is restored only inside of its own
    salt            16 bytes, random
    seal            to the end: AES-256-GCM (see `crypto.sealing`)

The seal's key is derived from the master key and the salt by HKDF-SHA256. All that goes before it is bound in as the place, so
a backup with any byte changed does not open. Inside is JSON, deflated by zlib: a `SavedCertificate` with all versions, their
private keys and the values of their secrets.
"""

import hashlib
import os
import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic import Base64Bytes, TypeAdapter, ValidationError

from certworker.crypto.sealing import open_sealed, seal
from certworker.errors import BadParameter, SealBroken
from certworker.vault.keyring import SoftwareMasterKey
from certworker.vault.objects import Tags
from certworker.vault.operations import Renewal
from certworker.vault.policy import Policy
from certworker.vault.vaults import Vault

MAGIC: Final = b"CWBK"
FORMAT: Final = 1
MAX_BACKUP: Final = 5 * 1024 * 1024
"""So many bytes has a backup at the most: one that could not be sent back in a request would be none."""
MAX_VERSIONS: Final = 500
_ID_SIZE: Final = 16
_HEADER_SIZE: Final = len(MAGIC) + 1 + 3 * _ID_SIZE


@dataclass(frozen=True, slots=True, repr=False)
class SavedVersion:
    """One version: what certificate, key and secret have in common, and what each has of its own."""

    version: str
    enabled: bool
    created: datetime
    updated: datetime
    not_before: datetime | None
    expires: datetime | None
    tags: Tags
    content_type: str
    preserve_order: bool
    leaf: Base64Bytes
    chain: tuple[Base64Bytes, ...]
    kty: str
    key_ops: tuple[str, ...]
    exportable: bool
    public_key: Base64Bytes
    private_key: Base64Bytes
    value: str


@dataclass(frozen=True, slots=True, repr=False)
class SavedCertificate:
    """A certificate with all its versions."""

    name: str
    created: datetime
    current_version: str
    policy: Policy
    policy_created: datetime
    policy_updated: datetime
    renewal: Renewal
    versions: tuple[SavedVersion, ...]


_SAVED: Final = TypeAdapter(SavedCertificate)


def pack(saved: SavedCertificate, master: SoftwareMasterKey, vault: Vault) -> bytes:
    """Make a backup of what a vault holds. Raises BadParameter where it would be too large."""
    header = MAGIC + bytes([FORMAT]) + bytes.fromhex(master.id) + _scope(vault) + (salt := os.urandom(_ID_SIZE))
    packed = zlib.compress(_SAVED.dump_json(saved))
    backup = header + seal(master.for_backups(salt), packed, _place(header))
    if len(backup) > MAX_BACKUP:
        message = f"The backup of {saved.name} would have {len(backup)} bytes; at most {MAX_BACKUP} are taken back."
        raise BadParameter(message)
    return backup


def unpack(backup: bytes, master: SoftwareMasterKey, vault: Vault) -> SavedCertificate:
    """Open a backup for a vault. Raises BadParameter where it is none, was altered, or belongs to somebody else."""
    header = backup[:_HEADER_SIZE]
    if len(backup) > MAX_BACKUP or len(header) < _HEADER_SIZE or not header.startswith(MAGIC):
        raise _unfit("it is no backup of a certificate, or is cut off")
    if header[len(MAGIC)] != FORMAT:
        raise _unfit(f"it has the format {header[len(MAGIC)]}, which a later release has made")
    names = header[len(MAGIC) + 1 :]
    master_id, scope, salt = names[:_ID_SIZE], names[_ID_SIZE : 2 * _ID_SIZE], names[2 * _ID_SIZE :]
    if master_id.hex() != master.id:
        raise _unfit(
            f"it was made under the master key {master_id.hex()}, and this deployment has {master.id}: it can be restored only "
            "where it was made"
        )
    if scope != _scope(vault):
        raise _unfit("it was made in another subscription; a backup can be restored to any vault of its own")
    try:
        packed = open_sealed(master.for_backups(salt), backup[_HEADER_SIZE:], _place(header))
        return _SAVED.validate_json(zlib.decompress(packed))
    except SealBroken:
        raise _unfit("it was altered, or is cut off") from None
    except (zlib.error, ValidationError):
        raise _unfit("what it holds cannot be read by this release") from None


def _scope(vault: Vault) -> bytes:
    return hashlib.sha256(f"{vault.tenant_id}\0{vault.subscription_id}".lower().encode()).digest()[:_ID_SIZE]


def _place(header: bytes) -> str:
    return f"backup/certificate/{header.hex()}"


def _unfit(why: str) -> BadParameter:
    return BadParameter(f"The backup blob (value) cannot be restored: {why}.", "value")
