"""How a certificate ends before its time, and how an order does: revocation and cancellation at a CA that may be in trouble."""

import json
from base64 import urlsafe_b64encode
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from certworker.issuers.acme import AcmeProvider
from certworker.issuers.acme.issuance import MOST_WITHDRAWN
from certworker.vault.issuance import Revocation
from tests.issuers.journey import NOON, Journey
from tests.issuers.memory import MemoryAccounts
from tests.issuers.scripted_ca import TOKEN, Answer, ScriptedCA, problem


@pytest.fixture
def account(ca: ScriptedCA, ordering: Journey) -> Journey:
    """Come as far as the account."""
    ca.more["revokeCert"] = "/revokeCert"
    ordering.until_step("account")
    return ordering


def provider_of(journey: Journey) -> AcmeProvider:
    """Make a provider that knows nothing yet."""
    provider = journey.provider()
    assert isinstance(provider, AcmeProvider)
    return provider


def revoke(journey: Journey, reason: int = 4) -> Revocation:
    """Ask for a revocation."""
    return provider_of(journey).revoke(journey.request, b"a certificate", reason, NOON)


# --- revocation -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", [0, 1, 3, 4, 5])
def test_a_revocation_names_the_certificate_and_the_reason(ca: ScriptedCA, account: Journey, reason: int) -> None:
    """In the words of RFC 8555 section 7.6."""
    assert revoke(account, reason) == Revocation(done=True)
    (payload,) = ca.payloads("/revokeCert")
    certificate = urlsafe_b64encode(b"a certificate").rstrip(b"=").decode()
    assert json.loads(payload) == {"certificate": certificate, "reason": reason}


@pytest.mark.parametrize("reason", [2, 6, 7, 8, 9, 10, -1, 99])
def test_a_reason_that_is_not_ours_to_give_is_refused_before_the_ca_is_asked(
    ca: ScriptedCA, account: Journey, reason: int
) -> None:
    """The message says which there are."""
    ca.asked.clear()
    result = revoke(account, reason)
    assert (result.done, result.retry_at) == (False, None)
    assert f"The reason {reason} is not one" in result.message
    assert "superseded (4)" in result.message
    assert ca.asked == []


@pytest.mark.parametrize(
    ("answer", "done", "text", "retry_at"),
    [
        (problem("alreadyRevoked", "Long ago.", 400), True, "", None),
        (problem("badRevocationReason", "Not that one.", 400), False, "Not that one.", None),
        (problem("unauthorized", "Not yours.", 403), False, "Not yours.", None),
        (problem("malformed", "No such certificate.", 404), False, "No such certificate.", None),
        (problem("serverInternal", "Down.", 500), False, "Down.", NOON + timedelta(minutes=1)),
        (Answer(500, "<html>"), False, "HTTP status 500", NOON + timedelta(minutes=1)),
        (Answer(dropped=True), False, "closed the connection", NOON + timedelta(minutes=1)),
        (Answer(endless=True), False, "more than 4194304 bytes", NOON + timedelta(minutes=1)),
        (Answer(302, "", {"Location": "http://10.0.0.1/"}), False, "redirects", NOON + timedelta(minutes=1)),
    ],
)
def test_what_the_ca_says_to_a_revocation_is_told(
    ca: ScriptedCA,
    account: Journey,
    answer: Answer,
    done: bool,  # noqa: FBT001
    text: str,
    retry_at: datetime | None,
) -> None:
    """What is revoked already is done; a refusal is told as it is; what may pass says when to ask again."""
    ca.script["/revokeCert"] = answer
    result = revoke(account)
    assert (result.done, result.retry_at) == (done, retry_at)
    assert text in result.message


def test_there_must_be_somebody_to_revoke(ca: ScriptedCA, account: Journey) -> None:
    """A CA without revocation, and one that we have no account with: asking again would change nothing."""
    del ca.more["revokeCert"]
    assert "no revokeCert" in revoke(account).message
    assert revoke(account).retry_at is None
    account.accounts = MemoryAccounts()
    assert revoke(account) == Revocation(done=False, message=revoke(account).message)
    assert "no account" in revoke(account).message


# --- cancellation -----------------------------------------------------------------------------------------------------


@pytest.fixture
def answered(ca: ScriptedCA, ordering: Journey) -> Journey:
    """Come as far as the answered challenge."""
    ordering.until_step("answered")
    assert ordering.board.responses[TOKEN]
    ca.asked.clear()
    return ordering


def cancel(journey: Journey) -> None:
    """Cancel the order; nothing is left to do for anybody after that."""
    assert provider_of(journey).cancel(journey.request, journey.progress or {}, NOON) is None


def test_a_cancelled_order_is_given_up(ca: ScriptedCA, answered: Journey) -> None:
    """Its pending authorizations are deactivated, and the responses are taken down."""
    cancel(answered)
    assert ca.payloads("/authorization") == ["", '{\n  "status": "deactivated"\n}']
    assert answered.board.responses == {}


@pytest.mark.parametrize("status", ["ready", "processing", "valid", "invalid"])
def test_an_order_that_is_past_its_proofs_is_left_alone(ca: ScriptedCA, answered: Journey, status: str) -> None:
    """What was proven may serve another order."""
    ca.status = status
    cancel(answered)
    assert ca.count("/authorization") == 0
    assert answered.board.responses == {}


@pytest.mark.parametrize("path", ["/directory", "/newNonce", "/order", "/authorization"])
@pytest.mark.parametrize(
    "answer",
    [
        problem("serverInternal", "Down.", 500),
        problem("accountDoesNotExist", "Who?", 400),
        Answer(dropped=True),
    ],
)
def test_a_ca_in_trouble_does_not_keep_an_order_from_being_cancelled(
    ca: ScriptedCA, answered: Journey, path: str, answer: Answer
) -> None:
    """The responses go all the same; the rest runs out by itself, and the account stays as it is."""
    accounts = dict(answered.accounts.accounts)
    ca.script[path] = answer
    cancel(answered)
    assert answered.board.responses == {}
    assert answered.accounts.accounts == accounts


def test_a_very_large_order_is_given_up_in_part(ca: ScriptedCA, answered: Journey) -> None:
    """A step has its time."""
    ca.order_more = {"authorizations": [f"{ca.base}/authorization?{number}" for number in range(60)]}
    ca.script |= {f"/authorization?{number}": ca.answer("/authorization") for number in range(60)}
    cancel(answered)
    assert len([path for path, payload in ca.asked if "deactivated" in payload]) == MOST_WITHDRAWN


def test_what_was_never_ordered_is_cancelled_too(ca: ScriptedCA, ordering: Journey) -> None:
    """Without an account or an order the CA is not even asked."""
    cancel(ordering)
    ordering.until_step("account")
    ca.asked.clear()
    cancel(ordering)
    assert ca.asked == []
    ordering.settings = replace(ordering.settings, ca_bundle="/no/such/file")
    ordering.progress = {"step": "ordered", "order_url": f"{ca.base}/order"}
    cancel(ordering)
