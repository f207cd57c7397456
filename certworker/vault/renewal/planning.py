"""The plan: what is known of a certificate is put together, decided, and kept as its renewal to come."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Final

from certworker.clock import whole_second
from certworker.crypto.x509 import read_certificate
from certworker.vault.lifetime import SHORTEST_PAUSE, next_attempt, pause_after
from certworker.vault.objects import CertificateVersion
from certworker.vault.operations import Certificate, Operation, OperationReason, Pause, Renewal
from certworker.vault.renewal.advice import window_of
from certworker.vault.renewal.decision import backstop_of, decide
from certworker.vault.renewal.situation import Decision, Situation
from certworker.vault.renewal.windows import MaintenanceCalendar, Windows, within
from certworker.vault.revocation.compromised import compromised_since
from certworker.vault.revocation.standing import revocation_of
from certworker.vault.store import Reader, Writer
from certworker.vault.watches import WatchKind

REPEATED: Final = timedelta(hours=3)
"""What took the place of a revoked version, say, and is found revoked as well, is replaced no sooner: its CA may go on so."""
REPEATED_BELOW: Final = timedelta(days=1)
"""Likewise, where it is a certificate above it that is revoked: a CA that still issues there will do so for a while."""
PATIENCE: Final = timedelta(days=1)
"""So long may somebody wait for what they asked for, until it goes before what is as late as that."""
_SENT_BY_OTHERS: Final = frozenset(
    {
        OperationReason.REVOKED,
        OperationReason.KEY_COMPROMISED,
        OperationReason.REQUESTED,
        OperationReason.POLICY_CHANGED,
        OperationReason.ISSUER_CHANGED,
        OperationReason.ADVISED,
    }
)
"""Reasons that do not come of the version's own times, and so seldom come again with each new version."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """When a renewal will begin, and why.

    `retry_at` is until when the back-off after failures holds it, `opening` when the maintenance window is that it waits for;
    none where it does not wait.
    """

    due_at: datetime
    decision: Decision
    deadline: datetime
    retry_at: datetime | None = None
    opening: datetime | None = None


class Planner:
    """Plans renewals. Whatever changes what is known of a certificate calls `replan` in its own transaction."""

    def __init__(self, calendar: MaintenanceCalendar, random: Random, *, renews_on_change: bool = False) -> None:
        self._calendar = calendar
        self._random = random
        self._renews_on_change = renews_on_change

    def situation(self, reader: Reader, certificate: Certificate, current: CertificateVersion, at: datetime) -> Situation:
        """Put together what is known of a certificate's current version."""
        place = (certificate.vault_id, certificate.name, current.version)
        operation, revocation = reader.operation_of_version(*place), revocation_of(reader, *place)
        facts, renewal = read_certificate(current.der), certificate.renewal
        untouched = operation is None and certificate.policy_updated <= current.attributes.created
        return Situation(
            policy=certificate.policy,
            not_before=facts.not_before,
            not_after=facts.not_after,
            jitter=renewal.jitter,
            at=at,
            since=current.attributes.created,
            issued_by=operation.policy if operation else None,
            issued_for=operation.reason if operation else None,
            changed_at=self._changed_at(certificate, operation),
            window=window_of(reader.watch(WatchKind.ADVICE, current.vault_id, current.name), current.version),
            revoked_at=revocation.since if revocation else None,
            revoked_above=bool(revocation and revocation.about),
            compromised_at=compromised_since(reader, facts.public_key),
            requested_at=renewal.requested_at,
            is_paused=renewal.pause is not None,
            is_foreign=untouched and certificate.policy.is_self_signed and facts.issuer != facts.subject,
            maintenance=self._windows(reader, certificate),
        )

    def foresee(self, situation: Situation, renewal: Renewal) -> Forecast | None:
        """Say when the renewal will begin as things stand; none where there will be none.

        A version is not renewed before a tenth of what it had left has gone by, and 10 seconds at the least: a CA that dates
        its certificates back by hours, or lets them live for seconds, would be asked without a pause. Reasons that come from
        elsewhere wait for 10 seconds; for 3 hours, or a day, where the version came for the same reason. After failures the
        next attempt stays where the back-off put it, unless it has become urgent since. A maintenance window is waited for
        until the backstop, or the end of the window in which the CA wants it.
        """
        decision = decide(situation)
        if decision is None:
            return None
        due_at = max(decision.at, _paced(decision, situation))
        retry_at = _retry_at(decision, renewal, situation)
        due_at = max(due_at, retry_at or due_at)
        moved = due_at if decision.urgent else min(_within(situation, due_at), max(due_at, _patience(situation)))
        return Forecast(
            due_at=moved,
            decision=decision,
            deadline=_deadline(decision, situation),
            retry_at=retry_at if retry_at and retry_at > situation.at else None,
            opening=moved if moved > due_at else None,
        )

    def plan(self, situation: Situation, renewal: Renewal) -> Renewal:
        """Decide, and give the renewal to come."""
        if situation.policy.is_manual:
            renewal = replace(renewal, requested_at=None)
        found = self.foresee(situation, renewal)
        if found is None:
            return replace(renewal, due_at=None, reason=None, deadline=None)
        return replace(renewal, due_at=found.due_at, reason=found.decision.reason, deadline=found.deadline)

    def plan_version(self, writer: Writer, vault_id: str, name: str, at: datetime) -> None:
        """Plan the renewal of a version that has just come, as part of a larger transaction.

        Failures and requests are of the version before; a pause holds until somebody ends it.
        """
        certificate = writer.certificate(vault_id, name)
        if certificate is None:
            return
        # the jitter is drawn here, once, and kept
        renewal = Renewal(None, None, self._random.random(), pause=certificate.renewal.pause)
        self._set(writer, replace(certificate, renewal=renewal), at, always=True)

    def replan(self, writer: Writer, vault_id: str, name: str, at: datetime, *, afresh: bool = False) -> None:
        """Plan a certificate anew, as part of a larger transaction; nothing where it is gone or has no version.

        With `afresh`, what made earlier attempts fail may have been mended: the next is made as if there had been none. A
        worker that has claimed the renewal, and knows things as they were, loses it where the plan is another one now.
        """
        certificate = writer.certificate(vault_id, name)
        if certificate is not None:
            known = replace(certificate.renewal, due_at=None) if afresh else certificate.renewal
            self._set(writer, replace(certificate, renewal=known), at, always=afresh)

    def request(self, writer: Writer, vault_id: str, name: str, at: datetime) -> None:
        """Remember that somebody wants a certificate renewed at once, as part of a larger transaction, until it worked."""
        certificate = writer.certificate(vault_id, name)
        if certificate is not None:
            renewal = replace(certificate.renewal, requested_at=whole_second(at))
            self._set(writer, replace(certificate, renewal=renewal), at, always=True)

    def hold(self, writer: Writer, vault_id: str, name: str, at: datetime, pause: Pause | None) -> None:
        """Pause the renewals of a certificate, or let them go on, as part of a larger transaction.

        What was asked for before the pause is forgotten; what made earlier attempts fail does not count after it.
        """
        certificate = writer.certificate(vault_id, name)
        if certificate is not None:
            renewal = replace(certificate.renewal, due_at=None, pause=pause, requested_at=None, blamed_since=None)
            self._set(writer, replace(certificate, renewal=renewal), at, always=True)

    def _set(self, writer: Writer, certificate: Certificate, at: datetime, *, always: bool) -> None:
        current = writer.certificate_version(certificate.vault_id, certificate.name, None)
        renewal = certificate.renewal
        if current is not None:
            renewal = self.plan(self.situation(writer, certificate, current, whole_second(at)), renewal)
        if always or renewal != certificate.renewal:
            writer.set_renewal(certificate.vault_id, certificate.name, None, renewal)
            # what is told ahead of a renewal, or of one that does not come, goes by the plan
            writer.hasten_watches(WatchKind.EXPIRY, certificate.vault_id, certificate.name)

    def _changed_at(self, certificate: Certificate, operation: Operation | None) -> datetime | None:
        # a renewal that went to another issuer than the policy's, or began before the change, is no reason for the next
        if not self._renews_on_change or operation is None or certificate.policy_updated <= operation.created:
            return None
        return certificate.policy_updated

    def _windows(self, reader: Reader, certificate: Certificate) -> Windows:
        if self._calendar.is_empty:
            return ()
        vault = reader.vault(certificate.vault_id)
        return self._calendar.windows_of(vault.name, certificate.name) if vault else ()


