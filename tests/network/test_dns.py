"""Dynamic updates and the look at name servers, at a real one and at some that misbehave."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dns.message
import dns.query
import pytest

from certworker.errors import SettingsError
from certworker.network.dns import DnsRefused, DynamicUpdates, NameServer, UpdateKey, Zones, system_resolvers
from certworker.network.egress import EgressRefused, EgressRules, SocketAddress, Unreachable
from tests.support.named import Named, serving_zone

OWNER = "_acme-challenge.www.example.test."
LOOPBACK = ("127.0.0.0/8",)
RECORDS = """_acme-challenge.alias CNAME one
one CNAME two
two CNAME target.elsewhere.test.
loop CNAME pool
pool CNAME loop
"""


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Named]:
    """Serve a zone with aliases in it."""
    with serving_zone(tmp_path_factory.mktemp("named"), "example.test", records=RECORDS) as running:
        yield running


def updates_of(server: str, secret: str = "c2VjcmV0", key: str = "key", zone: str | None = "example.test") -> DynamicUpdates:
    """Send updates to a server."""
    return DynamicUpdates(
        EgressRules(LOOPBACK),
        NameServer.read(server),
        UpdateKey(key, "hmac-sha256", secret),
        zone,
        ttl_seconds=1,
        timeout_seconds=5,
    )


def zones_at(*servers: str, patience: float = 5) -> Zones:
    """Ask some servers for everything."""
    return Zones(EgressRules(LOOPBACK), [NameServer.read(server) for server in servers], patience)


@contextmanager
def answering(answer: Callable[[bytes], bytes | None]) -> Iterator[str]:
    """Be a name server of one's own for one question over TCP and any over UDP; give its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        datagrams.bind(listener.getsockname())
        listener.settimeout(5)
        datagrams.settimeout(5)

        def stream() -> None:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                question = connection.recv(65535)[2:]
                if reply := answer(question):
                    connection.sendall(len(reply).to_bytes(2, "big") + reply)

        def packet() -> None:
            try:
                question, peer = datagrams.recvfrom(65535)
            except OSError:
                return
            if reply := answer(question):
                datagrams.sendto(reply, peer)

        threads = [threading.Thread(target=stream, daemon=True), threading.Thread(target=packet, daemon=True)]
        for thread in threads:
            thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(type=kind) as last:
                last.connect(listener.getsockname())
                last.send(b"")
        for thread in threads:
            thread.join(5)


def unsigned(question: bytes) -> bytes:
    """Say yes to an update of example.test without a signature."""
    return question[:2] + b"\xa8\x00\x00\x01" + bytes(6) + question[12:30]


@pytest.mark.system("named")
def test_values_stand_side_by_side(named: Named) -> None:
    """Added twice it is there once; removed twice it is gone, and others stay; more than a datagram holds is seen."""
    updates = updates_of(named.address, named.secret, named.key, zone=None)
    values = [f"{number:02}" + "x" * 41 for number in range(20)]
    for value in (*values, values[0]):
        updates.add(OWNER, value)
    assert named_texts(named) == set(values)
    assert zones_at(named.address).lacking(OWNER, values[7]) is None
    for value in (*values[1:], values[1]):
        updates.remove(OWNER, value)
    assert named_texts(named) == {values[0]}
    assert "does not show the TXT record" in str(zones_at(named.address).lacking(OWNER, values[7]))
    updates.remove(OWNER, values[0])
    assert "does not show the TXT record" in str(zones_at(named.address).lacking(OWNER, values[0]))


def named_texts(named: Named) -> set[str]:
    """Ask over TCP, as the values are too many for a datagram."""
    answer = dns.query.tcp(dns.message.make_query(OWNER, "TXT"), "127.0.0.1", port=named.port, timeout=5)
    return {b"".join(item.strings).decode() for found in answer.answer for item in found}


