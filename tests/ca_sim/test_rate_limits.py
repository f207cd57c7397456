"""Rate limits and paused names, in the manner of Let's Encrypt (RFC 8555 section 6.6)."""

from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from ca_sim.acme.rate_limits import MOST_PLACES, Bucket, registered_domain
from ca_sim.acme.renewal_info import certificate_id
from ca_sim.clock import utc_now
from ca_sim.identifiers import Identifier
from ca_sim.server import serve_in_thread
from tests.ca_sim.applicant import Applicant, applying
from tests.ca_sim.caller import assert_problem, calling, make_key
from tests.ca_sim.conftest import settings_for
from tests.ca_sim.responder import Responder
from tests.support.clock import START

HELP = "https://ca-sim.example/rate-limits"


def limits(**most: int) -> dict[str, object]:
    """Make settings with these limits."""
    return {"rate_limits": most}


def assert_limited(answer: httpx.Response, seconds: int) -> dict[str, object]:
    """Check that an answer is rateLimited, how long it says to wait, and that it links the documentation."""
    problem = assert_problem(answer, "rateLimited", 429)
    assert answer.headers["Retry-After"] == str(seconds)
    assert answer.links["help"]["url"] == HELP
    return problem


@pytest.mark.parametrize("most", [1, 3, 7, 300])
def test_a_bucket_gives_just_so_many(most: int) -> None:
    """All at once, then one for each part of the period, and not a second sooner than told."""
    bucket, at, full_at = Bucket(most, timedelta(hours=3)), START, None
    for _ in range(most):
        assert bucket.wait(full_at, at) <= timedelta(0)
        full_at = bucket.take(full_at, at)
    wait = bucket.wait(full_at, at)
    assert timedelta(0) < wait <= bucket.interval
    assert bucket.wait(full_at, at + wait) == timedelta(0)
    assert bucket.wait(full_at, at + timedelta(hours=3)) <= bucket.interval - timedelta(hours=3)


def test_new_orders_of_an_account_are_limited() -> None:
    """Two in 3 hours, then one every hour and a half; other accounts are not concerned, nor is an order that is open."""
    with applying(acme=limits(new_orders_per_account=2)) as applicant:
        for name in ("a.test", "b.test"):
            assert applicant.order(name).status_code == 201
        assert_limited(applicant.order("c.test"), 5400)
        assert applicant.order("a.test").status_code == 201
        assert applicant.other().order("c.test").status_code == 201
        applicant.wait(seconds=5399)
        assert_limited(applicant.order("c.test"), 1)
        applicant.wait(seconds=1)
        assert applicant.order("c.test").status_code == 201


def test_certificates_of_a_domain_are_limited() -> None:
    """For all accounts together, by the last two labels; each domain at its limit is a subproblem."""
    with applying(acme=limits(certificates_per_domain=1)) as applicant:
        applicant.obtain("www.one.test")
        applicant.obtain("www.two.test")
        problem = assert_limited(applicant.other().order("mail.one.test"), 604_800)
        assert problem["identifier"] == {"type": "dns", "value": "one.test"}
        both = assert_problem(applicant.order("a.one.test", "b.two.test", "c.three.test"), "rateLimited", 429)
        assert [sub["identifier"]["value"] for sub in both["subproblems"]] == ["one.test", "two.test"]
        assert applicant.order("www.three.test").status_code == 201
        # the same names once more are a renewal
        assert applicant.order("www.one.test").status_code == 201


def test_duplicates_are_limited_and_renewals_by_their_replacement_are_not() -> None:
    """The exact set of names counts, in any order; an order that replaces a certificate is exempt and does not count."""
    with applying(acme=limits(duplicate_certificates=1, certificates_per_domain=1, new_orders_per_account=1)) as applicant:
        first = applicant.obtain("a.same.test", "b.same.test")
        assert_limited(applicant.order("b.same.test", "a.same.test"), 604_800)
        second = applicant.obtain("a.same.test", "b.same.test", replaces=certificate_id(first))
        applicant.obtain("a.same.test", "b.same.test", replaces=certificate_id(second))
        applicant.wait(days=7)
        assert applicant.obtain("a.same.test", "b.same.test")


def test_failed_validations_are_limited() -> None:
    """For an account and a name, in an hour; a wildcard counts for its name."""
    with applying(acme=limits(failed_validations=2)) as applicant:
        applicant.look.failing.add("bad.test")
        for _ in range(2):
            applicant.prove(applicant.order("bad.test").json())
        assert assert_limited(applicant.order("*.bad.test"), 1800)["identifier"] == {"type": "dns", "value": "bad.test"}
        assert applicant.order("good.test").status_code == 201
        assert applicant.other().order("bad.test").status_code == 201
        applicant.wait(minutes=30)
        assert applicant.order("bad.test").status_code == 201


def test_new_accounts_of_an_address_are_limited() -> None:
    """Who has an account is told of it all the same."""
    with applying(acme=limits(new_accounts_per_address=2)) as applicant:
        other = applicant.other()
        own, other.key = other.key, make_key()
        assert_limited(other.register(), 5400)
        assert_problem(other.register(onlyReturnExisting=True), "accountDoesNotExist", 400)
        other.key = own
        assert other.register().status_code == 200


@pytest.mark.parametrize("status", [429, 503])
def test_requests_of_a_kind_are_limited(status: int) -> None:
    """So many in a second, whoever asks; the refusal comes with a new nonce."""
    with applying(acme=limits(requests_per_second=20) | {"busy_status": status}) as applicant:
        applicant.wait(seconds=1)
        url = applicant.directory["newAccount"]
        answers = [applicant.post(url, {}) for _ in range(25)]
        assert [answer.status_code == status for answer in answers] == [False] * 20 + [True] * 5
        problem = assert_problem(answers[-1], "rateLimited", status)
        assert "20" in problem["detail"]
        assert answers[-1].headers["Retry-After"] == "1"
        assert answers[-1].headers["Replay-Nonce"]
        assert applicant.order("other-kind.test").status_code == 201
        applicant.wait(seconds=1)
        assert applicant.post(url, {}).status_code != status


