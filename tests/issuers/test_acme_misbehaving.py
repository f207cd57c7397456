"""What becomes of an issuance at a CA that is busy, broken or lying: a step always gives an answer, and says what happened."""

import logging
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from certworker.issuers.acme import AcmeIssuerSettings, ChallengeSettings, session
from certworker.network.egress import EgressRules
from certworker.vault.issuance import Pending, Rejected
from tests.issuers.journey import NOON, Journey
from tests.issuers.scripted_ca import PROBLEM, TOKEN, Answer, ScriptedCA, as_json, problem

HTML = Answer(200, "<html>Down for maintenance</html>", {"Content-Type": "text/html"})
DEEP = Answer(200, "[" * 200_000, {"Content-Type": "application/json"})


@pytest.fixture
def ordered(ordering: Journey) -> Journey:
    """Come as far as the order."""
    ordering.until_step("ordered")
    return ordering


@pytest.mark.parametrize(
    ("header", "retry_at"),
    [
        ("120", NOON + timedelta(seconds=120)),
        ("Thu, 01 Jan 2026 13:00:00 GMT", NOON + timedelta(hours=1)),
        ("Thu, 01 Jan 2015 13:00:00 GMT", NOON),
        ("99999999999999999999", NOON + timedelta(days=7)),
        ("soon", None),
        ("Thu, 01 Jan 2026 13:00:00 +99999999999999999999", None),
        ("", None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_ca_is_left_alone_for_as_long_as_it_asks(
    ca: ScriptedCA, ordered: Journey, status: int, header: str, retry_at: datetime | None
) -> None:
    """Retry-After is heard in seconds and as a date, never before now nor a week after; nonsense is no time at all."""
    before = ordered.progress
    kind = "rateLimited" if status == 429 else "serverInternal"
    for answer in (problem(kind, "Too much.", status, Retry_After=header), Answer(status, "", {"Retry-After": header})):
        ordered.at = NOON
        ca.script["/order"] = answer
        result = ordered.failing()
        assert result.retry_at == retry_at
        assert result.progress == before


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (HTML, "not a JSON object"),
        (DEEP, "not a JSON object"),
        (Answer(200, '{"status": "pend'), "not a JSON object"),
        (Answer(200, b"\xff\xfe\x00"), "not a JSON object"),
        (as_json([]), "not a JSON object"),
        (as_json({"status": "pending", "finalize": 7}), "finalize"),
        (as_json({"status": "strange", "finalize": "http://ca.test/f"}), "strange"),
        (as_json({"status": "pending", "finalize": "x", "authorizations": {"a": 1}}), "authorizations"),
        (Answer(500, "<html>"), "HTTP status 500"),
        (as_json(7, 400), "HTTP status 400"),
        (Answer(403, "<html>blocked"), "HTTP status 403"),
        (Answer(200, '{"status": "pending"}', nonce=False), "Replay-Nonce"),
        (Answer(200, "{}", {"Content-Encoding": "gzip"}), "encoded"),
        (Answer(dropped=True), "127.0.0.1 closed the connection"),
        (Answer(302, "", {"Location": "http://10.0.0.1/"}), "redirects"),
        (Answer(200, "x" * 5_000_000), "more than 4194304 bytes"),
        (Answer(endless=True), "more than 4194304 bytes"),
    ],
)
def test_an_answer_that_makes_no_sense_is_a_failure_for_now(
    ca: ScriptedCA, ordered: Journey, answer: Answer, text: str
) -> None:
    """The journal stays where it is, nothing is raised, and the text tells what came from where."""
    before = ordered.progress
    ca.script["/order"] = answer
    result = ordered.failing()
    assert text in str(result.failure)
    assert (result.progress, result.retry_at) == (before, None)
    ca.script.clear()
    assert ordered.until_step("answered")


def test_a_ca_that_drips_is_left(ca: ScriptedCA, ordered: Journey) -> None:
    """An answer that comes a byte at a time is given up when the whole took too long."""
    ca.script["/order"] = Answer(drip=True)
    ordered.rules = EgressRules(("127.0.0.1",), total=timedelta(seconds=0.3))
    assert "did not answer in time" in str(ordered.failing().failure)


def test_a_redirect_to_a_private_address_is_refused(ca: ScriptedCA, ordering: Journey) -> None:
    """A directory that redirects into the private network leads nowhere; the setting that would allow it is named."""
    ca.script["/directory"] = Answer(302, "", {"Location": "http://10.11.12.13/directory"})
    failure = str(ordering.failing().failure)
    assert "10.11.12.13" in failure
    assert "network.allow_private" in failure


def test_a_private_ca_must_be_allowed(ca: ScriptedCA, ordering: Journey) -> None:
    """Without the setting a CA on loopback is not asked at all."""
    ordering.rules = EgressRules()
    assert "network.allow_private" in str(ordering.failing().failure)
    assert ca.asked == []


def test_a_ca_that_is_not_there_is_a_failure_for_now(ordering: Journey) -> None:
    """Nobody listens: the account's key is kept all the same, for the next try."""
    ordering.ask("http://127.0.0.1:9/directory")
    assert "cannot be reached" in str(ordering.failing().failure)
    assert len(ordering.accounts.accounts) == 1


@pytest.mark.parametrize("path", ["/newAccount", "/newOrder"])
@pytest.mark.parametrize("location", [None, "nowhere", "ftp://ca.test/", "http://[", "http://ca.test/" + "x" * 5000])
def test_a_location_must_be_one(ca: ScriptedCA, ordering: Journey, path: str, location: str | None) -> None:
    """A missing or impossible Location is not recorded."""
    ca.script[path] = as_json(ca.order(), 201, **({"Location": location} if location else {}))
    result = ordering.until(lambda result: isinstance(result, Pending) and result.failure is not None)
    assert isinstance(result, Pending)
    assert "order_url" not in result.progress


@pytest.mark.parametrize("url", ["", "nowhere", "http://[", "http://ca.test:999999/", "http://exa mple/", "file:///etc/passwd"])
def test_a_directory_that_names_no_urls_is_a_failure_for_now(ca: ScriptedCA, ordering: Journey, url: str) -> None:
    """What cannot be asked is not asked."""
    ca.script["/directory"] = as_json(dict.fromkeys(("newNonce", "newAccount", "newOrder"), url))
    ordering.failing()


@pytest.mark.parametrize("token", ["", "../../etc", "a b", "x" * 600, "token\r\nheader"])
def test_a_token_that_is_none_is_not_put_up(ca: ScriptedCA, ordered: Journey, token: str) -> None:
    """A token could name another path of the responder: only base64url is put on the board."""
    authorization = ca.authorization()
    authorization["challenges"][0]["token"] = token
    ca.script["/authorization"] = as_json(authorization)
    assert "proper token" in str(ordered.failing().failure)
    assert ordered.board.seen == {}


@pytest.mark.parametrize(
    "pem", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "<html>"]
)
def test_a_certificate_that_is_none_is_a_failure_for_now(ca: ScriptedCA, ordered: Journey, pem: str) -> None:
    """Garbage in the place of a certificate is not issued, and nothing breaks."""
    ca.status, ca.order_more = "valid", {"certificate": ca.base + "/certificate"}
    ca.script["/certificate"] = Answer(200, pem, {"Content-Type": "application/pem-certificate-chain"})
    for _ in range(3):
        assert "not a certificate" in str(ordered.failing().failure)
    given_up = ordered.step()
    assert isinstance(given_up, Rejected)
    assert "fetched 4 times" in given_up.message


