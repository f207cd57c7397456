"""The notary: holds the key that signs openings, heads and cuts, and keeps those in the database."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from certworker.audit.statements import signed_cut, signed_head
from certworker.clock import Clock, whole_second
from certworker.crypto.audit_signatures import audit_key_id, is_signed, new_audit_key, sign_audit
from certworker.errors import AuditUnavailable, SealBroken
from certworker.vault.audit.port import AuditKey, ChainCut, ChainHead
from certworker.vault.keyring import Keyring
from certworker.vault.places import audit_key_place
from certworker.vault.store import Store
from certworker.vault.vaults import SYSTEM_VAULT

MOST_KNOWN: Final = 16
"""So many chains may be written and end between two openings, and each is still known to a later one."""


@dataclass(frozen=True, slots=True, repr=False)
class Signer:
    """A key that signs, opened. Its `repr` never shows it."""

    id: str
    public_key: bytes
    private_key: bytes

    def __repr__(self) -> str:
        """Show its name."""
        return f"Signer({self.id})"

    def sign(self, data: bytes) -> bytes:
        """Sign."""
        return sign_audit(self.private_key, data)


class Notary:
    """Signs what a chain says of itself. Only what is on disk may be signed as a head."""

    def __init__(self, store: Store, keyring: Keyring, clock: Clock) -> None:
        self._store = store
        self._keyring = keyring
        self._clock = clock

    def signer(self) -> Signer:
        """Open the newest key, or make the first one. Raises AuditUnavailable before the deployment was set up."""
        with self._store.reading() as reader:
            keys = reader.audit_keys()
        return self._open(keys[-1]) if keys else self.rotate()

    def rotate(self) -> Signer:
        """Make a new key; chains that are opened from now on are signed by it. What older ones signed still counts."""
        vault_id, (private, public) = self._system_vault_id(), new_audit_key()
        key_id = audit_key_id(public)
        sealed = self._keyring.seal(vault_id, private, audit_key_place(key_id))
        with self._store.writing() as writer:
            writer.add_audit_key(AuditKey(key_id, public, sealed, whole_second(self._clock())))
        return Signer(key_id, public, private)

    def newest_heads(self) -> tuple[ChainHead, ...]:
        """Find the newest heads of all chains, which a new chain tells of in its opening: so several vouch for each."""
        with self._store.reading() as reader:
            return tuple(sorted(reader.chain_heads(), key=lambda head: head.at)[-MOST_KNOWN:])

    def put_head(self, signer: Signer, head: ChainHead) -> None:
        """Sign a head and put it into the database."""
        signed = replace(head, signature=signer.sign(signed_head(head)))
        with self._store.writing() as writer:
            writer.put_chain_head(signed)

    def broken_keys(self) -> tuple[str, ...]:
        """Name the keys that are not what was sealed here: somebody has put others into the database."""
        with self._store.reading() as reader:
            keys = reader.audit_keys()
        return tuple(key.id for key in keys if not self._is_whole(key))

    def put_cut(self, chain_id: str, at: datetime, sequence: int, digest: str) -> None:
        """Sign up to where a chain is about to be deleted, and put that into the database."""
        signer = self.signer()
        cut = ChainCut(chain_id, signer.id, whole_second(at), sequence, digest, b"")
        with self._store.writing() as writer:
            writer.put_chain_cut(replace(cut, signature=signer.sign(signed_cut(cut))))

    def _is_whole(self, key: AuditKey) -> bool:
        try:
            private = self._open(key).private_key
        except SealBroken:
            return False
        return audit_key_id(key.public_key) == key.id and is_signed(key.public_key, sign_audit(private, b""), b"")

    def _open(self, key: AuditKey) -> Signer:
        private = self._keyring.open(self._system_vault_id(), key.sealed_key, audit_key_place(key.id))
        return Signer(key.id, key.public_key, private)

    def _system_vault_id(self) -> str:
        with self._store.reading() as reader:
            vault = reader.vault_by_name(SYSTEM_VAULT)
        if vault is None:
            raise AuditUnavailable("The audit log has no key before the deployment is set up.")
        return vault.id
