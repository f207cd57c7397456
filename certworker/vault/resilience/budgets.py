"""Budgets: how much a CA is asked. Each is a bucket in the database, for all processes, and lasts over restarts.

A bucket holds what may be asked at once, and is filled again steadily (the generic cell rate algorithm), as CAs count.
"""

import ipaddress
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final

from publicsuffixlist import PublicSuffixList

from certworker.settings.rates import Rate
from certworker.vault.lifetime import pause_after
from certworker.vault.operations import Operation, OperationReason
from certworker.vault.policy import names_to_validate
from certworker.vault.renewal.advice import Known
from certworker.vault.renewal.decision import BACKSTOP
from certworker.vault.resilience.gates import PROBE_TIME, GateReason, after_nothing, after_spending
from certworker.vault.resilience.memory import FailureMemory, ca_of, digest_of, key_of
from certworker.vault.resilience.ports import Bucket
from certworker.vault.store import Reader, Writer
from certworker.vault.vaults import Issuer
from certworker.vault.watches import WatchKind

ACCOUNT: Final = "account"
DOMAIN: Final = "domain"
SET: Final = "set"


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be asked of a CA: new orders of an account, certificates for a registered domain, and for a set of names."""

    orders: Rate | None = None
    certificates_per_domain: Rate | None = None
    certificates_per_set: Rate | None = None


LimitsOf = Callable[[Issuer], Limits]


@dataclass(frozen=True, slots=True)
class Budget:
    """A bucket, and how fast it is filled."""

    bucket: Bucket
    rate: Rate


class NotYet(Exception):
    """A renewal must wait until a time: the budget of the whole account, or one for its names alone, is used up.

    Or what is remembered of failures holds it; `reason` says which.
    """

    def __init__(self, until: datetime, *, account: bool = False, reason: str = "budget") -> None:
        super().__init__(f"not before {until.isoformat()}")
        self.until = until
        self.account = account
        self.reason = reason


class Budgets:
    """Lets orders begin as the budgets of their CA allow."""

    def __init__(self, limits_of: LimitsOf) -> None:
        self._limits_of = limits_of

    @cached_property
    def _suffixes(self) -> PublicSuffixList:
        # the list that came with the package: nothing is fetched
        return PublicSuffixList()

    def begin_renewal(self, writer: Writer, operation: Operation, at: datetime) -> Operation:
        """Pay for a renewal, in the transaction that begins it. Raises NotYet; what was paid until then is rolled back.

        What would expire for want of a token is asked for at its backstop all the same: the CA may count otherwise.
        """
        issuer = writer.issuer(operation.vault_id, operation.policy.issuer.name)
        if issuer is None or operation.due_at is None:
            return operation
        self._check_memory(writer, operation, issuer, at)
        if not is_exempt(writer, operation, at):
            for budget in self.budgets(issuer, names_to_validate(operation.policy)):
                is_account = budget.bucket.kind == ACCOUNT
                if not writer.spend(budget.bucket, budget.rate, at):
                    until = _up(writer.token_at(budget.bucket, budget.rate, at))
                    last = None if is_account else _last_call(writer, operation)
                    if last is not None and last <= at:
                        continue
                    raise NotYet(min(until, last) if last else until, account=is_account)
                if is_account:
                    self._close_behind(writer, operation, budget, at)
        return operation

    def begin_errand(self, writer: Writer, operation: Operation, at: datetime) -> Operation:
        """Pay for what somebody asked for, in the transaction that begins it: it waits for the tokens that it has taken."""
        issuer = writer.issuer(operation.vault_id, operation.policy.issuer.name)
        if issuer is None or operation.due_at is None:
            return operation
        names = names_to_validate(operation.policy)
        times = [writer.reserve(budget.bucket, budget.rate, at) for budget in self.budgets(issuer, names)]
        memory = writer.failure_memory(key_of(issuer, names))
        held = [memory.held_until] if memory and memory.held_until else []
        return replace(operation, due_at=max(operation.due_at, *map(_up, times), *held, at))

    def turn_away(self, writer: Writer, vault_id: str, issuer: str, name: str, turned: NotYet, at: datetime) -> None:
        """Record on the gate that a renewal was not begun, as part of the transaction that puts it off."""
        known = writer.gate(vault_id, issuer)
        if known and known.is_probe(name):
            again_at = min(turned.until, at + PROBE_TIME) if turned.account else at
            writer.put_gate(after_nothing(writer.hold_gate(vault_id, issuer), name, again_at))
        if turned.account:
            writer.put_gate(after_spending(writer.hold_gate(vault_id, issuer), at, turned.until))

    def budgets(self, issuer: Issuer, names: tuple[str, ...]) -> Iterator[Budget]:
        """List the budgets that a certificate is paid from, the account's last."""
        limits, ca = self._limits_of(issuer), ca_of(issuer)
        if limits.certificates_per_set:
            yield _budget(SET, ca, limits.certificates_per_set, digest_of(names))
        if limits.certificates_per_domain:
            for domain in sorted({self.registered_domain(name) for name in names}):
                yield _budget(DOMAIN, ca, limits.certificates_per_domain, domain)
        if limits.orders:
            yield _budget(ACCOUNT, account_of(issuer), limits.orders)

    def registered_domain(self, name: str) -> str:
        """Give the domain that somebody has registered, above a name; an address, or what has none, stands for itself."""
        plain = name.casefold().removeprefix("*.").removesuffix(".")
        try:
            return str(ipaddress.ip_address(plain))
        except ValueError:
            return self._suffixes.privatesuffix(plain) or plain

    def _close_behind(self, writer: Writer, operation: Operation, budget: Budget, at: datetime) -> None:
        """Close the gate until the next token, so that nobody is claimed in vain meanwhile."""
        next_token, issuer = _up(writer.token_at(budget.bucket, budget.rate, at)), operation.policy.issuer.name
        known = writer.gate(operation.vault_id, issuer)
        if next_token > at or (known and known.reason is GateReason.BUDGET):
            writer.put_gate(after_spending(writer.hold_gate(operation.vault_id, issuer), at, next_token))

    def _check_memory(self, writer: Writer, operation: Operation, issuer: Issuer, at: datetime) -> None:
        """Hold what is remembered against a renewal; one that failed itself is held by its own plan."""
        memory = writer.failure_memory(key_of(issuer, names_to_validate(operation.policy)))
        certificate = writer.certificate(operation.vault_id, operation.name)
        if memory is None or certificate is None:
            return
        if memory.held_until and memory.held_until > at:
            raise NotYet(memory.held_until, reason="back_off")
        own = certificate.renewal.failures or certificate.policy_updated > memory.updated
        if memory.next_at > at and not own and operation.reason is not OperationReason.REQUESTED:
            current = writer.certificate_version(operation.vault_id, operation.name, None)
            until = _own_turn(memory, current.attributes.expires if current else None)
            if until > at:
                raise NotYet(_up(until), reason="back_off")


