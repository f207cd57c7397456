"""Merge: what a CA made of a certificate signing request is put together with the key that waits for it."""

from collections.abc import Sequence
from dataclasses import replace

from certworker.clock import Clock, whole_second
from certworker.correlation import correlating, current_correlation
from certworker.crypto.received import read_certificates
from certworker.crypto.x509 import MAX_CHAIN, read_certificate
from certworker.errors import BadParameter, Forbidden, KeyMismatch, OperationNotFound
from certworker.vault.acceptance import WRONG_KEY, accept
from certworker.vault.access import Access, Caller
from certworker.vault.certificates import CertificateBundle
from certworker.vault.objects import ObjectKind, Tags, check_tags, not_found
from certworker.vault.operations import Operation, OperationStatus
from certworker.vault.revocation.compromised import refuse_compromised
from certworker.vault.store import Reader, Store
from certworker.vault.vaults import Vault
from certworker.vault.versions import Versions, completed

X5C = "x5c"


class Merging:
    """Completes what a person carried to a CA. What is refused leaves the pending operation as it was."""

    def __init__(self, store: Store, access: Access, versions: Versions, clock: Clock) -> None:
        self._store = store
        self._access = access
        self._versions = versions
        self._clock = clock

    def merge(
        self,
        caller: Caller,
        vault: Vault,
        name: str,
        contents: Sequence[bytes],
        *,
        enabled: bool | None = None,
        tags: Tags | None = None,
        operation_id: str | None = None,
    ) -> CertificateBundle:
        """Merge the leaf, and its chain in any order, with the pending key; give the new version.

        Each of `contents` is DER, PEM or PKCS#7. `enabled` and `tags` go over what the create said. Raises
        OperationNotFound, Forbidden where nothing waits for a merge, KeyMismatch, and BadParameter for what cannot be merged.
        """
        self._access.require(caller, vault, "certificates", "create", name=name)
        check_tags(tags or {})
        at = whole_second(self._clock())
        with self._store.reading() as reader:
            pending = _mergeable(reader, vault, name, operation_id)
        operation = _with_wishes(pending, enabled, tags)
        accepted = accept(operation, _leaf_first(operation, _read(contents)), at)
        records = self._versions.build(operation, accepted.certificates, at)
        done = completed(replace(operation, warnings=accepted.warnings), at)
        # a person's request, of a day that may be long after the one that asked for the certificate
        with correlating(current_correlation().correlation_id, operation.id), self._store.writing() as writer:
            # look again: it may have been merged, cancelled or deleted meanwhile
            _mergeable(writer, vault, name, operation.id)
            refuse_compromised(writer, operation.public_key)
            writer.update_operation(done)
            writer.add_journal(done.id, at, "merged", {})
            self._versions.swap_in(writer, done, records, vault.name)
            head, certificate = writer.head(vault.id, ObjectKind.CERTIFICATE, name), writer.certificate(vault.id, name)
            if head is None or certificate is None:
                raise not_found(ObjectKind.CERTIFICATE, name)
            return CertificateBundle(head, records[0], certificate)


def _mergeable(reader: Reader, vault: Vault, name: str, operation_id: str | None) -> Operation:
    head = reader.head(vault.id, ObjectKind.CERTIFICATE, name)
    operation = reader.operation(vault.id, name) if head and not head.deletion else None
    if operation is None or operation_id not in {None, operation.id}:
        raise OperationNotFound(f"Pending certificate not found: {name}")
    if operation.status is not OperationStatus.IN_PROGRESS:
        raise Forbidden(f"Pending status must be in progress to allow merge; it is {operation.status.value}.")
    if not operation.policy.is_manual:
        issuer = operation.policy.issuer.name
        # the service's own words, as its documentation spells them
        raise Forbidden(f"Merge is forbidden on pending object created with issuer : {issuer} while it is in progess.")
    if operation.cancellation_requested:
        raise Forbidden("Merge is forbidden on pending object whose cancellation was requested.")
    return operation


def _with_wishes(operation: Operation, enabled: bool | None, tags: Tags | None) -> Operation:  # noqa: FBT001
    return replace(
        operation,
        enabled=operation.enabled if enabled is None else enabled,
        tags=operation.tags if tags is None else tags,
    )


def _read(contents: Sequence[bytes]) -> tuple[bytes, ...]:
    found: dict[bytes, None] = {}
    for number, content in enumerate(contents):
        try:
            found |= dict.fromkeys(read_certificates(content))
        except BadParameter as error:
            raise BadParameter(f"{X5C}[{number}] cannot be merged. {error}", X5C) from error
        if len(found) > MAX_CHAIN + 1:
            raise BadParameter(f"{X5C} holds more than {MAX_CHAIN + 1} certificates.", X5C)
    if not found:
        raise BadParameter(f"{X5C} is empty: it holds the certificate, and its chain if there is one.", X5C)
    return tuple(found)


def _leaf_first(operation: Operation, certificates: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Put the certificate with the pending key first, wherever it is; the rest stays as it came."""
    leaves = [der for der in certificates if read_certificate(der).public_key == operation.public_key]
    if not leaves:
        raise KeyMismatch(WRONG_KEY, X5C)
    if len(leaves) > 1:
        raise BadParameter(f"{X5C} holds {len(leaves)} certificates with the pending key: send the one to be merged.", X5C)
    return (leaves[0], *(der for der in certificates if der != leaves[0]))
