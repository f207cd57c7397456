"""The DigiCert provider at the simulated CertCentral: from the order to the certificate, whatever comes between."""

from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from ca_sim.clock import utc_now
from ca_sim.digicert.objects import Status
from ca_sim.faults.rules import Fault
from ca_sim.planes import PlaneName
from ca_sim.server import serve_in_thread
from ca_sim.settings import read
from certworker.crypto.keys import generate_key
from certworker.crypto.x509 import read_certificate
from certworker.errors import SettingsError
from certworker.issuers.digicert import DigicertIssuerSettings, DigicertProvider
from certworker.network.egress import EgressRules
from certworker.network.http import Budget, EgressClient, build_client
from certworker.settings import load_settings
from certworker.vault.issuance import Issued, Pending
from tests.issuers.cert_central import API_KEY, Desk, assert_issued, assert_rejected, make_request, open_desk
from tests.support.clock import FakeClock

LIST_LAG = 150


def test_a_certificate_is_ordered_and_downloaded(clock: FakeClock) -> None:
    """The announcement, the order, a look and the download; the order says all that the policy asks for."""
    with open_desk(clock) as desk:
        desk.request = make_request("www.example.test", "example.test")
        assert_issued(desk.run(), "www.example.test", "example.test")
        assert [line.split("/")[1] for line in desk.connect.asked] == ["order", "order", "certificate"]
        (order,) = desk.orders()
        assert (order.product, order.organization_id, order.certificate.days) == ("ssl_basic", "1", 181)
        assert order.requests[0].comments == "certworker operation operation"


def test_what_is_issued_at_once_needs_no_look(clock: FakeClock) -> None:
    """The chain in the answer to the order is taken; one that cannot be read there is downloaded."""
    with open_desk(clock, issue_at_once=True) as desk:
        assert_issued(desk.run())
        assert len(desk.connect.asked) == 1


@pytest.mark.parametrize("lag", [0, LIST_LAG])
@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "drop-after"},
        {"kind": "mangle", "mangling": "truncated"},
        {"kind": "mangle", "mangling": "html"},
        {"kind": "mangle", "mangling": "json"},
        {"kind": "mangle", "mangling": "huge"},
    ],
)
def test_an_order_whose_answer_is_lost_is_found_again(clock: FakeClock, lag: int, fault: dict[str, object]) -> None:
    """The order is found by its mark and its key, also where the CA's list lags behind, and no other is placed."""
    with open_desk(clock, list_lag_seconds=lag) as desk:
        desk.arm(**fault, at=["digicert.order"], count=1)
        assert desk.failing().progress["step"] == "ordering"
        assert_issued(desk.run())
        assert len(desk.orders()) == len(desk.certificates()) == 1


def test_an_order_that_never_arrived_is_placed_after_a_pause(clock: FakeClock) -> None:
    """Finding nothing is believed once the CA's list must have it; what is waited for is told meanwhile."""
    with open_desk(clock, list_lag_seconds=LIST_LAG) as desk:
        desk.arm(kind="drop-before", at=["digicert.order"], count=1)
        desk.failing()
        begun = clock()
        assert "is not known" in desk.waiting()
        assert_issued(desk.run())
        assert timedelta(seconds=LIST_LAG) < clock() - begun < timedelta(minutes=15)
        assert len(desk.orders()) == 1


def test_a_process_that_cannot_know_looks_before_it_orders(clock: FakeClock) -> None:
    """Whoever takes up an announced order looks for it first; the process that announced it orders at once."""
    with open_desk(clock) as desk:
        desk.until_step("ordering")
        desk.restart()
        desk.waiting()
        assert [line.split()[0] for line in desk.connect.asked] == ["GET"]
        assert_issued(desk.run())
        assert len(desk.orders()) == 1


def test_an_announcement_that_is_old_is_looked_into(clock: FakeClock) -> None:
    """A process that stood still for its lease's time may have been overtaken: it looks too."""
    with open_desk(clock) as desk:
        desk.until_step("ordering")
        clock.advance(timedelta(minutes=4))
        desk.step()
        assert desk.connect.asked == ["GET /order/certificate"]


@pytest.mark.parametrize("lag", [0, LIST_LAG])
def test_a_crash_after_any_exchange_orders_nothing_twice(clock: FakeClock, lag: int) -> None:
    """What came of a step is lost with its process; another goes on from what was recorded, soon after."""
    for number in range(40):
        with open_desk(clock, list_lag_seconds=lag, download_lag_seconds=5) as desk:
            for _ in range(number):
                if not isinstance(desk.step(), Pending):
                    return
            desk.provider.step(desk.request, desk.progress, clock())
            desk.restart()
            assert_issued(desk.run())
            assert len(desk.orders()) == len(desk.certificates()) == 1
    raise AssertionError("an order takes more steps than expected")


