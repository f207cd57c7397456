"""An ACME issuer is looked at without asking for anything."""

import json
from dataclasses import replace

import pytest

from certworker.issuers.acme import AcmeIssuerSettings, AcmeProvider
from certworker.network.egress import EgressRules
from certworker.vault.issuance import Examination, IssuanceRequest
from tests.issuers.journey import LOOPBACK, NOON, Journey
from tests.issuers.memory import MemoryAccounts, MemoryBoard
from tests.issuers.scripted_ca import ScriptedCA, as_json, problem

SETTINGS = AcmeIssuerSettings(timeout_seconds=1.0)


def examine(
    ca: ScriptedCA,
    credential: str | None = None,
    accounts: MemoryAccounts | None = None,
    rules: EgressRules = LOOPBACK,
) -> Examination:
    """Look at the CA as the service does."""
    provider = AcmeProvider(accounts or MemoryAccounts(), MemoryBoard(), rules, lambda _: SETTINGS)
    return provider.examine(IssuanceRequest("", "vault", "ca", f"{ca.base}/directory", credential, b"", (), None), NOON)


def test_a_ca_without_an_account_is_reached_and_left_alone(ca: ScriptedCA) -> None:
    """The directory is read; no account is opened, and none is kept."""
    accounts = MemoryAccounts()
    result = examine(ca, accounts=accounts)
    assert result.passed
    assert "first issuance" in result.findings[-1]
    assert [path for path, _ in ca.asked] == ["/directory"]
    assert not accounts.accounts


def test_an_account_that_is_there_is_asked_for(ca: ScriptedCA, ordering: Journey) -> None:
    """The CA is asked for the account of our key, and to open none."""
    ordering.until_step("account")
    result = examine(ca, accounts=ordering.accounts)
    assert result == Examination(passed=True, findings=("The CA's directory was read.", "The CA knows the account."))
    path, payload = ca.asked[-1]
    assert path == "/newAccount"
    assert json.loads(payload) == {"onlyReturnExisting": True}


def test_an_account_that_the_ca_forgot_does_not_pass(ca: ScriptedCA, ordering: Journey) -> None:
    """The CA's own words are the finding."""
    ordering.until_step("account")
    ca.script["/newAccount"] = problem("accountDoesNotExist", "Who are you?", 400)
    result = examine(ca, accounts=ordering.accounts)
    assert not result.passed
    assert "Who are you?" in result.findings[-1]


@pytest.mark.parametrize(("credential", "text"), [(None, "kid:hmac"), ("nonsense", "kid:hmac")])
def test_an_external_account_must_be_there_where_the_ca_wants_one(ca: ScriptedCA, credential: str | None, text: str) -> None:
    """Without one, or with one that cannot be read, it does not pass."""
    endpoints = {name: f"{ca.base}/{name}" for name in ("newNonce", "newAccount", "newOrder")}
    ca.script["/directory"] = as_json({**endpoints, "meta": {"externalAccountRequired": True}})
    result = examine(ca, credential)
    assert not result.passed
    assert text in result.findings[-1]
    assert examine(ca, "kid:aG1hYw").passed


def test_a_ca_that_cannot_be_reached_does_not_pass(ca: ScriptedCA) -> None:
    """Neither one that is not there, nor one that the rules keep us from, nor one that talks nonsense."""
    assert "allow_private" in examine(ca, rules=EgressRules()).findings[-1]
    ca.script["/directory"] = as_json([])
    assert not examine(ca).passed
    gone = ScriptedCA()
    gone.base = "http://127.0.0.1:1"
    assert "cannot be reached" in examine(gone).findings[-1]


def test_the_directory_is_read_anew_each_time(ca: ScriptedCA) -> None:
    """What was read lately is not what is asked for."""
    provider = AcmeProvider(MemoryAccounts(), MemoryBoard(), LOOPBACK, lambda _: SETTINGS)
    request = IssuanceRequest("", "vault", "ca", f"{ca.base}/directory", None, b"", (), None)
    provider.examine(request, NOON)
    provider.examine(replace(request), NOON)
    assert ca.count("/directory") == 2
