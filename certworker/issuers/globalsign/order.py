"""What Atlas is asked for: the CSR in the CA's own words, as far as the account's policy takes them."""

from base64 import b64encode
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from certworker.crypto.signing_requests import RequestFacts, public_pem, read_request, request_pem
from certworker.errors import BadParameter
from certworker.issuers.globalsign.policy import AtlasPolicy
from certworker.vault.issuance import IssuanceRequest
from certworker.vault.lifetime import add_months

_FIELDS = MappingProxyType(
    {
        "2.5.4.3": "common_name",
        "2.5.4.5": "serial_number",
        "2.5.4.6": "country",
        "2.5.4.7": "locality",
        "2.5.4.8": "state",
        "2.5.4.9": "street_address",
        "2.5.4.10": "organization",
        "2.5.4.11": "organizational_unit",
        "2.5.4.15": "business_category",
        "2.5.4.17": "postal_code",
        "1.2.840.113549.1.9.1": "email",
    }
)
"""The attributes of a subject that the CA has words for, by their OIDs."""
_LIST = "organizational_unit"


class Unfit(BadParameter):
    """The account's policy cannot take what is asked for."""


def validity_of(request: IssuanceRequest, policy: AtlasPolicy, at: datetime) -> tuple[int, int]:
    """Choose from when until when, in seconds since 1970: what is asked for, as far as the policy takes it. Raises Unfit.

    An end of 0 leaves it to the CA.
    """
    begin = int(at.timestamp())
    if request.validity_months is None:
        return begin, 0
    end = int(add_months(datetime.fromtimestamp(begin, UTC), request.validity_months).timestamp())
    limits = [limit for limit in (policy.most and begin + policy.most, policy.issuer_expiry) if limit]
    end = min(end, *limits) if limits else end
    if end - begin < max(policy.least, 1):
        raise Unfit(f"The CA takes no validity of less than {policy.least} seconds, and this one would be {end - begin}.")
    return begin, end


def order_body(request: IssuanceRequest, policy: AtlasPolicy, validity: tuple[int, int]) -> dict[str, Any]:
    """Make the body of POST /certificates. Raises Unfit and BadParameter, and Unavailable where the key does not answer."""
    facts = read_request(request.csr)
    body = {
        "validity": {"not_before": validity[0], "not_after": validity[1]},
        "subject_dn": _subject(facts, request, policy),
        "san": _names(facts, request),
        "extended_key_usages": list(facts.ekus) if policy.takes_usages else [],
    }
    return {name: value for name, value in body.items() if value} | _key(facts, request, policy)


def _key(facts: RequestFacts, request: IssuanceRequest, policy: AtlasPolicy) -> dict[str, str]:
    if policy.wants_csr:
        return {"public_key": request_pem(request.csr)}
    shown = {"public_key": public_pem(facts.public_key)}
    if policy.wants_signature:
        if request.sign is None:
            raise Unfit("The CA wants the public key signed by its private key, which is not at hand.")
        shown["public_key_signature"] = b64encode(request.sign(facts.public_key)).decode("ascii")
    return shown


def _subject(facts: RequestFacts, request: IssuanceRequest, policy: AtlasPolicy) -> dict[str, Any]:
    subject: dict[str, Any] = {}
    for oid, value in facts.subject:
        name = _FIELDS.get(oid, "")
        if name not in policy.subject:
            continue
        if name == _LIST:
            subject[name] = [*subject.get(name, []), value]
        else:
            subject.setdefault(name, value)
    if "common_name" in policy.required:
        subject.setdefault("common_name", request.names[0])
    if missing := sorted(policy.required - subject.keys()):
        raise Unfit(f"The CA wants {', '.join(missing)} in the subject, and x509_props.subject does not name it.")
    return subject


def _names(facts: RequestFacts, request: IssuanceRequest) -> dict[str, list[str]]:
    names = facts.names
    given = {
        "dns_names": names.dns_names,
        "ip_addresses": names.ip_addresses,
        "emails": names.emails,
        "uris": names.uris,
    }
    if not names.dns_names and not names.ip_addresses:
        given["dns_names"] = request.names  # a subject's host name that stands alone
    return {kind: list(values) for kind, values in given.items() if values}
