"""What a provider is told of the certificate that a new one takes the place of."""

from pathlib import Path

import pytest

from certworker.vault.access import SERVICE
from certworker.vault.issuance import Issued
from certworker.vault.issuers import IssuerParameters
from certworker.vault.policy import Policy
from tests.support.clock import FakeClock
from tests.support.deployment import ISSUER, Deployment, open_deployment, policy_for


@pytest.mark.parametrize(
    ("first", "second", "is_known"),
    [(ISSUER, ISSUER, True), (ISSUER, ISSUER.upper(), True), (ISSUER, "other-ca", False), ("Self", ISSUER, False)],
)
def test_only_the_issuer_of_a_certificate_hears_how_it_was_issued(
    tmp_path: Path, clock: FakeClock, first: str, second: str, *, is_known: bool
) -> None:
    """The one that issued it is given what it recorded then; any other one is given the certificate alone."""
    with open_deployment(tmp_path, clock) as deployment:
        deployment.house.issuers.set(SERVICE, deployment.vault, "other-ca", IssuerParameters("Scripted"))
        current = issue(deployment, policy_for("web.test", first))
        issue(deployment, policy_for("web.test", second))
        request = deployment.authority.requests[-1]
        assert request.replaces == current
        assert (request.replaced is not None) is is_known


def issue(deployment: Deployment, policy: Policy) -> bytes:
    """Get a version; give its leaf."""
    authority = deployment.authority
    authority.script.append(lambda request, progress, at: Issued(authority.issue(request, progress, at).chain, {"order": "1"}))
    deployment.create("web", policy)
    deployment.work()
    authority.script.clear()
    return deployment.get("web").version.der