def test_processes_that_all_end_early_come_to_an_end(clock: FakeClock) -> None:
    """A new process for every step orders too, once."""
    with open_desk(clock) as desk:
        result = None
        for _ in range(40):
            before = len(desk.connect.asked)
            desk.restart()
            result = desk.provider.step(desk.request, desk.progress, clock())
            assert len(desk.connect.asked) - before <= 2
            if not isinstance(result, Pending):
                break
            desk.progress = result.progress
            clock.set(max(clock(), result.retry_at or clock()))
        assert result
        assert_issued(result)
        assert len(desk.orders()) == 1


def test_the_orders_of_others_are_not_taken(clock: FakeClock) -> None:
    """Orders for the same name, with another key or another mark, are looked at and left; pages are turned."""
    with open_desk(clock) as desk:
        mine = desk.request
        desk.arm(kind="drop-after", at=["digicert.order"], count=1)
        desk.failing()
        for number in range(101):
            other = make_request(operation=f"other {number}") if number else make_request(key=generate_key("EC", None, "P-256"))
            stranger = Desk(desk.authority, FakeClock(clock()), desk.connect, desk.settings, other)
            stranger.until_step("ordered")
        desk.request = mine
        desk.until_step("issued")
        assert desk.progress
        assert desk.progress["order_id"] == str(desk.orders()[0].id)
        assert_issued(desk.run())
        assert len(desk.orders()) == 102


def test_the_user_is_told_what_is_waited_for(clock: FakeClock) -> None:
    """An approval, a validation and the issuance are told apart; the CA is asked less and less often, and not too seldom."""
    with open_desk(clock, approval_products=["*"], issue_seconds=3600, download_lag_seconds=60) as desk:
        assert "waits for its approval" in desk.waiting()
        (order,) = desk.orders()
        desk.arm(kind="validation", at=["digicert.validation"], seconds=3600)
        desk.authority.house.digicert.deliveries.decide(order.requests[0].id, Status.APPROVED)
        assert "control of the domains" in desk.waiting()
        asked = len(desk.connect.asked)
        assert_issued(desk.run())
        assert len(desk.connect.asked) - asked < 40
        pauses = [step.retry_at for step in desk.seen if isinstance(step, Pending) and step.retry_at]
        assert timedelta(minutes=2) < max(after - before for before, after in pairwise(pauses)) < timedelta(minutes=15)
        assert "does not have it ready" in str(desk.seen)


def test_a_rejection_is_told_with_its_reason(clock: FakeClock) -> None:
    """What the administrator or the CA says of an order that comes to nothing is the user's."""
    with open_desk(clock, approval_products=["*"]) as desk:
        desk.waiting()
        (order,) = desk.orders()
        desk.authority.house.digicert.deliveries.decide(order.requests[0].id, Status.REJECTED, "no budget")
        assert assert_rejected(desk.run(), "rejected", "no budget").code == "Request rejected"


@pytest.mark.parametrize("status", [Status.DENIED, Status.CANCELED])
def test_an_order_that_is_ended_at_the_ca_fails(clock: FakeClock, status: Status) -> None:
    """Nobody waits for an order that was denied or cancelled."""
    with open_desk(clock, issue_seconds=60) as desk:
        desk.until_step("ordered")
        desk.authority.house.digicert.orders.end(desk.orders()[0].id, status, "as it is")
        assert_rejected(desk.run(), status, "as it is")


@pytest.mark.parametrize("place", ["digicert.order", "digicert.list", "digicert.look", "digicert.download"])
@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "error", "status": 500},
        {"kind": "error", "seconds": 7200},
        {"kind": "throttle", "seconds": 7200},
        {"kind": "throttle", "status": 503, "seconds": 7200, "as_date": True},
        {"kind": "drop-before"},
        {"kind": "mangle", "mangling": "html"},
        {"kind": "mangle", "mangling": "json"},
        {"kind": "latency", "seconds": 100},
    ],
)
def test_a_ca_in_trouble_is_asked_again(clock: FakeClock, place: str, fault: dict[str, object]) -> None:
    """Each fault is told in one line, the CA is asked again when it wants to be, and the certificate is had in the end."""
    with open_desk(clock) as desk:
        if place == "digicert.list":
            desk.arm(kind="drop-after", at=["digicert.order"], count=1)
            desk.failing()
        desk.arm(**fault, at=[place], count=1)
        begun = clock()
        pending = desk.failing()
        assert pending.failure
        assert "\n" not in pending.failure
        if "seconds" in fault and fault["kind"] != "latency":
            assert pending.retry_at == begun + timedelta(hours=2)
        assert_issued(desk.run())
        assert len(desk.orders()) == 1


