"""What a CA sent and was refused: kept sealed beside its operation, and shown to who may see the certificate."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from certworker.crypto.x509 import to_pem
from certworker.errors import BadParameter, OperationNotFound
from certworker.vault.access import Access, Caller
from certworker.vault.keyring import Keyring
from certworker.vault.objects import ObjectKind
from certworker.vault.operations import Evidence, Operation
from certworker.vault.places import evidence_place
from certworker.vault.store import Store
from certworker.vault.vaults import Vault

MAX_EVIDENCE = 64 * 1024
"""So many bytes of it are kept."""
CERTIFICATES = "certificates"


@dataclass(frozen=True, slots=True)
class Refusal:
    """What was refused, opened. Of the kind `certificates` it is PEM, and a line for each thing that is no certificate."""

    at: datetime
    kind: str
    content: bytes


class Refusals:
    """Seals evidence under the vault's own key, and opens it again."""

    def __init__(self, store: Store, access: Access, keyring: Keyring) -> None:
        self._store = store
        self._access = access
        self._keyring = keyring

    def seal(self, operation: Operation, certificates: Iterable[bytes], at: datetime) -> Evidence:
        """Make the evidence of certificates that were refused, to be added in the transaction that records the refusal."""
        content = b"".join(map(_shown, certificates))[:MAX_EVIDENCE]
        place = evidence_place(operation.vault_id, operation.id, at)
        return Evidence(operation.id, at, CERTIFICATES, self._keyring.seal(operation.vault_id, content, place))

    def list_(self, caller: Caller, vault: Vault, name: str) -> tuple[Refusal, ...]:
        """List what was refused in a certificate's latest operation, in order. Raises OperationNotFound."""
        self._access.require(caller, vault, "certificates", "get", name=name)
        with self._store.reading() as reader:
            head = reader.head(vault.id, ObjectKind.CERTIFICATE, name)
            operation = reader.operation(vault.id, name) if head and not head.deletion else None
            if operation is None:
                raise OperationNotFound(f"Pending certificate not found: {name}")
            found = reader.evidence(operation.id)
        return tuple(self._open(vault.id, evidence) for evidence in found)

    def _open(self, vault_id: str, evidence: Evidence) -> Refusal:
        place = evidence_place(vault_id, evidence.operation_id, evidence.at)
        return Refusal(evidence.at, evidence.kind, self._keyring.open(vault_id, evidence.sealed, place))


def _shown(der: bytes) -> bytes:
    """Show a certificate as PEM; of anything else, which may be a private key, only what names it."""
    try:
        return to_pem((der,))
    except BadParameter:
        return f"no certificate: {len(der)} bytes, SHA-256 {hashlib.sha256(der).hexdigest()}\n".encode()
