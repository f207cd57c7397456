"""What an order may ask for: wildcards, addresses, dates; and what is used again (RFC 8555, RFC 8738)."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from cryptography import x509

from tests.ca_sim.applicant import Applicant, applying
from tests.ca_sim.caller import PROBLEM, assert_problem, make_csr
from tests.support.clock import START


@pytest.fixture
def applicant() -> Iterator[Applicant]:
    """Open an authority and an account."""
    with applying() as opened:
        yield opened


def offered(applicant: Applicant, kind: str, value: str) -> tuple[dict[str, object], set[str]]:
    """Order for one identifier; give its authorization and the challenges in it."""
    answer = applicant.post(applicant.directory["newOrder"], {"identifiers": [{"type": kind, "value": value}]})
    authorization = applicant.post(answer.json()["authorizations"][0]).json()
    return authorization, {challenge["type"] for challenge in authorization["challenges"]}


def test_a_wildcard_is_proven_by_dns_alone(applicant: Applicant) -> None:
    """Its authorization has the name without the star, and says so; one of the name itself is another."""
    authorization, kinds = offered(applicant, "dns", "*.Wild.test")
    assert authorization["identifier"] == {"type": "dns", "value": "wild.test"}
    assert authorization["wildcard"] is True
    assert kinds == {"dns-01"}
    leaf = applicant.obtain("*.wild.test", "wild.test")
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.DNSName)) == {"*.wild.test", "wild.test"}
    plain, kinds = offered(applicant, "dns", "wild.test")
    assert "wildcard" not in plain
    assert kinds == {"http-01", "dns-01", "tls-alpn-01"}


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("*.test", "rejectedIdentifier"),
        ("*.*.a.test", "malformed"),
        ("a.*.test", "malformed"),
        ("*a.test", "malformed"),
        ("*", "malformed"),
        ("*.", "malformed"),
    ],
)
def test_a_star_has_its_place(applicant: Applicant, name: str, word: str) -> None:
    """It is the whole first label, and not before a top-level domain."""
    assert_problem(applicant.order(name), word, 400)


def test_an_address_is_not_proven_by_dns(applicant: Applicant) -> None:
    """http-01 and tls-alpn-01 are offered, and the address is in its canonical form (RFC 8738)."""
    authorization, kinds = offered(applicant, "ip", "2001:DB8::0:1")
    assert authorization["identifier"] == {"type": "ip", "value": "2001:db8::1"}
    assert kinds == {"http-01", "tls-alpn-01"}


@pytest.mark.parametrize(
    ("kinds", "refused"),
    [(("dns-01",), {"type": "ip", "value": "192.0.2.1"}), (("http-01",), {"type": "dns", "value": "*.a.test"})],
)
def test_what_cannot_be_validated_is_rejected(kinds: tuple[str, ...], refused: dict[str, str]) -> None:
    """With the identifier named, before there is an order."""
    with applying(kinds) as applicant:
        good = {"type": "dns", "value": "a.test"}
        answer = applicant.post(applicant.directory["newOrder"], {"identifiers": [good, refused]})
        assert assert_problem(answer, "rejectedIdentifier", 400)["identifier"] == refused


def test_dates_are_taken_and_told(applicant: Applicant) -> None:
    """To the second, in another zone as well; the certificate has them."""
    order = applicant.order("dated.test", notBefore="2026-01-01T02:00:00+01:00", notAfter="2026-01-09T00:00:00.5Z").json()
    assert (order["notBefore"], order["notAfter"]) == ("2026-01-01T01:00:00Z", "2026-01-09T00:00:00Z")
    leaf = applicant.obtain("dated.test", notBefore="2026-01-01T01:00:00Z", notAfter="2026-01-09T00:00:00Z")
    assert leaf.not_valid_before_utc == START + timedelta(hours=1)
    assert leaf.not_valid_after_utc == START + timedelta(days=8)


def test_one_date_leaves_the_other_to_the_profile(applicant: Applicant) -> None:
    """The lifetime is never longer than the profile's."""
    late = applicant.obtain("late.test", notBefore="2026-01-02T00:00:00Z", profile="brief")
    assert late.not_valid_after_utc == START + timedelta(days=1, seconds=300)
    full = applicant.obtain("full.test", notAfter="2026-01-01T00:05:00Z", profile="brief")
    assert (full.not_valid_before_utc, full.not_valid_after_utc) == (START, START + timedelta(seconds=300))