def test_a_time_that_no_clock_shows_is_no_time(ca: ScriptedCA, ordered: Journey) -> None:
    """An order may expire before the year 1, as its CA writes it."""
    ca.order_more = {"expires": "0001-01-01T00:00:00+23:59"}
    ordered.until_step("answered")


def test_a_valid_order_without_a_certificate_is_a_failure_for_now(ca: ScriptedCA, ordered: Journey) -> None:
    """A CA that says it issued must say where."""
    ca.status = "valid"
    assert "not where" in str(ordered.failing().failure)


def test_waiting_grows_and_hears_the_ca(ca: ScriptedCA, ordered: Journey) -> None:
    """Looks come after 1, 2, 4 ... 120 seconds, then a little later each time, up to an hour; never before the CA says."""
    pauses = []
    for _ in range(40):
        before = ordered.at
        ordered.step()
        pauses.append((ordered.at - before).total_seconds())
    assert pauses[:9] == [1, 2, 4, 8, 16, 32, 64, 120, 138]
    assert pauses == sorted(pauses)
    assert pauses[-1] == 3600
    ca.script["/order"] = as_json(ca.order(), Retry_After="7200")
    before = ordered.at
    ordered.step()
    assert ordered.at - before == timedelta(hours=2)


@pytest.mark.parametrize(
    ("kind", "code", "configuration"),
    [
        ("rejectedIdentifier", "Request rejected", True),
        ("caa", "Request rejected", True),
        ("unsupportedIdentifier", "Request rejected", True),
        ("invalidProfile", "Request rejected", True),
        ("badCSR", "Request rejected", True),
        ("externalAccountRequired", "Request rejected", True),
        ("userActionRequired", "Request rejected", True),
        ("unsupportedContact", "Request rejected", True),
        ("unauthorized", "Request rejected", False),
        ("malformed", "Certificate issuer error", False),
        ("somethingNew", "Certificate issuer error", False),
    ],
)
def test_a_refusal_says_whose_fault_it_is(
    ca: ScriptedCA,
    ordering: Journey,
    kind: str,
    code: str,
    configuration: bool,  # noqa: FBT001
) -> None:
    """What the CA refuses is told in Key Vault's words, and blames the set-up where trying again would not help."""
    ca.script["/newOrder"] = problem(kind, "Never.")
    result = ordering.run()
    assert result == Rejected(code, f"Never. ({kind})", configuration)


