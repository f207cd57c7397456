"""The GlobalSign provider at the simulated Atlas: from the request to the certificate, whatever comes between."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ca_sim.globalsign.issuance import ROOM
from certworker.crypto.keys import generate_key
from certworker.crypto.x509 import read_certificate
from certworker.issuers.globalsign.journal import PATIENCE
from certworker.vault.issuance import Issued, Pending
from tests.issuers.atlas import SECRET, Errand, client_certificate, make_request, open_errand, told, with_credential
from tests.support.clock import FakeClock

MINUTE = timedelta(minutes=1)
ALL_LOOKS = sum(PATIENCE, timedelta())


@pytest.fixture
def errand(clock: FakeClock) -> Iterator[Errand]:
    """Be let in at an authority with default settings."""
    with open_errand(clock) as errand:
        yield errand


def test_a_certificate_is_asked_for_and_fetched(errand: Errand) -> None:
    """A log-in, the policy, the request, the certificate and its chain; names, addresses, usages and validity as asked for."""
    begun = errand.clock()
    errand.ask_for(make_request("a.test", "*.b.test", subject="CN=a.test,O=Contoso", addresses=("192.0.2.1", "2001:db8::1")))
    issued = errand.issued("a.test", "*.b.test", "192.0.2.1", "2001:db8::1")
    assert errand.asked == [
        "POST login",
        "GET validationpolicy",
        "POST certificates",
        "GET certificates",
        "GET trustchain",
    ]
    facts = read_certificate(issued.chain[0])
    assert (facts.subject, facts.ekus) == ("CN=a.test", ("1.3.6.1.5.5.7.3.1",))  # the policy takes no organization
    assert (facts.not_before, facts.not_after) == (begun, datetime(begun.year, begun.month + 6, begun.day, tzinfo=UTC))
    assert errand.clock() == begun


@pytest.mark.parametrize("proof", ["signature", "csr", "none"])
@pytest.mark.parametrize(("kty", "size", "curve"), [("RSA", 2048, None), ("EC", None, "P-384")])
def test_possession_is_proven_as_the_policy_wants(
    clock: FakeClock, proof: str, kty: str, size: int | None, curve: str | None
) -> None:
    """By a signature of the public key, by the signing request, or not at all."""
    with open_errand(clock, proof=proof) as errand:
        errand.ask_for(make_request(key=generate_key(kty, size, curve)))
        errand.issued()


def test_what_the_policy_does_not_take_is_told_before_it_is_asked_for(clock: FakeClock) -> None:
    """A signature that cannot be made, and a validity that is too short: refused in words, and nothing is asked for."""
    with open_errand(clock, least_validity_seconds=300 * 86_400) as errand:
        assert "no validity of less than 25920000 seconds" in told(errand.rejected())
    with open_errand(clock) as errand:
        errand.ask_for(make_request(sign=None))
        refused = errand.rejected()
        assert "signed by its private key" in told(refused)
        assert (refused.code, refused.configuration, refused.certified) == ("Request rejected", True, False)
        assert "POST certificates" not in errand.asked


def test_a_validity_is_cut_to_what_the_policy_takes(clock: FakeClock) -> None:
    """The longest that there is, to the second."""
    with open_errand(clock, most_validity_seconds=86_400) as errand:
        facts = read_certificate(errand.issued().chain[0])
        assert facts.not_after - facts.not_before == timedelta(days=1)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"claimed_domains": ["other.test"]}, "no verified domain claim for www.example.test"),
        ({"key_type": "RSA"}, "a key of ECDSA with 256 bits"),
        ({"quota": 0}, "quota"),
    ],
)
def test_what_the_ca_refuses_is_told_in_its_words(clock: FakeClock, settings: dict[str, object], says: str) -> None:
    """As a rejected request, which asking again soon would not change."""
    with open_errand(clock, **settings) as errand:
        refused = errand.rejected()
        assert says in told(refused)
        assert (refused.code, refused.configuration, refused.certified) == ("Request rejected", True, False)


@pytest.mark.parametrize(
    ("credential", "says"), [("not-the-secret", "API key or the API secret is wrong"), (None, "credentials are missing")]
)
def test_wrong_credentials_are_told(errand: Errand, credential: str | None, says: str) -> None:
    """Without showing them."""
    errand.ask_for(with_credential(make_request(), credential))
    result = errand.step()
    text = result.failure if isinstance(result, Pending) else getattr(result, "message", "")
    assert says in (text or "")


def test_a_client_certificate_that_is_not_let_in_is_told(errand: Errand) -> None:
    """As the issuer's trouble."""
    errand.settings = replace(errand.settings, client_certificate=None)
    refused = errand.rejected()
    assert "client certificate" in told(refused)
    assert refused.code == "Certificate issuer error"


