"""Where validation connects to: the table, and a DNS server."""

import asyncio
import struct
from ipaddress import ip_address

import pytest

from ca_sim.identifiers import Identifier
from ca_sim.problems import DnsError
from ca_sim.settings import read
from ca_sim.validation.dns_query import AAAA, CNAME, A, DnsQueryError, build_query, read_answer
from ca_sim.validation.resolver import look_up, make_resolver

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


def record(kind: int, data: bytes, owner: bytes = b"\xc0\x0c") -> bytes:
    """Make a record; its owner points to the question unless it is given."""
    return owner + struct.pack("!HHIH", kind, 1, 60, len(data)) + data


def answer_to(query: bytes, *records: bytes, flags: int = 0x8180) -> bytes:
    """Make the answer to a query."""
    return query[:2] + struct.pack("!HHHHH", flags, 1, len(records), 0, 0) + query[12:] + b"".join(records)


V4, V6 = ip_address("127.0.0.1").packed, ip_address("::1").packed
ALIAS = b"\x04host\xc0\x10"  # host, then the rest of the name in the question after its first label of three letters


def test_addresses_are_read_through_cname_records() -> None:
    """A chain inside of the answer is followed; records of other owners are not taken."""
    query = build_query("www.test", A, 7)
    packet = answer_to(query, record(CNAME, ALIAS), record(A, V4, ALIAS), record(A, b"\1\2\3\4", b"\x05other\0"))
    assert read_answer(packet, query) == ["127.0.0.1"]
    assert read_answer(answer_to(query), query) == []


@pytest.mark.parametrize("change", [b"\0\0", b""])
def test_answers_to_other_questions_are_passed_over(change: bytes) -> None:
    """Another id, or another question, is not an answer."""
    query = build_query("www.test", A, 7)
    other = build_query("abc.test", A, 7)
    packet = change + answer_to(query)[2:] if change else answer_to(other)
    with pytest.raises(LookupError):
        read_answer(packet, query)
    with pytest.raises(LookupError):
        read_answer(query, query)


@pytest.mark.parametrize(
    ("records", "flags", "says"),
    [
        ([], 0x8183, "NXDOMAIN"),
        ([], 0x8182, "SERVFAIL"),
        ([], 0x8380, "truncated"),
        ([record(A, V6)], 0x8180, "malformed"),
        ([record(A, V4)[:-1]], 0x8180, "malformed"),
        ([record(A, V4, b"\xc0\xff")], 0x8180, "malformed"),
        ([record(CNAME, b"\xc0\x0c")], 0x8180, "circle"),
        ([b"\x3f"], 0x8180, "malformed"),
    ],
)
def test_bad_answers_are_errors(records: list[bytes], flags: int, says: str) -> None:
    """What the server refuses, and what cannot be read, is told."""
    query = build_query("www.test", A, 7)
    with pytest.raises(DnsQueryError, match=says):
        read_answer(answer_to(query, *records, flags=flags), query)


class _NameServer(asyncio.DatagramProtocol):
    """Knows www.test, refuses to know gone.test, and first sends a forged answer."""

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        kind = int.from_bytes(data[-4:-2], "big")
        if b"gone" in data:
            self._transport.sendto(answer_to(data, flags=0x8183), addr)
            return
        forged = bytes([data[0] ^ 1]) + answer_to(data, record(A, b"\1\2\3\4"))[1:]
        self._transport.sendto(forged, addr)
        self._transport.sendto(answer_to(data, record(kind, V4 if kind == A else V6)), addr)


async def ask_a_server(name: str) -> list[str]:
    """Resolve a name at a server of this test."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(_NameServer, local_addr=("127.0.0.1", 0))
    try:
        port = transport.get_extra_info("sockname")[1]
        resolve = make_resolver(read({"dns_server": f"127.0.0.1:{port}", "validation_timeout_seconds": 2}))
        assert await resolve(Identifier("ip", "192.0.2.1")) == ["192.0.2.1"]
        return await resolve_one(resolve, name)
    finally:
        transport.close()


def test_a_dns_server_is_asked_for_both_families() -> None:
    """A and AAAA come back, and the forged answers before them do not count."""
    assert asyncio.run(ask_a_server("www.test")) == ["127.0.0.1", "::1"]


def test_a_name_that_dns_does_not_know_is_a_problem() -> None:
    """NXDOMAIN is told in a problem of type dns."""
    with pytest.raises(DnsError, match="NXDOMAIN"):
        asyncio.run(ask_a_server("gone.test"))


def test_a_silent_dns_server_is_a_problem() -> None:
    """Nobody listens: an error, in good time."""
    resolve = make_resolver(read({"dns_server": "127.0.0.1:9", "validation_timeout_seconds": 1}))
    with pytest.raises(DnsError, match=r"looking up www\.test"):
        asyncio.run(resolve_one(resolve, "www.test"))


def test_the_question_is_written_as_the_standard_has_it() -> None:
    """Header, labels, type and class (RFC 1035 section 4.1)."""
    assert build_query("a.test", AAAA, 0x1234).hex() == "12340100000100000000000001610474657374" + "00001c0001"
