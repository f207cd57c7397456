"""The plan: what is known of a certificate is put together, decided, and kept as its renewal to come."""

from dataclasses import replace
from datetime import datetime

from certworker.clock import whole_second
from certworker.crypto.x509 import validity
from certworker.vault.lifetime import next_attempt, pause_after
from certworker.vault.objects import CertificateVersion
from certworker.vault.operations import Certificate, Renewal
from certworker.vault.renewal.decision import decide
from certworker.vault.renewal.situation import Decision, Situation
from certworker.vault.store import Reader, Writer


class Planner:
    """Plans renewals. Whatever changes what is known of a certificate calls `replan` in its own transaction."""

    def __init__(self, *, renews_on_change: bool = False) -> None:
        self._renews_on_change = renews_on_change

    def situation(self, reader: Reader, certificate: Certificate, current: CertificateVersion, at: datetime) -> Situation:
        """Put together what is known of a certificate's current version."""
        operation = reader.operation_of_version(certificate.vault_id, certificate.name, current.version)
        not_before, not_after = validity(current.der)
        return Situation(
            policy=certificate.policy,
            not_before=not_before,
            not_after=not_after,
            jitter=certificate.renewal.jitter,
            at=at,
            issued_by=operation.policy if operation else None,
            renews_on_change=self._renews_on_change,
        )

    def plan(self, situation: Situation, renewal: Renewal, since: datetime) -> Renewal:
        """Decide, and give the renewal to come. `since` is when the version came.

        A version is not renewed before a tenth of what it had left has gone by, and 10 seconds at the least: a CA that dates
        its certificates back by hours, or lets them live for seconds, would be asked without a pause. What is urgent does not
        wait for that. After failures the next attempt stays where the back-off puts it.
        """
        decision = decide(situation)
        if decision is None or renewal.pause:
            return replace(renewal, due_at=None, reason=decision.reason if decision else None, deadline=None)
        due_at = self._due_at(decision, situation, renewal, since)
        return replace(renewal, due_at=due_at, reason=decision.reason, deadline=_deadline(decision, situation))

    def replan(self, writer: Writer, vault_id: str, name: str, at: datetime) -> None:
        """Plan a certificate anew, as part of a larger transaction; nothing where it is gone or has no version."""
        certificate, current = writer.certificate(vault_id, name), writer.certificate_version(vault_id, name, None)
        if certificate is None or current is None:
            return
        situation = self.situation(writer, certificate, current, whole_second(at))
        renewal = self.plan(situation, certificate.renewal, current.attributes.created)
        if renewal != certificate.renewal:
            writer.set_renewal(vault_id, name, None, renewal)

    def _due_at(self, decision: Decision, situation: Situation, renewal: Renewal, since: datetime) -> datetime:
        due_at = decision.at
        if not decision.urgent:
            due_at = max(due_at, whole_second(since + pause_after(situation.not_after - since)))
        if renewal.failures:
            planned = renewal.due_at or situation.at
            due_at = max(due_at, min(planned, next_attempt(renewal.failures, situation.at, situation.not_after)))
        return due_at


def _deadline(decision: Decision, situation: Situation) -> datetime:
    """Tell when it is too late: for what was revoked or is known to others, that was the moment it became so."""
    return min(decision.at, situation.not_after) if decision.urgent else situation.not_after