def test_what_was_throttled_is_not_looked_for(clock: FakeClock) -> None:
    """An order that the CA did not take is placed again without a search."""
    with open_desk(clock) as desk:
        desk.arm(kind="throttle", at=["digicert.order"], count=1, seconds=60)
        assert_issued(desk.run())
        assert "GET /order/certificate" not in desk.connect.asked


def test_an_order_that_is_missing_for_a_moment_is_not_given_up(clock: FakeClock) -> None:
    """A 404 is believed when it stays; then the order is gone."""
    with open_desk(clock) as desk:
        desk.arm(kind="error", status=404, at=["digicert.look"], count=2)
        assert_issued(desk.run())
        desk.request, desk.progress = make_request(operation="another"), None
        desk.arm(kind="error", status=404, at=["digicert.look"])
        assert assert_rejected(desk.run(), "is gone").certified


def test_a_certificate_that_cannot_be_read_is_not_waited_for(clock: FakeClock) -> None:
    """Garbage in place of a certificate is told a few times, and then ends the operation."""
    with open_desk(clock) as desk:
        desk.arm(kind="garbage", at=["digicert.issue"], count=1)
        assert "no chain in PEM" in (desk.failing().failure or "")
        assert assert_rejected(desk.run(), "cannot be read").certified


def test_a_refused_order_is_told(clock: FakeClock) -> None:
    """The CA's own words reach the user, and a missing organization is named as what it is in the record."""
    with open_desk(clock) as desk:
        desk.request = make_request("www.blocked.test")
        assert assert_rejected(desk.run(), "blocks www.blocked.test", "invalid_dns_name").configuration
        desk.request, desk.progress = make_request(), None
        desk.change(organization=None)
        assert_rejected(desk.run(), "organization is missing", "org_details.id")


@pytest.mark.parametrize(
    ("changed", "set_up", "words"),
    [
        ({"credential": None}, {}, "API key"),
        ({"credential": "two\nlines"}, {}, "API key"),
        ({"organization": '{"id": "seven"}'}, {}, "org_details.id"),
        ({"profile": "../order"}, {}, "EV-SSL"),
        ({}, {"url": "http://ca.example.test/v2"}, "https"),
        ({}, {"url": "https://user@ca.example.test/v2"}, "https"),
    ],
)
def test_a_wrong_set_up_is_told_before_anything_is_asked(
    clock: FakeClock, changed: dict[str, object], set_up: dict[str, object], words: str
) -> None:
    """What cannot work is refused in words that say what would be right, and show no key."""
    with open_desk(clock) as desk:
        desk.change(**changed)
        desk.set(**set_up)
        rejected = assert_rejected(desk.step(), words)
        assert rejected.configuration
        assert "two" not in rejected.message
        assert desk.connect.asked == []


def test_a_key_that_is_not_known_is_told(clock: FakeClock) -> None:
    """A wrong key fails an order that is not placed, and waits with one that is."""
    with open_desk(clock) as desk:
        desk.change(credential="wrong")
        assert assert_rejected(desk.run(), "invalid_api_key").configuration
        desk.request, desk.progress = make_request(), None
        desk.until_step("ordered")
        desk.change(credential="wrong")
        assert "invalid_api_key" in (desk.failing().failure or "")
        desk.change(credential=API_KEY)
        assert_issued(desk.run())


@pytest.mark.parametrize(
    ("profile", "product"),
    [
        (None, "ssl_plus"),
        ("ev-ssl", "ssl_ev_basic"),
        ("DV-SSL", "ssl_dv_geotrust_flex"),
        ("private_ssl_plus", "private_ssl_plus"),
    ],
)
def test_the_certificate_type_chooses_the_product(clock: FakeClock, profile: str | None, product: str) -> None:
    """Key Vault's types mean products; what is none of them is the product itself, and without any the settings say it."""
    with open_desk(clock) as desk:
        desk.set(product="ssl_plus")
        desk.change(profile=profile)
        assert_issued(desk.run())
        assert desk.orders()[0].product == product


