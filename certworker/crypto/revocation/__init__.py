"""Judges what CRLs (RFC 5280) and OCSP answers (RFC 6960) say of a certificate: bytes in, a judgement out.

Unknown is not good: what is wrong with a list or an answer is told, and nothing is taken from it.
"""

from certworker.crypto.revocation.judgement import Judgement, Result, unknown
from certworker.crypto.revocation.lists import MOST_BYTES, RevocationList, read_list
from certworker.crypto.revocation.ocsp import judge_by_ocsp, ocsp_request
from certworker.crypto.revocation.points import Points, points_of
from certworker.crypto.revocation.validation import judge_by_lists

__all__ = [
    "MOST_BYTES",
    "Judgement",
    "Points",
    "Result",
    "RevocationList",
    "judge_by_lists",
    "judge_by_ocsp",
    "ocsp_request",
    "points_of",
    "read_list",
    "unknown",
]