def test_subproblems_are_told(ca: ScriptedCA, ordered: Journey) -> None:
    """An order that became invalid tells of each name; what one of them is decides."""
    below = {
        "type": "urn:ietf:params:acme:error:caa",
        "detail": "CAA says no.",
        "identifier": {"type": "dns", "value": "a.test"},
    }
    ca.status = "invalid"
    ca.order_error = {"type": PROBLEM + "compound", "detail": "Two.", "subproblems": [below, 7, {"type": 3}]}
    assert ordered.step() == Rejected("Request rejected", "Two. (compound); a.test: CAA says no. (caa)", configuration=True)


def test_a_token_in_the_words_of_the_ca_is_not_passed_on(ca: ScriptedCA, ordered: Journey) -> None:
    """The CA likes to quote the URL that it asked, and that has the token in it."""
    ordered.step()
    ca.status, ca.authorization_status = "invalid", "invalid"
    text = f"Invalid response from http://www.example.test/.well-known/acme-challenge/{TOKEN}: 404\n\x1b[31m and {TOKEN}"
    ca.challenge_error = {"type": PROBLEM + "unauthorized", "detail": text}
    result = ordered.step()
    assert isinstance(result, Rejected)
    assert "/.well-known/acme-challenge/...: 404 [31m and ..." in result.message
    assert ordered.board.responses == {}


def test_words_that_would_turn_a_line_round_are_made_plain(ca: ScriptedCA, ordered: Journey) -> None:
    """Neither escapes nor marks of direction reach a terminal or a console."""
    ca.status = "invalid"
    ca.order_error = {"type": PROBLEM + "caa", "detail": "No\u202e\u2066 \x9b31m\u200bway\ufeff."}
    assert ordered.step() == Rejected("Request rejected", "No 31m way . (caa)", configuration=True)


