"""Renewals: begun when they fall due, put off when they fail."""

from dataclasses import replace
from datetime import datetime

from certworker.clock import Clock, whole_second
from certworker.errors import NotFound
from certworker.measures import Measure, Measures
from certworker.vault.issuances import Issuances
from certworker.vault.lifetime import next_attempt
from certworker.vault.objects import ObjectKind
from certworker.vault.operations import Certificate, Operation
from certworker.vault.renewal.planning import Planner
from certworker.vault.resilience.budgets import Budgets, NotYet
from certworker.vault.resilience.routing import Routing, sent_to
from certworker.vault.store import Store, Writer


class Renewals:
    """Carries out what was decided. For the worker; it asks for no caller."""

    def __init__(
        self,
        store: Store,
        issuances: Issuances,
        planner: Planner,
        budgets: Budgets,
        routing: Routing,
        clock: Clock,
        measures: Measures,
    ) -> None:
        self._store = store
        self._issuances = issuances
        self._planner = planner
        self._budgets = budgets
        self._routing = routing
        self._clock = clock
        self._measures = measures

    def begin(self, certificate: Certificate) -> Operation | None:
        """Begin the renewal of a certificate that was claimed; none where, at a second look, it is not due.

        A maintenance window may have closed since it fell due, say. Raises LeaseLost where the claim ran out meanwhile.
        """
        at = whole_second(self._clock())
        with self._store.reading() as reader:
            vault = reader.vault(certificate.vault_id)
            current = reader.certificate_version(certificate.vault_id, certificate.name, None)
            if vault is None or current is None:
                raise NotFound(f"The certificate {certificate.name} is gone.")
            situation = self._planner.situation(reader, certificate, current, at)
        renewal = self._planner.plan(situation, certificate.renewal)
        if renewal.due_at is None or renewal.due_at > at:
            with self._store.writing() as writer:
                writer.set_renewal(vault.id, certificate.name, certificate.fence, renewal)
            found = self._planner.foresee(situation, certificate.renewal)
            reason = "maintenance" if found and found.opening else "replanned"
            self._measures.count(Measure.DEFERRALS, certificate.policy.issuer.name, reason)
            return None
        route = self._routing.route(certificate)
        policy = sent_to(certificate.policy, route) if route else certificate.policy
        try:
            return self._issuances.renew(vault, replace(certificate, renewal=renewal, policy=policy), current)
        except NotYet as turned:
            self._turn_away(replace(certificate, renewal=renewal), policy.issuer.name, turned, at)
            self._measures.count(Measure.DEFERRALS, policy.issuer.name, turned.reason)
            return None

    def _turn_away(self, certificate: Certificate, issuer: str, turned: NotYet, at: datetime) -> None:
        """Let a renewal wait for its CA's budgets, which is no failure of it. The whole account's wait is the gate's."""
        renewal = certificate.renewal if turned.account else replace(certificate.renewal, due_at=turned.until)
        with self._store.writing() as writer:
            writer.head(certificate.vault_id, ObjectKind.CERTIFICATE, certificate.name)
            writer.set_renewal(certificate.vault_id, certificate.name, certificate.fence, renewal)
            self._budgets.turn_away(writer, certificate.vault_id, issuer, certificate.name, turned, at)

    def put_off(self, certificate: Certificate, error: str) -> None:
        """Plan the next attempt at a renewal that could not even begin."""
        with self._store.writing() as writer:
            put_off(writer, certificate.vault_id, certificate.name, whole_second(self._clock()), error, configuration=False)


def put_off(writer: Writer, vault_id: str, name: str, at: datetime, error: str, *, configuration: bool) -> None:
    """Plan the next attempt at a renewal that failed, as part of a larger transaction."""
    certificate = writer.certificate(vault_id, name)
    if certificate is None:
        return
    failures = certificate.renewal.failures + 1
    due_at = _next_attempt(writer, vault_id, name, failures, at, configuration=configuration)
    renewal = replace(certificate.renewal, due_at=due_at, failures=failures, last_error=error)
    writer.set_renewal(vault_id, name, None, renewal)


def forget_request(writer: Writer, vault_id: str, name: str, at: datetime) -> None:
    """Forget that somebody wanted a certificate renewed, as part of a larger transaction. The plan is looked at later."""
    certificate = writer.certificate(vault_id, name)
    if certificate is None:
        return
    due_at = _next_attempt(writer, vault_id, name, 1, at, configuration=True)
    writer.set_renewal(vault_id, name, None, replace(certificate.renewal, due_at=due_at, requested_at=None))


def _next_attempt(writer: Writer, vault_id: str, name: str, failures: int, at: datetime, *, configuration: bool) -> datetime:
    current = writer.certificate_version(vault_id, name, None)
    not_after = current.attributes.expires if current else None
    return next_attempt(failures, at, not_after, configuration=configuration)
