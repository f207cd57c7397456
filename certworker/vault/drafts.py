"""What an issuance begins with: the key, the CSR and the operation, made outside any transaction."""

from dataclasses import replace
from datetime import datetime
from typing import TypeVar
from uuid import uuid4

from certworker.correlation import current_correlation
from certworker.crypto.keys import PrivateKey, fits
from certworker.crypto.x509 import CertificateRequest, build_csr
from certworker.vault.materials import HeldKey, Material, Materials
from certworker.vault.objects import Tags, new_version
from certworker.vault.operations import CERTIFIED, Operation, OperationReason, OperationStatus
from certworker.vault.policy import Policy
from certworker.vault.store import Reader, Store
from certworker.vault.vaults import Vault

Held = TypeVar("Held", bound=HeldKey)

WAITS_FOR_ISSUER = (
    "Pending certificate created. Certificate request is in progress. This may take some time based on the issuer provider. "
    "Please check again later."
)
WAITS_FOR_MERGE = "Pending certificate created. Please Perform Merge to complete the request."


class Drafts:
    """Makes operations ready to be stored."""

    def __init__(self, store: Store, materials: Materials) -> None:
        self._store = store
        self._materials = materials

    def draft(
        self,
        vault: Vault,
        name: str,
        policy: Policy,
        reason: OperationReason,
        at: datetime,
        *,
        tags: Tags,
        enabled: bool,
        preserve_order: bool,
    ) -> Operation:
        """Make key, CSR and operation. Raises BadParameter and Unavailable where the key is to lie in a token."""
        self.check_key(vault, policy)
        version, key = self._choose_key(vault, name, policy, reason)
        operation_id = uuid4().hex
        operation = Operation(
            id=operation_id,
            vault_id=vault.id,
            name=name,
            version=version,
            reason=reason,
            policy=policy,
            csr=b"",
            public_key=key.public_key,
            sealed_key=key.sealed_key,
            created=at,
            updated=at,
            status=OperationStatus.IN_PROGRESS,
            status_details=WAITS_FOR_MERGE if policy.is_manual else WAITS_FOR_ISSUER,
            due_at=at if policy.is_integrated else None,
            tags=tags,
            enabled=enabled,
            preserve_order=preserve_order,
            hsm_key_id=key.hsm_key_id,
            correlation_id=current_correlation().correlation_id or operation_id,
        )
        return replace(operation, csr=build_csr(self.signer(operation), certificate_request(policy)))

    def signer(self, operation: Operation) -> PrivateKey:
        """Load an operation's pending key, to sign with it."""
        return self._materials.signer(operation)

    def check_key(self, vault: Vault, policy: Policy) -> None:
        """Refuse a policy whose key is to lie in a token, where there is none for this vault. Raises BadParameter."""
        if policy.key.in_hsm:
            self._materials.check_token(vault, "key_props.kty")

    def _choose_key(self, vault: Vault, name: str, policy: Policy, reason: OperationReason) -> tuple[str, Material]:
        """Choose the version that the certificate will be, and its key."""
        wanted = policy.key
        with self._store.reading() as reader:
            failed = _failed_renewal(reader, vault.id, name) if reason is not OperationReason.CREATE else None
            current = reader.key(vault.id, name, None) if wanted.reuse_key and not _needs_new_key(policy, reason) else None
            # a key that is known to others is never used again, whoever failed to use it
            failed, current = _uncompromised(reader, failed), _uncompromised(reader, current)
        # the key of a renewal that failed was never used, unless a CA certified it: the next attempt goes on with it
        if failed and failed.policy.key == wanted:
            return failed.version, self._materials.at_version(failed, failed.version)
        version = new_version()
        # a key of another size or curve than the policy asks for cannot be used again, nor one that lies elsewhere
        if current and bool(current.hsm_key_id) == wanted.in_hsm and fits(current.public_key, *_kind(policy)):
            return version, self._materials.at_version(current, version)
        return version, self._materials.make(vault, name, version, wanted.kind, in_hsm=wanted.in_hsm)


def _needs_new_key(policy: Policy, reason: OperationReason) -> bool:
    """Whether a new key is made even where the policy reuses it."""
    return reason is OperationReason.KEY_COMPROMISED or (reason is OperationReason.REVOKED and policy.is_manual)


def _uncompromised(reader: Reader, key: Held | None) -> Held | None:
    return None if key is None or reader.compromised_key(key.public_key) else key


def _kind(policy: Policy) -> tuple[str, int | None, str | None]:
    kind = policy.key.kind
    return kind.kty, kind.size, kind.curve


def certificate_request(policy: Policy) -> CertificateRequest:
    """Say what a policy asks for, in the terms of X.509."""
    return CertificateRequest(policy.x509.subject, policy.x509.names, policy.x509.key_usage, policy.x509.ekus)


def _failed_renewal(reader: Reader, vault_id: str, name: str) -> Operation | None:
    last = reader.operation(vault_id, name)
    if last is None or last.status is not OperationStatus.FAILED or last.reason is OperationReason.CREATE:
        return None
    # where a later operation was forgotten, its version may have been had already
    if reader.key(vault_id, name, last.version):
        return None
    return None if any(CERTIFIED in entry.detail for entry in reader.journal(last.id)) else last