def test_a_failed_challenge_is_found_before_the_order_fails(ca: ScriptedCA, ordered: Journey) -> None:
    """An authorization that is invalid already is not answered again."""
    ca.authorization_status = "invalid"
    ca.challenge_error = {"type": PROBLEM + "connection", "detail": "Nobody there."}
    result = ordered.step()
    assert result == Rejected("Request rejected", "www.example.test: Nobody there. (connection)")
    assert ca.count("/challenge") == 0


def test_an_order_that_expired_is_placed_again_once(ca: ScriptedCA, ordered: Journey) -> None:
    """The first time at once; a CA that lets every order expire is met with patience."""
    ca.status, ca.order_more = "invalid", {"expires": "2026-01-01T11:59:59.123456789Z"}
    assert ordered.step() == Pending({"restarts": "1"}, NOON)
    ordered.until_step("ordered")
    assert ordered.failing() == Pending({"restarts": "2"}, None, "The order expired before it was fulfilled.")
    assert ca.count("/newOrder") == 2


def test_an_authorization_that_expired_is_no_riddle(ca: ScriptedCA, ordered: Journey) -> None:
    """A status that the library does not know is read all the same."""
    ca.status, ca.authorization_status = "invalid", "expired"
    assert ordered.step() == Pending({"restarts": "1"}, NOON)


def test_an_order_that_fails_without_a_word_is_rejected(ca: ScriptedCA, ordered: Journey) -> None:
    """It is the CA's fault then."""
    ca.status = "invalid"
    result = ordered.step()
    assert isinstance(result, Rejected)
    assert (result.code, result.configuration) == ("Certificate issuer error", False)


def test_a_finalized_order_is_not_given_up_for_a_broken_proxy(ca: ScriptedCA, ordered: Journey) -> None:
    """A 404 that says nothing is believed the fourth time, where the order may have been finalized."""
    ca.status, ca.authorization_status = "ready", "valid"
    ordered.until_step("finalized")
    ca.script["/order"] = Answer(404, "<html>")
    assert [ordered.failing().progress["missing"] for _ in range(3)] == ["1", "2", "3"]
    assert ordered.step() == Pending({"restarts": "1"}, ordered.at)


def test_a_finalization_that_came_too_early_waits(ca: ScriptedCA, ordered: Journey) -> None:
    """OrderNotReady means to look again."""
    ca.status = "ready"
    ca.script["/finalize"] = problem("orderNotReady")
    result = ordered.step()
    assert isinstance(result, Pending)
    assert result.failure is None
    assert result.progress["step"] == "ordered"


def test_a_finalization_that_was_done_is_waited_for(ca: ScriptedCA, ordered: Journey) -> None:
    """An order that is processing, though the journal does not know of a finalization, is not finalized."""
    ca.status = "processing"
    result = ordered.step()
    assert isinstance(result, Pending)
    assert (result.progress["step"], result.retry_at) == ("finalized", NOON + timedelta(seconds=1))
    assert ca.count("/finalize") == 0


def test_the_key_is_kept_before_the_ca_hears_of_it(ca: ScriptedCA, ordering: Journey) -> None:
    """An account whose opening is never answered is opened with the same key at the next try."""
    ca.script["/newAccount"] = [Answer(dropped=True)]
    ordering.failing()
    ((_, first),) = ordering.accounts.accounts.items()
    ordering.step()
    ((_, second),) = ordering.accounts.accounts.items()
    assert (second.key, second.url) == (first.key, ca.base + "/account")


def test_an_account_that_is_forgotten_again_and_again_is_met_with_patience(ca: ScriptedCA, ordering: Journey) -> None:
    """The first time the account is opened anew at once, later after a while."""
    ca.script["/newOrder"] = problem("accountDoesNotExist", status=400)
    ordering.until(lambda result: isinstance(result, Pending) and result.failure is not None)
    assert ca.count("/newAccount") == 2
    assert ordering.progress == {"restarts": "2"}