def test_limits_are_remembered_over_a_restart(tmp_path: Path) -> None:
    """A new process does not forget what was counted."""
    of_acme = limits(new_accounts_per_address=1)
    with applying(state_directory=str(tmp_path), acme=of_acme) as first:
        key = first.key
    with applying(key=key, state_directory=str(tmp_path), acme=of_acme) as again:
        again.key = make_key()
        assert_limited(again.register(), 10_800)


@pytest.mark.parametrize(
    ("kind", "value", "domain"),
    [
        ("dns", "a.b.example.test", "example.test"),
        ("dns", "*.example.test", "example.test"),
        ("dns", "localhost", "localhost"),
        ("ip", "192.0.2.1", "192.0.2.1"),
    ],
)
def test_a_registered_domain_is_two_labels(kind: str, value: str, domain: str) -> None:
    """An address stands for itself."""
    assert registered_domain(Identifier("ip" if kind == "ip" else "dns", value)).value == domain


def test_a_paused_name_cannot_be_ordered_until_somebody_lifts_it() -> None:
    """The answer names each paused identifier and the URL; a POST there lifts all of the account's."""
    with applying() as applicant:
        account = applicant.kid
        for name in ("paused.test", "also.test"):
            answer = applicant.manage("POST", "/pauses", {"account": account, "identifier": name})
            assert answer.status_code == 201
        answer = applicant.order("*.paused.test", "also.test", "free.test")
        problem = assert_problem(answer, "rateLimited", 429)
        assert [sub["identifier"]["value"] for sub in problem["subproblems"]] == ["*.paused.test", "also.test"]
        assert applicant.order("free.test").status_code == 201
        assert applicant.other().order("paused.test").status_code == 201
        url = problem["instance"]
        assert answer.links["help"]["url"] == url
        assert "paused.test" in applicant.http.get(url).text
        assert_problem(applicant.order("paused.test"), "rateLimited", 429)
        assert applicant.http.post(url).text == "2 lifted.\n"
        assert applicant.order("paused.test").status_code == 201
        assert_problem(applicant.http.post(url + "x"), "malformed", 404)


def test_management_pauses_and_lifts() -> None:
    """One by one or all; unknown accounts and what is no name are refused."""
    with applying() as applicant:
        account = applicant.kid
        for name in ("a.test", "192.0.2.1", "2001:DB8::1"):
            applicant.manage("POST", "/pauses", {"account": account, "identifier": name})
        listed = applicant.manage("GET", "/pauses").json()["pauses"]
        assert [pause["identifier"] for pause in listed] == ["a.test", "192.0.2.1", "2001:db8::1"]
        assert applicant.manage("DELETE", f"/pauses?account={account}&identifier=a.test").json() == {"count": 1}
        assert applicant.order("a.test").status_code == 201
        assert applicant.manage("DELETE", "/pauses").json() == {"count": 2}
        assert applicant.manage("GET", f"/pauses?account={account}").json() == {"pauses": []}
        for asked, status in (
            ({"account": "x", "identifier": "a.test"}, 404),
            ({"account": account, "identifier": "a b"}, 400),
        ):
            assert applicant.manage("POST", "/pauses", asked).status_code == status


def test_failures_in_a_row_pause_a_name() -> None:
    """A success in between starts the count anew; lifting the pause does too."""
    with applying(acme={"pause_after_failures": 2, "authorization_reuse": 0.0, "order_reuse": False}) as applicant:
        attempt(applicant, fails=True)
        attempt(applicant, fails=False)
        attempt(applicant, fails=True)
        attempt(applicant, fails=True)
        problem = assert_problem(applicant.order("flaky.test"), "rateLimited", 429)
        applicant.http.post(problem["instance"])
        attempt(applicant, fails=True)
        assert applicant.order("flaky.test").status_code == 201


def attempt(applicant: Applicant, *, fails: bool) -> None:
    """Try to prove a name."""
    applicant.look.failing = {"flaky.test"} if fails else set()
    applicant.prove(applicant.order("flaky.test").json())


def test_made_up_paths_are_not_counted_for_ever() -> None:
    """What was counted in the last second alone is kept."""
    with applying(acme=limits(requests_per_second=1)) as applicant:
        base = applicant.directory["newOrder"].split("/acme/")[0]
        for number in range(MOST_PLACES + 20):
            applicant.wait(seconds=1)
            assert applicant.http.get(f"{base}/made-up-{number}").status_code == 404
        assert len(applicant.authority.house.acme.limits._busy) <= MOST_PLACES


def test_a_clock_that_is_set_back_holds_nobody_up() -> None:
    """Requests that came at a later time than now are a second ago at the most."""
    with applying(acme=limits(requests_per_second=10)) as applicant:
        applicant.wait(days=365)
        applicant.register()
        applicant.wait(days=-365)
        applicant.wait(seconds=1)
        assert applicant.order("back.test").status_code == 201


def test_nobody_says_of_himself_where_he_is(responder: Responder) -> None:
    """The address that accounts are counted by is that of the connection, whatever a header says."""
    settings = settings_for(responder, acme=limits(new_accounts_per_address=1))
    with serve_in_thread(settings, utc_now) as authority:
        for address, status in (("192.0.2.1", 201), ("192.0.2.2", 429)):
            with calling(authority) as client:
                client.http.headers["X-Forwarded-For"] = address
                assert client.register().status_code == status
