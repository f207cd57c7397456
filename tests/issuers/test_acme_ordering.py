"""What an order asks for beside the names: the certificate that it replaces, and the profile."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from certworker.crypto.extensions import SubjectNames
from certworker.crypto.keys import generate_key
from certworker.crypto.renewal_info import certificate_id
from certworker.crypto.x509 import CertificateRequest, build_csr, self_sign, sign_csr
from certworker.issuers.acme.ordering import MOST_SHOWN
from certworker.vault.issuance import Pending, Rejected
from tests.issuers.journey import NOON, Journey
from tests.issuers.scripted_ca import ScriptedCA, as_json, problem


def leaf() -> bytes:
    """Make a leaf that tells its authority's key."""
    key, leaf_key = generate_key("EC", None, "P-256"), generate_key("EC", None, "P-256")
    asked = CertificateRequest("CN=Root", SubjectNames(), ("keyCertSign",), ())
    root = self_sign(key, asked, NOON, NOON + timedelta(days=9), authority=True)
    csr = build_csr(leaf_key, CertificateRequest("CN=leaf", SubjectNames(), ("digitalSignature",), ()))
    return sign_csr(csr, root, key, NOON, NOON + timedelta(days=1))


LEAF = leaf()


@pytest.fixture
def renewing(ca: ScriptedCA, ordering: Journey) -> Journey:
    """Begin a renewal at a CA that has renewal information."""
    ca.more["renewalInfo"] = "/renewalInfo"
    replaced = {"account_url": ca.base + "/account"}
    ordering.request = replace(ordering.request, replaces=LEAF, replaced=replaced, profile="short")
    return ordering


def orders(ca: ScriptedCA) -> list[dict[str, Any]]:
    """List the orders that the CA was asked for."""
    return [json.loads(payload) for payload in ca.payloads("/newOrder")]


def test_a_renewal_tells_what_it_replaces(ca: ScriptedCA, renewing: Journey) -> None:
    """By the name that RFC 9773 gives the certificate."""
    renewing.until_step("ordered")
    (order,) = orders(ca)
    assert order["replaces"] == certificate_id(LEAF)
    assert order["profile"] == "short"


@pytest.mark.parametrize("reason", ["no renewal information", "no certificate", "first certificate"])
def test_what_cannot_be_told_is_left_out(ca: ScriptedCA, renewing: Journey, reason: str) -> None:
    """A CA that does not want to know, one that cannot be named, and a first one."""
    if reason == "no renewal information":
        ca.more.clear()
    else:
        renewing.request = replace(renewing.request, replaces=b"garbage" if reason == "no certificate" else None)
    renewing.until_step("ordered")
    assert [order.get("replaces") for order in orders(ca)] == [None]


@pytest.mark.parametrize("replaced", [None, {}, {"account_url": "https://another.test/account"}])
def test_what_was_issued_to_another_account_is_not_told(
    ca: ScriptedCA, renewing: Journey, replaced: dict[str, str] | None
) -> None:
    """Neither to another CA, nor under an account that was opened since, nor where nobody knows."""
    renewing.request = replace(renewing.request, replaced=replaced)
    renewing.until_step("ordered")
    assert [order.get("replaces") for order in orders(ca)] == [None]


@pytest.mark.parametrize(
    ("kind", "status"),
    [("alreadyReplaced", 409), ("malformed", 400), ("malformed", 404), ("unauthorized", 403), ("conflict", 409)],
)
def test_a_replacement_that_the_ca_refuses_is_ordered_without_it(
    ca: ScriptedCA, renewing: Journey, kind: str, status: int
) -> None:
    """At once, in the same step, and with all that was asked for otherwise."""
    placed = as_json(ca.order(), 201, Location=ca.base + "/order")
    ca.script["/newOrder"] = [problem(kind, "Replaced, unknown, or somebody else's.", status), placed]
    renewing.until_step("ordered")
    first, second = orders(ca)
    assert first.pop("replaces") == certificate_id(LEAF)
    assert first == second
    assert not [step for step in renewing.seen if isinstance(step, Pending) and step.failure]