def test_the_common_name_is_a_name_that_fits(clock: FakeClock) -> None:
    """A first name that is too long for a common name is left to the other names."""
    long = f"{'a' * 60}.example.test"
    with open_desk(clock) as desk:
        desk.request = make_request(long, "www.example.test", "*.example.test")
        result = assert_issued(desk.run(), long, "www.example.test", "*.example.test")
        assert "CN=www.example.test" in read_certificate(result.chain[0]).subject


def test_an_order_is_withdrawn(clock: FakeClock) -> None:
    """A pending order is cancelled; one of which only the placing is recorded is found first; what is issued stays so."""
    with open_desk(clock, issue_seconds=3600) as desk:
        desk.until_step("ordered")
        assert desk.progress
        assert desk.provider.cancel(desk.request, desk.progress, clock()) is None
        assert desk.orders()[0].status is Status.CANCELED
        assert desk.provider.cancel(desk.request, desk.progress, clock()) is None

        desk.request, desk.progress = make_request(operation="lost"), None
        desk.arm(kind="drop-after", at=["digicert.order"], count=1)
        lost = desk.failing()
        assert desk.provider.cancel(desk.request, lost.progress, clock()) is None
        assert [order.status for order in desk.orders()] == [Status.CANCELED] * 2

        desk.request, desk.progress = make_request(operation="issued"), None
        desk.until_step("ordered")
        clock.advance(timedelta(hours=1))
        assert desk.provider.cancel(desk.request, desk.progress or {}, clock()) is None
        assert desk.orders()[-1].status is Status.ISSUED


def test_nothing_is_withdrawn_that_was_not_ordered(clock: FakeClock) -> None:
    """What was announced only is forgotten by the process that did it; another is patient with the CA's list."""
    with open_desk(clock) as desk:
        pending = desk.until_step("ordering")
        assert desk.provider.cancel(desk.request, pending.progress, clock()) is None
        assert desk.connect.asked == []
        waits = desk.new_provider().cancel(desk.request, pending.progress, clock())
        assert waits
        assert waits.retry_at == clock() + timedelta(minutes=5)
        clock.advance(timedelta(minutes=5))
        assert desk.new_provider().cancel(desk.request, waits.progress, clock()) is None
        assert desk.orders() == []


def test_a_ca_that_cannot_be_told_is_told_later(clock: FakeClock) -> None:
    """A withdrawal that fails says so, and when the CA wants to be asked again."""
    with open_desk(clock, issue_seconds=3600) as desk:
        desk.until_step("ordered")
        desk.arm(kind="throttle", at=["digicert.cancel"], count=1, seconds=90)
        pending = desk.provider.cancel(desk.request, desk.progress or {}, clock())
        assert pending
        assert pending.failure
        assert pending.retry_at == clock() + timedelta(seconds=90)
        desk.arm(kind="error", status=400, at=["digicert.cancel"], count=1)
        refused = desk.provider.cancel(desk.request, pending.progress, clock())
        assert refused
        assert refused.failure
        assert desk.provider.cancel(desk.request, refused.progress, clock()) is None
        assert desk.orders()[0].status is Status.CANCELED


def issued(desk: Desk) -> bytes:
    """Have a certificate issued."""
    result = desk.run()
    assert isinstance(result, Issued)
    return result.chain[0]


def test_a_certificate_is_revoked(clock: FakeClock) -> None:
    """A certificate is found by its serial number and revoked for the reason that is given; twice is as good as once."""
    with open_desk(clock) as desk:
        leaf = issued(desk)
        assert not desk.provider.revoke(desk.request, leaf, 2, clock()).done
        assert desk.provider.revoke(desk.request, leaf, 1, clock()).done
        assert desk.certificates()[0].reason == 1
        assert desk.provider.revoke(desk.request, leaf, 4, clock()).done
        desk.arm(kind="error", at=["digicert.look"], count=1, seconds=30)
        failed = desk.provider.revoke(desk.request, leaf, 4, clock())
        assert (failed.done, failed.retry_at) == (False, clock() + timedelta(seconds=30))


def test_a_revocation_that_waits_for_an_approval_is_not_done(clock: FakeClock) -> None:
    """Until an administrator approves it, it is asked for again; a certificate of another CA is not known."""
    with open_desk(clock, revocation_approval=True) as desk:
        leaf = issued(desk)
        waiting = desk.provider.revoke(desk.request, leaf, 4, clock())
        assert not waiting.done
        assert "approval" in waiting.message
        assert waiting.retry_at
        request = desk.orders()[0].requests[-1]
        desk.authority.house.digicert.deliveries.decide(request.id, Status.APPROVED)
        assert desk.provider.revoke(desk.request, leaf, 4, clock()).done
    with open_desk(clock) as other:
        unknown = other.provider.revoke(other.request, leaf, 4, clock())
        assert (unknown.done, unknown.retry_at) == (False, None)


