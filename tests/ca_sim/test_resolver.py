"""Where validation connects to: the table, and a DNS server."""

import asyncio

import dns.rcode
import pytest
from dns.message import Message

from ca_sim.identifiers import Identifier
from ca_sim.problems import DnsError
from ca_sim.settings import read
from ca_sim.validation.name_servers import DnsLookupError, NameServers, NoSuchNameError, endpoint
from ca_sim.validation.resolver import look_up, make_resolver, name_servers
from tests.ca_sim.name_server import Script, answering, asked, scripted

TABLE = {"*": "127.0.0.1", "*.test": "127.0.0.2", "*.example.test": "127.0.0.3", "www.example.test": "127.0.0.4"}


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("www.example.test", "127.0.0.4"),
        ("a.example.test", "127.0.0.3"),
        ("a.b.example.test", "127.0.0.3"),
        ("example.test", "127.0.0.2"),
        ("test", "127.0.0.1"),
        ("192.0.2.1", "127.0.0.1"),
    ],
)
def test_the_closest_entry_wins(name: str, address: str) -> None:
    """A full name goes before the longest suffix, and that before the star."""
    assert look_up(TABLE, name) == address


def test_a_name_outside_the_table_has_no_address() -> None:
    """Without a star the problem is of type dns."""
    resolve = make_resolver(read({"resolver": {"*.test": "127.0.0.1"}}))
    with pytest.raises(DnsError, match=r"no address for a\.example"):
        asyncio.run(resolve_one(resolve, "a.example"))


async def resolve_one(resolve: object, name: str) -> list[str]:
    """Resolve a DNS name."""
    found: list[str] = await resolve(Identifier("dns", name))  # type: ignore[operator]
    return found


def well_behaved(query: Message) -> list[bytes]:
    """Know both families of www.test, one of four.test, none of bare.test, and nothing else."""
    name, kind = asked(query)
    known = {
        ("www.test", "A"): ["www.test. A 127.0.0.1"],
        ("www.test", "AAAA"): ["www.test. CNAME host.test.", "host.test. AAAA ::1"],
        ("four.test", "A"): ["four.test. A 127.0.0.1"],
    }
    if (name, kind) == ("four.test", "AAAA"):
        return [answering(query, rcode=dns.rcode.SERVFAIL).to_wire()]
    if (name, kind) in known or name == "bare.test":
        return [answering(query, *known.get((name, kind), [])).to_wire()]
    return [answering(query, rcode=dns.rcode.NXDOMAIN).to_wire()]


async def resolve_at_a_server(identifier: Identifier) -> list[str]:
    """Resolve at a server of this test."""
    async with scripted(well_behaved) as servers:
        ((_, port),) = servers.servers
        resolve = make_resolver(read({"dns_server": f"127.0.0.1:{port}", "validation_timeout_seconds": 2}))
        return await resolve(identifier)


@pytest.mark.parametrize(
    ("identifier", "addresses"),
    [
        (Identifier("dns", "www.test"), ["127.0.0.1", "::1"]),
        (Identifier("dns", "four.test"), ["127.0.0.1"]),
        (Identifier("ip", "192.0.2.1"), ["192.0.2.1"]),
    ],
)
def test_a_dns_server_is_asked_for_both_families(identifier: Identifier, addresses: list[str]) -> None:
    """A and AAAA come back; one is enough when the other cannot be had, and an address is its own answer."""
    assert asyncio.run(resolve_at_a_server(identifier)) == addresses


@pytest.mark.parametrize(("name", "says"), [("gone.test", "NXDOMAIN"), ("bare.test", "neither an A nor an AAAA record")])
def test_a_name_without_address_is_a_problem(name: str, says: str) -> None:
    """What DNS says is told in a problem of type dns."""
    with pytest.raises(DnsError, match=says):
        asyncio.run(resolve_at_a_server(Identifier("dns", name)))


def test_a_silent_dns_server_is_a_problem() -> None:
    """Nobody listens: an error, in good time."""
    resolve = make_resolver(read({"dns_server": "127.0.0.1:9", "validation_timeout_seconds": 1}))
    with pytest.raises(DnsError, match=r"looking up www\.test"):
        asyncio.run(resolve_one(resolve, "www.test"))


async def look_up_at(script: Script, seconds: float = 1) -> list[str]:
    """Ask a scripted server for the TXT records of a name."""
    async with scripted(script, seconds) as servers:
        return [record.to_text() for record in await servers.look_up("www.test", "TXT")]


