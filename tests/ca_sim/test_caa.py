"""CAA: who may issue, for which account and after which challenge (RFC 8659, RFC 8657)."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import dns.rcode
import pytest
from dns.message import Message

from ca_sim.acme.jose import key_authorization, public_jwk
from ca_sim.clock import utc_now
from ca_sim.identifiers import Identifier
from ca_sim.problems import CaaError, DnsError
from ca_sim.server import serve_in_thread
from ca_sim.settings import SettingsError, read
from ca_sim.validation.caa import Caa, Issuance, Property, refusal
from ca_sim.validation.name_servers import TRIES, NameServers, endpoint
from tests.ca_sim.applicant import Applicant, applying
from tests.ca_sim.caller import PROBLEM, calling
from tests.ca_sim.conftest import settings_for
from tests.ca_sim.name_server import Script, answering, asked, scripted
from tests.ca_sim.responder import Responder
from tests.support.named import Named, serving_zone

URL = "https://ca.test/acme/account/"
ACCOUNT = URL + "me"
ISSUE = "ca.test"


def decide(*records: tuple[str, str], wildcard: bool = False, flags: int = 0) -> str | None:
    """Decide on records of (tag, value) for ca.test, its account, and http-01."""
    issuance = Issuance(identities=["ca.test", "Other.Test"], account_url=ACCOUNT, challenge="http-01", wildcard=wildcard)
    return refusal([Property(flags, tag, value) for tag, value in records], issuance)


@pytest.mark.parametrize(
    "records",
    [
        [],
        [("iodef", "mailto:a@x.test")],
        [("issuewild", ";")],
        [("issue", "ca.test")],
        [("issue", "  CA.test ; ")],
        [("issue", "other.test")],
        [("issue", "elsewhere.test"), ("issue", "ca.test")],
        [("issue", ";"), ("issue", "ca.test")],
        [("issue", f"ca.test; accounturi={ACCOUNT}")],
        [("issue", "ca.test;validationmethods=dns-01,http-01")],
        [("issue", f"ca.test; ValidationMethods = http-01 ; accounturi={ACCOUNT}; policy=ev")],
        [("issue", "ca.test; validationmethods=dns-01"), ("issue", "ca.test; validationmethods=http-01")],
        [("unknown", "whatever")],
    ],
)
def test_these_records_allow_it(records: list[tuple[str, str]]) -> None:
    """No record that is about it, or one that fits."""
    assert decide(*records) is None


@pytest.mark.parametrize(
    ("records", "says"),
    [
        ([("issue", "elsewhere.test")], "elsewhere.test is allowed"),
        ([("issue", ";")], "nobody is allowed"),
        ([("issue", "")], "nobody is allowed"),
        ([("issue", "sub.ca.test")], "sub.ca.test is allowed"),
        ([("issue", f"ca.test; accounturi={URL}you")], "accounturi names another account"),
        ([("issue", f"ca.test; accounturi={ACCOUNT}; accounturi={ACCOUNT}")], "accounturi"),
        ([("issue", "ca.test; validationmethods=dns-01")], "validationmethods does not allow http-01"),
        ([("issue", "ca.test; validationmethods=")], "validationmethods"),
        ([("issue", "ca.test; validationmethods=http-01; validationmethods=http-01")], "validationmethods"),
        ([("issue", "ca.test; policy")], "malformed"),
        ([("issue", "ca.test; a=b;")], "malformed"),
        ([("issue", "ca.test; -a=b")], "malformed"),
        ([("issue", "ca.test; a=b c")], "malformed"),
        ([("issue", "ca_.test")], "malformed"),
        ([("issue", "ca.test evil.test")], "malformed"),
        ([("issue", "elsewhere.test"), ("issue", ";")], "elsewhere.test is allowed; nobody is allowed"),
    ],
)
def test_these_records_forbid_it(records: list[tuple[str, str]], says: str) -> None:
    """The reason names what stands against it."""
    assert says in (decide(*records) or "")


def test_wildcards_have_records_of_their_own() -> None:
    """With issuewild, issue does not count for them, and the other way round; without it, issue does."""
    assert decide(("issue", ";"), ("issuewild", ISSUE), wildcard=True) is None
    assert decide(("issue", ISSUE), ("issuewild", ";"), wildcard=True) == "nobody is allowed"
    assert decide(("issue", ISSUE), ("issuewild", ";")) is None
    assert decide(("issue", ";"), wildcard=True) == "nobody is allowed"


def test_a_critical_property_must_be_known() -> None:
    """An unknown tag forbids if it is critical, whatever else is allowed; a known one does not."""
    assert decide(("tbs", "x"), ("issue", ISSUE), flags=128) == "the critical property tbs is not known here"
    assert decide(("iodef", "mailto:a@x.test"), ("issue", ISSUE), flags=128) is None


async def check_at(script: Script, name: str = "a.b.test") -> None:
    """Check a name at a scripted server."""
    async with scripted(script, seconds=0.5) as servers:
        await Caa(servers, [ISSUE], URL.__add__, 0.5).check(
            Identifier("dns", name), challenge="http-01", account_id="me", wildcard=False
        )


@pytest.mark.parametrize("broken", ["a.b.test", "b.test", "test"])
def test_what_cannot_be_looked_up_is_refused(broken: str) -> None:
    """A failure anywhere on the way up stops it; a name that does not exist has no records."""

    def script(query: Message) -> list[bytes]:
        code = dns.rcode.SERVFAIL if asked(query)[0] == broken else dns.rcode.NXDOMAIN
        return [answering(query, rcode=code).to_wire()]

    with pytest.raises(DnsError, match=f"CAA of {broken}: SERVFAIL"):
        asyncio.run(check_at(script))
    asyncio.run(check_at(script, "elsewhere.other"))


def test_silence_is_refused() -> None:
    """No answer is no permission."""
    with pytest.raises(DnsError, match="no answer"):
        asyncio.run(check_at(lambda _: []))


def test_the_whole_way_up_has_its_time() -> None:
    """A server that answers each question at the last try does not hold a name of many labels up."""
    tries: dict[str, int] = {}

    def script(query: Message) -> list[bytes]:
        name = asked(query)[0]
        tries[name] = tries.get(name, 0) + 1
        return [answering(query, rcode=dns.rcode.NXDOMAIN).to_wire()] if tries[name] == TRIES else []

    with pytest.raises(DnsError, match=r"CAA of a\.b\.c\.test and the names above it: no answer within 0\.5 s"):
        asyncio.run(check_at(script, "a.b.c.test"))


ZONE = "caazone"
RECORDS = f"""
open A 127.0.0.1
closed CAA 0 issue ";"
closed A 127.0.0.1
mine CAA 0 issue "ca.test"
a.mine A 127.0.0.1
below.closed A 127.0.0.1
mine.closed CAA 0 issue "ca.test"
alias CNAME closed
wild CAA 0 issue "ca.test"
wild CAA 0 issuewild ";"
strict CAA 128 tbs "x"
strict CAA 0 issue "ca.test"
bound CAA 0 issue "ca.test; accounturi={ACCOUNT}"
methods CAA 0 issue "ca.test; validationmethods=dns-01"
"""


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Named]:
    """Serve a zone that is a top-level domain, so that there is nothing above it."""
    with serving_zone(tmp_path_factory.mktemp("named"), ZONE, records=RECORDS) as server:
        yield server


def check(named: Named, value: str, *, account_id: str = "me", challenge: str = "http-01", wildcard: bool = False) -> None:
    """Check an identifier at the server."""
    caa = Caa(NameServers([endpoint(named.address)], 2), [ISSUE], URL.__add__, 5)
    kind = "ip" if value[0].isdigit() else "dns"
    identifier = Identifier(kind, value)  # type: ignore[arg-type]
    asyncio.run(caa.check(identifier, challenge=challenge, account_id=account_id, wildcard=wildcard))


@pytest.mark.system("named")
def test_the_closest_records_hold(named: Named) -> None:
    """Those of the name, of its alias, or of the next name above that has any; addresses have none."""
    for name in ("open", "none.at.all", "mine", "a.mine", "x.y.mine", "mine.closed", "bound", "wild"):
        check(named, f"{name}.{ZONE}")
    check(named, "192.0.2.1")
    check(named, f"methods.{ZONE}", challenge="dns-01")
    for name in ("closed", "below.closed", "x.y.closed", "alias", "strict", "methods"):
        with pytest.raises(CaaError, match="forbid this authority"):
            check(named, f"{name}.{ZONE}")


@pytest.mark.system("named")
def test_wildcard_account_and_challenge_count(named: Named) -> None:
    """The wildcard of an authorization or in a name, another account, and the place where the climb ends."""
    for value, wildcard in ((f"wild.{ZONE}", True), (f"*.wild.{ZONE}", False)):
        with pytest.raises(CaaError, match="nobody is allowed"):
            check(named, value, wildcard=wildcard)
    with pytest.raises(CaaError, match=f"records of bound.{ZONE} forbid this authority to issue for x.bound.{ZONE}"):
        check(named, f"x.bound.{ZONE}", account_id="you")
    with pytest.raises(DnsError, match=r"CAA of a\.elsewhere: REFUSED"):
        check(named, "a.elsewhere")


@pytest.mark.system("named")
@pytest.mark.parametrize(("host", "status"), [("closed", "invalid"), ("open", "valid")])
def test_an_order_heeds_the_records(named: Named, responder: Responder, host: str, status: str) -> None:
    """The challenge is met, but where the records forbid it, the problem is of type caa."""
    settings = settings_for(responder, dns_server=named.address, validation={"check_caa": True})
    with serve_in_thread(settings, utc_now) as authority, calling(authority) as client:
        client.register()
        order = client.order(f"{host}.{ZONE}").json()
        challenge = client.challenge(order["authorizations"][0])
        responder.show(challenge["token"], key_authorization(challenge["token"], public_jwk(client.key.public_key())))
        client.post(challenge["url"], {})
        settled = client.settled(order["authorizations"][0])
        assert settled["status"] == status, settled
        if status == "invalid":
            assert settled["challenges"][0]["error"]["type"] == PROBLEM + "caa"


@pytest.mark.system("named")
def test_an_order_is_bound_to_account_challenge_and_wildcard(tmp_path: Path) -> None:
    """The account goes by its URL; the wildcard by that of its authorization; the challenge is the one that was met."""
    with applying(state_directory=str(tmp_path)) as applicant:
        key, url = applicant.key, applicant.kid
    records = f"""