def test_the_ca_is_examined(clock: FakeClock) -> None:
    """Key, account and organization are looked at; what is wrong is a finding."""
    with open_desk(clock) as desk:
        found = desk.provider.examine(desk.request, clock())
        assert found.passed, found
        assert "Example Organization" in str(found.findings)
        for changed in ({"account_id": "7"}, {"organization": '{"id": 9}'}, {"credential": "wrong"}, {"credential": None}):
            desk.request = make_request()
            desk.change(**changed)
            assert not desk.provider.examine(desk.request, clock()).passed, changed


class Scripted(httpx.BaseTransport):
    """A CA that gives one answer, whatever is asked."""

    def __init__(self, answer: httpx.Response) -> None:
        self._answer = answer

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Give it."""
        assert request.headers["x-dc-devkey"] == API_KEY
        return self._answer


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(302, headers={"location": "https://elsewhere.example.test/"}),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"id": "../7", "status": "issued"}),
        httpx.Response(200, json={"id": True, "status": "issued"}),
        httpx.Response(200, json={"id": 7}),
        httpx.Response(200, json={"id": 7, "status": "issued", "certificate": {"id": "8/../9"}}),
        httpx.Response(200, json={"id": 7, "status": "on its way"}),
        httpx.Response(200, content=b"[" * 100_000),
        httpx.Response(400, json={"errors": f"{API_KEY} is wrong"}),
        httpx.Response(400, json={"errors": [{"code": "x", "message": f"the key {API_KEY}\n\u202eis wrong"}]}),
        httpx.Response(200, json={"orders": {}}),
    ],
)
@pytest.mark.parametrize("step", ["ordering", "ordered"])
def test_an_answer_that_makes_no_sense_is_told(clock: FakeClock, answer: httpx.Response, step: str) -> None:
    """A redirect, wrong types, an unknown status and the key in the CA's own words: one clean line, and patience."""

    def connect(rules: EgressRules, _bundle: str | None, timeout_seconds: float) -> EgressClient:
        return EgressClient(rules, Scripted(answer), Budget(60.0), timeout_seconds)

    provider = DigicertProvider(EgressRules(), lambda _: DigicertIssuerSettings(), connect)
    result = provider.step(make_request(), {"step": step, "order_id": "7", "since": "1", "begun": "1"}, clock())
    assert isinstance(result, Pending)
    assert result.failure
    assert API_KEY not in repr(result)
    assert "\n" not in result.failure
    assert "\u202e" not in result.failure


@pytest.mark.parametrize("entry", ["OV-SSL", "=ssl_basic", "OV-SSL="])
def test_a_product_that_is_none_is_refused(tmp_path: Path, entry: str) -> None:
    """A setting that maps no type to a product is named."""
    file = tmp_path / "certworker.toml"
    file.write_text(f'[issuers.ca]\nproducts = ["{entry}"]\n')
    with pytest.raises(SettingsError, match="TYPE=PRODUCT"):
        load_settings(file, {})


def test_it_speaks_over_tls(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Over a real connection too, whose other end is verified; an answer of a gigabyte is cut off."""
    ports = {"port": 0, "management_port": 0, "public_port": 0, "globalsign": {"port": 0}}
    settings = read(ports | {"digicert": {"port": 0, "accounts": {"1000001": API_KEY}}})
    with serve_in_thread(settings, utc_now) as authority:
        bundle = tmp_path_factory.mktemp("digicert") / "root.pem"
        bundle.write_bytes(authority.root_pem)
        of_issuer = DigicertIssuerSettings(url=f"{authority.bases[PlaneName.DIGICERT]}/services/v2", ca_bundle=str(bundle))
        provider = DigicertProvider(EgressRules(("127.0.0.0/8", "::1")), lambda _: of_issuer, build_client)
        fault = Fault.model_validate({"kind": "mangle", "mangling": "huge", "at": ["digicert.look"], "count": 1})
        with build_client(EgressRules(("127.0.0.0/8", "::1"))) as http:
            assert http.post(f"{authority.management_url}/faults", json=fault.model_dump(mode="json")).status_code == 201
        progress, failures = None, []
        for _ in range(20):
            result = provider.step(make_request(), progress, utc_now())
            if not isinstance(result, Pending):
                break
            progress = result.progress
            failures += [result.failure] if result.failure else []
        assert_issued(result)
        assert len(failures) == 1
        assert "more than" in failures[0]