def _paced(decision: Decision, situation: Situation) -> datetime:
    """Tell until when a CA is left alone about a version, however things stand."""
    pause = pause_after(situation.not_after - situation.since)
    if decision.reason in _SENT_BY_OTHERS:
        below = decision.reason is OperationReason.REVOKED and situation.revoked_above
        repeated = REPEATED_BELOW if below else REPEATED
        pause = min(pause, repeated) if decision.reason is situation.issued_for else SHORTEST_PAUSE
    return whole_second(situation.since + pause)


def _retry_at(decision: Decision, renewal: Renewal, situation: Situation) -> datetime | None:
    """Tell until when the back-off holds the next attempt. What has become urgent since the last one is a reason of its own.

    No failure holds it for longer than this: what does was a plan for later days, or comes from a clock that was wrong.
    """
    is_new = decision.urgent and decision.reason is not renewal.reason
    if not renewal.failures or renewal.due_at is None or is_new:
        return None
    return min(renewal.due_at, next_attempt(renewal.failures, situation.at, situation.not_after, configuration=True))


def _within(situation: Situation, due_at: datetime) -> datetime:
    return within(situation.maintenance, due_at, situation.at, situation.jitter)


def _patience(situation: Situation) -> datetime:
    """Tell until when a maintenance window can be waited for."""
    backstop = whole_second(backstop_of(situation))
    return min(backstop, whole_second(situation.window.end)) if situation.window else backstop


def _deadline(decision: Decision, situation: Situation) -> datetime:
    """Tell when it is too late. For what was revoked or is known to others, that was the moment it became so."""
    match decision.reason:
        case OperationReason.REQUESTED:
            deadline = min(decision.at + PATIENCE, whole_second(backstop_of(situation)))
        case OperationReason.ADVISED if situation.window:
            deadline = whole_second(situation.window.end)
        case _:
            deadline = decision.at if decision.urgent else situation.not_after
    return min(deadline, situation.not_after)