one CAA 0 issue "ca-sim.example; accounturi={url}; validationmethods=http-01"
wild CAA 0 issue "ca-sim.example"
wild CAA 0 issuewild ";"
"""
    with (
        serving_zone(tmp_path / "named", ZONE, records=records) as named,
        applying(key=key, state_directory=str(tmp_path), dns_server=named.address, validation={"check_caa": True}) as applicant,
    ):
        assert applicant.obtain(f"one.{ZONE}", f"wild.{ZONE}")
        assert_refused(applicant.other(), f"one.{ZONE}", "http-01", "accounturi")
        assert_refused(applicant, f"x.one.{ZONE}", "dns-01", "validationmethods")
        assert_refused(applicant, f"*.wild.{ZONE}", "dns-01", "nobody is allowed")


def assert_refused(applicant: Applicant, name: str, challenge: str, says: str) -> None:
    """Check that an order fails for its CAA records once the challenge is met."""
    order = applicant.order(name).json()
    applicant.post(applicant.challenge(order["authorizations"][0], challenge)["url"], {})
    offered = applicant.post(order["authorizations"][0]).json()["challenges"]
    error = next(found["error"] for found in offered if found["type"] == challenge)
    assert error["type"] == PROBLEM + "caa"
    assert says in error["detail"]


def test_there_must_be_somebody_to_ask() -> None:
    """CAA without a DNS server is a mistake in the settings."""
    with pytest.raises(SettingsError, match="check_caa needs a server to ask"):
        read({"validation": {"check_caa": True}})