def test_an_order_that_is_refused_for_another_reason_says_which(ca: ScriptedCA, renewing: Journey) -> None:
    """The second answer is the one that counts; what cannot be about the replacement is not asked twice."""
    ca.script["/newOrder"] = [problem("malformed", "Replaced.", 400), problem("malformed", "No such names.", 400)]
    assert renewing.run() == Rejected("Certificate issuer error", "No such names. (malformed)")
    ca.asked.clear()
    renewing.progress = None
    ca.script["/newOrder"] = problem("rejectedIdentifier", "Never.", 400)
    assert renewing.run() == Rejected("Request rejected", "Never. (rejectedIdentifier)", configuration=True)
    assert len(orders(ca)) == 1


def test_a_busy_ca_is_not_asked_twice(ca: ScriptedCA, renewing: Journey) -> None:
    """A rate limit is no word about the replacement."""
    renewing.until_step("account")
    ca.script["/newOrder"] = problem("rateLimited", "Slow.", 429, Retry_After="60")
    assert renewing.failing().retry_at == NOON + timedelta(seconds=60)
    assert len(orders(ca)) == 1


# --- profiles ---------------------------------------------------------------------------------------------------------


def with_profile(journey: Journey, profile: str | None) -> Journey:
    """Ask for a profile, or for none."""
    journey.request = replace(journey.request, profile=profile)
    return journey


def test_a_profile_that_is_not_listed_is_a_fault_of_the_set_up(ca: ScriptedCA, ordering: Journey) -> None:
    """The message lists those that there are, and no order is placed."""
    ca.meta["profiles"] = {"tlsserver": "https://ca.test/tls", "classic": "https://ca.test/classic"}
    result = with_profile(ordering, "clasic").run()
    assert isinstance(result, Rejected)
    assert result.configuration
    assert "'clasic'; it has: classic, tlsserver." in result.message
    assert "issuer.cty" in result.message
    assert orders(ca) == []


@pytest.mark.parametrize("asked", ["classic", None])
def test_a_profile_is_asked_for_as_the_policy_says(ca: ScriptedCA, ordering: Journey, asked: str | None) -> None:
    """One that is listed; without one the CA chooses, whatever it lists."""
    ca.meta["profiles"] = {"classic": "https://ca.test/classic"}
    with_profile(ordering, asked).until_step("ordered")
    assert [order.get("profile") for order in orders(ca)] == [asked]


@pytest.mark.parametrize("profiles", [{}, [], "classic", None])
def test_a_ca_that_lists_nothing_is_asked_all_the_same(ca: ScriptedCA, ordering: Journey, profiles: object) -> None:
    """Such a CA knows best what it has."""
    ca.meta["profiles"] = profiles
    with_profile(ordering, "special").until_step("ordered")
    assert orders(ca)[0]["profile"] == "special"


def test_a_profile_that_is_new_is_found(ca: ScriptedCA, ordering: Journey) -> None:
    """A directory that was read a moment ago may be behind: it is read again before anything is refused."""
    ca.meta["profiles"] = {"classic": "https://ca.test/classic"}
    provider = ordering.provider()
    ordering.step(provider)
    ca.meta["profiles"] = {"classic": "https://ca.test/classic", "brandnew": "https://ca.test/new"}
    result = with_profile(ordering, "brandnew").step(provider)
    assert isinstance(result, Pending)
    assert result.progress["step"] == "ordered"


def test_a_ca_with_very_many_profiles_fills_no_message(ca: ScriptedCA, ordering: Journey) -> None:
    """Some of them are shown."""
    ca.meta["profiles"] = {f"profile-{number:04}": "x" for number in range(5000)}
    result = with_profile(ordering, "other").run()
    assert isinstance(result, Rejected)
    assert result.message.count("profile-") == MOST_SHOWN
