"""A CA is asked when it wants a certificate to be renewed."""

from datetime import timedelta

import pytest

from certworker.crypto.renewal_info import certificate_id
from certworker.issuers.acme import AcmeIssuerSettings, AcmeProvider
from certworker.network.egress import EgressRules
from certworker.vault.issuance import Advice, IssuanceRequest, NoAdvice
from tests.issuers.journey import LOOPBACK, NOON
from tests.issuers.memory import MemoryAccounts, MemoryBoard
from tests.issuers.scripted_ca import Answer, ScriptedCA, as_json, problem
from tests.issuers.test_acme_ordering import LEAF

PATH = f"/renewalInfo/{certificate_id(LEAF)}"
START, END = NOON + timedelta(days=60), NOON + timedelta(days=61)
WINDOW = {"start": "2026-03-02T12:00:00Z", "end": "2026-03-03T13:00:00+01:00"}


@pytest.fixture
def advising(ca: ScriptedCA) -> ScriptedCA:
    """Let the CA have renewal information."""
    ca.more["renewalInfo"] = "/renewalInfo"
    ca.script[PATH] = as_json({"suggestedWindow": WINDOW}, Retry_After="21600")
    return ca


def advise(ca: ScriptedCA, certificate: bytes = LEAF, rules: EgressRules = LOOPBACK) -> Advice | NoAdvice:
    """Ask as the round does, with a provider that knows nothing yet."""
    accounts = MemoryAccounts()
    provider = AcmeProvider(accounts, MemoryBoard(), rules, lambda _: AcmeIssuerSettings(timeout_seconds=1.0))
    answer = provider.advise(IssuanceRequest("", "vault", "ca", f"{ca.base}/directory", None, b"", (), None), certificate, NOON)
    assert not accounts.accounts
    return answer


def test_a_window_is_read(advising: ScriptedCA) -> None:
    """With the time to ask again; two requests, none of them signed, and no account is opened."""
    assert advise(advising) == Advice(START, END, None, NOON + timedelta(hours=6))
    assert advising.asked == [("/directory", ""), (PATH, "")]


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        ("https://ca.test/why", True),
        ("javascript:alert(1)", False),
        ("https://ca.test/\u202ewhy", False),
        ("https://ca.test/" + "x" * 2048, False),
        (7, False),
    ],
)
def test_an_explanation_is_a_url(advising: ScriptedCA, url: object, taken: bool) -> None:  # noqa: FBT001
    """One that a person could be shown; anything else is left out, and the window stands."""
    advising.script[PATH] = as_json({"suggestedWindow": WINDOW, "explanationURL": url})
    assert advise(advising) == Advice(START, END, str(url) if taken else None)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"suggestedWindow": []},
        {"suggestedWindow": {"start": WINDOW["start"]}},
        {"suggestedWindow": {"start": WINDOW["start"], "end": "2026-03-03T13:00:00"}},
        {"suggestedWindow": {"start": WINDOW["end"], "end": WINDOW["start"]}},
        {"suggestedWindow": {"start": WINDOW["start"], "end": WINDOW["start"]}},
        [],
    ],
)
def test_what_is_no_window_is_no_answer(advising: ScriptedCA, document: object) -> None:
    """And asking again soon would not help."""
    advising.script[PATH] = as_json(document, Retry_After="60")
    answer = advise(advising)
    assert isinstance(answer, NoAdvice)
    assert (answer.offered, answer.passing, answer.retry_at) == (True, False, NOON + timedelta(minutes=1))


@pytest.mark.parametrize(
    ("scripted", "passing"),
    [
        (problem("malformed", "Unknown.", 404), False),
        (Answer(404, "<html>"), False),
        (Answer(200, "<html>"), False),
        (Answer(200, "[" * 100_000), False),
        (Answer(200, endless=True), False),
        (problem("serverInternal", "Later.", 500, Retry_After="120"), True),
        (Answer(502, "<html>", {"Retry-After": "120"}), True),
        (problem("rateLimited", "Slower.", 429, Retry_After="120"), True),
        (Answer(429, "", {"Retry-After": "120"}), True),
        (Answer(408), True),
        (Answer(dropped=True), True),
        (Answer(drip=True), True),
    ],
)
def test_what_goes_wrong_may_pass_or_not(advising: ScriptedCA, scripted: Answer, passing: bool) -> None:  # noqa: FBT001
    """Outages and limits pass, refusals and nonsense do not; the time that the CA says is kept."""
    advising.script[PATH] = scripted
    rules = EgressRules(LOOPBACK.allowed, answer_bytes=100_000, total=timedelta(seconds=0.5))
    answer = advise(advising, rules=rules)
    assert isinstance(answer, NoAdvice)
    assert (answer.offered, answer.passing) == (True, passing)
    assert answer.retry_at == (NOON + timedelta(minutes=2) if "Retry-After" in scripted.headers else None)
    assert answer.message


def test_a_ca_without_renewal_information_offers_none(ca: ScriptedCA) -> None:
    """Its directory says so, and that is all that is asked."""
    answer = advise(ca)
    assert isinstance(answer, NoAdvice)
    assert not answer.offered
    assert [path for path, _ in ca.asked] == ["/directory"]


def test_a_certificate_that_names_no_authority_cannot_be_asked_about(advising: ScriptedCA) -> None:
    """The CA is not bothered with it."""
    answer = advise(advising, b"garbage")
    assert isinstance(answer, NoAdvice)
    assert not answer.offered
    assert advising.asked == []


def test_the_rules_of_the_network_hold(advising: ScriptedCA) -> None:
    """A private address is refused unless it is allowed; nothing but http and https is asked."""
    refused = advise(advising, rules=EgressRules())
    assert isinstance(refused, NoAdvice)
    assert "allow_private" in refused.message
    assert not refused.passing
    assert advising.asked == []
    directory = advising.directory() | {"renewalInfo": "ftp://ca.test/renewalInfo"}
    advising.script["/directory"] = as_json(directory)
    assert not isinstance(advise(advising), Advice)
