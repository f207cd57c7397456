"""A CA that says when to come again is not asked before, whatever it was that it was asked for."""

from dataclasses import replace
from datetime import timedelta

import pytest

from certworker.issuers.acme import AcmeProvider
from certworker.vault.issuance import KeyRoll, Revocation
from tests.issuers.journey import NOON, Journey
from tests.issuers.scripted_ca import Answer, ScriptedCA, problem

PATHS = (
    *("/directory", "/newNonce", "/newAccount", "/account", "/newOrder"),
    *("/order", "/authorization", "/challenge", "/finalize", "/certificate"),
)
BUSY = (
    problem("rateLimited", "Too many.", 429, Retry_After="Thu, 01 Jan 2026 12:01:30 GMT"),
    Answer(503, "<html>", {"Retry-After": "90"}),
)
LATER = NOON + timedelta(seconds=90)


def come_to(path: str, ca: ScriptedCA, journey: Journey) -> None:
    """Come as far as where the next step asks for a path."""
    if path == "/account":
        journey.until_step("account")
        journey.settings = replace(journey.settings, contacts=("pki@example.test",))
    elif path == "/newOrder":
        journey.until_step("account")
    elif path not in ("/directory", "/newNonce", "/newAccount"):
        journey.until_step("ordered")
    if path == "/finalize":
        ca.status = "ready"
    if path == "/certificate":
        ca.status, ca.order_more = "valid", {"certificate": ca.base + "/certificate"}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("busy", BUSY)
def test_a_step_is_taken_again_when_the_ca_says(ca: ScriptedCA, ordering: Journey, path: str, busy: Answer) -> None:
    """What was recorded stays as it is, and the same is asked for the next time."""
    come_to(path, ca, ordering)
    before = ordering.progress
    ca.script[path] = busy
    result = ordering.failing()
    assert result.retry_at == LATER
    assert {**result.progress} == (before or {})
    ca.script.clear()
    asked = ca.count(path)
    ordering.step()
    assert ca.count(path) > asked


def test_a_rate_limit_is_one_by_any_status(ca: ScriptedCA, ordering: Journey) -> None:
    """The problem's type says it."""
    come_to("/newOrder", ca, ordering)
    ca.script["/newOrder"] = problem("rateLimited", "Too many.", 400, Retry_After="90")
    assert ordering.failing().retry_at == LATER


@pytest.mark.parametrize("path", ["/directory", "/newNonce", "/revokeCert"])
@pytest.mark.parametrize("busy", BUSY)
def test_a_revocation_may_be_asked_for_again_when_the_ca_says(
    ca: ScriptedCA, ordering: Journey, path: str, busy: Answer
) -> None:
    """The answer says when, so that whoever asked can be told."""
    ca.more["revokeCert"] = "/revokeCert"
    ordering.until_step("account")
    ca.script[path] = busy
    provider = ordering.provider()
    assert isinstance(provider, AcmeProvider)
    refused = provider.revoke(ordering.request, b"certificate", 4, NOON)
    assert (refused.done, refused.retry_at) == (False, LATER)
    ca.script.clear()
    assert provider.revoke(ordering.request, b"certificate", 4, LATER) == Revocation(done=True)


@pytest.mark.parametrize("path", ["/directory", "/newNonce", "/keyChange"])
@pytest.mark.parametrize("busy", BUSY)
def test_an_exchange_of_the_key_may_be_asked_for_again_when_the_ca_says(
    ca: ScriptedCA, ordering: Journey, path: str, busy: Answer
) -> None:
    """And the account goes on as it was until then."""
    ca.more["keyChange"] = "/keyChange"
    ordering.until_step("account")
    ca.script[path] = busy
    provider = ordering.provider()
    assert isinstance(provider, AcmeProvider)
    refused = provider.roll_key(ordering.request, NOON)
    assert (refused.done, refused.retry_at) == (False, LATER)
    ca.script.clear()
    assert provider.roll_key(ordering.request, LATER) == KeyRoll(done=True)
