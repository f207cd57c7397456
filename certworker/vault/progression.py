"""How an issuance goes on: one exchange with the CA after another, each recorded before the next begins."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from time import perf_counter
from types import MappingProxyType
from typing import Final, cast

from certworker.clock import Clock, whole_second
from certworker.crypto.x509 import read_certificate
from certworker.errors import BadParameter, LeaseLost
from certworker.measures import Measure, Measures, Purpose, asking
from certworker.vault.acceptance import CLOCK_SKEW, accept
from certworker.vault.events import Event, EventType
from certworker.vault.issuance import Canceller, IssuanceRequest, Issued, Pending, Provider, Providers, Rejected, Step, Trouble
from certworker.vault.issuers import Issuers
from certworker.vault.objects import CertificateVersion, ObjectKind
from certworker.vault.operations import (
    BACK_OFF,
    CERTIFIED,
    Evidence,
    Operation,
    OperationReason,
    OperationStatus,
    Progress,
    back_off,
)
from certworker.vault.policy import names_to_validate
from certworker.vault.refusals import Refusals
from certworker.vault.renewals import forget_request, put_off
from certworker.vault.resilience.setbacks import Setbacks
from certworker.vault.resilience.slots import slot_of
from certworker.vault.store import Reader, Store, Writer
from certworker.vault.versions import Versions, completed

LEASE = timedelta(minutes=3)
STEPPING_TIME = timedelta(minutes=1)
"""How long a worker steps on before it gives its lease back. A step's own deadline is shorter than the rest of the lease."""
MOST_STEPS = 100
"""How many steps at the most, so that a provider that always answers "now" cannot hold a worker, whatever the clock does."""
LONGEST_WAIT = timedelta(days=7)
"""How long a renewal waits for a CA that neither issues nor refuses; what somebody asked for waits until it is cancelled."""
ISSUER_ERROR = "Certificate issuer error"
TURN = timedelta(minutes=1)
"""So often is looked whether an order for the same names is over."""
LONGEST_HEAD_START = timedelta(days=1)
"""So far in the future may a certificate begin and be waited for; beyond that it is refused."""
WITHDRAWALS = "withdrawals"
"""In an operation's progress: how often its CA was told that the order is not wanted any more."""

_TROUBLES: Final[Mapping[Trouble | None, str]] = MappingProxyType(
    {Trouble.OUTAGE: "unavailable", Trouble.UNREACHABLE: "unavailable", Trouble.THROTTLED: "throttled", None: "passing"}
)
"""How failures are counted that are tried again."""

_log = logging.getLogger(__name__)


