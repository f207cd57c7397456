"""Routing: which issuer is asked in the place of one that is down, that throttles, or that goes on failing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from certworker.vault.operations import Certificate
from certworker.vault.policy import Policy, names_to_validate
from certworker.vault.renewal.decision import BACKSTOP
from certworker.vault.resilience.gates import Gate
from certworker.vault.resilience.memory import key_of
from certworker.vault.store import Reader

FALLBACK_AFTER: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Preference:
    """The issuers that stand in for one, in order, and how long it must have been down before they do."""

    fallback: tuple[str, ...] = ()
    after: timedelta = FALLBACK_AFTER


class Routing:
    """Knows who stands in for whom. `preferences` are by issuer name; `providers` the names of those that there are."""

    def __init__(self, preferences: Mapping[str, Preference], providers: Iterable[str]) -> None:
        self._preferences = {name.casefold(): found for name, found in preferences.items() if found.fallback}
        self._providers = frozenset(providers)

    @property
    def issuers(self) -> tuple[str, ...]:
        """List every issuer that has a stand-in or is one."""
        names = [*self._preferences, *(name.casefold() for found in self._preferences.values() for name in found.fallback)]
        return tuple(dict.fromkeys(names))

    def preference(self, issuer: str) -> Preference:
        """Find who stands in for an issuer."""
        return self._preferences.get(issuer.casefold(), Preference())

    def route(self, certificate: Certificate) -> str | None:
        """Give the issuer that a certificate was sent to, if it still stands in for its policy's."""
        route = certificate.route or ""
        known = self.preference(certificate.policy.issuer.name).fallback
        return next((name for name in known if name.casefold() == route.casefold()), None)

    def choose(self, reader: Reader, certificate: Certificate, asked: str, at: datetime) -> str | None:
        """Choose the first issuer in order, other than the one asked now, that can be asked at once; none without one."""
        own, names = certificate.policy.issuer.name, names_to_validate(certificate.policy)
        for name in (own, *self.preference(own).fallback):
            if name.casefold() != asked.casefold() and self._is_open(reader, certificate.vault_id, name, names, at):
                return name
        return None

    def _is_open(self, reader: Reader, vault_id: str, name: str, names: tuple[str, ...], at: datetime) -> bool:
        issuer, gate = reader.issuer(vault_id, name), reader.gate(vault_id, name)
        if issuer is None or not issuer.enabled or issuer.provider.casefold() not in self._providers:
            return False
        memory = reader.failure_memory(key_of(issuer, names))
        return not (gate and gate.is_closed(at)) and not (memory and memory.next_at > at)


def sent_to(policy: Policy, issuer: str) -> Policy:
    """Give the policy by which another issuer is asked. A certificate type is in its own issuer's words, and is left out."""
    if policy.issuer.name.casefold() == issuer.casefold():
        return policy
    return replace(policy, issuer=replace(policy.issuer, name=issuer, cty=None))


def backstop(not_before: datetime | None, expires: datetime | None) -> datetime | None:
    """Tell from when on nothing is waited for any more."""
    return expires - (expires - not_before) / BACKSTOP if not_before and expires else None


def waits_too_long(
    gate: Gate | None, resumes_at: datetime, backstop_at: datetime | None, after: timedelta, at: datetime
) -> bool:
    """Whether a renewal is to go elsewhere.

    So it is when its issuer has been down for longer than `after`, or when waiting for the next attempt would pass half of
    the time that is left to the backstop.
    """
    if gate and gate.is_down and gate.since and at - gate.since >= after:
        return True
    wait = resumes_at - at
    return wait > timedelta() and backstop_at is not None and 2 * wait > backstop_at - at
