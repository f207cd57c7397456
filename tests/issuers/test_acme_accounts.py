"""The account at a CA: contacts are told once, its key is exchanged, and a process may be killed at any moment of that."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

import httpx
import pytest

from certworker.issuers.acme import AcmeIssuerSettings, AcmeProvider
from certworker.network.egress import EgressRules
from certworker.network.http import EgressClient, build_client
from certworker.vault.issuance import Account, Issued, KeyRoll, Pending, Rejected
from tests.issuers.journey import LOOPBACK, NOON, Journey, assert_issued
from tests.issuers.memory import MemoryAccounts
from tests.issuers.scripted_ca import TOKEN, Answer, ScriptedCA, as_json, open_signed, problem

PEBBLE = pytest.mark.system("pebble", "pebble-challtestsrv")


class Killed(BaseException):
    """The process was killed."""


@dataclass
class MortalAccounts(MemoryAccounts):
    """An account book whose process is killed in it: after a candidate is kept, or before it is promoted."""

    accounts: dict[tuple[str, str, str], Account] = field(default_factory=dict)
    dies: str = ""

    def keep(self, vault_id: str, issuer: str, authority: str, account: Account) -> Account:
        """Keep it, and die if that is wanted."""
        kept = super().keep(vault_id, issuer, authority, account)
        if self.dies == "kept":
            raise Killed
        return kept

    def promote(self, vault_id: str, issuer: str, authority: str, candidate: str, account: Account) -> None:
        """Promote it, unless the process dies before."""
        if self.dies == "not promoted":
            raise Killed
        super().promote(vault_id, issuer, authority, candidate, account)


def keys_of(journey: Journey) -> list[bytes]:
    """List the keys that are kept, the account's own first."""
    accounts = journey.accounts.accounts
    return [accounts[place].key for place in sorted(accounts, key=lambda place: place[2] != journey.request.account_id)]


def provider_of(journey: Journey) -> AcmeProvider:
    """Make a provider that knows nothing yet."""
    provider = journey.provider()
    assert isinstance(provider, AcmeProvider)
    return provider


def roll(journey: Journey) -> KeyRoll:
    """Exchange the key."""
    return provider_of(journey).roll_key(journey.request, journey.at)


@pytest.fixture
def account(ordering: Journey) -> Journey:
    """Come as far as the account at the scripted CA, which can exchange keys."""
    ordering.until_step("account")
    return ordering


@pytest.fixture(autouse=True)
def _offer_key_change(ca: ScriptedCA) -> None:
    ca.more["keyChange"] = "/keyChange"


# --- contacts ---------------------------------------------------------------------------------------------------------


def test_contacts_are_told_when_they_change_and_only_then(ca: ScriptedCA, ordering: Journey) -> None:
    """The account is opened with the first ones, told of the next before the next order, and left alone after that."""
    ordering.settings = replace(ordering.settings, contacts=("one@example.test",))
    ordering.until_step("ordered")
    assert json.loads(ca.payloads("/newAccount")[0])["contact"] == ["mailto:one@example.test"]
    ordering.settings = replace(ordering.settings, contacts=("two@example.test", "mailto:three@example.test"))
    ordering.until_step("answered")
    assert ca.count("/account") == 0  # an order that is under way goes first
    for _ in range(2):
        ordering.progress = None
        ordering.until_step("ordered")
    assert [json.loads(payload) for payload in ca.payloads("/account")] == [
        {"contact": ["mailto:two@example.test", "mailto:three@example.test"]}
    ]


def test_contacts_are_taken_back(ca: ScriptedCA, ordering: Journey) -> None:
    """Without any in the settings the CA is told that there are none."""
    ordering.settings = replace(ordering.settings, contacts=("one@example.test",))
    ordering.until_step("account")
    ordering.settings, ordering.progress = replace(ordering.settings, contacts=()), None
    ordering.until_step("ordered")
    assert ca.payloads("/account") == ['{\n  "contact": []\n}']


def test_an_account_that_was_there_already_is_told_contacts(ca: ScriptedCA, ordering: Journey) -> None:
    """Nobody knows what it was opened with."""
    ca.script["/newAccount"] = as_json({"status": "valid"}, 200, Location=ca.base + "/account")
    ordering.settings = replace(ordering.settings, contacts=("one@example.test",))
    ordering.until_step("ordered")
    assert ca.count("/account") == 1


def test_refused_contacts_stop_nothing(ca: ScriptedCA, account: Journey) -> None:
    """They are told once, and the issuance goes on; the test of the issuer says what the CA said."""
    account.settings = replace(account.settings, contacts=("nobody@localhost",))
    ca.script["/account"] = problem("invalidContact", "Not such a domain.", 400)
    account.until_step("ordered")
    account.progress = None
    account.until_step("ordered")
    assert ca.count("/account") == 1
    examined = provider_of(account).examine(account.request, NOON)
    assert examined.passed
    assert any("Not such a domain." in finding for finding in examined.findings)


