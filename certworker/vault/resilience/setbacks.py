"""Setbacks: what an answer, a failure or a refusal of a CA means for its gate, and for the next attempt.

Everything here is part of a larger transaction, in which the certificate's name is held.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Final

from certworker.vault.events import Event, EventType
from certworker.vault.issuance import Pending, Trouble
from certworker.vault.lifetime import next_attempt
from certworker.vault.objects import ObjectKind
from certworker.vault.operations import Operation, Pause, Renewal
from certworker.vault.policy import names_to_validate
from certworker.vault.resilience.gates import (
    Gate,
    GateReason,
    Transition,
    after_answer,
    after_nothing,
    after_outage,
    after_throttle,
)
from certworker.vault.resilience.memory import FailureMemory, MemoryKey, digest_of, key_of
from certworker.vault.store import Reader, Writer

SCATTER_SECONDS: Final = 60
"""Whoever was turned away at a gate comes back within so many seconds after it may open, so that another is the next probe."""
LONGEST_BLAME: Final = timedelta(days=30)
"""So long must nothing but mistakes in the set-up have come in the way of an expired certificate before it is given up."""
CERTWORKER: Final = "certworker"


@dataclass(frozen=True, slots=True)
class Attempt:
    """The attempt that follows a failure. What was the CA's trouble as a whole is not `counted` against a certificate."""

    due_at: datetime
    counted: bool


class Setbacks:
    """Keeps the gates, and what is remembered of failures."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def answered(self, writer: Writer, operation: Operation, at: datetime) -> None:
        """Note that a CA answered as it should, and works on it: failures on the way are not in a row with later ones."""
        self._hear(writer, operation, at)
        if operation.failures == 0:
            return
        known = writer.failure_memory(_key(writer, operation))
        if known and known.failures > operation.failures:
            writer.put_failure_memory(replace(known, failures=known.failures - operation.failures))
        elif known:
            writer.forget_failures(known.key)

    def issued(self, writer: Writer, operation: Operation, at: datetime) -> None:
        """Note that a CA has issued: failures are forgotten, and the next renewal asks the issuer of the policy again."""
        self._hear(writer, operation, at)
        writer.forget_failures(_key(writer, operation))
        writer.set_route(operation.vault_id, operation.name, None)

    def refused(self, writer: Writer, operation: Operation, at: datetime, *, configuration: bool) -> None:
        """Note that a CA has refused. What blames the set-up may have been found without asking it."""
        if configuration:
            self._pass_by(writer, operation, at)
        else:
            self._hear(writer, operation, at)

    def failed(self, writer: Writer, operation: Operation, pending: Pending, retry_at: datetime, at: datetime) -> Attempt:
        """Note that a step has failed, and plan the next: not before `retry_at`, which is `at` where the CA said nothing."""
        gate = self._blame(writer, operation, pending, retry_at, at)
        if pending.trouble and gate and gate.in_trouble:
            later = max(gate.closed_until or at, retry_at) + timedelta(seconds=self._random.randint(1, SCATTER_SECONDS))
            return Attempt(later, counted=False)
        memory = _remember(writer, operation, at, retry_at, configuration=False)
        return Attempt(memory.next_at, counted=True)

    def note(self, writer: Writer, operation: Operation, at: datetime, *, configuration: bool) -> None:
        """Remember that what somebody asked for has come to nothing; nothing is planned for it."""
        _remember(writer, operation, at, at, configuration=configuration)

    def put_off(
        self, writer: Writer, operation: Operation, at: datetime, error: str, *, configuration: bool
    ) -> datetime | None:
        """Plan the next attempt at a renewal that has come to nothing, and tell when it is; none where it was given up."""
        certificate = writer.certificate(operation.vault_id, operation.name)
        if certificate is None:
            return None
        memory = _remember(writer, operation, at, at, configuration=configuration)
        known = certificate.renewal
        blamed_since = (known.blamed_since or at) if configuration else None
        failures = max(memory.failures, known.failures + 1)
        renewal = replace(known, due_at=memory.next_at, failures=failures, last_error=error, blamed_since=blamed_since)
        if _is_given_up(renewal, _not_after(writer, operation), at):
            renewal = self._pause(writer, operation, renewal, at)
        writer.set_renewal(operation.vault_id, operation.name, None, renewal)
        writer.set_route(operation.vault_id, operation.name, None)
        return renewal.due_at

    def _pause(self, writer: Writer, operation: Operation, renewal: Renewal, at: datetime) -> Renewal:
        vault = vault_name(writer, operation.vault_id)
        why = (
            f"It has expired, and for {LONGEST_BLAME.days} days every attempt was refused for a mistake in the set-up: "
            f"{renewal.last_error} Once that is mended: certworker certificate resume {operation.name}"
        )
        detail = {"vault": vault, "by": CERTWORKER, "why": why}
        writer.add_event(_event(EventType.RENEWAL_PAUSED, operation.vault_id, operation.name, at, detail))
        return replace(renewal, due_at=None, pause=Pause(at, CERTWORKER, why))

    def _hear(self, writer: Writer, operation: Operation, at: datetime) -> None:
        known = writer.gate(operation.vault_id, operation.policy.issuer.name)
        if known and (known.witnesses or known.in_trouble):
            self._change(writer, operation, after_answer, at)

    def _pass_by(self, writer: Writer, operation: Operation, at: datetime) -> None:
        known = writer.gate(operation.vault_id, operation.policy.issuer.name)
        if known and known.is_probe(operation.name):
            self._change(writer, operation, lambda gate: after_nothing(gate, operation.name, at), at)

    def _blame(self, writer: Writer, operation: Operation, pending: Pending, retry_at: datetime, at: datetime) -> Gate | None:
        name, allowed = operation.name, retry_at if retry_at > at else None
        transitions: dict[Trouble, Callable[[Gate], Gate]] = {
            Trouble.OUTAGE: lambda gate: after_outage(gate, name, at, allowed),
            Trouble.UNREACHABLE: lambda gate: after_outage(gate, name, at, allowed, unreachable=True),
            Trouble.THROTTLED: lambda gate: after_throttle(gate, name, at, allowed),
        }
        if pending.trouble is None:
            self._pass_by(writer, operation, at)
            return None
        return self._change(writer, operation, transitions[pending.trouble], at)

    def _change(self, writer: Writer, operation: Operation, transition: Transition, at: datetime) -> Gate:
        old = writer.hold_gate(operation.vault_id, operation.policy.issuer.name)
        new = transition(old)
        if new == old:
            return old
        writer.put_gate(new)
        for event_type in _news(old, new):
            detail = {
                "vault": vault_name(writer, operation.vault_id),
                "issuer": new.issuer,
                "until": new.closed_until.isoformat() if new.closed_until else "",
                "since": since.isoformat() if (since := old.since or new.since) else "",
            }
            writer.add_event(_event(event_type, operation.vault_id, operation.name, at, detail))
        if old.in_trouble and not new.in_trouble:
            # all that has gathered behind the gate would come through at once
            writer.spread(operation.vault_id, new.issuer, at)
            writer.clear_routes(operation.vault_id, new.issuer)
        return new


def vault_name(reader: Reader, vault_id: str) -> str:
    """Find a vault's name; empty where it is gone."""
    vault = reader.vault(vault_id)
    return vault.name if vault else ""


