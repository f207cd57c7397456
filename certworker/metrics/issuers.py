"""What is told of CAs: whether they answer, what was issued, and their lists of revoked certificates."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Final

from prometheus_client.metrics_core import Metric as Family

from certworker.crypto.x509 import read_certificate
from certworker.metrics import catalogue
from certworker.metrics.apart import Apart, Place
from certworker.metrics.families import Telling, told
from certworker.metrics.fleet import OTHER
from certworker.vault.objects import fold_name
from certworker.vault.policy import SELF, UNKNOWN
from certworker.vault.resilience.gates import Gate
from certworker.vault.revocation.checking import host_of
from certworker.vault.revocation.sources import Source
from certworker.vault.versions import WARNED

LONGEST_SUBJECT: Final = 256
MOST_PLACES: Final = 200
"""Lists of so many issuers at hosts are told apart; those of all others together."""
RESULTS: Final = ("issued", "retried", "failed", "cancelled")
_NO_CA = frozenset({SELF.casefold(), UNKNOWN.casefold()})


def issuance_families(
    tallies: Mapping[tuple[str, str, str], int], known: Iterable[tuple[str, str]], apart: Apart
) -> Iterable[Family]:
    """Tell how attempts at issuance ended; those of issuers that are `known`, (vault's name, issuer's name), begin at 0."""
    attempts, warnings, fleet = Telling(catalogue.ATTEMPTS), Telling(catalogue.WARNINGS), Telling(catalogue.FLEET_ATTEMPTS)
    totals = {(vault, fold_name(issuer), result): count for (vault, issuer, result), count in tallies.items()}
    for result in RESULTS:
        # of all, and not of those without series: which these are changes, and a counter must never fall
        fleet.add((result,), sum(count for (_, _, one), count in totals.items() if one == result))
    places = {(vault, fold_name(issuer)) for vault, issuer in (*known, *((vault, issuer) for vault, issuer, _ in tallies))}
    for vault, folded in sorted(places):
        if not apart.has(vault, folded):
            continue
        vault, issuer = apart.place(vault, folded)  # noqa: PLW2901  # the same vault, and the issuer as it is spelt
        for result in RESULTS:
            attempts.add((vault, issuer, result), totals.get((vault, folded, result), 0))
        # what was warned about has been issued as well, and is one attempt
        warnings.add((vault, issuer), totals.get((vault, folded, WARNED), 0))
    yield from (attempts.family, warnings.family, fleet.family)


def issuer_families(
    used: Iterable[tuple[str, str]], gates: Mapping[Place, Gate], apart: Apart, limit: int, at: datetime
) -> Iterable[Family]:
    """Tell of the issuers that certificates name, (vault's name, issuer's name), and of those that have a gate."""
    places = {(vault, fold_name(issuer)) for vault, issuer in used if issuer.casefold() not in _NO_CA} | set(gates)
    up, closed, circuit = Telling(catalogue.ISSUER_UP), Telling(catalogue.GATE_CLOSED), Telling(catalogue.CIRCUIT)
    for place in sorted(place for place in places if apart.has(*place)):
        gate, labels = gates.get(place), apart.place(*place)
        up.add(labels, float(not (gate and gate.is_down)))
        now = _circuit(gate, at)
        for state in ("closed", "open", "half_open"):
            circuit.add((*labels, state), float(state == now))
        if gate and gate.reason:
            closed.add_time((*labels, gate.reason.value), gate.closed_until)
    yield from (up.family, closed.family, circuit.family)
    yield told(catalogue.ISSUERS_DOWN, {(): sum(gate.is_down for gate in gates.values())})
    yield told(catalogue.ISSUER_SERIES_LIMIT, {(): limit})
    yield told(catalogue.ISSUERS_WITHOUT_SERIES, {(): apart.without})


def _circuit(gate: Gate | None, at: datetime) -> str:
    if gate is None or not gate.in_trouble:
        return "closed"
    return "open" if gate.is_shut(at) else "half_open"


def _subject_of(signer: bytes) -> str:
    return read_certificate(signer).subject[:LONGEST_SUBJECT]


def _told_apart(places: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Say where each list is told: certificates that are imported can name any number of hosts."""
    alone = set(sorted(set(places))[:MOST_PLACES])
    return [place if place in alone else (OTHER, OTHER) for place in places]


def list_families(sources: Iterable[Source]) -> Iterable[Family]:
    """Show the lists of each issuer at each host together: they may be thousands of shards."""
    next_update, number, stale = (
        Telling(metric) for metric in (catalogue.CRL_NEXT_UPDATE, catalogue.CRL_NUMBER, catalogue.CRL_STALE)
    )
    subjects = {signer: _subject_of(signer) for signer in {source.issuer for source in sources}}
    places = _told_apart([(host_of(source.url), subjects[source.issuer]) for source in sources])
    placed = sorted(zip(places, sources, strict=True), key=lambda found: found[0])
    for place, together in groupby(placed, key=lambda found: found[0]):
        some = tuple(source for _, source in together)
        next_update.add_time(place, min((one.next_update for one in some if one.next_update), default=None))
        numbers = [one.number for one in some if one.number is not None]
        if numbers:
            number.add(place, max(numbers))
        stale.add(place, sum(one.failures > 0 for one in some))
    yield from (next_update.family, number.family, stale.family)
