"""The form of a backup of one object: opaque to its owner, and readable only by the deployment that made it.

A backup reads, in format 2:

    CWBK            4 bytes
    format          1 byte, 2
    deployment      16 bytes, of the SHA-256 over the id of the service's own vault: another deployment cannot open it
    scope           16 bytes, of the SHA-256 over tenant and subscription: a backup is restored only inside of its own
    kind            1 byte: C, K or S, for a certificate, a key or a secret
    seal            to the end: under the service's own vault key (see `crypto.sealing`), whose term is in it

So a backup opens for as long as the terms of that vault key are kept, whichever master key wraps them. All that goes before the
seal is bound in as its place: a backup with any byte changed does not open. Inside is JSON, deflated by zlib: what
`saved_objects` has for its kind, with all versions, their private keys and values.
"""

import hashlib
import zlib
from types import MappingProxyType
from typing import Final

from certworker.errors import BadParameter, SealBroken, SetupError
from certworker.vault.keyring import Keyring
from certworker.vault.objects import ObjectKind
from certworker.vault.store import Store
from certworker.vault.vaults import SYSTEM_VAULT, Vault

MAGIC: Final = b"CWBK"
FORMAT: Final = 2
MAX_BACKUP: Final = 13 * 1024 * 1024
"""So many bytes has a backup at the most: 500 of the largest secrets, and what could not be sent back would be none."""
MAX_VERSIONS: Final = 500
_ID_SIZE: Final = 16
_HEADER_SIZE: Final = len(MAGIC) + 1 + 2 * _ID_SIZE + 1
_KINDS: Final = MappingProxyType({ObjectKind.CERTIFICATE: b"C", ObjectKind.KEY: b"K", ObjectKind.SECRET: b"S"})


class BackupFormat:
    """Seals and opens backups."""

    def __init__(self, store: Store, keyring: Keyring) -> None:
        self._store = store
        self._keyring = keyring

    def pack(self, kind: ObjectKind, name: str, saved: bytes, vault: Vault) -> bytes:
        """Make a backup of what a vault holds. Raises BadParameter where it would be too large."""
        system = self._system_vault()
        header = MAGIC + bytes([FORMAT]) + _name(system.id) + _scope(vault) + _KINDS[kind]
        backup = header + self._keyring.seal(system.id, zlib.compress(saved), _place(system, header))
        if len(backup) > MAX_BACKUP:
            message = f"The backup of {name} would have {len(backup)} bytes; at most {MAX_BACKUP} are taken back."
            raise BadParameter(message)
        return backup

    def unpack(self, kind: ObjectKind, backup: bytes, vault: Vault) -> bytes:
        """Open a backup for a vault. Raises BadParameter where it is none, was altered, or belongs to somebody else."""
        system = self._system_vault()
        header = backup[:_HEADER_SIZE] if len(backup) <= MAX_BACKUP else b""
        _check_header(header, kind, vault, system)
        try:
            return zlib.decompress(self._keyring.open(system.id, backup[_HEADER_SIZE:], _place(system, header)))
        except SealBroken:
            raise unfit("it was altered, or is cut off") from None
        except zlib.error:
            raise unreadable() from None

    def _system_vault(self) -> Vault:
        with self._store.glance() as reader:
            system = reader.vault_by_name(SYSTEM_VAULT)
        if system is None:
            raise SetupError("This deployment has not been set up; run `certworker init`.")
        return system


def unfit(why: str) -> BadParameter:
    """Make the error that says why a backup is refused."""
    return BadParameter(f"The backup blob (value) cannot be restored: {why}.", "value")


def unreadable() -> BadParameter:
    """Make the error that says that a backup is ours, and holds what this release does not know."""
    return unfit("what it holds cannot be read by this release")


def _check_header(header: bytes, kind: ObjectKind, vault: Vault, system: Vault) -> None:
    if not header.startswith(MAGIC) or len(header) < _HEADER_SIZE:
        raise unfit(f"it is no backup of a {kind}, or is cut off")
    form, names = header[len(MAGIC)], header[len(MAGIC) + 1 : -1]
    if form != FORMAT:
        raise unfit(f"it has the format {form}, and this release reads format {FORMAT}")
    if names[:_ID_SIZE] != _name(system.id):
        raise unfit("it was made by another deployment, and can be restored only there")
    if names[_ID_SIZE:] != _scope(vault):
        raise unfit("it was made in another subscription; a backup can be restored to any vault of its own")
    found = next((known for known, letter in _KINDS.items() if letter == header[-1:]), None)
    if found is not kind:
        what = f"it is a backup of a {found}" if found else "it is of a kind that this release does not know"
        raise unfit(f"{what}, and not of a {kind}")


def _name(vault_id: str) -> bytes:
    return hashlib.sha256(b"certworker deployment\0" + vault_id.encode()).digest()[:_ID_SIZE]


def _scope(vault: Vault) -> bytes:
    return hashlib.sha256(f"{vault.tenant_id}\0{vault.subscription_id}".lower().encode()).digest()[:_ID_SIZE]


def _place(system: Vault, header: bytes) -> str:
    return f"{system.id}/backup/{header.hex()}"
