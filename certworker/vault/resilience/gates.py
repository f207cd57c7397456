"""Gates: until when nothing new is asked of an issuer, and why. Pure transitions, each from one gate to the next.

A circuit breaker closes the gate of a CA that is down: for 1, 2, 4 minutes and so on, up to 30. Then one certificate goes
through, the probe, and what becomes of it decides for all that wait behind. A CA that throttles is left alone until it says,
and is probed likewise. A budget that is used up closes the gate for what is new until the next token is there.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from certworker.vault.objects import fold_name

MOST_WITNESSES: Final = 3
"""So many certificates in a row must have met an outage before it counts as the CA's; one alone may be ill-fated itself."""
LEAST_UNREACHED: Final = 3
LEAST_SILENCE: Final = timedelta(minutes=10)
"""A CA that could not be reached so often in a row, for so long, counts as down by the word of one certificate: no certificate
is to blame for that, and a small fleet has no others. A network that is away for a moment is not that."""
FIRST_PAUSE: Final = timedelta(minutes=1)
LONGEST_PAUSE: Final = timedelta(minutes=30)
LONGEST_REST: Final = timedelta(hours=1)
"""What a CA says of one order may not be meant for all, and limits can be set anew: after so long one probe finds out."""
PROBE_TIME: Final = timedelta(minutes=3)
"""How long a probe may take before another one is sent; a killed worker's is not waited for longer than its lease."""


class GateReason(StrEnum):
    """Why a gate is closed."""

    OUTAGE = "outage"
    THROTTLED = "throttled"
    BUDGET = "budget"


@dataclass(frozen=True, slots=True)
class Gate:
    """The gate of an issuer in a vault.

    It is closed while `closed_until` is to come. After an outage or a throttling only one probe goes through until an answer
    opens it: `probe` is the folded name of that certificate. `since` is when it closed first, `closings` how often since.
    `witnesses` are the certificates that have met an outage since the CA last answered. While it is open, `unreached` is how
    often in a row the CA could not be reached, for the first time at `unreached_since`.
    """

    vault_id: str
    issuer: str
    reason: GateReason | None = None
    closed_until: datetime | None = None
    since: datetime | None = None
    closings: int = 0
    witnesses: tuple[str, ...] = ()
    probe: str | None = None
    unreached: int = 0
    unreached_since: datetime | None = None

    @property
    def is_down(self) -> bool:
        """Whether the CA counts as down."""
        return self.reason is GateReason.OUTAGE

    @property
    def is_down_for_many(self) -> bool:
        """Whether it is down by the word of so many certificates that no order of one of them can be at fault."""
        return self.is_down and len(self.witnesses) >= MOST_WITNESSES

    @property
    def in_trouble(self) -> bool:
        """Whether only a probe goes through, once the time has come."""
        return self.reason in (GateReason.OUTAGE, GateReason.THROTTLED)

    def is_shut(self, at: datetime) -> bool:
        """Whether its time has not come yet."""
        return self.closed_until is not None and self.closed_until > at

    def is_closed(self, at: datetime) -> bool:
        """Whether nothing new is asked at a time. In trouble it stays closed to all but a probe."""
        return self.in_trouble or self.is_shut(at)

    def is_probe(self, name: str) -> bool:
        """Whether the certificate is the one that was let through."""
        return self.probe == fold_name(name)


Transition = Callable[[Gate], Gate]


def after_outage(gate: Gate, name: str, at: datetime, retry_at: datetime | None, *, unreachable: bool = False) -> Gate:
    """Note that the CA answered about a certificate with failures of its own, or that it was `unreachable`."""
    if gate.in_trouble:
        return _closed_again(gate, name, at, retry_at) if _counts(gate, name, at) else gate
    witnesses = tuple(dict.fromkeys((*gate.witnesses, fold_name(name))))
    # not from the future, where a clock was ahead
    since = min(gate.unreached_since or at, at) if unreachable else None
    noted = replace(gate, witnesses=witnesses, unreached=gate.unreached + 1 if unreachable else 0, unreached_since=since)
    is_silent = since is not None and noted.unreached >= LEAST_UNREACHED and at - since >= LEAST_SILENCE
    if len(witnesses) < MOST_WITNESSES and not is_silent:
        return noted
    closed = replace(noted, reason=GateReason.OUTAGE, since=at, closings=0)
    return _closed_again(closed, name, at, retry_at)


def after_throttle(gate: Gate, name: str, at: datetime, retry_at: datetime | None) -> Gate:
    """Note that the CA was asked too much."""
    if gate.in_trouble and not _counts(gate, name, at):
        return gate
    known = gate.reason is GateReason.THROTTLED
    closings = gate.closings + 1 if known else 1
    until = min(max(retry_at or at + pause(closings), at + timedelta(seconds=1)), at + LONGEST_REST)
    since = gate.since if known else at
    return Gate(gate.vault_id, gate.issuer, GateReason.THROTTLED, until, since, closings)


def after_answer(gate: Gate) -> Gate:
    """Note that the CA has answered as it should: the gate is open, but for a budget that is used up."""
    opened = Gate(gate.vault_id, gate.issuer)
    if gate.reason is GateReason.BUDGET:
        return replace(opened, reason=gate.reason, closed_until=gate.closed_until, since=gate.since)
    return opened


def after_nothing(gate: Gate, name: str, again_at: datetime) -> Gate:
    """Note that what came of a certificate says nothing of its CA: where it was the probe, another may go at `again_at`."""
    return replace(gate, probe=None, closed_until=again_at) if gate.is_probe(name) else gate


def after_spending(gate: Gate, at: datetime, next_token: datetime) -> Gate:
    """Note when the account's budget allows the next order. What is worse than that stays."""
    if gate.in_trouble:
        return gate
    if next_token <= at:
        return replace(gate, reason=None, closed_until=None, since=None)
    since = gate.since if gate.reason is GateReason.BUDGET else at
    return replace(gate, reason=GateReason.BUDGET, closed_until=min(next_token, at + LONGEST_REST), since=since)


def pause(closings: int) -> timedelta:
    """Say how long a gate is closed for the given time in a row: 1, 2, 4 minutes and so on, up to 30."""
    return min(FIRST_PAUSE * float(2 ** min(closings - 1, 10)), LONGEST_PAUSE)


def _counts(gate: Gate, name: str, at: datetime) -> bool:
    """Whether it is the probe's word; what was on its way when the gate closed tells nothing new."""
    return gate.is_probe(name) or gate.closed_until is None or gate.closed_until <= at


def _closed_again(gate: Gate, name: str, at: datetime, retry_at: datetime | None) -> Gate:
    closings = gate.closings + 1
    until = max(at + pause(closings), min(retry_at or at, at + LONGEST_REST))
    witnesses = gate.witnesses if fold_name(name) in gate.witnesses else (*gate.witnesses, fold_name(name))[-MOST_WITNESSES:]
    return replace(gate, closed_until=until, closings=closings, witnesses=witnesses, probe=None)