@pytest.mark.system("named")
def test_aliases_are_followed_to_their_end(named: Named) -> None:
    """Through three names into a zone that this server does not have; a circle is refused."""
    zones = zones_at(named.address)
    assert zones.follow("_acme-challenge.alias.example.test") == "target.elsewhere.test."
    assert zones.follow("_acme-challenge.www.example.test") == OWNER
    dead_first = Zones(EgressRules(), (), 0.2, lambda: [NameServer("127.0.0.1", 9), NameServer.read(named.address)])
    assert dead_first.follow("_acme-challenge.www.example.test") == OWNER
    with pytest.raises(DnsRefused, match="more than 8 aliases"):
        zones.follow("loop.example.test")
    with pytest.raises(DnsRefused, match=r"answers REFUSED when it is asked for www\.elsewhere\.test"):
        zones.follow("www.elsewhere.test")


@pytest.mark.system("named")
def test_the_servers_of_the_zone_are_asked(named: Named) -> None:
    """Found by the zone's own NS records, and reached by the address that the rules resolve and allow."""
    asked = []

    def lookup(host: str, port: int) -> list[tuple[socket.AddressFamily, SocketAddress]]:
        asked.append((host, port))
        return [(socket.AF_INET, ("127.0.0.1", port))]

    resolvers = [NameServer.read(named.address)]
    zones = Zones(EgressRules(("ns.example.test",), lookup=lookup), (), 0.5, lambda: resolvers, named.port)
    updates_of(named.address, named.secret, named.key).add(OWNER, "here")
    assert zones.lacking(OWNER, "here") is None
    assert "The name server ns.example.test:" in str(zones.lacking(OWNER, "there"))
    assert set(asked) == {("ns.example.test", named.port)}
    strict = Zones(EgressRules(lookup=lookup), (), 0.5, lambda: resolvers, named.port)
    with pytest.raises(EgressRefused, match=r"network\.allow_private"):
        strict.lacking(OWNER, "here")


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (unsigned, DnsRefused, "no proper answer: response requires a TSIG|without the signature of the key"),
        (lambda _: None, Unreachable, "cannot be asked|did not answer"),
        (lambda _: b"\x00", Unreachable, "no proper answer|cannot be asked"),
        (lambda question: b"\xff\xff" + unsigned(question)[2:], Unreachable, "no proper answer|cannot be asked"),
    ],
)
def test_an_update_server_that_misbehaves_is_not_believed(
    answer: Callable[[bytes], bytes | None], error: type[Unreachable], words: str
) -> None:
    """No signature, no answer, half of one, another question's."""
    with answering(answer) as server, pytest.raises(error, match=words):
        updates_of(server).add(OWNER, "value")


def test_a_silent_server_does_not_show_anything() -> None:
    """It is named, and that it did not answer in time; garbage and forgeries are passed over until then."""
    for answer in (lambda _: None, lambda _: b"\x00", lambda question: b"\xff\xff" + question[2:]):
        with answering(answer) as server:
            lacking = zones_at(server, patience=0.3).lacking(OWNER, "value")
            assert lacking == f"The name server {server} did not answer in time."


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("ns.test", "ns.test", 53),
        ("ns.test:5353", "ns.test", 5353),
        ("::1", "::1", 53),
        ("[::1]:54", "::1", 54),
        ("[::1]", "::1", 53),
    ],
)
def test_a_name_server_is_read_as_it_is_written(text: str, host: str, port: int) -> None:
    """With and without a port; an IPv6 address needs brackets only before one."""
    assert NameServer.read(text) == NameServer(host, port)
    assert NameServer.read(str(NameServer(host, port))) == NameServer(host, port)


@pytest.mark.parametrize("text", ["", ":53", "ns:", "ns:0", "ns:65536", "ns:x", "ns:9999999999"])
def test_what_is_no_name_server_is_refused(text: str) -> None:
    """With what would be right."""
    with pytest.raises(SettingsError, match="HOST or HOST:PORT"):
        NameServer.read(text)


def test_the_key_keeps_its_secret() -> None:
    """It is in no repr."""
    assert "c2VjcmV0" not in repr(UpdateKey("key", "hmac-sha256", "c2VjcmV0"))


def test_the_system_has_resolvers_or_none() -> None:
    """They are read from the system's own settings, each with an address and a port."""
    assert all(server.host and server.port for server in system_resolvers())