def _news(old: Gate, new: Gate) -> list[EventType]:
    found = []
    if new.is_down and not old.is_down:
        found.append(EventType.ISSUER_DOWN)
    if old.is_down and not new.is_down:
        found.append(EventType.ISSUER_UP)
    if new.reason is GateReason.THROTTLED and old.reason is not GateReason.THROTTLED:
        found.append(EventType.ISSUER_THROTTLED)
    return found


def _remember(writer: Writer, operation: Operation, at: datetime, retry_at: datetime, *, configuration: bool) -> FailureMemory:
    key = _key(writer, operation)
    known = writer.failure_memory(key)
    failures = known.failures + 1 if known else 1
    planned = next_attempt(failures, at, _not_after(writer, operation), configuration=configuration)
    held_until = retry_at if retry_at > at else None
    memory = FailureMemory(key, failures, known.since if known else at, at, max(planned, retry_at), held_until)
    writer.put_failure_memory(memory)
    return memory


def _key(reader: Reader, operation: Operation) -> MemoryKey:
    names, name = names_to_validate(operation.policy), operation.policy.issuer.name
    issuer = reader.issuer(operation.vault_id, name)
    # an issuer record that is gone has left nothing to share with others
    return key_of(issuer, names) if issuer else MemoryKey(f"{operation.vault_id}/{name}", digest_of(names))


def _not_after(reader: Reader, operation: Operation) -> datetime | None:
    current = reader.certificate_version(operation.vault_id, operation.name, None)
    return current.attributes.expires if current else None


def _is_given_up(renewal: Renewal, not_after: datetime | None, at: datetime) -> bool:
    expired = not_after is not None and not_after < at
    return expired and renewal.blamed_since is not None and at - renewal.blamed_since >= LONGEST_BLAME


def _event(event_type: EventType, vault_id: str, name: str, at: datetime, detail: dict[str, str]) -> Event:
    return Event(event_type, at, vault_id, ObjectKind.CERTIFICATE, name, detail=detail)
