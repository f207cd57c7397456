"""What a list has to be so that it may be believed about a certificate (RFC 5280 section 6.3.3, (b) and (f) to (h)).

Each check is a small function that says what is wrong, or nothing; they stand in the order in which they are asked.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from certworker.crypto.revocation.certificates import Signer, may
from certworker.crypto.revocation.judgement import Judgement, Result
from certworker.crypto.revocation.lists import RevocationList
from certworker.crypto.revocation.names import NameKey, directory_key, name_key
from certworker.crypto.revocation.points import DistributionPoint
from certworker.errors import BadParameter


@dataclass(frozen=True, slots=True)
class Case:
    """What is asked: of which certificate, on whose word, and when. `state_of` tells what became of a signer's certificate.

    What is dated up to `latest` is not held to be of a time to come.
    """

    issuer: NameKey
    serial: int
    is_authority: bool
    points: Sequence[DistributionPoint]
    signers: Sequence[Signer]
    state_of: Callable[[Signer], Judgement]
    at: datetime
    latest: datetime
    least_number: int | None


class UnusableError(Exception):
    """A list may not be used. `stage` tells how many checks it stood before."""

    def __init__(self, stage: int, why: str) -> None:
        super().__init__(why)
        self.stage = stage


Check = Callable[[RevocationList, DistributionPoint, Case], str | None]


def check(checks: Sequence[Check], one: RevocationList, point: DistributionPoint, case: Case) -> None:
    """Ask all checks of a list in their order. Raises UnusableError at the first that finds something wrong."""
    for stage, find in enumerate(checks, start=1):
        if (why := find(one, point, case)) is not None:
            raise UnusableError(stage, f"The {called(one)} {why}.")


def called(one: RevocationList) -> str:
    """Name a list in a sentence."""
    kind = "list" if one.delta_base is None else "delta list"
    return f"{kind}{'' if one.number is None else f' no. {one.number}'} of {one.issuer or 'nobody'}"


def _other_issuer(one: RevocationList, point: DistributionPoint, case: Case) -> str | None:
    if point.issuers is None:
        return None if one.issuer_key == case.issuer else "is not of the certificate's issuer"
    if one.issuer_key not in point.issuers:
        return "is of none of those that the certificate names for its lists"
    return None if one.scope.indirect else "tells of its own issuer's certificates alone, and this one is another's"


def _other_point(one: RevocationList, point: DistributionPoint, _case: Case) -> str | None:
    names = one.scope.names
    if names is None:
        return None
    own = point.names if point.names is not None else {directory_key(name) for name in point.issuers or ()}
    return None if names & own else "is of another distribution point than the certificate names"


def _other_kind(one: RevocationList, _point: DistributionPoint, case: Case) -> str | None:
    if one.scope.only_attributes:
        return "tells of attribute certificates alone"
    if one.scope.only_users and case.is_authority:
        return "tells of no authorities' certificates, and this is one"
    return "tells of authorities' certificates alone" if one.scope.only_authorities and not case.is_authority else None


def _out_of_time(one: RevocationList, _point: DistributionPoint, case: Case) -> str | None:
    if case.latest < one.this_update:
        return f"is of a time that has not come yet, {one.this_update:%Y-%m-%d %H:%M:%S} UTC"
    if one.next_update is None:
        return "does not say when the next one comes"
    return f"ran out on {one.next_update:%Y-%m-%d %H:%M:%S} UTC" if one.next_update < case.at else None


def _went_back(one: RevocationList, _point: DistributionPoint, case: Case) -> str | None:
    if case.least_number is None:
        return None
    if one.number is None:
        return f"has no number, where number {case.least_number} was seen before"
    return f"goes back: number {case.least_number} was seen before" if one.number < case.least_number else None


def _unsigned(one: RevocationList, _point: DistributionPoint, case: Case) -> str | None:
    """Look for the signer by name and signature. The key identifier is a hint, and no more: one key can have several."""
    signers = [signer for signer in case.signers if name_key(signer.certificate.subject) == one.issuer_key]
    if not signers:
        return "is of an issuer whose certificate is not at hand, or not signed by whom it should be"
    able = [signer for signer in signers if may(signer.certificate, "crl_sign")]
    if not able:
        return "is of an issuer whose key may not sign lists (key usage)"
    signer = next((signer for signer in able if one.is_signed_by(signer.certificate)), None)
    if signer is None:
        return "is not signed by its issuer's key"
    return None if signer.issuer is None else _disowned(case.state_of(signer))


def _disowned(judgement: Judgement) -> str | None:
    """Judge a signer that is neither the issuer nor above it: nobody else asks what became of its certificate."""
    if judgement.result is Result.GOOD:
        return None
    state = "revoked" if judgement.result is Result.REVOKED else "of an unknown state"
    return f"is signed by a key whose certificate is {state}: {judgement.why.removesuffix('.')}"


def _not_understood(one: RevocationList, _point: DistributionPoint, _case: Case) -> str | None:
    try:
        oid = one.unknown_critical
    except BadParameter:
        return "has an entry that cannot be read"
    return f"has a critical extension that is not known here ({oid})" if oid else None


CHECKS: tuple[Check, ...] = (
    _other_issuer,
    _other_point,
    _other_kind,
    _out_of_time,
    _went_back,
    _unsigned,
    _not_understood,
)
CHECKS_OF_DELTAS = tuple(one for one in CHECKS if one is not _went_back)
