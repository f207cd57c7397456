"""What an issuance begins with: the key, the CSR and the operation, made outside any transaction."""

from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from certworker.crypto.keys import fits, generate_key, public_der
from certworker.crypto.x509 import CertificateRequest, build_csr
from certworker.vault.keyring import Keyring, object_place
from certworker.vault.objects import ObjectKind, Tags, new_version
from certworker.vault.operations import Operation, OperationReason, OperationStatus
from certworker.vault.policy import Policy
from certworker.vault.store import Reader, Store

WAITS_FOR_ISSUER = (
    "Pending certificate created. Certificate request is in progress. This may take some time based on the issuer provider. "
    "Please check again later."
)
WAITS_FOR_MERGE = "Pending certificate created. Please Perform Merge to complete the request."


@dataclass(frozen=True, slots=True)
class PendingKey:
    """A private key as DER PKCS#8, and the version that it will be."""

    version: str
    private_key: bytes


class Drafts:
    """Makes operations ready to be stored."""

    def __init__(self, store: Store, keyring: Keyring) -> None:
        self._store = store
        self._keyring = keyring

    def draft(
        self,
        vault_id: str,
        name: str,
        policy: Policy,
        reason: OperationReason,
        at: datetime,
        *,
        tags: Tags,
        enabled: bool,
        preserve_order: bool,
    ) -> tuple[Operation, bytes]:
        """Make key, CSR and operation; give the operation and the private key."""
        key = self._choose_key(vault_id, name, policy, reason)
        request = certificate_request(policy)
        operation = Operation(
            id=uuid4().hex,
            vault_id=vault_id,
            name=name,
            version=key.version,
            reason=reason,
            policy=policy,
            csr=build_csr(key.private_key, request),
            public_key=public_der(key.private_key),
            sealed_key=self._seal(vault_id, name, key),
            created=at,
            updated=at,
            status=OperationStatus.IN_PROGRESS,
            status_details=WAITS_FOR_MERGE if policy.is_manual else WAITS_FOR_ISSUER,
            due_at=at if policy.is_integrated else None,
            tags=tags,
            enabled=enabled,
            preserve_order=preserve_order,
        )
        return operation, key.private_key

    def private_key(self, operation: Operation) -> bytes:
        """Open an operation's pending key."""
        place = object_place(operation.vault_id, ObjectKind.KEY, operation.name, operation.version)
        return self._keyring.open(operation.vault_id, operation.sealed_key, place)

    def _choose_key(self, vault_id: str, name: str, policy: Policy, reason: OperationReason) -> PendingKey:
        with self._store.reading() as reader:
            failed = _failed_renewal(reader, vault_id, name) if reason is not OperationReason.CREATE else None
            current = reader.key(vault_id, name, None) if policy.key.reuse_key else None
        # the key of a renewal that failed was never used: the next attempt goes on with it
        if failed and failed.policy.key == policy.key:
            return PendingKey(failed.version, self.private_key(failed))
        # a key of another size or curve than the policy asks for cannot be used again
        if current and fits(current.public_key, policy.key.kty, policy.key.size, policy.key.curve):
            place = object_place(vault_id, ObjectKind.KEY, name, current.version)
            return PendingKey(new_version(), self._keyring.open(vault_id, current.sealed_key, place))
        return PendingKey(new_version(), generate_key(policy.key.kty, policy.key.size, policy.key.curve))

    def _seal(self, vault_id: str, name: str, key: PendingKey) -> bytes:
        return self._keyring.seal(vault_id, key.private_key, object_place(vault_id, ObjectKind.KEY, name, key.version))


def certificate_request(policy: Policy) -> CertificateRequest:
    """Say what a policy asks for, in the terms of X.509."""
    return CertificateRequest(policy.x509.subject, policy.x509.names, policy.x509.key_usage, policy.x509.ekus)


def _failed_renewal(reader: Reader, vault_id: str, name: str) -> Operation | None:
    last = reader.operation(vault_id, name)
    if last is None or last.status is not OperationStatus.FAILED or last.reason is OperationReason.CREATE:
        return None
    # where a later operation was forgotten, its version may have been had already
    return None if reader.key(vault_id, name, last.version) else last
