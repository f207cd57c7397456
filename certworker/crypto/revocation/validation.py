"""Judging a certificate by revocation lists: CRL validation (RFC 5280 section 6.3.3)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import product

from cryptography import x509

from certworker.crypto.revocation.certificates import (
    NOT_ITS_ISSUER,
    UNREADABLE,
    Signer,
    has_signed,
    is_authority,
    load,
    signers_under,
)
from certworker.crypto.revocation.checks import CHECKS, CHECKS_OF_DELTAS, Case, UnusableError, called, check
from certworker.crypto.revocation.judgement import Judgement, Result, good, revoked, unknown
from certworker.crypto.revocation.lists import Entry, RevocationList, read_list
from certworker.crypto.revocation.names import name_key
from certworker.crypto.revocation.points import ALL_REASONS, DistributionPoint, Reasons, distribution_points
from certworker.errors import BadParameter


@dataclass(frozen=True, slots=True)
class _Evidence:
    """All that is at hand; the newest lists come first. `wrong` is what was not a list at all."""

    complete: Sequence[RevocationList]
    deltas: Sequence[RevocationList]
    others: Sequence[bytes]
    at: datetime
    latest: datetime
    wrong: str | None


@dataclass(slots=True)
class _Findings:
    """What was learned so far: of which reasons, from which lists, and what was wrong with others, after how many checks."""

    reasons: Reasons = frozenset()
    used: list[RevocationList] = field(default_factory=list)
    wrong: list[tuple[int, str]] = field(default_factory=list)

    def fresh_until(self) -> datetime:
        """Tell when the first of the lists that were used runs out."""
        return min(one.next_update for one in self.used if one.next_update is not None)


def judge_by_lists(
    certificate: bytes,
    issuer: bytes,
    lists: Iterable[bytes | RevocationList],
    at: datetime,
    *,
    least_number: int | None = None,
    other_certificates: Sequence[bytes] = (),
    leeway: timedelta = timedelta(0),
) -> Judgement:
    """Judge a DER certificate by lists that are at hand: complete ones, those of parts, and deltas, in any order.

    `issuer` is the certificate that the judged one was issued by, and is believed. `least_number` is the highest CRLNumber
    that was seen before: a complete list with a lower one is not used. `other_certificates` may hold those above the issuer,
    and those of other signers of lists; each counts only as far as it is signed by those believed, and such a signer is
    judged by the same lists. `leeway` is by how much clocks may differ: a list may be dated so far ahead, and is no fresher at
    its end. What cannot be read is UNKNOWN.
    """
    try:
        evidence = _evidence(lists, other_certificates, at, at + leeway)
        return _judge(load(certificate), load(issuer), evidence, frozenset(), least_number)
    except BadParameter as error:
        return unknown(str(error), "crl")
    except UNREADABLE as error:
        return unknown(f"The certificate or its issuer's says something that cannot be read: {error}.", "crl")


def _evidence(lists: Iterable[bytes | RevocationList], others: Sequence[bytes], at: datetime, latest: datetime) -> _Evidence:
    """Read the lists, and tell complete ones from deltas."""
    read: list[RevocationList] = []
    wrong = None
    for one in lists:
        try:
            read.append(read_list(one) if isinstance(one, bytes) else one)
        except BadParameter as error:
            wrong = str(error)
    read.sort(key=lambda one: (one.this_update, one.number or 0), reverse=True)
    complete = [one for one in read if one.delta_base is None]
    deltas = [one for one in read if one.delta_base is not None]
    return _Evidence(complete, deltas, others, at, latest, wrong)


def _judge(
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    evidence: _Evidence,
    judging: frozenset[x509.Certificate],
    least_number: int | None = None,
) -> Judgement:
    if not has_signed(issuer, certificate):
        return unknown(NOT_ITS_ISSUER, "crl")

    def state_of(signer: Signer) -> Judgement:
        """Judge a signer in turn. One that stands on its own list is believed there, as it is elsewhere."""
        if signer.issuer is None or signer.certificate in judging:
            return Judgement(Result.GOOD, "")
        return _judge(signer.certificate, signer.issuer, evidence, judging | {signer.certificate})

    case = Case(
        issuer=name_key(certificate.issuer),
        serial=certificate.serial_number,
        is_authority=is_authority(certificate),
        points=distribution_points(certificate),
        signers=signers_under(issuer, evidence.others, evidence.at),
        state_of=state_of,
        at=evidence.at,
        latest=evidence.latest,
        least_number=least_number,
    )
    return _judge_case(case, evidence)


def _judge_case(case: Case, evidence: _Evidence) -> Judgement:
    findings = _Findings()
    for point, one in product(case.points, evidence.complete):
        told = one.scope.reasons & point.reasons
        # (d), (e): a list is of use for reasons alone that no other told of
        if told <= findings.reasons:
            continue
        try:
            entry = _look_up(one, point, evidence.deltas, case, findings)
        except UnusableError as error:
            findings.wrong.append((error.stage, str(error)))
            continue
        if entry is not None:
            return revoked(f"the {called(findings.used[-1])}", *entry, findings.fresh_until(), "crl")
        findings.reasons |= told
        if findings.reasons >= ALL_REASONS:
            told_by = " and ".join(dict.fromkeys(f"the {called(one)}" for one in findings.used))
            return good(told_by, findings.fresh_until(), "crl")
    return unknown(_why_unknown(evidence, findings), "crl")


def _look_up(
    one: RevocationList, point: DistributionPoint, deltas: Sequence[RevocationList], case: Case, findings: _Findings
) -> Entry | None:
    """Look the certificate up in a complete list and in its delta, which goes before it ((i) to (k)). Raises UnusableError."""
    check(CHECKS, one, point, case)
    entry = one.entry(case.issuer, case.serial)
    delta = next((delta for delta in deltas if _follows(delta, one, point, case, findings)), None)
    if delta is None:
        findings.used.append(one)
    elif (newer := delta.entry(case.issuer, case.serial)) is None:
        findings.used += [delta, one]
    else:
        entry = newer
        findings.used += [one, delta]
    return None if entry is None or entry.removes else entry


def _follows(delta: RevocationList, base: RevocationList, point: DistributionPoint, case: Case, findings: _Findings) -> bool:
    """Whether a delta can be put on a complete list (RFC 5280 sections 5.2.4 and 6.3.3 (c))."""
    same = delta.issuer_key == base.issuer_key and delta.scope == base.scope
    if not same or delta.authority_key_id != base.authority_key_id or delta.delta_base is None:
        return False
    if base.number is None or delta.number is None or not delta.delta_base <= base.number < delta.number:
        return False
    try:
        check(CHECKS_OF_DELTAS, delta, point, case)
    except UnusableError as error:
        findings.wrong.append((error.stage, str(error)))
        return False
    return True


def _why_unknown(evidence: _Evidence, findings: _Findings) -> str:
    """Say what is wrong: of several lists, what is wrong with the one that came furthest."""
    if findings.reasons:
        missing = ", ".join(sorted(str(flag.value) for flag in ALL_REASONS - findings.reasons))
        return f"The lists at hand tell of some reasons alone, and nothing of these: {missing}."
    if findings.wrong:
        return max(findings.wrong, key=lambda wrong: wrong[0])[1]
    if evidence.deltas:
        return "There is a delta list, and not the complete one that it follows."
    return evidence.wrong or "There is no list at hand."