class Progression:
    """Takes claimed operations as far as they go now."""

    def __init__(
        self,
        store: Store,
        versions: Versions,
        issuers: Issuers,
        refusals: Refusals,
        providers: Providers,
        setbacks: Setbacks,
        clock: Clock,
        measures: Measures,
    ) -> None:
        self._store = store
        self._versions = versions
        self._issuers = issuers
        self._refusals = refusals
        self._providers = providers
        self._setbacks = setbacks
        self._clock = clock
        self._measures = measures

    def advance(self, operation: Operation) -> None:
        """Step a claimed operation on until it waits, or has come to an end. Raises LeaseLost where it was taken over."""
        if operation.cancellation_requested:
            self._cancel(operation)
            return
        try:
            provider, request = self._prepare(operation)
        except _Unfit as unfit:
            self._fail(operation, Rejected(ISSUER_ERROR, str(unfit), configuration=True))
            return
        if (before := self._ordered_before(operation, request)) is not None:
            at = whole_second(self._clock())
            text = f"Another order for the same names is under way at {request.issuer}, by {before}; it comes first."
            self._wait(operation, Pending({}, at + TURN, waits_for=text), at)
            return
        self._step_on(operation, provider, request)

    def _ordered_before(self, operation: Operation, request: IssuanceRequest) -> str | None:
        """Tell who orders the same from the same CA; none once it is this operation's turn, which it then has until its end."""
        if operation.progress:
            return None
        slot = slot_of(request)
        with self._store.writing() as writer:
            _take_up(writer, operation)
            if writer.take_slot(slot, operation.id):
                return None
            other = writer.operation_by_id(writer.slot_holder(slot) or "")
        return f"the certificate {other.name}" if other else "another certificate"

    def postpone(self, operation: Operation, failure: str) -> None:
        """Record that a step went wrong in a way that its provider did not foresee, and plan the next attempt.

        It goes on from what was recorded last. Raises LeaseLost.
        """
        with self._store.reading() as reader:
            progress = _take_up(reader, operation).progress
        self._count_failure(operation, "unexpected")
        pending = Pending(progress, None, failure)
        if operation.cancellation_requested:
            self._record_withdrawal(operation, pending)
        else:
            self._retry(operation, pending, whole_second(self._clock()))

    def divert(self, operation: Operation, to: str, *, listens: bool) -> None:
        """End a renewal that is stuck at its issuer, and let it begin anew at another at once; no failure is counted.

        The CA is told that its order is not wanted where it `listens`; a key that it may have certified is not used again.
        Raises LeaseLost where a worker was quicker.
        """
        asked = operation.policy.issuer.name
        if listens:
            self._try_to_withdraw(operation)
        at = whole_second(self._clock())
        with self._store.writing() as writer:
            current = _take_up(writer, operation)
            text = f"The issuer {asked} did not get it done in time; {to} is asked instead."
            writer.update_operation(_ended(current, at, ISSUER_ERROR, text))
            writer.add_journal(operation.id, at, "failed", {CERTIFIED: "yes"} if current.progress else {})
            writer.count_attempt(operation.vault_id, asked, "failed")
            certificate = writer.certificate(operation.vault_id, operation.name)
            if certificate is None:
                return
            own = certificate.policy.issuer.name.casefold() == to.casefold()
            writer.set_renewal(operation.vault_id, operation.name, None, replace(certificate.renewal, due_at=at))
            writer.set_route(operation.vault_id, operation.name, None if own else to)
            detail = {"vault": _vault_name(writer, operation), "issuer": asked, "to": to}
            writer.add_event(_event(EventType.ISSUER_FAILED_OVER, operation, at, detail))

    def _prepare(self, operation: Operation) -> tuple[Provider, IssuanceRequest]:
        policy = operation.policy
        with self._store.reading() as reader:
            issuer = reader.issuer(operation.vault_id, policy.issuer.name)
            current = reader.certificate_version(operation.vault_id, operation.name, None)
            replaced = _record_of(reader, current, policy.issuer.name) if current else None
        if issuer is None or not issuer.enabled:
            raise _Unfit(f"The issuer {policy.issuer.name} {'is disabled' if issuer else 'does not exist'}.")
        provider = self._providers.get(issuer.provider.casefold())
        if provider is None:
            raise _Unfit(f"The issuer {issuer.name} has the provider {issuer.provider}, which this deployment does not have.")
        names = names_to_validate(policy)
        if not names:
            raise _Unfit("The policy names no host: give x509_props.sans.dns_names, or a host name as the subject's CN.")
        request = IssuanceRequest(
            operation_id=operation.id,
            vault_id=operation.vault_id,
            issuer=issuer.name,
            account_id=issuer.account_id,
            credential=self._issuers.credential(issuer),
            csr=operation.csr,
            names=names,
            profile=policy.issuer.cty,
            organization=issuer.organization,
            validity_months=policy.x509.validity_months,
            replaces=current.der if current else None,
            replaced=replaced,
            sign=partial(self._versions.sign, operation),
        )
        return provider, request

    def _step_on(self, operation: Operation, provider: Provider, request: IssuanceRequest) -> None:
        begun = at = self._clock()
        step: Step = Pending(operation.progress, at)
        for _ in range(MOST_STEPS):
            step = self._ask(operation, provider, request, at)
            at = self._clock()
            if not isinstance(step, Pending) or not _goes_on(step, at) or at - begun > STEPPING_TIME:
                break
            operation = self._record_progress(operation, step.progress, at)
        self._record(operation, step, whole_second(at))

    def _ask(self, operation: Operation, provider: Provider, request: IssuanceRequest, at: datetime) -> Step:
        """Make one exchange, and count it by how far the operation had come."""
        issuer, stage, begun = operation.policy.issuer.name, operation.progress.get("step", "begin"), perf_counter()
        result = "error"
        try:
            with asking(self._measures, Purpose.ISSUANCE, issuer, self._clock):
                step = provider.step(request, operation.progress or None, at)
            result = _word_of(step)
            return step
        finally:
            self._measures.count(Measure.ISSUANCE_STEPS, issuer, stage, result)
            self._measures.time(Measure.ISSUANCE_STEP_SECONDS, perf_counter() - begun, issuer, stage)

    def _count_failure(self, operation: Operation, error: str) -> None:
        self._measures.count(Measure.ISSUANCE_FAILURES, operation.policy.issuer.name, error)

    def _record_progress(self, operation: Operation, progress: Progress, at: datetime) -> Operation:
        with self._store.writing() as writer:
            writer.keep_progress(operation.id, operation.fence, progress, whole_second(at))
            writer.add_journal(operation.id, whole_second(at), progress.get("step", "step"), progress)
            _tell_step(writer, operation, progress, at)
        return replace(operation, progress=progress)

    def _record(self, operation: Operation, step: Step, at: datetime) -> None:
        match step:
            case Issued():
                self._complete(operation, step, at)
            case Rejected():
                self._fail(operation, step)
            case Pending(failure=None):
                self._wait(operation, step, at)
            case Pending():
                self._count_failure(operation, _TROUBLES[step.trouble])
                if step.trouble is Trouble.THROTTLED:
                    self._measures.count(Measure.CA_RATE_LIMITED, operation.policy.issuer.name)
                self._retry(operation, step, at)

    def _complete(self, operation: Operation, issued: Issued, at: datetime) -> None:
        begins = _begins_later(operation, issued, at)
        if begins is not None:
            # refused, it would be lost for nothing: it is fetched again when its time has come
            text = f"What the CA issued is valid only later; a clock is wrong. It is taken at {begins:%Y-%m-%dT%H:%M:%SZ}."
            self._wait(operation, Pending(operation.progress, begins, waits_for=text), at)
            return
        try:
            accepted = accept(operation, issued.chain, at)
            records = self._versions.build(operation, accepted.certificates, at)
        except BadParameter as error:
            # what does not fit is refused, and never becomes a version
            evidence = self._refusals.seal(operation, issued.chain, at) if issued.chain else None
            self._fail(operation, Rejected(ISSUER_ERROR, f"What the issuer sent is refused. {error}"), evidence)
            return
        with self._store.writing() as writer:
            current = _take_up(writer, operation)
            if current.cancellation_requested:
                # the CA was faster than the worker, and yet its answer is not wanted any more
                cancel(writer, current, at)
                return
            self._setbacks.issued(writer, current, at)
            done = completed(replace(current, warnings=(*accepted.warnings, *issued.warnings)), at)
            writer.update_operation(done)
            writer.add_journal(operation.id, at, "merged", issued.progress)
            self._versions.swap_in(writer, done, records, _vault_name(writer, operation))
        self._measures.time(Measure.ISSUANCE_SECONDS, (at - operation.created).total_seconds(), operation.policy.issuer.name)

    def _wait(self, operation: Operation, pending: Pending, at: datetime) -> None:
        if not operation.reason.is_asked_for and at - operation.created >= LONGEST_WAIT:
            self._give_up(replace(operation, progress=pending.progress))
            return
        with self._store.writing() as writer:
            current = _take_up(writer, operation)
            due_at = _unless_cancelled(current, _not_before(pending.retry_at, at), at)
            details = pending.waits_for or current.status_details
            self._setbacks.answered(writer, current, at)
            changed = replace(current, progress=pending.progress, due_at=due_at, updated=at, status_details=details)
            writer.update_operation(replace(changed, failures=0))
            if pending.progress != operation.progress:
                writer.add_journal(operation.id, at, pending.progress.get("step", "step"), pending.progress)
            if pending.progress.get("step") != operation.progress.get("step"):
                _tell_step(writer, operation, pending.progress, at)

    def _give_up(self, operation: Operation) -> None:
        """End a renewal whose CA works on it for too long; another order may be luckier, and time runs out."""
        self._try_to_withdraw(operation)
        text = f"The CA has not issued within {LONGEST_WAIT.days} days; the order was given up."
        self._fail(operation, Rejected(ISSUER_ERROR, text, certified=bool(operation.progress)))

    def _try_to_withdraw(self, operation: Operation) -> None:
        """Withdraw as far as the CA listens: what it issues all the same is for a key that nobody uses."""
        try:
            self._withdraw(operation)
        except Exception as error:  # noqa: BLE001  # whatever a provider does here, the renewal ends
            _log.error("%s: the order could not be withdrawn: %s", operation.name, type(error).__name__)

    def _retry(self, operation: Operation, pending: Pending, at: datetime) -> None:
        if self._is_worn_out(operation, at):
            self._give_up(replace(operation, progress=pending.progress))
            return
        with self._store.writing() as writer:
            current = _take_up(writer, operation)
            attempt = self._setbacks.failed(writer, current, pending, _not_before(pending.retry_at, at), at)
            reason = "back_off" if attempt.counted else "throttled" if pending.trouble is Trouble.THROTTLED else "outage"
            due_at, failures = attempt.due_at, current.failures + attempt.counted
            details = f"{pending.failure} The next attempt is at {due_at:%Y-%m-%dT%H:%M:%SZ}."
            changed = replace(current, progress=pending.progress, failures=failures, updated=at, status_details=details)
            writer.update_operation(replace(changed, due_at=_unless_cancelled(current, due_at, at)))
            writer.add_journal(operation.id, at, "attempt-failed", pending.progress)
            writer.count_attempt(operation.vault_id, operation.policy.issuer.name, "retried")
            detail = {"vault": _vault_name(writer, operation), "error": pending.failure or "", "next": due_at.isoformat()}
            writer.add_event(_event(EventType.OPERATION_RETRY, operation, at, detail))
        self._measures.count(Measure.DEFERRALS, operation.policy.issuer.name, reason)

    def _is_worn_out(self, operation: Operation, at: datetime) -> bool:
        """Whether a renewal has come to nothing but failures for so long that another order may be luckier.

        While the CA is down no other order would be.
        """
        if operation.reason.is_asked_for or at - operation.created < LONGEST_WAIT:
            return False
        with self._store.reading() as reader:
            gate = reader.gate(operation.vault_id, operation.policy.issuer.name)
        return not (gate and gate.is_down_for_many)

    def _fail(self, operation: Operation, rejected: Rejected, evidence: Evidence | None = None) -> None:
        at = whole_second(self._clock())
        self._count_failure(operation, "invalid" if evidence else "configuration" if rejected.configuration else "rejected")
        with self._store.writing() as writer:
            current = _take_up(writer, operation)
            writer.update_operation(_ended(current, at, rejected.code, rejected.message))
            writer.add_journal(operation.id, at, "failed", {CERTIFIED: "yes"} if rejected.certified or evidence else {})
            if evidence:
                writer.add_evidence(evidence)
            writer.count_attempt(operation.vault_id, operation.policy.issuer.name, "failed")
            self._setbacks.refused(writer, current, at, configuration=rejected.configuration)
            due_at = None
            if operation.reason.is_asked_for:
                self._setbacks.note(writer, current, at, configuration=rejected.configuration)
            else:
                due_at = self._setbacks.put_off(writer, current, at, rejected.message, configuration=rejected.configuration)
            detail = {"vault": _vault_name(writer, operation), "error": rejected.message, "code": rejected.code}
            detail |= {"issuer": operation.policy.issuer.name} | ({"next": due_at.isoformat()} if due_at else {})
            writer.add_event(_event(EventType.OPERATION_FAILED, operation, at, detail))

    def _cancel(self, operation: Operation) -> None:
        """Withdraw at the CA, then cancel. A CA that cannot be told is asked a few times, and then left with its order."""
        self._record_withdrawal(operation, self._withdraw(operation))

    def _record_withdrawal(self, operation: Operation, pending: Pending | None) -> None:
        at, asked = whole_second(self._clock()), int(operation.progress.get(WITHDRAWALS, "0")) + 1
        with self._store.writing() as writer:
            current = _take_up(writer, operation)
            if pending is None or asked > len(BACK_OFF):
                cancel(writer, current, at)
                return
            due_at = max(at + back_off(asked), _not_before(pending.retry_at, at))
            details = (
                f"{pending.failure or 'The CA is withdrawing the order.'} It is told again at {due_at:%Y-%m-%dT%H:%M:%SZ}."
            )
            progress = {**pending.progress, WITHDRAWALS: str(asked)}
            writer.update_operation(replace(current, progress=progress, due_at=due_at, updated=at, status_details=details))
            writer.add_journal(operation.id, at, "withdrawal-pending", progress)

    def _withdraw(self, operation: Operation) -> Pending | None:
        """Tell the CA that what was ordered is not wanted; none where there is nothing to tell, or nobody."""
        if not operation.progress:
            return None
        try:
            provider, request = self._prepare(operation)
        except _Unfit:
            return None
        if not callable(getattr(provider, "cancel", None)):
            return None
        with asking(self._measures, Purpose.ISSUANCE, request.issuer, self._clock):
            return cast("Canceller", provider).cancel(request, operation.progress, self._clock())


