"""The outlook: what happens to a certificate next, when and why, in words. It is looked at, and nothing changes by it."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from certworker.clock import Clock, whole_second
from certworker.vault.access import Access, Caller
from certworker.vault.heads import live_head
from certworker.vault.objects import CertificateVersion, ObjectHead, ObjectKind, check_name, not_found
from certworker.vault.operations import Certificate, Operation, OperationReason, OperationStatus
from certworker.vault.renewal.planning import Forecast, Planner
from certworker.vault.resilience.gates import Gate, GateReason
from certworker.vault.store import Page, Reader, Store
from certworker.vault.vaults import Vault


class NextStep(StrEnum):
    """What happens next, or what it waits for."""

    RENEWAL = "renewal"
    RETRY = "retry"
    MAINTENANCE = "maintenance"
    ISSUER = "issuer"
    OPERATION = "operation"
    PERSON = "person"
    PAUSED = "paused"
    DISABLED = "disabled"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Outlook:
    """What happens to a certificate next: `step` at `at`, for the reason that `why` tells in whole sentences.

    `at` is none where nobody knows, or never. `deadline` is when a renewal is too late. `version` and `not_after` are of the
    current version, none before the first.
    """

    certificate: Certificate
    step: NextStep
    why: str
    at: datetime | None = None
    reason: OperationReason | None = None
    deadline: datetime | None = None
    version: str | None = None
    not_after: datetime | None = None


class Outlooks:
    """Tells what happens next, to one certificate or to all of a vault; as of now, or of another day."""

    def __init__(self, store: Store, access: Access, planner: Planner, clock: Clock) -> None:
        self._store = store
        self._access = access
        self._planner = planner
        self._clock = clock

    def show(self, caller: Caller, vault: Vault, name: str, at: datetime | None = None) -> Outlook:
        """Tell of one certificate what happens next, as of `at`. Raises CertificateNotFound."""
        self._access.require(caller, vault, "certificates", "get", name=name)
        check_name(name)
        with self._store.reading() as reader:
            return self.look(reader, live_head(reader, vault, ObjectKind.CERTIFICATE, name), self._time(at))

    def list_(self, caller: Caller, vault: Vault, after: str | None, limit: int, at: datetime | None = None) -> Page[Outlook]:
        """Tell of all certificates likewise, by name."""
        self._access.require(caller, vault, "certificates", "list")
        with self._store.reading() as reader:
            page = reader.heads(vault.id, ObjectKind.CERTIFICATE, after, limit, deleted=False)
            return Page(tuple(self.look(reader, head, self._time(at)) for head in page.items), page.next)

    def _time(self, at: datetime | None) -> datetime:
        return whole_second(at or self._clock())

    def look(self, reader: Reader, head: ObjectHead, at: datetime) -> Outlook:
        """Tell of a live certificate what happens next, as part of a larger reading; nobody is asked for a right."""
        certificate = reader.certificate(head.vault_id, head.name)
        if certificate is None:
            raise not_found(ObjectKind.CERTIFICATE, head.name)
        current = reader.certificate_version(head.vault_id, head.name, None)
        last = reader.operation(head.vault_id, head.name)
        if last and last.status is OperationStatus.IN_PROGRESS:
            found = _in_progress(reader, certificate, last, at)
        elif current is None:
            why = "It has no version yet, and nobody works on one." + (f" {last.error_message}" if last else "")
            found = Outlook(certificate, NextStep.NOTHING, why)
        elif not current.attributes.enabled:
            found = Outlook(certificate, NextStep.DISABLED, "It is disabled, and not renewed before somebody enables it.")
        else:
            found = self._renewal(reader, certificate, current, at)
        attributes = current.attributes if current else None
        return replace(found, version=head.current_version, not_after=attributes.expires if attributes else None)

    def _renewal(self, reader: Reader, certificate: Certificate, current: CertificateVersion, at: datetime) -> Outlook:
        situation, renewal = self._planner.situation(reader, certificate, current, at), certificate.renewal
        found, pause = self._planner.foresee(situation, renewal), renewal.pause
        if found:
            return _waiting(reader, certificate, found, at)
        if situation.stays:
            alarm = ""
            if situation.revoked_at or situation.compromised_at:
                alarm = "It is revoked, or its key is known to others, and it is not replaced by itself. "
            step = NextStep.PERSON if situation.policy.is_manual else NextStep.NOTHING
            return Outlook(certificate, step, alarm + situation.stays)
        why = f"{pause.by} paused it at {_time(pause.since)}: {_sentence(pause.why)}" if pause else "Nothing is planned."
        without = self._planner.foresee(replace(situation, is_paused=False), renewal)
        if without:
            when = "now" if without.due_at <= at else f"at {_time(without.due_at)}"
            why += f" Else it would be renewed {when}. {without.decision.why}"
        return Outlook(certificate, NextStep.PAUSED, why, reason=without.decision.reason if without else None)


def _in_progress(reader: Reader, certificate: Certificate, operation: Operation, at: datetime) -> Outlook:
    details = _sentence(operation.status_details or "")
    if operation.due_at is None:
        why = "Its certificate signing request waits for a CA's answer: `certworker csr merge` puts it in."
        return Outlook(certificate, NextStep.PERSON, why, reason=operation.reason)
    why = f"An operation is in progress since {_time(operation.created)}. {details}".strip()
    due_at, deadline = operation.due_at, operation.deadline
    gate = reader.gate(certificate.vault_id, operation.policy.issuer.name)
    if gate and gate.closed_until and _keeps_back(gate, operation, max(due_at, at)):
        due_at = gate.closed_until
        why += f" {_closed(gate, due_at)}"
    return Outlook(certificate, NextStep.OPERATION, why, at=due_at, reason=operation.reason, deadline=deadline)


def _waiting(reader: Reader, certificate: Certificate, found: Forecast, at: datetime) -> Outlook:
    renewal, due_at, step = certificate.renewal, found.due_at, NextStep.RENEWAL
    sentences = [found.decision.why]
    if found.retry_at:
        step = NextStep.RETRY
        sentences.append(f"{renewal.failures} {'attempt' if renewal.failures == 1 else 'attempts'} failed.")
        sentences.append(_sentence(f"The last error: {renewal.last_error}") if renewal.last_error else "")
    if found.opening:
        step = NextStep.MAINTENANCE
        sentences.append(f"It waits for its maintenance window until {_time(found.opening)}.")
    if not renewal.failures and renewal.due_at and due_at <= at < renewal.due_at:
        step, due_at = NextStep.ISSUER, renewal.due_at
        sentences.append(f"The limits of its issuer, or its turn behind others, let it begin at {_time(due_at)}.")
    gate = reader.gate(certificate.vault_id, certificate.asked_issuer)
    closed_until = gate.closed_until if gate and gate.is_closed(max(due_at, at)) else None
    if gate and closed_until:
        step, due_at = NextStep.ISSUER, max(due_at, closed_until)
        sentences.append(_closed(gate, closed_until))
    why = " ".join(filter(None, sentences))
    return Outlook(certificate, step, why, at=due_at, reason=found.decision.reason, deadline=found.deadline)


def _keeps_back(gate: Gate, operation: Operation, at: datetime) -> bool:
    """Say whether an operation waits for a gate: a budget is no matter of what was begun already, nor a gate of its probe."""
    is_meant = gate.in_trouble and not gate.is_probe(operation.name) and not operation.cancellation_requested
    return is_meant and gate.is_shut(at)


def _closed(gate: Gate, until: datetime) -> str:
    return f"The issuer {gate.issuer} {_TROUBLE[gate.reason]}, and is not asked before {_time(until)}."


_TROUBLE = {
    GateReason.OUTAGE: "is down",
    GateReason.THROTTLED: "asks to be left alone",
    GateReason.BUDGET: "has been asked for all that its limits allow",
    None: "rests",
}


def _sentence(text: str) -> str:
    text = text.strip()
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