@pytest.mark.parametrize(
    "dates",
    [
        {"notAfter": "2026-01-01T00:05:01Z"},
        {"notAfter": "2026-01-01T00:00:00Z"},
        {"notAfter": "2026-01-01T00:04:00"},
        {"notAfter": "tomorrow"},
        {"notAfter": ""},
        {"notAfter": "2026-02-30T00:00:00Z"},
        {"notBefore": "0001-01-01T00:00:00+23:00"},
        {"notBefore": "2026-01-03T00:00:01Z"},
        {"notBefore": "2025-12-29T23:59:59Z"},
        {"notBefore": "2026-01-01T01:00:00Z", "notAfter": "2026-01-01T00:30:00Z"},
        {"notBefore": "2026-01-01T01:00:00Z", "notAfter": "2026-01-01T01:05:01Z"},
        {"notBefore": 5},
    ],
)
def test_dates_that_do_not_fit_are_malformed(applicant: Applicant, dates: dict[str, object]) -> None:
    """Too long for the profile, in the wrong order, too far away, or no dates at all."""
    problem = assert_problem(applicant.order("dated.test", profile="brief", **dates), "malformed", 400)
    assert "not" in problem["detail"]


def test_dates_can_be_refused() -> None:
    """As public authorities do."""
    with applying(acme={"order_dates": False}) as applicant:
        assert_problem(applicant.order("dated.test", notAfter="2026-01-02T00:00:00Z"), "malformed", 400)
        assert applicant.order("dated.test").status_code == 201


def test_an_order_whose_dates_have_passed_fails() -> None:
    """A certificate that would have been over already is not issued."""
    with applying(acme={"issue_seconds": 3600}) as applicant:
        answer = applicant.order("slow.test", notAfter="2026-01-01T00:30:00Z")
        applicant.prove(answer.json())
        assert applicant.finalize(answer.json(), make_csr(["slow.test"])).json()["status"] == "processing"
        applicant.wait(minutes=61)
        order = applicant.post(answer.headers["Location"]).json()
        assert order["status"] == "invalid"
        assert "notAfter" in order["error"]["detail"]


def test_valid_authorizations_are_used_again(applicant: Applicant) -> None:
    """The next order is ready at once, ends with them, and they are used no more when they are about to end."""
    first = applicant.order("reused.test")
    applicant.prove(first.json())
    second = applicant.order("reused.test", "new.test").json()
    assert first.json()["authorizations"][0] in second["authorizations"]
    assert second["status"] == "pending"
    ready = applicant.order("reused.test", profile="brief").json()
    assert (ready["status"], ready["authorizations"]) == ("ready", first.json()["authorizations"])
    applicant.wait(days=28)
    late = applicant.order("reused.test").json()
    assert (late["status"], late["expires"]) == ("ready", "2026-01-31T00:00:00Z")
    applicant.wait(days=1, seconds=1)
    assert applicant.order("reused.test", profile="brief").json()["status"] == "pending"


def test_another_account_proves_for_itself(applicant: Applicant) -> None:
    """Authorizations and open orders are an account's own."""
    answer = applicant.order("own.test")
    applicant.prove(answer.json())
    strange = applicant.other().order("own.test")
    assert strange.json()["status"] == "pending"
    assert strange.headers["Location"] != answer.headers["Location"]


@pytest.mark.parametrize(("share", "least", "most"), [(0.0, 0, 0), (0.5, 5, 15), (1.0, 20, 20)])
def test_a_share_of_the_authorizations_is_used_again(share: float, least: int, most: int) -> None:
    """By lot, the same with the same seed."""

    def reused() -> list[bool]:
        with applying(acme={"authorization_reuse": share, "seed": 7, "order_reuse": False}) as applicant:
            applicant.obtain("lot.test")
            return [applicant.order("lot.test").json()["status"] == "ready" for _ in range(20)]

    drawn = reused()
    assert least <= sum(drawn) <= most
    assert reused() == drawn


def test_an_open_order_is_given_again(applicant: Applicant) -> None:
    """For the same names in any order, profile and dates, while it is pending or ready."""
    first = applicant.order("a.test", "b.test")
    same = applicant.order("B.test", "a.test")
    assert (same.status_code, same.headers["Location"]) == (201, first.headers["Location"])
    others = [
        applicant.order("a.test"),
        applicant.order("a.test", "b.test", profile="brief"),
        applicant.order("a.test", "b.test", notAfter="2026-01-02T00:00:00Z"),
    ]
    assert len({answer.headers["Location"] for answer in [first, *others]}) == 4
    applicant.prove(first.json())
    assert applicant.order("a.test", "b.test").headers["Location"] == first.headers["Location"]
    applicant.finalize(first.json(), make_csr(["a.test", "b.test"]))
    assert applicant.order("a.test", "b.test").headers["Location"] != first.headers["Location"]


def test_an_order_that_failed_or_ended_is_not_given_again(applicant: Applicant) -> None:
    """There is a new one."""
    first = applicant.order("gone.test")
    applicant.wait(days=8)
    second = applicant.order("gone.test")
    applicant.look.failing.add("gone.test")
    applicant.prove(second.json())
    third = applicant.order("gone.test")
    assert len({answer.headers["Location"] for answer in (first, second, third)}) == 3