def test_the_order_asks_for_the_profile(ca: ScriptedCA, ordering: Journey) -> None:
    """Names, addresses and the profile are in the order."""
    ordering.request = replace(ordering.request, names=("a.test", "192.0.2.1", "2001:DB8::1"), profile="short")
    ordering.until_step("ordered")
    (payload,) = [payload for path, payload in ca.asked if path == "/newOrder"]
    assert '"profile": "short"' in payload
    assert all(f'"value": "{value}"' in payload for value in ("a.test", "192.0.2.1", "2001:db8::1"))


def test_only_known_challenges_are_set(ordering: Journey) -> None:
    """A challenge type that is not supported, or lacks what it needs, is told, and the order goes on once that is mended."""
    for kind, words in (("dns-account-01", "There is no challenge dns-account-01"), ("dns-01", "needs a server")):
        ordering.settings = AcmeIssuerSettings(challenge=ChallengeSettings(kind))
        ordering.until(lambda result: isinstance(result, Pending) and result.failure is not None)
        assert words in str(ordering.failing().failure)
    ordering.settings = AcmeIssuerSettings()
    assert ordering.until_step("ordered")


def test_nonces_run_out_of_patience(ca: ScriptedCA, ordered: Journey) -> None:
    """A CA that never likes a nonce is asked eleven times, and then later."""
    ca.script["/order"] = problem("badNonce", "Bad.", 400)
    before = ca.count("/order")
    ordered.failing()
    assert ca.count("/order") - before == 11


def test_the_directory_is_read_again_after_a_while(ca: ScriptedCA, ordering: Journey) -> None:
    """A provider that lives on reads it once in five minutes."""
    provider = ordering.provider()
    for _ in range(3):
        ordering.step(provider)
    assert ca.count("/directory") == 1
    ordering.at += timedelta(minutes=6)
    ordering.step(provider)
    assert ca.count("/directory") == 2


def test_a_response_stays_up_long_enough(ca: ScriptedCA, ordered: Journey) -> None:
    """At least an hour, should the clocks differ; at most a week, should the CA lie."""
    for expires, stay in (("2020-01-01T00:00:00Z", 1 / 24), ("2999-01-01T00:00:00Z", 7), ("2026-01-03T12:00:00Z", 2)):
        ca.script["/authorization"] = as_json(ca.authorization() | {"expires": expires})
        ordered.provider().step(ordered.request, ordered.progress, NOON)
        assert ordered.board.seen[TOKEN] == NOON + timedelta(days=stay)


def test_tokens_do_not_enter_the_log(ordered: Journey, caplog: pytest.LogCaptureFixture) -> None:
    """Not even at the level at which the library would write down all that goes over the wire."""
    with caplog.at_level(logging.DEBUG):
        ordered.until_step("answered")
    assert TOKEN in ordered.board.seen
    assert TOKEN not in caplog.text


@pytest.mark.parametrize("answer", [problem("malformed", "Certificate not found.", 404), Answer(200, "<html>")])
def test_a_certificate_that_is_not_there_yet_is_waited_for(ca: ScriptedCA, ordered: Journey, answer: Answer) -> None:
    """An issued certificate is not ordered again because one of the CA's machines is behind; in the end its key is burnt."""
    ca.status, ca.order_more = "valid", {"certificate": ca.base + "/certificate"}
    ca.script["/certificate"] = answer
    for _ in range(3):
        ordered.failing()
    result = ordered.step()
    assert isinstance(result, Rejected)
    assert (result.certified, ca.count("/newOrder")) == (True, 1)


