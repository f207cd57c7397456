"""How an issuance begins: asked for by somebody, or by a renewal that has fallen due."""

from dataclasses import replace
from datetime import datetime

from certworker.clock import Clock, whole_second
from certworker.crypto.x509 import self_sign
from certworker.errors import BadParameter, Conflict, IssuerNotFound, LeaseLost, OperationInProgress
from certworker.vault.drafts import Drafts, certificate_request
from certworker.vault.events import Event, EventType
from certworker.vault.heads import held_by_deleted
from certworker.vault.lifetime import self_signed_validity
from certworker.vault.objects import CertificateVersion, ObjectHead, ObjectKind, Tags, fold_name, not_found
from certworker.vault.operations import Certificate, Operation, OperationReason, OperationStatus, Renewal, working_on
from certworker.vault.policy import Policy
from certworker.vault.renewal.planning import PATIENCE, Planner
from certworker.vault.resilience.budgets import Budgets
from certworker.vault.store import Reader, Store, Writer
from certworker.vault.vaults import Vault
from certworker.vault.versions import VersionRecords, Versions, completed

_NAMES_OF_THE_API = frozenset({"CONTACTS", "ISSUERS", "RESTORE"})
"""What stands where a certificate's name would: /certificates/contacts, say."""


class Issuances:
    """Begins operations; a self-signed certificate is complete at once."""

    def __init__(
        self, store: Store, drafts: Drafts, versions: Versions, planner: Planner, budgets: Budgets, clock: Clock
    ) -> None:
        self._store = store
        self._budgets = budgets
        self._drafts = drafts
        self._versions = versions
        self._planner = planner
        self._clock = clock

    def begin(
        self, vault: Vault, name: str, policy: Policy, *, tags: Tags, enabled: bool, preserve_order: bool = False
    ) -> Operation:
        """Begin a certificate, or a new version of one, that somebody asked for. `policy` becomes the certificate's.

        Raises OperationInProgress, DeletedButRecoverable, Conflict where the name is taken, IssuerNotFound.
        """
        at = whole_second(self._clock())
        with self._store.reading() as reader:
            check_free(reader, vault, name)
            check_issuer(reader, vault, policy)
        operation = self._drafts.draft(
            vault, name, policy, OperationReason.CREATE, at, tags=tags, enabled=enabled, preserve_order=preserve_order
        )
        operation = replace(operation, deadline=at + PATIENCE)
        records = self._self_signed(operation, at)
        with working_on(operation), self._store.writing() as writer:
            check_free(writer, vault, name)
            self._put_certificate(writer, vault, name, policy, at)
            operation = self._budgets.begin_errand(writer, operation, at)
            return self._store_operation(writer, vault, operation, records, at)

    def check_key(self, vault: Vault, policy: Policy) -> None:
        """Refuse a policy whose key is to lie in a token, where there is none for this vault. Raises BadParameter."""
        self._drafts.check_key(vault, policy)

    def renew(self, vault: Vault, certificate: Certificate, current: CertificateVersion) -> Operation:
        """Begin the renewal of a certificate that was claimed; what is the current version's own goes over to the next.

        Raises LeaseLost where the claim ran out meanwhile, NotYet where the budgets of its CA do not allow it now.
        """
        at = whole_second(self._clock())
        reason = certificate.renewal.reason or OperationReason.DEFAULT
        operation = self._draft_next(vault, certificate, current, reason, at)
        operation = replace(operation, deadline=certificate.renewal.deadline)
        records = self._self_signed(operation, at)
        with working_on(operation), self._store.writing() as writer:
            # its name is held first, as by everybody: of two that wait for each other, the database gives one up
            head = writer.head(vault.id, ObjectKind.CERTIFICATE, certificate.name)
            writer.set_renewal(vault.id, certificate.name, certificate.fence, certificate.renewal)
            if head is None or head.deletion:
                raise LeaseLost(f"The certificate {certificate.name} was deleted meanwhile.")
            operation = self._budgets.begin_renewal(writer, operation, at)
            detail = {"vault": vault.name, "reason": reason.value, "issuer": certificate.policy.issuer.name}
            writer.add_event(_event(EventType.RENEWAL_STARTED, operation, at, detail))
            return self._store_operation(writer, vault, operation, records, at)

    def renew_now(self, vault: Vault, certificate: Certificate, current: CertificateVersion) -> Operation:
        """Begin a renewal that somebody asked for, whenever it would have fallen due. Raises as `begin` does.

        That it was asked for is remembered until it worked: what fails is tried again.
        """
        at = whole_second(self._clock())
        name, policy, reason = certificate.name, certificate.policy, OperationReason.REQUESTED
        with self._store.reading() as reader:
            check_free(reader, vault, name)
            check_issuer(reader, vault, policy)
        operation = self._draft_next(vault, certificate, current, reason, at)
        operation = replace(operation, deadline=at + PATIENCE)
        records = self._self_signed(operation, at)
        with working_on(operation), self._store.writing() as writer:
            check_free(writer, vault, name)
            head = writer.head(vault.id, ObjectKind.CERTIFICATE, name)
            if head is None:
                raise not_found(ObjectKind.CERTIFICATE, name)
            self._planner.request(writer, vault.id, name, at)
            detail = {"vault": vault.name, "reason": reason.value, "issuer": policy.issuer.name}
            writer.add_event(_event(EventType.RENEWAL_STARTED, operation, at, detail))
            operation = self._budgets.begin_errand(writer, operation, at)
            return self._store_operation(writer, vault, operation, records, at)

    def begin_by_hand(
        self, vault: Vault, certificate: Certificate, current: CertificateVersion, reason: OperationReason
    ) -> Operation:
        """Begin the next version of a certificate that a person has signed elsewhere: a pending request with a new key.

        Raises as `begin` does.
        """
        at = whole_second(self._clock())
        with self._store.reading() as reader:
            check_free(reader, vault, certificate.name)
        operation = self._draft_next(vault, certificate, current, reason, at)
        with working_on(operation), self._store.writing() as writer:
            check_free(writer, vault, certificate.name)
            if writer.head(vault.id, ObjectKind.CERTIFICATE, certificate.name) is None:
                raise not_found(ObjectKind.CERTIFICATE, certificate.name)
            return self._store_operation(writer, vault, operation, None, at)

    def _draft_next(
        self, vault: Vault, certificate: Certificate, current: CertificateVersion, reason: OperationReason, at: datetime
    ) -> Operation:
        name, policy, ordered = certificate.name, certificate.policy, current.preserve_order
        return self._drafts.draft(vault, name, policy, reason, at, tags=current.tags, enabled=True, preserve_order=ordered)

    def _self_signed(self, operation: Operation, at: datetime) -> VersionRecords | None:
        policy = operation.policy
        if not policy.is_self_signed:
            return None
        span = self_signed_validity(at, policy.x509.validity_months)
        leaf = self_sign(self._drafts.signer(operation), certificate_request(policy), *span)
        return self._versions.build(operation, (leaf,), at)

    def _store_operation(
        self, writer: Writer, vault: Vault, operation: Operation, records: VersionRecords | None, at: datetime
    ) -> Operation:
        if records:
            operation = completed(operation, at)
        writer.add_operation(operation)
        writer.add_journal(operation.id, at, "key-made", {})
        if records:
            self._versions.swap_in(writer, operation, records, vault.name)
            writer.add_journal(operation.id, at, "merged", {})
        else:
            detail = {"vault": vault.name, "issuer": operation.policy.issuer.name, "reason": operation.reason.value}
            writer.add_event(_event(EventType.OPERATION_CREATED, operation, at, detail))
        return operation

    def _put_certificate(self, writer: Writer, vault: Vault, name: str, policy: Policy, at: datetime) -> None:
        known = writer.certificate(vault.id, name)
        if known:
            writer.put_certificate(replace(known, policy=policy, policy_updated=at))
            if policy != known.policy:
                # should nothing come of this operation, the version that there is goes by the new policy
                self._planner.replan(writer, vault.id, name, at, afresh=True)
            return
        writer.put_head(ObjectHead(vault.id, ObjectKind.CERTIFICATE, name, None, at))
        writer.put_certificate(Certificate(vault.id, name, policy, at, at, Renewal(None, None, 0.0)))