# --- a closed account -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["deactivated", "revoked"])
@pytest.mark.parametrize("told", ["status", "problem"])
def test_a_closed_account_is_a_fault_of_the_set_up(ca: ScriptedCA, account: Journey, status: str, told: str) -> None:
    """Whether the CA shows its status or refuses to show it: the message says what to do."""
    ca.script["/newOrder"] = problem("unauthorized", "Account is closed.", 401)
    by_status = as_json({"status": status}, 200, Location=ca.base + "/account")
    ca.script["/newAccount"] = by_status if told == "status" else problem("unauthorized", "Closed.", 403)
    result = account.run()
    assert isinstance(result, Rejected)
    assert result.configuration
    assert f"account is {status if told == 'status' else 'deactivated'}" in result.message
    assert "issuer of another name" in result.message


def test_an_open_account_is_not_called_closed(ca: ScriptedCA, account: Journey) -> None:
    """What is unauthorized for another reason is told in the CA's own words; so it is when the CA cannot be asked."""
    ca.script["/newOrder"] = problem("unauthorized", "Not today.", 403)
    assert account.run() == Rejected("Request rejected", "Not today. (unauthorized)")
    ca.script["/newAccount"] = Answer(503)
    account.progress = None
    assert account.run() == Rejected("Request rejected", "Not today. (unauthorized)")


# --- another key ------------------------------------------------------------------------------------------------------


@PEBBLE
@pytest.mark.parametrize("dies", ["kept", "not promoted"])
@pytest.mark.parametrize("after", ["issue", "roll"])
def test_a_killed_exchange_leaves_an_account_that_works(journey: Journey, dies: str, after: str) -> None:
    """Before the CA has heard of the key, or after it took it: the next issuance finds out, and so does the next exchange."""
    accounts = journey.accounts = MortalAccounts()
    journey.until_step("account")
    (old,) = keys_of(journey)
    accounts.dies = dies
    with pytest.raises(Killed):
        roll(journey)
    accounts.dies = ""
    kept, candidate = keys_of(journey)
    assert kept == old
    if after == "roll":
        assert roll(journey) == KeyRoll(done=True)
        assert keys_of(journey) == [candidate]
    assert_issued(journey.run(), "www.example.test")
    assert keys_of(journey)[0] == (old if (dies, after) == ("kept", "issue") else candidate)


@PEBBLE
@pytest.mark.parametrize("dies", ["kept", "not promoted"])
def test_the_test_of_an_issuer_finds_the_account_in_between(journey: Journey, dies: str) -> None:
    """By whichever key the CA goes."""
    accounts = journey.accounts = MortalAccounts()
    journey.until_step("account")
    accounts.dies = dies
    with pytest.raises(Killed):
        roll(journey)
    accounts.dies = ""
    assert provider_of(journey).examine(journey.request, journey.at).passed


@PEBBLE
def test_an_exchange_that_never_began_is_forgotten(journey: Journey) -> None:
    """After an hour a key that the CA does not know is not asked for any more; the next exchange makes another one."""
    accounts = journey.accounts = MortalAccounts()
    journey.until_step("account")
    accounts.dies = "kept"
    with pytest.raises(Killed):
        roll(journey)
    accounts.dies = ""
    _, candidate = keys_of(journey)
    journey.at += timedelta(hours=1, seconds=1)
    assert_issued(journey.run(), "www.example.test")
    assert len(keys_of(journey)) == 1
    assert roll(journey) == KeyRoll(done=True)
    assert keys_of(journey) != [candidate]


@dataclass
class Meanwhile:
    """Builds HTTP clients; just before the request to one path is sent, something else happens, once."""

    path: str
    act: Callable[[], object]
    done: bool = False

    def __call__(self, rules: EgressRules, ca_bundle: str | None, timeout_seconds: float) -> EgressClient:
        """Build a client."""
        client = build_client(rules, ca_bundle, timeout_seconds)
        client.event_hooks["request"].append(self._look)
        return client

    def _look(self, request: httpx.Request) -> None:
        if request.method == "POST" and self.path in request.url.path and not self.done:
            self.done = True
            self.act()


@PEBBLE
@pytest.mark.parametrize("step", ["account", "ordered", "answered", "cleared", "finalized"])
@pytest.mark.parametrize("dies", ["", "not promoted"])
def test_an_exchange_during_a_step_costs_nothing(journey: Journey, step: str, dies: str) -> None:
    """A step whose request was signed with the old key is taken again; no order is given up or placed twice."""
    accounts = journey.accounts = MortalAccounts()
    before = journey.until_step(step)
    path = "order-plz" if step == "account" else "my-order"

    def exchange() -> None:
        with killed_quietly():
            accounts.dies = dies
            roll(journey)
        accounts.dies = ""

    meanwhile = Meanwhile(path, exchange)
    provider = AcmeProvider(accounts, journey.board, LOOPBACK, lambda _: journey.settings, meanwhile)
    stale = journey.step(provider)
    assert meanwhile.done
    assert isinstance(stale, Pending)
    assert stale.failure is None
    result = journey.run()
    assert_issued(result, "www.example.test")
    assert len(keys_of(journey)) == 1
    if step != "account":
        assert isinstance(result, Issued)
        assert result.progress["order_url"] == before.progress["order_url"]
        assert "restarts" not in result.progress


