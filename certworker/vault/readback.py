"""The policy of a certificate that was made elsewhere: read back from it, and merged with what its owner says."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from certworker.crypto.keys import kind_of
from certworker.crypto.x509 import CertificateFacts
from certworker.errors import BadParameter
from certworker.vault.policy import (
    DEFAULT_PERCENTAGE,
    MAX_VALIDITY_MONTHS,
    ActionType,
    KeyProperties,
    LifetimeAction,
    Policy,
    X509Properties,
    complete,
)

DAYS_PER_MONTH = 30.436875
"""On average, in the Gregorian calendar."""
_ANY_USE = ("digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment")
_TELL_THE_OWNER = LifetimeAction(ActionType.EMAIL_CONTACTS, lifetime_percentage=DEFAULT_PERCENTAGE)


def read_policy(facts: CertificateFacts, content_type: str) -> Policy:
    """Read the policy back that a certificate could have come of; issuer Unknown, and its owner is told before it expires."""
    kty, size, curve = kind_of(facts.public_key)
    x509 = X509Properties(
        facts.subject, facts.names, facts.ekus, facts.key_usage, months_between(facts.not_before, facts.not_after)
    )
    return Policy(KeyProperties(kty, size, curve), x509, content_type, (_TELL_THE_OWNER,))


def merge_policy(read: Policy, change: Callable[[Policy], Policy]) -> Policy:
    """Put what the owner says over what was read; what the owner says of names and validity is for the next version.

    Raises BadParameter where the owner contradicts the key or the content, or wants what cannot work.
    """
    wanted = change(read)
    _check_key(read.key, wanted.key)
    if wanted.content_type != read.content_type:
        name = "secret_props.contentType"
        raise BadParameter(f"{name} is {wanted.content_type[:80]!r}, and the content is {read.content_type}.", name)
    if not wanted.lifetime_actions:
        # nothing is renewed by itself unless somebody says so
        wanted = replace(wanted, lifetime_actions=(_TELL_THE_OWNER,), lifetime_actions_set=not wanted.is_manual)
    # a certificate may say what no policy of ours could ask for: that is checked only once somebody asks for it
    plain = X509Properties("CN=read", validity_months=wanted.x509.validity_months)
    complete(replace(wanted, x509=plain) if wanted.x509 == read.x509 else wanted)
    return wanted


def months_between(begin: datetime, end: datetime) -> int:
    """Count the months of a validity, to the nearest; one at the least, and as many as a policy can say at the most."""
    return min(max(round((end - begin).days / DAYS_PER_MONTH), 1), MAX_VALIDITY_MONTHS)


def allowed_usage(policy: Policy) -> Policy:
    """Fill in the key usage of a certificate that names none: its key may then be used for anything (RFC 5280 4.2.1.3)."""
    return policy if policy.x509.key_usage else replace(policy, x509=replace(policy.x509, key_usage=_ANY_USE))


def _check_key(read: KeyProperties, wanted: KeyProperties) -> None:
    fields = (
        ("key_props.kty", read.kty, wanted.kind.kty),
        ("key_props.key_size", read.size, wanted.size),
        ("key_props.crv", read.curve, wanted.curve),
    )
    for name, is_, said in fields:
        if is_ != said:
            kind = f"{read.kty} of {read.size} bits" if read.size else f"{read.kty} on the curve {read.curve}"
            raise BadParameter(f"{name} is {str(said)[:80]!r}, but the key that came with the certificate is {kind}.", name)