def forging(query: Message) -> list[bytes]:
    """Answer with another id, then to another question, and at last rightly."""
    forged = answering(query, 'www.test. TXT "forged"')
    forged.id ^= 1
    other = answering(query, 'www.test. TXT "other"')
    other.question = answering(query, "x.test. TXT x").answer[:1]
    return [b"no DNS", forged.to_wire(), other.to_wire(), answering(query, 'www.test. TXT "right"').to_wire()]


def test_forged_answers_are_passed_over() -> None:
    """What is no answer to the question does not count, whatever comes first."""
    assert asyncio.run(look_up_at(forging)) == ['"right"']


def test_a_lost_question_is_asked_again() -> None:
    """The first datagram stays without an answer."""
    lost: list[Message] = []

    def losing(query: Message) -> list[bytes]:
        lost.append(query)
        return [] if len(lost) == 1 else [answering(query, "www.test. TXT x").to_wire()]

    assert asyncio.run(look_up_at(losing, seconds=0.6)) == ['"x"']


def test_a_chain_that_the_server_does_not_follow_is_followed() -> None:
    """Each CNAME takes a question more; a chain without end is given up."""

    def hop_by_hop(query: Message) -> list[bytes]:
        name, _ = asked(query)
        to = {"www.test": "a.test", "a.test": "b.test"}
        return [answering(query, f"{name}. CNAME {to[name]}." if name in to else f"{name}. TXT end").to_wire()]

    def endless(query: Message) -> list[bytes]:
        name, _ = asked(query)
        return [answering(query, f"{name}. CNAME x{name}.").to_wire()]

    def round_about(query: Message) -> list[bytes]:
        return [answering(query, "www.test. CNAME a.test.", "a.test. CNAME www.test.").to_wire()]

    assert asyncio.run(look_up_at(hop_by_hop)) == ['"end"']
    for script in (endless, round_about):
        with pytest.raises(DnsLookupError):
            asyncio.run(look_up_at(script))


@pytest.mark.parametrize("code", [dns.rcode.SERVFAIL, dns.rcode.REFUSED, dns.rcode.NXDOMAIN])
def test_what_a_server_refuses_is_told(code: dns.rcode.Rcode) -> None:
    """The code is in the words; that there is no such name is an error of its own."""
    with pytest.raises(DnsLookupError, match=dns.rcode.to_text(code)) as caught:
        asyncio.run(look_up_at(lambda query: [answering(query, rcode=code).to_wire()]))
    assert isinstance(caught.value, NoSuchNameError) is (code == dns.rcode.NXDOMAIN)


def test_the_next_server_is_asked_when_one_fails() -> None:
    """A server that does not know is passed over; without any there is nothing to ask."""

    async def ask_two() -> list[str]:
        async with (
            scripted(lambda query: [answering(query, rcode=dns.rcode.SERVFAIL).to_wire()]) as bad,
            scripted(lambda query: [answering(query, "www.test. TXT x").to_wire()]) as good,
        ):
            both = NameServers([*bad.servers, *good.servers], 2)
            return [record.to_text() for record in await both.look_up("www.test", "TXT")]

    assert asyncio.run(ask_two()) == ['"x"']
    with pytest.raises(DnsLookupError, match="no DNS server"):
        asyncio.run(NameServers([], 1).look_up("www.test", "TXT"))


@pytest.mark.parametrize(
    ("settings", "servers"),
    [
        ({}, None),
        ({"dns_server": "192.0.2.1:53"}, [("192.0.2.1", 53)]),
        ({"dns_server": "[2001:db8::1]:5353", "validation": {"system_resolver": True}}, [("2001:db8::1", 5353)]),
    ],
)
def test_dns_is_asked_only_where_the_settings_say_so(settings: dict[str, object], servers: object) -> None:
    """By default nobody is; a server of the settings goes before those of the machine."""
    found = name_servers(read(settings))
    assert (found and list(found.servers)) == servers


def test_the_servers_of_the_machine_are_asked_on_request() -> None:
    """Those of its resolver, each at port 53, and none is no error."""
    found = name_servers(read({"validation": {"system_resolver": True}}))
    assert found is not None
    assert {port for _, port in found.servers} <= {53}
    assert endpoint("[::1]:53") == ("::1", 53)
