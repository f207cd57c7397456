"""Who signed what tells of revocations, and what a certificate is called there."""

from certworker.crypto.revocation.certificates import has_signed, load
from certworker.crypto.revocation.lists import RevocationList
from certworker.errors import BadParameter


def is_list_signed_by(one: RevocationList, issuer: bytes) -> bool:
    """Whether the key of a DER certificate has signed a list. Raises BadParameter for what is no certificate."""
    return one.is_signed_by(load(issuer))


def is_issued_by(certificate: bytes, issuer: bytes) -> bool:
    """Whether a DER certificate was issued by another."""
    try:
        return has_signed(load(issuer), load(certificate))
    except BadParameter:
        return False
