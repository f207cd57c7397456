"""Which issuers have series of their own: whoever may set issuers may set thousands."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from certworker.metrics.fleet import OTHER, FleetCounts
from certworker.vault.objects import fold_name
from certworker.vault.policy import SELF, UNKNOWN
from certworker.vault.resilience.gates import Gate
from certworker.vault.revocation.standing import Standing
from certworker.vault.summary.port import PendingOperations
from certworker.vault.summary.records import CountKey, Measure, State

_FAILING: Final = frozenset({State.RENEWAL_FAILED.value, State.FAILED.value, State.REVOKED.value})
_NO_CA: Final = MappingProxyType({fold_name(name): name for name in (SELF, UNKNOWN)})
_LONG: Final = timedelta(hours=1)
"""What waits for so long has an alert."""
_EXPIRED: Final = -1
"""The day before the first one."""
Place = tuple[str, str]
"""A vault's name, and an issuer's folded name."""


@dataclass(frozen=True, slots=True)
class Apart:
    """The issuers that are told apart. `spelt` says how each is spelt; `names` are those of what is told over all vaults.

    `without` counts those that have no series.
    """

    spelt: Mapping[Place, str]
    names: frozenset[str]
    without: int

    def has(self, vault: str, issuer: str) -> bool:
        """Whether an issuer has series of its own."""
        return (vault, fold_name(issuer)) in self.spelt

    def place(self, vault: str, issuer: str) -> tuple[str, str]:
        """Tell the labels of an issuer. What is no CA keeps its name: that somebody is waited for is no trouble of one."""
        folded = fold_name(issuer)
        spelt = self.spelt.get((vault, folded))
        return (OTHER, _NO_CA.get(folded, OTHER)) if spelt is None else (vault, spelt)

    def name(self, issuer: str) -> str:
        """Tell the label of an issuer in what is told over all vaults."""
        return issuer if issuer in self.names else _NO_CA.get(fold_name(issuer), OTHER)


def told_apart(
    found: FleetCounts, gates: Mapping[Place, Gate], known: Iterable[tuple[str, str]], limit: int, at: datetime
) -> Apart:
    """Choose at most `limit`: those in trouble first, then those with the most certificates.

    `known` are all that there are, (vault's name, issuer's name); those that come later decide how one is spelt.
    """
    spelt = {(vault, fold_name(issuer)): issuer for vault, issuer in known}
    troubles, sizes = _troubles(found, gates, at), _sizes(found)
    first = sorted(spelt, key=lambda place: (troubles.get(place, _NONE), -sizes[place], place))[:limit]
    return Apart({place: spelt[place] for place in first}, _names(found, limit), len(spelt) - len(first))


_DOWN, _SHUT, _FAILS, _NONE = range(4)


def _troubles(found: FleetCounts, gates: Mapping[Place, Gate], at: datetime) -> dict[Place, int]:
    """Tell how bad it is with an issuer, the worst by the lowest number."""
    failing = {
        (key.vault, fold_name(key.issuer)): _FAILS
        for key in found.counts
        if key.measure is Measure.STATE and key.word in _FAILING
    }
    failing |= {(one.vault, fold_name(one.issuer)): _FAILS for one in found.pending if at - one.oldest > _LONG}
    # by the reason, and not by whether it is shut just now: whoever comes and goes with each token is alarmed about by nobody
    shut = {place: _DOWN if gate.is_down else _SHUT for place, gate in gates.items() if gate.reason}
    return failing | shut


def _sizes(found: FleetCounts) -> Counter[Place]:
    sizes: Counter[Place] = Counter()
    for key, number in found.counts.items():
        if key.measure is Measure.STATE:
            sizes[key.vault, fold_name(key.issuer)] += number
    return sizes


def _names(found: FleetCounts, limit: int) -> frozenset[str]:
    """Choose the issuers that are told apart over all vaults: those with trouble first, then the largest."""
    sizes: Counter[str] = Counter()
    bad = {issuer for issuer, day in found.expiring if day == _EXPIRED} | set(found.expired_this_hour)
    for key, number in found.counts.items():
        sizes[key.issuer] += number if key.measure is Measure.STATE else 0
        if key.measure is Measure.OVERDUE or (key.measure is Measure.REVOCATION and key.word == Standing.REVOKED.value):
            bad.add(key.issuer)
    every = {issuer for issuer, _ in (*found.expiring, *found.renewing)} | set(sizes)
    return frozenset(sorted(every, key=lambda name: (name not in bad, -sizes[name], name))[:limit])


def narrowed(found: FleetCounts, apart: Apart) -> FleetCounts:
    """Put together what is counted of issuers that have no series of their own."""
    if not apart.without:
        return found
    counts: Counter[CountKey] = Counter()
    for key, number in found.counts.items():
        vault, issuer = apart.place(key.vault, key.issuer) if key.vault else ("", apart.name(key.issuer))
        counts[replace(key, vault=vault, issuer=issuer)] += number
    expired: Counter[str] = Counter()
    for name, number in found.expired_this_hour.items():
        expired[apart.name(name)] += number
    expiring, renewing = (_by_day(days, apart) for days in (found.expiring, found.renewing))
    pending = _pending(found.pending, apart)
    return replace(found, counts=counts, expiring=expiring, renewing=renewing, expired_this_hour=expired, pending=pending)


def _by_day(days: Mapping[tuple[str, int], int], apart: Apart) -> Counter[tuple[str, int]]:
    together: Counter[tuple[str, int]] = Counter()
    for (issuer, day), number in days.items():
        together[apart.name(issuer), day] += number
    return together


def _pending(operations: Iterable[PendingOperations], apart: Apart) -> tuple[PendingOperations, ...]:
    together: dict[tuple[str, str], PendingOperations] = {}
    for one in operations:
        place = apart.place(one.vault, one.issuer)
        known = together.get(place, PendingOperations(*place, 0, one.oldest))
        together[place] = PendingOperations(*place, known.number + one.number, min(known.oldest, one.oldest))
    return tuple(together.values())