class _Unfit(Exception):
    """The operation cannot go on as its issuer stands."""


def _word_of(step: Step) -> str:
    """Say what became of an exchange, in the words of the metric."""
    match step:
        case Issued():
            return "issued"
        case Rejected():
            return "rejected"
        case Pending(failure=None):
            return "pending"
        case _:
            return "retry"


def cancel(writer: Writer, operation: Operation, at: datetime) -> None:
    """Cancel an operation in progress, as part of a larger transaction."""
    cancelled = replace(operation, status=OperationStatus.CANCELLED, status_details=None, due_at=None, updated=at)
    writer.update_operation(replace(cancelled, cancellation_requested=True))
    writer.add_journal(operation.id, at, "cancelled", {})
    writer.count_attempt(operation.vault_id, operation.policy.issuer.name, "cancelled")
    if operation.reason is OperationReason.REQUESTED:
        forget_request(writer, operation.vault_id, operation.name, at)
    elif not operation.reason.is_asked_for:
        put_off(writer, operation.vault_id, operation.name, at, "The renewal was cancelled.", configuration=True)
    detail = {"vault": _vault_name(writer, operation)}
    writer.add_event(_event(EventType.OPERATION_CANCELLED, operation, at, detail))


def _tell_step(writer: Writer, operation: Operation, progress: Progress, at: datetime) -> None:
    detail = {"vault": _vault_name(writer, operation), "step": progress.get("step", ""), "issuer": operation.policy.issuer.name}
    writer.add_event(_event(EventType.OPERATION_STEP, operation, at, detail))


