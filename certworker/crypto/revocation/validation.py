"""Judging a certificate by revocation lists: CRL validation (RFC 5280 section 6.3.3).

Each check of a list is a small function that says what is wrong, or nothing; they stand in the order in which they are
asked. Of what is wrong with several lists, that of the one that came furthest is told.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import product

from cryptography import x509

from certworker.crypto.revocation.certificates import NOT_ITS_ISSUER, UNREADABLE, has_signed, is_authority, load, may, trusted
from certworker.crypto.revocation.judgement import Judgement, good, revoked, unknown
from certworker.crypto.revocation.lists import Entry, RevocationList, read_list
from certworker.crypto.revocation.names import NameKey, directory_key, name_key
from certworker.crypto.revocation.points import ALL_REASONS, DistributionPoint, Reasons, distribution_points
from certworker.errors import BadParameter

MOST_LISTS = 100
"""How many lists are looked at for one certificate."""


@dataclass(frozen=True, slots=True)
class _Case:
    """What is asked: of which certificate, on whose word, and when."""

    issuer: NameKey
    serial: int
    is_authority: bool
    points: tuple[DistributionPoint, ...]
    signers: Sequence[x509.Certificate]
    at: datetime
    least_number: int | None


@dataclass(slots=True)
class _Findings:
    """What was learned so far: of which reasons, from which lists, until when that holds, and what was wrong with others."""

    reasons: Reasons = frozenset()
    used: list[RevocationList] = field(default_factory=list)
    wrong: list[tuple[int, str]] = field(default_factory=list)


_Check = Callable[[RevocationList, DistributionPoint, _Case], str | None]


def judge_by_lists(
    certificate: bytes,
    issuer: bytes,
    lists: Iterable[bytes | RevocationList],
    at: datetime,
    *,
    least_number: int | None = None,
    other_certificates: Sequence[bytes] = (),
) -> Judgement:
    """Judge a DER certificate by lists that are at hand: complete ones, those of parts, and deltas, in any order.

    `issuer` is the certificate that the judged one was issued by, and is believed. `least_number` is the highest CRLNumber
    that was seen before: a complete list with a lower one is not used. `other_certificates` may hold those above the issuer,
    and those of other signers of lists; each counts only as far as it is signed by those believed.
    What cannot be read is UNKNOWN.
    """
    try:
        case = _case(load(certificate), load(issuer), other_certificates, at, least_number)
    except BadParameter as error:
        return unknown(str(error), "crl")
    except UNREADABLE as error:
        return unknown(f"The certificate or its issuer's says something that cannot be read: {error}.", "crl")
    if case is None:
        return unknown(NOT_ITS_ISSUER, "crl")
    findings = _Findings()
    complete, deltas = _sorted(lists, findings)
    return _judge(case, complete, deltas, findings)


def _case(
    certificate: x509.Certificate, issuer: x509.Certificate, others: Sequence[bytes], at: datetime, least_number: int | None
) -> _Case | None:
    if not has_signed(issuer, certificate):
        return None
    return _Case(
        issuer=name_key(certificate.issuer),
        serial=certificate.serial_number,
        is_authority=is_authority(certificate),
        points=distribution_points(certificate),
        signers=trusted(issuer, others, at),
        at=at,
        least_number=least_number,
    )


def _sorted(lists: Iterable[bytes | RevocationList], findings: _Findings) -> tuple[list[RevocationList], list[RevocationList]]:
    """Read the lists, and tell complete ones from deltas; the newest come first."""
    read: list[RevocationList] = []
    for one in lists:
        try:
            read.append(read_list(one) if isinstance(one, bytes) else one)
        except BadParameter as error:
            findings.wrong.append((0, str(error)))
    read.sort(key=lambda one: (one.this_update, one.number or 0), reverse=True)
    complete = [one for one in read if one.delta_base is None][:MOST_LISTS]
    return complete, [one for one in read if one.delta_base is not None][:MOST_LISTS]


def _judge(case: _Case, complete: list[RevocationList], deltas: list[RevocationList], findings: _Findings) -> Judgement:
    for point, one in product(case.points, complete):
        told = one.scope.reasons & point.reasons
        # (d), (e): a list is of use for reasons alone that no other told of
        if told <= findings.reasons:
            continue
        try:
            entry = _look_up(one, point, deltas, case, findings)
        except _UnusableError as error:
            findings.wrong.append((error.stage, str(error)))
            continue
        fresh_until = min(used.next_update for used in findings.used if used.next_update)
        if entry is not None:
            return revoked(_called(findings.used[-1]), entry.revoked_at, entry.flag, fresh_until, "crl")
        findings.reasons |= told
        if findings.reasons >= ALL_REASONS:
            return good(" and ".join(dict.fromkeys(map(_called, findings.used))), fresh_until, "crl")
    return unknown(_why_unknown(deltas, findings), "crl")


def _look_up(
    one: RevocationList, point: DistributionPoint, deltas: list[RevocationList], case: _Case, findings: _Findings
) -> Entry | None:
    """Look the certificate up in a complete list and in its delta, which goes before it. Raises _UnusableError."""
    _check(_CHECKS, one, point, case)
    entry = one.entry(case.issuer, case.serial)
    findings.used.append(one)
    delta = next((delta for delta in deltas if _follows(delta, one, point, case, findings)), None)
    if delta is not None and (newer := delta.entry(case.issuer, case.serial)) is not None:
        entry = newer
        findings.used.append(delta)
    elif delta is not None:
        findings.used.insert(-1, delta)
    return None if entry is None or entry.removes else entry


def _follows(delta: RevocationList, base: RevocationList, point: DistributionPoint, case: _Case, findings: _Findings) -> bool:
    """Whether a delta can be put on a complete list (RFC 5280 sections 5.2.4 and 6.3.3 (c))."""
    same = delta.issuer_key == base.issuer_key and delta.scope == base.scope
    if not same or delta.authority_key_id != base.authority_key_id or delta.delta_base is None:
        return False
    if base.number is None or delta.number is None or not delta.delta_base <= base.number < delta.number:
        return False
    try:
        _check(_CHECKS_OF_DELTAS, delta, point, case)
    except _UnusableError as error:
        findings.wrong.append((error.stage, str(error)))
        return False
    return True


class _UnusableError(Exception):
    """A list may not be used. `stage` tells how far it came."""

    def __init__(self, stage: int, why: str) -> None:
        super().__init__(why)
        self.stage = stage


def _check(checks: Sequence[_Check], one: RevocationList, point: DistributionPoint, case: _Case) -> None:
    for stage, check in enumerate(checks, start=1):
        if (why := check(one, point, case)) is not None:
            raise _UnusableError(stage, f"The {_called(one)} {why}.")


def _other_issuer(one: RevocationList, point: DistributionPoint, case: _Case) -> str | None:
    if point.issuers is None:
        return None if one.issuer_key == case.issuer else "is not of the certificate's issuer"
    if one.issuer_key not in point.issuers:
        return "is of none of those that the certificate names for its lists"
    return None if one.scope.indirect else "tells of its own issuer's certificates alone, and this one is another's"


def _other_point(one: RevocationList, point: DistributionPoint, _case: _Case) -> str | None:
    names = one.scope.names
    if names is None:
        return None
    own = point.names if point.names is not None else {directory_key(name) for name in point.issuers or ()}
    return None if names & own else "is of another distribution point than the certificate names"


def _other_kind(one: RevocationList, _point: DistributionPoint, case: _Case) -> str | None:
    if one.scope.only_attributes:
        return "tells of attribute certificates alone"
    if one.scope.only_users and case.is_authority:
        return "tells of no authorities' certificates, and this is one"
    return "tells of authorities' certificates alone" if one.scope.only_authorities and not case.is_authority else None


def _out_of_time(one: RevocationList, _point: DistributionPoint, case: _Case) -> str | None:
    if case.at < one.this_update:
        return "is of a time that has not come yet"
    if one.next_update is None:
        return "does not say when the next one comes"
    return f"ran out on {one.next_update:%Y-%m-%d %H:%M:%S} UTC" if one.next_update < case.at else None


def _went_back(one: RevocationList, _point: DistributionPoint, case: _Case) -> str | None:
    if case.least_number is None:
        return None
    if one.number is None:
        return f"has no number, where number {case.least_number} was seen before"
    return f"goes back: number {case.least_number} was seen before" if one.number < case.least_number else None


def _unsigned(one: RevocationList, _point: DistributionPoint, case: _Case) -> str | None:
    """Look for the signer by name and signature. The key identifier is a hint, and no more: one key can have several."""
    signers = [signer for signer in case.signers if name_key(signer.subject) == one.issuer_key]
    if not signers:
        return "is of an issuer whose certificate is not at hand, or not signed by whom it should be"
    able = [signer for signer in signers if may(signer, "crl_sign")]
    if not able:
        return "is of an issuer whose key may not sign lists (key usage)"
    return None if any(one.is_signed_by(signer) for signer in able) else "is not signed by its issuer's key"


def _not_understood(one: RevocationList, _point: DistributionPoint, _case: _Case) -> str | None:
    try:
        oid = one.unknown_critical
    except BadParameter:
        return "has an entry that cannot be read"
    return f"has a critical extension that is not known here ({oid})" if oid else None


_CHECKS: tuple[_Check, ...] = (
    _other_issuer,
    _other_point,
    _other_kind,
    _out_of_time,
    _went_back,
    _unsigned,
    _not_understood,
)
_CHECKS_OF_DELTAS = tuple(check for check in _CHECKS if check is not _went_back)


def _why_unknown(deltas: list[RevocationList], findings: _Findings) -> str:
    if findings.reasons:
        missing = ", ".join(sorted(str(flag.value) for flag in ALL_REASONS - findings.reasons))
        return f"The lists at hand tell of some reasons alone, and nothing of these: {missing}."
    if findings.wrong:
        return max(findings.wrong, key=lambda wrong: wrong[0])[1]
    return "There is a delta list, and not the complete one that it follows." if deltas else "There is no list at hand."


def _called(one: RevocationList) -> str:
    kind = "list" if one.delta_base is None else "delta list"
    return f"{kind}{'' if one.number is None else f' {one.number}'} of {one.issuer or 'nobody'}"