def test_orders_are_not_given_again_where_that_is_off() -> None:
    """Each is a new one."""
    with applying(acme={"order_reuse": False}) as applicant:
        assert applicant.order("a.test").headers["Location"] != applicant.order("a.test").headers["Location"]


def test_a_name_can_be_authorized_ahead_of_its_order() -> None:
    """The authorization makes the order ready; wildcards cannot be authorized so (section 7.4.1)."""
    with applying(acme={"pre_authorization": True}) as applicant:
        url = applicant.directory["newAuthz"]
        answer = applicant.post(url, {"identifier": {"type": "dns", "value": "ahead.test"}})
        assert answer.status_code == 201
        assert answer.json()["status"] == "pending"
        applicant.prove({"authorizations": [answer.headers["Location"]]})
        assert applicant.order("ahead.test").json()["status"] == "ready"
        assert_problem(applicant.post(url, {"identifier": {"type": "dns", "value": "*.a.test"}}), "malformed", 400)
        assert_problem(applicant.post(url, {"identifier": {"type": "dns", "value": "a..test"}}), "malformed", 400)
        assert_problem(applicant.post(url, {}), "malformed", 400)


def test_without_the_setting_nothing_is_authorized_ahead(applicant: Applicant) -> None:
    """The directory does not name the resource, and it is not there."""
    assert "newAuthz" not in applicant.directory
    url = applicant.directory["newOrder"].replace("new-order", "new-authorization")
    assert_problem(applicant.post(url, {"identifier": {"type": "dns", "value": "a.test"}}), "malformed", 404)


def test_a_csr_with_other_names_says_which(applicant: Applicant) -> None:
    """Each name that is too many or missing has a subproblem."""
    order = applicant.order("one.test", "two.test").json()
    applicant.prove(order)
    problem = assert_problem(applicant.finalize(order, make_csr(["one.test", "three.test"])), "badCSR", 400)
    assert [sub["identifier"]["value"] for sub in problem["subproblems"]] == ["three.test", "two.test"]
    assert {sub["type"] for sub in problem["subproblems"]} == {PROBLEM + "badCSR"}


def test_a_wildcard_is_revoked_by_who_holds_the_wildcard(applicant: Applicant) -> None:
    """Control of the name alone is not control of all names below it (section 7.6)."""
    leaf, other = applicant.obtain("*.shared.test"), applicant.other()
    other.prove(other.order("shared.test").json())
    assert_problem(other.revoke(leaf), "unauthorized", 403)
    other.prove(other.order("*.shared.test").json())
    assert other.revoke(leaf).status_code == 200


def test_a_certificate_comes_with_other_chains(applicant: Applicant) -> None:
    """Each answer links to the other chains; all have the leaf first, and a number too high is not found."""
    answer = applicant.obtained("chained.test")
    alternate = answer.links["alternate"]["url"]
    other = applicant.post(alternate)
    assert other.headers["Content-Type"] == "application/pem-certificate-chain"
    default, second = (x509.load_pem_x509_certificates(each.content) for each in (answer, other))
    assert default[0] == second[0]
    assert default != second
    assert other.links["alternate"]["url"] == str(answer.request.url)
    for number in ("9", "x", "-1", "1" * 30):
        problem = applicant.post(f"{answer.request.url}/{number}").json()
        assert problem["type"] == PROBLEM + "malformed"
    assert_problem(applicant.other().post(alternate), "unauthorized", 403)


def test_a_valid_authorization_takes_an_answer_to_any_challenge(applicant: Applicant) -> None:
    """A client that answers another challenge of an authorization that is used again gets it back as it is."""
    order = applicant.order("answered.test").json()
    applicant.prove(order)
    dns = applicant.challenge(order["authorizations"][0], "dns-01")
    answer = applicant.post(dns["url"], {})
    assert (answer.status_code, answer.json()["status"]) == (200, "pending")


def test_nothing_is_issued_to_a_deactivated_account() -> None:
    """An order in work fails with its account (section 7.3.6)."""
    with applying(acme={"issue_seconds": 60}) as applicant:
        answer = applicant.order("left.test")
        applicant.prove(answer.json())
        applicant.finalize(answer.json(), make_csr(["left.test"]))
        assert applicant.post(applicant.kid, {"status": "deactivated"}).json()["status"] == "deactivated"
        applicant.wait(seconds=61)
        (order,) = applicant.manage("GET", "/orders").json()["orders"]
        assert order["status"] == "invalid"
        assert "deactivated" in order["error"]["detail"]
        assert applicant.manage("GET", "/status").json()["counts"]["certificates"] == 0