def test_a_url_without_tls_is_not_asked(errand: Errand) -> None:
    """What is sent there could be read on the way."""
    errand.settings = replace(errand.settings, url="http://atlas.example.test/v2")
    assert "issuers.ca.url must be an https URL" in errand.failing()
    assert errand.asked == []


def test_a_token_that_is_not_taken_any_more_is_replaced_once(errand: Errand) -> None:
    """The CA forgot it before its time; the request that met it is sent again."""
    errand.until_step("ordered")
    errand.authority.house.clock.advance(timedelta(minutes=11))
    errand.asked.clear()
    errand.issued()
    assert errand.asked == ["GET certificates", "POST login", "GET certificates", "GET trustchain"]


def test_tokens_are_not_used_for_longer_than_they_hold(errand: Errand) -> None:
    """Nine minutes later another issuance logs in anew; before, it does not."""
    errand.issued()
    for minutes, logins in ((5, 0), (9, 1)):
        errand.clock.advance(minutes * MINUTE)
        errand.asked.clear()
        errand.ask_for(make_request())
        errand.issued()
        assert errand.asked.count("POST login") == logins
    assert SECRET not in repr(errand.provider.__dict__)


def test_a_renewed_client_certificate_is_presented(errand: Errand) -> None:
    """The token of the one before is not used with it."""
    errand.issued()
    presented = errand.presented
    assert presented
    other = client_certificate(errand.authority)
    errand.presented = replace(presented, version="2", certificates=(other,))
    errand.asked.clear()
    errand.ask_for(make_request())
    errand.issued()
    assert errand.asked[0] == "POST login"


@pytest.mark.parametrize("lag", [0, 10, 200])
@pytest.mark.parametrize("kind", ["drop-after", "drop-before", "error"])
def test_what_was_not_heard_of_is_looked_for_before_it_is_asked_for_again(clock: FakeClock, lag: int, kind: str) -> None:
    """Issued or not, there is one certificate in the end, also where the statistics lag behind."""
    with open_errand(clock, stats_lag_seconds=lag) as errand:
        errand.arm(kind=kind, at=["globalsign.request"], count=1)
        begun = clock()
        assert errand.failing()
        assert errand.progress
        assert errand.progress["step"] == "looking"
        errand.issued()
        assert len(errand.certificates()) == 1
        assert clock() - begun < ALL_LOOKS + 2 * MINUTE


@pytest.mark.parametrize("lag", [0, 10, 200])
def test_a_process_that_ends_after_any_step_leaves_one_certificate(clock: FakeClock, lag: int) -> None:
    """What came of a step is lost with its process; another goes on from what was recorded."""
    for number in range(30):
        with open_errand(clock, stats_lag_seconds=lag, issue_seconds=7) as errand:
            for _ in range(number):
                if not isinstance(errand.step(), Pending):
                    return
            errand.provider.step(errand.request, errand.progress, clock())
            errand.restart()
            errand.issued()
            assert len(errand.certificates()) == 1
    raise AssertionError("an issuance takes more steps than expected")


def test_processes_that_all_end_early_come_to_an_end(errand: Errand) -> None:
    """A new process for every step has the certificate too, once; nobody asks without having looked."""
    for _ in range(40):
        errand.restart()
        if isinstance(errand.step(), Issued):
            break
    assert isinstance(errand.seen[-1], Issued)
    assert len(errand.certificates()) == 1
    first = errand.asked.index("POST certificates")
    assert errand.asked[:first].count("GET stats") == 2 * (len(PATIENCE) + 1)


