"""AutoRenew with the issuer Unknown is refused wherever a policy comes in: nobody could sign it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from certworker.errors import BadParameter
from certworker.vault.imports import Arrival
from certworker.vault.policy import ActionType, IssuerParameters, LifetimeAction, Policy
from certworker.vault.updates import Update
from tests.support.deployment import Deployment, policy_for
from tests.support.parcels import a_parcel


def without_a_signer(policy: Policy) -> Policy:
    """Put what cannot work into a policy."""
    actions = (LifetimeAction(ActionType.AUTO_RENEW, lifetime_percentage=80),)
    return replace(policy, issuer=IssuerParameters("unknown"), lifetime_actions=actions, lifetime_actions_set=True)


ROADS: dict[str, Callable[[Deployment], object]] = {
    "create": lambda here: here.create("web", without_a_signer(policy_for("web.test"))),
    "update policy": lambda here: here.house.certificates.update_policy(
        here.administrator, here.vault, "web", without_a_signer
    ),
    "update": lambda here: here.house.updates.update(
        here.administrator, here.vault, "web", None, Update(change=without_a_signer)
    ),
    "issuer alone": lambda here: here.house.certificates.update_policy(
        here.administrator, here.vault, "web", lambda known: replace(known, issuer=IssuerParameters("Unknown"))
    ),
    "import": lambda here: here.house.imports.import_(
        here.administrator, here.vault, "web", Arrival(a_parcel().pfx(), change=without_a_signer)
    ),
}


@pytest.mark.parametrize("road", list(ROADS))
def test_it_is_refused_and_nothing_has_changed(deployment: Deployment, road: str) -> None:
    """The field is named, and what would be right."""
    deployment.create("web", policy_for("web.test", "Self"))
    before = deployment.get("web")
    with pytest.raises(BadParameter, match=r"AutoRenew cannot go with the issuer Unknown.*use EmailContacts") as refusal:
        ROADS[road](deployment)
    assert refusal.value.field == "lifetime_actions.action"
    assert deployment.get("web") == before
