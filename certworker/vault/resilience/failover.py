"""Failover: renewals and orders that are stuck at one issuer go to the next, and back with the next renewal."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from certworker.clock import Clock, whole_second
from certworker.errors import CertworkerError, LeaseLost
from certworker.vault.events import Event, EventType
from certworker.vault.objects import ObjectKind
from certworker.vault.operations import Certificate, Operation, working_on
from certworker.vault.progression import Progression
from certworker.vault.resilience.gates import Gate
from certworker.vault.resilience.routing import Routing, backstop, waits_too_long
from certworker.vault.resilience.setbacks import vault_name
from certworker.vault.store import Reader, Store

MOST_AT_ONCE: Final = 200


class Failover:
    """Looks for what is stuck. Does nothing where no issuer has another that stands in for it."""

    def __init__(self, store: Store, routing: Routing, progression: Progression, clock: Clock) -> None:
        self._store = store
        self._routing = routing
        self._progression = progression
        self._clock = clock

    def run(self, at: datetime) -> int:
        """Send on what is stuck; count."""
        at, count = whole_second(max(at, self._clock())), 0
        for issuer in self._routing.issuers:
            with self._store.reading() as reader:
                renewals = reader.stalled_renewals(issuer, at, MOST_AT_ONCE)
                operations = reader.stalled_operations(issuer, at, MOST_AT_ONCE)
            count += sum(self._send_renewal(certificate, at) for certificate in renewals)
            count += sum(self._send_operation(operation, at) for operation in operations)
        return count

    def _send_renewal(self, certificate: Certificate, at: datetime) -> bool:
        asked = certificate.asked_issuer
        with self._store.writing() as writer:
            # its name is held first, as by everybody: of two that wait for each other, the database gives one up
            writer.head(certificate.vault_id, ObjectKind.CERTIFICATE, certificate.name)
            current = writer.certificate(certificate.vault_id, certificate.name)
            if current is None or current.fence != certificate.fence or current.renewal != certificate.renewal:
                return False
            to = self._elsewhere(writer, current, asked, current.renewal.due_at or at, at)
            if to is None:
                return False
            own = current.policy.issuer.name.casefold() == to.casefold()
            writer.set_route(current.vault_id, current.name, None if own else to)
            writer.set_renewal(current.vault_id, current.name, None, replace(current.renewal, due_at=at))
            detail = {"vault": vault_name(writer, current.vault_id), "issuer": asked, "to": to}
            event = EventType.ISSUER_FAILED_OVER
            writer.add_event(Event(event, at, current.vault_id, ObjectKind.CERTIFICATE, current.name, detail=detail))
        return True

    def _send_operation(self, operation: Operation, at: datetime) -> bool:
        if operation.reason.is_asked_for or operation.due_at is None:
            return False
        asked = operation.policy.issuer.name
        with self._store.reading() as reader:
            certificate, gate = reader.certificate(operation.vault_id, operation.name), reader.gate(operation.vault_id, asked)
            to = self._elsewhere(reader, certificate, asked, operation.due_at, at) if certificate else None
        if to is None:
            return False
        try:
            with working_on(operation):
                self._progression.divert(operation, to, listens=not (gate and gate.is_down))
        except (LeaseLost, CertworkerError):
            return False  # whoever was quicker has done something else with it; or the next look tries again
        return True

    def _elsewhere(self, reader: Reader, certificate: Certificate, asked: str, due_at: datetime, at: datetime) -> str | None:
        gate = reader.gate(certificate.vault_id, asked)
        current = reader.certificate_version(certificate.vault_id, certificate.name, None)
        if current is None or (gate and gate.is_probe(certificate.name) and gate.is_shut(at)):
            return None
        own = certificate.policy.issuer.name
        limit = backstop(current.attributes.not_before, current.attributes.expires)
        resumes_at = max(due_at, _opens(gate, at))
        if not waits_too_long(gate, resumes_at, limit, self._routing.preference(own).after, at):
            return None
        return self._routing.choose(reader, certificate, asked, at)


def _opens(gate: Gate | None, at: datetime) -> datetime:
    return gate.closed_until if gate and gate.closed_until else at