def test_a_finalized_order_that_is_missing_for_a_moment_is_not_placed_again(ca: ScriptedCA, ordered: Journey) -> None:
    """The CA says once that there is no such order, and then that it is issuing."""
    ca.status = "processing"
    ordered.until_step("finalized")
    ca.script["/order"] = [problem("malformed", "No such order.", 404)]
    assert "No such order." in str(ordered.failing().failure)
    result = ordered.step()
    assert isinstance(result, Pending)
    assert (result.failure, "missing" in result.progress, ca.count("/newOrder")) == (None, False, 1)


def test_a_ca_that_takes_finalizations_and_forgets_them_is_not_hammered(ca: ScriptedCA, ordered: Journey) -> None:
    """An order that is ready again after each finalization is looked at less and less often."""
    ca.authorization_status, ca.status = "valid", "ready"
    begun = ordered.at
    for _ in range(12):
        ordered.step()
    assert ordered.at - begun > timedelta(minutes=10)


@pytest.mark.parametrize("identifier", ["other.test", "xample.test", "www.example.test.evil.test", "192.0.2.1", "a b\x1b[2J"])
def test_nothing_is_proven_that_was_not_ordered(ca: ScriptedCA, ordered: Journey, identifier: str) -> None:
    """A CA that asks for another name's proof gets none."""
    authorization = ca.authorization() | {"identifier": {"type": "dns", "value": identifier}}
    ca.script["/authorization"] = as_json(authorization)
    failure = str(ordered.failing().failure)
    assert "which was not ordered" in failure
    assert failure.isprintable()
    assert ordered.board.find(TOKEN) is None


@pytest.mark.parametrize("identifier", ["WWW.Example.test.", "example.test"])
def test_a_name_above_proves_what_was_ordered(ca: ScriptedCA, ordered: Journey, identifier: str) -> None:
    """An authorization may be for an ancestor (RFC 9444), and be written in another way."""
    authorization = ca.authorization() | {"identifier": {"type": "dns", "value": identifier}}
    ca.script["/authorization"] = as_json(authorization)
    ordered.until_step("answered")


@pytest.mark.parametrize("text", ["half a pair \ud800", "nul \x00", "bell \x07", "tag \U000e0041"])
def test_what_cannot_be_stored_is_left_out(ca: ScriptedCA, ordered: Journey, text: str) -> None:
    """A CA's words go into any database, and onto any terminal."""
    ca.kinds = [f"dns-{text}"]
    result = ordered.step()
    assert isinstance(result, Rejected)
    assert result.message.isprintable()
    ca.script["/order"] = problem("serverInternal", text, 500)
    ordered.progress = {"order_url": ca.base + "/order"}
    assert str(ordered.failing().failure).isprintable()


def test_a_slow_ca_does_not_hold_a_worker(ca: ScriptedCA, ordered: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an order that failed for a thousand reasons only those are read that there is time for, and no nonce is tried on."""
    ca.status, ca.challenge_error = "invalid", {"type": PROBLEM + "dns", "detail": "no such name"}
    ca.order_more = {"authorizations": [ca.base + "/authorization"] * 1000}
    monkeypatch.setattr(session, "BRISK_SECONDS", -1.0)
    result = ordered.step()
    assert isinstance(result, Rejected)
    assert "no such name" in result.message
    assert ca.count("/authorization") == 1
    monkeypatch.setattr(session, "STEP_SECONDS", -1.0)
    assert "too slow" in str(ordered.failing().failure)
    assert ca.count("/order") == 1


def test_a_slow_ca_is_answered_bit_by_bit(ca: ScriptedCA, ordered: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step does what there is time for, and the next goes on from there."""
    ca.order_more = {"authorizations": [f"{ca.base}/authorization?{number}" for number in range(3)]}
    for number in range(3):
        ca.script[f"/authorization?{number}"] = as_json(ca.authorization())
    monkeypatch.setattr(session, "BRISK_SECONDS", -1.0)
    assert [ordered.step().progress["answered"] for _ in range(3)] == ["1", "2", "3"]  # type: ignore[union-attr]
    assert ca.count("/challenge") == 3
