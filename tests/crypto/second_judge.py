"""pyhanko-certvalidator, asked the same questions as the judges of CRLs and OCSP answers: a judge that others wrote."""

import asyncio
import warnings
from collections.abc import Coroutine, Sequence
from datetime import datetime, timedelta

from asn1crypto import x509  # type: ignore[import-untyped]
from pyhanko_certvalidator.authority import CertTrustAnchor
from pyhanko_certvalidator.context import ValidationContext
from pyhanko_certvalidator.errors import (
    CRLNoMatchesError,
    CRLValidationError,
    CRLValidationIndeterminateError,
    OCSPNoMatchesError,
    OCSPValidationError,
    OCSPValidationIndeterminateError,
    PathValidationError,
    RevokedError,
)
from pyhanko_certvalidator.path import ValidationPath
from pyhanko_certvalidator.policy_decl import DisallowWeakAlgorithmsPolicy
from pyhanko_certvalidator.revinfo.validate_crl import verify_crl
from pyhanko_certvalidator.revinfo.validate_ocsp import verify_ocsp_response

from certworker.crypto.revocation import Result

_UNDETERMINED = (
    CRLNoMatchesError,
    CRLValidationError,
    CRLValidationIndeterminateError,
    OCSPNoMatchesError,
    OCSPValidationError,
    OCSPValidationIndeterminateError,
    PathValidationError,
)


def second_by_lists(path: Sequence[bytes], lists: Sequence[bytes], at: datetime, others: Sequence[bytes] = ()) -> Result:
    """Judge the last certificate of a path, which begins with the trust anchor, by lists."""
    context = _context(path, at, others, crls=list(lists))
    return _result(verify_crl(_loaded(path[-1]), _path(path), context))


def second_by_ocsp(path: Sequence[bytes], response: bytes, at: datetime) -> Result:
    """Judge the last certificate of a path, which begins with the trust anchor, by an OCSP answer."""
    try:
        context = _context(path, at, (), ocsps=[response])
    except ValueError:
        return Result.UNKNOWN  # it takes no answer that it cannot read
    return _result(verify_ocsp_response(_loaded(path[-1]), _path(path), context))


def _context(path: Sequence[bytes], at: datetime, others: Sequence[bytes], **evidence: list[bytes]) -> ValidationContext:
    return ValidationContext(
        trust_roots=[_loaded(path[0])],
        other_certs=[_loaded(der) for der in (*path[1:-1], *others)],
        moment=at,
        revocation_mode="require",
        time_tolerance=timedelta(0),
        algorithm_usage_policy=DisallowWeakAlgorithmsPolicy(frozenset()),  # type: ignore[no-untyped-call]
        **evidence,  # type: ignore[arg-type]
    )


def _path(path: Sequence[bytes]) -> ValidationPath:
    return ValidationPath(CertTrustAnchor(_loaded(path[0])), [_loaded(der) for der in path[1:-1]], _loaded(path[-1]))


def _loaded(der: bytes) -> x509.Certificate:
    return x509.Certificate.load(der)


def _result(question: Coroutine[object, object, None]) -> Result:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            asyncio.run(question)
        except RevokedError:
            return Result.REVOKED
        except _UNDETERMINED:
            return Result.UNKNOWN
    return Result.GOOD
