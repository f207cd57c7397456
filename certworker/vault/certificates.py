"""Certificates: made, shown, listed, deleted; and their policies and pending operations."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from certworker.clock import Clock, whole_second
from certworker.errors import BadParameter, CertificateNotFound, Forbidden, OperationInProgress, OperationNotFound
from certworker.vault.access import Access, Caller
from certworker.vault.deletions import Deletions
from certworker.vault.issuances import Issuances, check_issuer
from certworker.vault.objects import CertificateVersion, ObjectHead, ObjectKind, Tags, check_name, check_tags, not_found
from certworker.vault.operations import Certificate, Operation, OperationStatus
from certworker.vault.pending import PendingCertificate, find_pending
from certworker.vault.policy import Policy, complete
from certworker.vault.progression import cancel
from certworker.vault.renewal.planning import Planner
from certworker.vault.store import Page, Reader, Store
from certworker.vault.vaults import Vault


@dataclass(frozen=True, slots=True)
class CertificateBundle:
    """One version with what its certificate has: the wire's bundle. `certificate` is the policy's home.

    `pending` says whether the certificate has an operation that can be looked at.
    """

    head: ObjectHead
    version: CertificateVersion
    certificate: Certificate
    pending: bool = True


@dataclass(frozen=True, slots=True)
class CertificateItem:
    """One entry of a list of certificates: the head, and its current version once there is one."""

    head: ObjectHead
    version: CertificateVersion | None


class Certificates:
    """The certificates of vaults. Every method asks for the permission that Key Vault names for it."""

    def __init__(
        self, store: Store, access: Access, issuances: Issuances, deletions: Deletions, planner: Planner, clock: Clock
    ) -> None:
        self._store = store
        self._access = access
        self._issuances = issuances
        self._deletions = deletions
        self._planner = planner
        self._clock = clock

    def create(
        self,
        caller: Caller,
        vault: Vault,
        name: str,
        policy: Policy | None,
        *,
        tags: Tags,
        enabled: bool = True,
        preserve_order: bool = False,
    ) -> Operation:
        """Begin a certificate or its next version. Without a policy the certificate's own is used.

        With `preserve_order` the chain is kept in the order in which it comes. A self-signed one is complete when this returns.
        Raises BadParameter for a policy that cannot work, and what `Issuances.begin` raises.
        """
        self._access.require(caller, vault, "certificates", "create", name=name)
        check_name(name)
        check_tags(tags)
        policy = self._policy_for(vault, name, policy)
        return self._issuances.begin(vault, name, policy, tags=tags, enabled=enabled, preserve_order=preserve_order)

    def get(self, caller: Caller, vault: Vault, name: str, version: str | None = None) -> CertificateBundle:
        """Show a version, the current one where none is named. Raises CertificateNotFound."""
        self._access.require(caller, vault, "certificates", "get", name=name)
        with self._store.reading() as reader:
            head = _live_head(reader, vault, name)
            return _bundle(reader, head, version)

    def show(
        self, caller: Caller, vault: Vault, name: str, version: str | None = None
    ) -> CertificateBundle | PendingCertificate:
        """Show what `get` does, and a certificate that has no version yet as well. Raises CertificateNotFound."""
        self._access.require(caller, vault, "certificates", "get", name=name)
        with self._store.reading() as reader:
            head = _live_head(reader, vault, name)
            return find_pending(reader, head, version) or _bundle(reader, head, version)

    def list_(
        self, caller: Caller, vault: Vault, after: str | None, limit: int, *, include_pending: bool = False
    ) -> Page[CertificateItem]:
        """List certificates by name; those whose first operation is pending only where asked for.

        A page can be shorter than `limit`, even empty, and still have a next one.
        """
        self._access.require(caller, vault, "certificates", "list")
        with self._store.reading() as reader:
            page = reader.heads(vault.id, ObjectKind.CERTIFICATE, after, limit, deleted=False)
            items = (CertificateItem(head, reader.certificate_version(vault.id, head.name, None)) for head in page.items)
            return Page(tuple(item for item in items if item.version or include_pending), page.next)

    def versions(self, caller: Caller, vault: Vault, name: str, after: str | None, limit: int) -> Page[CertificateVersion]:
        """List a certificate's versions; none where there is no such certificate."""
        self._access.require(caller, vault, "certificates", "list", name=name)
        with self._store.reading() as reader:
            head = reader.head(vault.id, ObjectKind.CERTIFICATE, name)
            if head is None or head.deletion:
                return Page((), None)
            return reader.certificate_versions(vault.id, name, after, limit)

    def policy(self, caller: Caller, vault: Vault, name: str) -> Certificate:
        """Show a certificate's policy. Raises CertificateNotFound."""
        self._access.require(caller, vault, "certificates", "get", name=name)
        with self._store.reading() as reader:
            return _certificate(reader, _live_head(reader, vault, name))

    def update_policy(self, caller: Caller, vault: Vault, name: str, change: Callable[[Policy], Policy]) -> Certificate:
        """Put `change` of a certificate's policy in its place, and plan its renewal anew.

        Raises CertificateNotFound, BadParameter, IssuerNotFound.
        """
        self._access.require(caller, vault, "certificates", "update", name=name)
        at = whole_second(self._clock())
        with self._store.writing() as writer:
            known = _certificate(writer, _live_head(writer, vault, name))
            policy = complete(change(known.policy))
            self._issuances.check_key(vault, policy)
            if policy.issuer.name != known.policy.issuer.name:
                check_issuer(writer, vault, policy)
            changed = replace(known, policy=policy, policy_updated=at)
            writer.put_certificate(changed)
            # a worker that has claimed the renewal, and knows the policy as it was, loses it
            self._planner.replan(writer, vault.id, name, at, afresh=True)
            return writer.certificate(vault.id, name) or changed

    def operation(self, caller: Caller, vault: Vault, name: str, *, operation_id: str | None = None) -> Operation:
        """Show a certificate's pending operation. Raises OperationNotFound, also where it is not `operation_id`."""
        self._access.require(caller, vault, "certificates", "get", name=name)
        with self._store.reading() as reader:
            return _operation(reader, vault, name, operation_id)

    def request_cancellation(self, caller: Caller, vault: Vault, name: str, *, operation_id: str | None = None) -> Operation:
        """Ask for a pending operation to be cancelled; a worker carries it out. Raises OperationNotFound, Forbidden."""
        self._access.require(caller, vault, "certificates", "update", name=name)
        at = whole_second(self._clock())
        with self._store.writing() as writer:
            operation = _operation(writer, vault, name, operation_id)
            if operation.status is not OperationStatus.IN_PROGRESS:
                raise Forbidden("Pending status must be in progress to allow update.")
            writer.request_cancellation(operation.id, at)
            return replace(operation, cancellation_requested=True, updated=at)

    def delete_operation(self, caller: Caller, vault: Vault, name: str, *, operation_id: str | None = None) -> Operation:
        """Forget a certificate's pending operation, and give its last state. Raises OperationNotFound.

        One in progress is cancelled by this: whatever its CA still sends is not merged. A certificate that has no version
        goes with it.
        """
        self._access.require(caller, vault, "certificates", "delete", name=name)
        with self._store.writing() as writer:
            operation = _operation(writer, vault, name, operation_id)
            if operation.status is OperationStatus.IN_PROGRESS:
                cancel(writer, operation, whole_second(self._clock()))
            # earlier ones go with it: what was forgotten must not bring up what came before
            while (known := writer.operation(vault.id, name)) is not None:
                writer.delete_operation(known.id)
            if _live_head(writer, vault, name).current_version is None:
                # with its only operation goes a certificate that never was
                writer.purge(vault.id, ObjectKind.CERTIFICATE, name)
            return operation

    def delete(self, caller: Caller, vault: Vault, name: str) -> CertificateBundle:
        """Delete a certificate with its key and secret, to be recovered until it is purged. Raises CertificateNotFound."""
        self._access.require(caller, vault, "certificates", "delete", name=name)
        at = whole_second(self._clock())
        with self._store.writing() as writer:
            head, last = _live_head(writer, vault, name), writer.operation(vault.id, name)
            if head.current_version is None:
                message = f"The certificate {head.name} has no version yet: delete its pending operation instead."
                raise OperationInProgress(message, last.id if last else "")
            bundle = _bundle(writer, head, None)
            if last and last.status is OperationStatus.IN_PROGRESS:
                cancel(writer, last, at)
            return replace(bundle, head=self._deletions.delete(writer, vault, head, at))

    def deleted(self, caller: Caller, vault: Vault, name: str) -> CertificateBundle:
        """Show a deleted certificate. Raises CertificateNotFound."""
        self._access.require(caller, vault, "certificates", "get", name=name)
        with self._store.reading() as reader:
            return _bundle(reader, _deleted_head(reader, vault, name), None)

    def list_deleted(self, caller: Caller, vault: Vault, after: str | None, limit: int) -> Page[CertificateItem]:
        """List deleted certificates by name."""
        self._access.require(caller, vault, "certificates", "list")
        with self._store.reading() as reader:
            page = reader.heads(vault.id, ObjectKind.CERTIFICATE, after, limit, deleted=True)
            items = (CertificateItem(head, reader.certificate_version(vault.id, head.name, None)) for head in page.items)
            return Page(tuple(items), page.next)

    def recover(self, caller: Caller, vault: Vault, name: str) -> CertificateBundle:
        """Bring a deleted certificate back, with its key and secret. Raises CertificateNotFound, NotDeleted."""
        self._access.require(caller, vault, "certificates", "recover", name=name)
        at = whole_second(self._clock())
        with self._store.writing() as writer:
            head = self._deletions.recover(writer, vault, _any_head(writer, vault, name), at)
            self._planner.replan(writer, vault.id, head.name, at)
            return _bundle(writer, head, None)

    def purge(self, caller: Caller, vault: Vault, name: str) -> None:
        """Delete a deleted certificate for good. Raises CertificateNotFound, NotDeleted."""
        self._access.require(caller, vault, "certificates", "purge", name=name)
        with self._store.writing() as writer:
            self._deletions.purge(writer, vault, _any_head(writer, vault, name), whole_second(self._clock()))

    def _policy_for(self, vault: Vault, name: str, policy: Policy | None) -> Policy:
        if policy is not None:
            return complete(policy)
        with self._store.reading() as reader:
            known = reader.certificate(vault.id, name)
        if known is None:
            raise BadParameter("policy is missing: a new certificate needs one.", "policy")
        return known.policy