def _ended(operation: Operation, at: datetime, code: str, message: str) -> Operation:
    ended = replace(operation, status=OperationStatus.FAILED, error_code=code, error_message=message)
    return replace(ended, status_details=None, due_at=None, updated=at, failures=operation.failures + 1)


def _begins_later(operation: Operation, issued: Issued, at: datetime) -> datetime | None:
    """Tell when a certificate can be taken that is valid only later; none where nothing is to be waited for."""
    if not operation.progress or not issued.chain:
        return None
    try:
        begins = read_certificate(issued.chain[0]).not_before - CLOCK_SKEW
    except BadParameter:
        return None
    return begins if at < begins <= at + LONGEST_HEAD_START else None


def _unless_cancelled(current: Operation, due_at: datetime, at: datetime) -> datetime:
    """Give way to a cancellation that was asked for during a step."""
    return at if current.cancellation_requested else due_at


def _goes_on(pending: Pending, at: datetime) -> bool:
    return pending.failure is None and pending.retry_at is not None and pending.retry_at <= at


def _take_up(reader: Reader, operation: Operation) -> Operation:
    """Look again, inside the transaction: the lease may have gone to another, the operation may be ended or deleted."""
    # its name is held first, as by everybody: of two that wait for each other, the database gives one up
    reader.head(operation.vault_id, ObjectKind.CERTIFICATE, operation.name)
    current = reader.operation_by_id(operation.id)
    if current is None or current.status is not OperationStatus.IN_PROGRESS or current.fence != operation.fence:
        raise LeaseLost(f"The operation {operation.id} was taken over, ended or deleted meanwhile.")
    return current


def _record_of(reader: Reader, current: CertificateVersion, issuer: str) -> Progress | None:
    """Find what was recorded when an issuer issued a version; none where it was another one, or nobody knows."""
    made = reader.operation_of_version(current.vault_id, current.name, current.version)
    return made.progress if made and made.policy.issuer.name.casefold() == issuer.casefold() else None


def _not_before(retry_at: datetime | None, at: datetime) -> datetime:
    """Round up to the store's whole seconds: what was cut off would be asked for too early."""
    return whole_second(retry_at + timedelta(microseconds=999_999)) if retry_at else at


def _vault_name(reader: Reader, operation: Operation) -> str:
    vault = reader.vault(operation.vault_id)
    return vault.name if vault else ""


def _event(event_type: EventType, operation: Operation, at: datetime, detail: dict[str, str]) -> Event:
    at = whole_second(at)
    return Event(event_type, at, operation.vault_id, ObjectKind.CERTIFICATE, operation.name, detail=detail)
