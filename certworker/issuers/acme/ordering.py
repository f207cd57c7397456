"""What an order asks for: the names, the profile, and the certificate that the new one takes the place of."""

from http import HTTPStatus

from certworker.crypto.renewal_info import certificate_id
from certworker.issuers.acme.client import AcmeClient
from certworker.issuers.acme.journal import Journal
from certworker.issuers.acme.problems import ISSUER_ERROR, AcmeProblem, Problem, clean
from certworker.issuers.acme.resources import Order
from certworker.vault.issuance import IssuanceRequest, Rejected

MOST_SHOWN = 20
UNREPLACEABLE = frozenset({"alreadyReplaced", "malformed", "unauthorized"})
"""What a CA answers where the certificate that an order names is replaced already, is another account's, or is unknown."""


def unknown_profile(client: AcmeClient, request: IssuanceRequest) -> Rejected | None:
    """Refuse a profile that is not among those that the CA lists; one that lists none is asked for whatever the policy says."""
    listed = client.profiles(request.profile) if request.profile else ()
    if not listed or request.profile in listed:
        return None
    known = ", ".join(sorted(listed)[:MOST_SHOWN]) + (", ..." if len(listed) > MOST_SHOWN else "")
    text = (
        f"The CA has no profile {request.profile!r}; it has: {known}. Set one of them as the certificate type of the policy's "
        "issuer (issuer.cty), or none for the CA's own choice."
    )
    return Rejected(ISSUER_ERROR, clean(text), configuration=True)


def place(client: AcmeClient, request: IssuanceRequest, account_url: str) -> Order:
    """Place the order. It tells what it replaces where the CA wants to know (RFC 9773 section 5).

    That is a courtesy, which the CA thanks for with wider limits: an order that is refused for it is placed without it. Only
    what was issued to this very account is told: another CA, or another account of this one, could make nothing of it.
    """
    replaced = certificate_id(request.replaces) if request.replaces and _is_own(request, account_url) else None
    if replaced and client.directory().renewal_info:
        try:
            return client.place_order(request.names, request.profile, replaced)
        except AcmeProblem as error:
            if not _may_be_for_it(error.problem):
                raise
    return client.place_order(request.names, request.profile)


def _is_own(request: IssuanceRequest, account_url: str) -> bool:
    return request.replaced is not None and Journal.read(request.replaced).account_url == account_url


def _may_be_for_it(problem: Problem) -> bool:
    return not problem.passing and (problem.kind in UNREPLACEABLE or problem.status == HTTPStatus.CONFLICT)