def account_of(issuer: Issuer) -> str:
    """Name whose orders are counted together: a vault's issuer has an account of its own at an ACME CA."""
    return f"{issuer.vault_id} {issuer.name.upper()} {ca_of(issuer)}"


def pace_of(rate: Rate) -> str:
    """Name a rate in a bucket's key: where a limit was set anew, nobody waits for tokens by the pace of the old one."""
    return f"{rate.most}/{rate.period // timedelta(seconds=1)}s"


def owner_of(kind: str, key: str) -> tuple[str, str]:
    """Tell whose budget a bucket is part of, an account's or a CA's, and its pace, from the bucket's key."""
    whole, _, pace = key.rpartition(" ")
    return (whole if kind == ACCOUNT else whole.rpartition(" ")[0]), pace


def _budget(kind: str, owner: str, rate: Rate, *subject: str) -> Budget:
    # neither a digest nor a domain has a space in it, on which `owner_of` relies
    return Budget(Bucket(kind, " ".join((owner, *subject, pace_of(rate)))), rate)


def _last_call(reader: Reader, operation: Operation) -> datetime | None:
    """Tell when nothing is waited for any more: a twentieth of the current version's lifetime before its end."""
    current = reader.certificate_version(operation.vault_id, operation.name, None)
    begins, ends = (current.attributes.not_before, current.attributes.expires) if current else (None, None)
    return _up(ends - (ends - begins) / BACKSTOP) if begins and ends else None


def _own_turn(memory: FailureMemory, expires: datetime | None) -> datetime:
    """Tell when a certificate may try after a failure of another one: when it could, had it failed at that time itself.

    A wait that began anew with each look would have no end before the certificate's own.
    """
    if expires is None or expires <= memory.updated:
        return memory.next_at
    return min(memory.next_at, memory.updated + pause_after(expires - memory.updated))


def is_exempt(reader: Reader, operation: Operation, at: datetime) -> bool:
    """Whether it renews inside the window of its CA's advice what the same issuer issued: CAs do not count that."""
    current = reader.certificate_version(operation.vault_id, operation.name, None)
    watch = reader.watch(WatchKind.ADVICE, operation.vault_id, operation.name)
    if current is None or watch is None or watch.version != current.version:
        return False
    known = Known.read(watch.state)
    return (
        known.window is not None
        and known.window.start <= at
        and known.issuer.casefold() == operation.policy.issuer.name.casefold()
    )


def _up(at: datetime) -> datetime:
    """Round up to the store's whole seconds: a fraction of one before its time there is no token yet."""
    return at.replace(microsecond=0) + timedelta(seconds=1 if at.microsecond else 0)