def check_free(reader: Reader, vault: Vault, name: str) -> None:
    """Refuse a name that a pending operation, a deleted object, somebody's own key or secret, or the API itself holds."""
    if fold_name(name) in _NAMES_OF_THE_API:
        message = f"The certificate name {name} is taken by a path of the API, and could not be read; choose another one."
        raise BadParameter(message, "name")
    # the heads first: who has looked at one holds the name, and what is asked next stays true
    heads = [reader.head(vault.id, kind, name) for kind in (ObjectKind.CERTIFICATE, ObjectKind.KEY, ObjectKind.SECRET)]
    last = reader.operation(vault.id, name)
    if last and last.status is OperationStatus.IN_PROGRESS:
        message = (
            "A new key vault certificate can not be created or imported while a pending key vault certificate's status is "
            f"inProgress. The operation in the way is {last.id}; cancel it, or wait for its end."
        )
        raise OperationInProgress(message, last.id)
    for head in filter(None, heads):
        if head.deletion:
            raise held_by_deleted(head)
        if head.kind is not ObjectKind.CERTIFICATE and not head.managed:
            raise Conflict(
                f"A {head.kind.value} named {head.name} already exists, and is not part of a certificate; choose another name."
            )


def check_issuer(reader: Reader, vault: Vault, policy: Policy) -> None:
    """Refuse a policy whose issuer the vault does not have. Raises IssuerNotFound."""
    if policy.is_integrated and reader.issuer(vault.id, policy.issuer.name) is None:
        raise IssuerNotFound(
            f"Issuer not found: {policy.issuer.name}. Set it first, or use Self for a self-signed certificate or Unknown for a "
            "certificate signing request."
        )


def _event(event_type: EventType, operation: Operation, at: datetime, detail: dict[str, str]) -> Event:
    return Event(event_type, at, operation.vault_id, ObjectKind.CERTIFICATE, operation.name, detail=detail)