@contextmanager
def killed_quietly() -> Iterator[None]:
    """Let a process die and the others go on."""
    try:
        yield
    except Killed:
        return


def test_what_was_proven_under_the_old_key_is_proven_anew(ca: ScriptedCA, account: Journey) -> None:
    """A response is made with the account's key: after an exchange it is put up again, made with the new one."""
    account.until_step("answered")
    before = account.board.responses[TOKEN]
    assert roll(account) == KeyRoll(done=True)
    account.step()
    after = account.board.responses[TOKEN]
    assert before.partition(".")[0] == after.partition(".")[0] == TOKEN
    assert before != after
    assert ca.count("/challenge") == 2


def test_two_exchanges_at_once_are_one(ca: ScriptedCA, account: Journey) -> None:
    """Both use the key that was kept first; the one that comes second finds that it is done."""
    meanwhile = Meanwhile("/keyChange", lambda: roll(account))
    provider = AcmeProvider(account.accounts, account.board, LOOPBACK, lambda _: account.settings, meanwhile)
    ca.script["/keyChange"] = [Answer(200, "{}"), problem("unauthorized", "Stale.", 401)]
    assert provider.roll_key(account.request, NOON) == KeyRoll(done=True)
    assert len(keys_of(account)) == 1


@pytest.mark.parametrize(
    ("answer", "text", "retry_at"),
    [
        (problem("badPublicKey", "Too small.", 400), "Too small.", None),
        (problem("rateLimited", "Slow.", 429, Retry_After="120"), "Slow.", NOON + timedelta(seconds=120)),
        (Answer(503, "", {"Retry-After": "Thu, 01 Jan 2026 13:00:00 GMT"}), "503", NOON + timedelta(hours=1)),
        (Answer(dropped=True), "closed the connection", NOON + timedelta(minutes=1)),
    ],
)
def test_a_refused_exchange_says_why(ca: ScriptedCA, account: Journey, answer: Answer, text: str, retry_at: object) -> None:
    """The account goes on with its old key, and what may be tried again says when."""
    (old,) = keys_of(account)
    ca.script["/keyChange"] = answer
    ca.script["/newAccount"] = problem("accountDoesNotExist", "No such key.", 400)
    result = roll(account)
    assert (result.done, result.retry_at) == (False, retry_at)
    assert text in result.message
    assert keys_of(account)[0] == old
    account.until_step("ordered")


def test_a_lost_answer_to_an_exchange_is_found_again(ca: ScriptedCA, account: Journey) -> None:
    """The CA took the key and its answer did not come: the next exchange asks, finds it, and sends no other."""
    ca.script["/keyChange"] = Answer(dropped=True)
    assert not roll(account).done
    _, candidate = keys_of(account)
    assert roll(account) == KeyRoll(done=True)
    assert keys_of(account) == [candidate]
    assert ca.count("/keyChange") == 1


def test_there_must_be_something_to_exchange(ca: ScriptedCA, ordering: Journey) -> None:
    """An account, and a CA that offers it; otherwise nothing is kept."""
    assert "no account" in roll(ordering).message
    assert ca.asked == []
    assert ordering.accounts.accounts == {}
    ordering.until_step("account")
    del ca.more["keyChange"]
    assert "no keyChange" in roll(ordering).message
    assert len(keys_of(ordering)) == 1


def test_the_exchange_is_signed_by_both_keys(ca: ScriptedCA, account: Journey) -> None:
    """The new key signs over the account and the old key (RFC 8555 section 7.3.5), without a nonce."""
    roll(account)
    (payload,) = ca.payloads("/keyChange")
    inner = open_signed(payload)
    assert set(inner.header) == {"alg", "jwk", "url"}
    assert inner.header["url"] == f"{ca.base}/keyChange"
    assert inner.payload["account"] == f"{ca.base}/account"
    assert set(inner.payload["oldKey"]) == {"kty", "crv", "x", "y"}
    assert inner.payload["oldKey"] != inner.header["jwk"]


def test_settings_of_an_account_are_told_without_its_key(account: Journey) -> None:
    """Neither the key nor anything of it is in what is shown."""
    ((_, kept),) = account.accounts.accounts.items()
    assert repr(kept.key) not in repr(kept)
    assert AcmeIssuerSettings().preferred_chain == ""