def _bundle(reader: Reader, head: ObjectHead, version: str | None) -> CertificateBundle:
    found = reader.certificate_version(head.vault_id, head.name, version)
    if found is None:
        raise not_found(ObjectKind.CERTIFICATE, head.name, version)
    pending = reader.operation(head.vault_id, head.name) is not None
    return CertificateBundle(head, found, _certificate(reader, head), pending)


def _certificate(reader: Reader, head: ObjectHead) -> Certificate:
    certificate = reader.certificate(head.vault_id, head.name)
    if certificate is None:
        raise not_found(ObjectKind.CERTIFICATE, head.name)
    return certificate


def _operation(reader: Reader, vault: Vault, name: str, operation_id: str | None) -> Operation:
    head = reader.head(vault.id, ObjectKind.CERTIFICATE, name)
    operation = reader.operation(vault.id, name) if head and not head.deletion else None
    if operation is None or operation_id not in {None, operation.id}:
        raise OperationNotFound(f"Pending certificate not found: {name}")
    return operation


def _live_head(reader: Reader, vault: Vault, name: str) -> ObjectHead:
    head = reader.head(vault.id, ObjectKind.CERTIFICATE, name)
    if head is None or head.deletion:
        raise not_found(ObjectKind.CERTIFICATE, name)
    return head


def _deleted_head(reader: Reader, vault: Vault, name: str) -> ObjectHead:
    head = reader.head(vault.id, ObjectKind.CERTIFICATE, name)
    if head is None or head.deletion is None:
        raise CertificateNotFound(f"Deleted Certificate not found: {name}")
    return head


def _any_head(reader: Reader, vault: Vault, name: str) -> ObjectHead:
    head = reader.head(vault.id, ObjectKind.CERTIFICATE, name)
    if head is None:
        raise CertificateNotFound(f"Deleted Certificate not found: {name}")
    return head