def test_two_that_go_on_from_one_record_ask_once(errand: Errand) -> None:
    """Of two threads of a process, the one that takes the intent sends it."""
    errand.until_step("ordering")
    first = errand.provider.step(errand.request, errand.progress, errand.clock())
    second = errand.provider.step(errand.request, errand.progress, errand.clock())
    assert isinstance(first, Pending)
    assert isinstance(second, Pending)
    assert (first.progress["step"], second.progress["step"]) == ("ordered", "looking")
    assert len(errand.certificates()) == 1


def test_a_request_that_waited_is_recorded_anew(errand: Errand) -> None:
    """After a throttle of hours its validity would begin too early; nothing was issued, so nothing is looked for."""
    errand.arm(kind="throttle", at=["globalsign.request"], count=1, seconds=6 * 3600)
    begun = errand.clock()
    assert "too many requests" in errand.failing()
    facts = read_certificate(errand.issued().chain[0])
    assert facts.not_before >= begun + timedelta(hours=6)
    assert "GET stats" not in errand.asked
    assert len(errand.certificates()) == 1


def test_what_cannot_be_fetched_yet_is_waited_for(clock: FakeClock) -> None:
    """The answer was lost and the certificate takes an hour: no other is asked for meanwhile."""
    with open_errand(clock, issue_seconds=3600) as errand:
        errand.arm(kind="drop-after", at=["globalsign.request"], count=1)
        errand.issued()
        assert len(errand.certificates()) == 1
        assert errand.asked.count("GET stats") < 40


def test_the_certificates_of_others_are_not_taken(clock: FakeClock) -> None:
    """Those of other keys in the same account are looked at, a few in each step and each once, over all pages."""
    with open_errand(clock, stats_lag_seconds=0, requests_per_second=0) as errand:
        for number in range(104):
            errand.ask_for(make_request(f"n{number}.test", key=generate_key("EC", None, "P-256")))
            errand.until_step("ordered")
        errand.ask_for(make_request())
        errand.arm(kind="drop-after", at=["globalsign.request"], count=1)
        errand.asked.clear()
        errand.issued()
        assert len(errand.certificates()) == 105
        assert errand.asked.count("GET certificates") <= 104 + 2
        assert max(len(list(run)) for run in _between(errand.asked, "GET stats")) <= 7


def _between(asked: list[str], mark: str) -> list[list[str]]:
    runs: list[list[str]] = [[]]
    for line in asked:
        if line == mark:
            runs.append([])
        else:
            runs[-1].append(line)
    return runs


def test_the_certificate_that_is_replaced_is_not_taken_for_the_new_one(errand: Errand) -> None:
    """Its key is used again, and it was issued a moment ago."""
    first = errand.issued().chain[0]
    errand.ask_for(make_request(replaces=first))
    errand.arm(kind="drop-before", at=["globalsign.request"], count=1)
    assert errand.issued().chain[0] != first
    assert len(errand.certificates()) == 2


def test_what_the_ca_lost_is_given_up(errand: Errand) -> None:
    """A certificate that it said it issued and does not know is asked for a few times."""
    errand.until_step("ordered")
    assert errand.progress
    book = errand.authority.house.book
    with book.transaction():
        book.delete_document(ROOM, errand.progress["serial"].lower())
    refused = errand.rejected()
    assert "no such certificate" in told(refused)
    assert (refused.certified, refused.configuration) == (True, False)


def test_a_certificate_that_was_revoked_meanwhile_is_not_taken(errand: Errand) -> None:
    """The CA's administrator was faster."""
    errand.until_step("ordered")
    assert errand.progress
    errand.authority.house.certificates.revoke(errand.progress["serial"].lower(), 5)
    assert "REVOKED" in told(errand.rejected())


@pytest.mark.parametrize("mangling", ["truncated", "html", "json", "huge"])
@pytest.mark.parametrize("place", ["login", "validationpolicy", "request", "retrieve", "trustchain"])
def test_garbage_is_a_failure_that_passes(errand: Errand, place: str, mangling: str) -> None:
    """Whatever answer it is in the place of; there is one certificate in the end."""
    errand.arm(kind="mangle", at=[f"globalsign.{place}"], mangling=mangling, count=1)
    errand.issued()
    assert len(errand.certificates()) == 1
