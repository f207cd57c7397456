"""dns-01 against a real name server: what proves control, and each way not to (RFC 8555 section 8.4)."""

import asyncio
import hashlib
from collections.abc import Iterator

import dns.asyncquery
import dns.flags
import dns.message
import dns.query
import dns.tsigkeyring
import dns.update
import pytest

from ca_sim.acme.jose import encode, key_authorization, public_jwk
from ca_sim.clock import utc_now
from ca_sim.identifiers import Identifier
from ca_sim.problems import DnsError, ProblemError, UnauthorizedError
from ca_sim.server import serve_in_thread
from ca_sim.validation.dns01 import Dns01
from ca_sim.validation.name_servers import NameServers, endpoint
from tests.ca_sim.caller import assert_problem, calling, make_csr
from tests.ca_sim.conftest import settings_for
from tests.ca_sim.name_server import answering, scripted
from tests.ca_sim.responder import Responder
from tests.support.named import Named, serving_zone

pytestmark = pytest.mark.system("named")
AUTHORIZATION = "token.thumbprint"


def digest(authorization: str) -> str:
    """Give what the record holds."""
    return encode(hashlib.sha256(authorization.encode()).digest())


RIGHT = digest(AUTHORIZATION)
ZONE = "dns01"
_CROWD = "\n".join(f"_acme-challenge.crowd TXT {digest(str(number))}" for number in range(60))
RECORDS = f"""
_acme-challenge.one TXT {RIGHT}
_acme-challenge.several TXT "hello"
_acme-challenge.several TXT {RIGHT}
_acme-challenge.several TXT {digest("other")}
_acme-challenge.halves TXT "{RIGHT[:20]}" "{RIGHT[20:]}"
_acme-challenge.wrong TXT {digest("other")}
_acme-challenge.longer TXT {RIGHT}A
_acme-challenge.alias CNAME first.elsewhere
first.elsewhere CNAME second.elsewhere
second.elsewhere TXT {RIGHT}
_acme-challenge.circle CNAME circle
circle CNAME _acme-challenge.circle
_acme-challenge.outside CNAME name.other-zone.
_acme-challenge.dangling CNAME gone.ns
_acme-challenge.crowd TXT {RIGHT}
{_CROWD}
"""


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Named]:
    """Serve a zone with records of all kinds."""
    with serving_zone(tmp_path_factory.mktemp("named"), ZONE, records=RECORDS) as server:
        yield server


def validate(named: Named, identifier: Identifier) -> None:
    """Validate a name at the server."""
    challenge = Dns01(NameServers([endpoint(named.address)], 2))
    asyncio.run(challenge(identifier, "token", AUTHORIZATION))


@pytest.mark.parametrize("host", ["one", "several", "halves", "alias", "crowd", "*.one"])
def test_one_right_record_is_enough(named: Named, host: str) -> None:
    """Beside others, in two strings, behind aliases, in an answer too long for UDP, and for a wildcard."""
    validate(named, Identifier("dns", f"{host}.{ZONE}"))


def test_an_answer_that_is_cut_short_is_asked_for_over_tcp(named: Named, monkeypatch: pytest.MonkeyPatch) -> None:
    """The crowd of records came in a stream."""
    streams: list[str] = []
    over_tcp = dns.asyncquery.tcp

    async def watched(*arguments: object, **named_arguments: object) -> object:
        streams.append("tcp")
        return await over_tcp(*arguments, **named_arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(dns.asyncquery, "tcp", watched)
    validate(named, Identifier("dns", f"one.{ZONE}"))
    assert streams == []
    validate(named, Identifier("dns", f"crowd.{ZONE}"))
    assert streams == ["tcp"]


@pytest.mark.parametrize(
    ("name", "problem", "says"),
    [
        (f"wrong.{ZONE}", UnauthorizedError, "none of the 1 TXT records"),
        (f"longer.{ZONE}", UnauthorizedError, "none of the 1 TXT records"),
        (f"none.{ZONE}", UnauthorizedError, "has no TXT record"),
        (f"ns.{ZONE}", DnsError, "NXDOMAIN"),
        (f"dangling.{ZONE}", DnsError, "NXDOMAIN"),
        (f"circle.{ZONE}", DnsError, "SERVFAIL|cannot be used"),
        (f"outside.{ZONE}", DnsError, "REFUSED"),
        ("another.zone", DnsError, "REFUSED"),
        (".".join(["a" * 50] * 4 + ["b" * 48]), DnsError, "too long|cannot be used|> 255"),
    ],
)
def test_anything_else_proves_nothing(named: Named, name: str, problem: type[ProblemError], says: str) -> None:
    """Other values and no values are told apart from what DNS cannot tell."""
    with pytest.raises(problem, match=says) as caught:
        validate(named, Identifier("dns", name))
    assert name in str(caught.value)


def put_text(named: Named, name: str, value: str) -> None:
    """Set a TXT record by a dynamic update."""
    keys = dns.tsigkeyring.from_text({named.key: (named.algorithm, named.secret)})
    update = dns.update.UpdateMessage(named.zone, keyring=keys)
    update.replace(f"{name}.", 1, "TXT", value)
    assert dns.query.tcp(update, "127.0.0.1", port=named.port, timeout=5).rcode() == 0


def test_a_wildcard_certificate_is_had_by_dns01(named: Named, responder: Responder) -> None:
    """Name and wildcard are proven by two records at the same place, one after the other; both are in the certificate."""
    settings = settings_for(responder, dns_server=named.address)
    base = f"whole.{ZONE}"
    with serve_in_thread(settings, utc_now) as authority, calling(authority) as client:
        client.register()
        answer = client.order(base, f"*.{base}")
        order = answer.json()
        for url in order["authorizations"]:
            challenge = client.challenge(url, "dns-01")
            right = key_authorization(challenge["token"], public_jwk(client.key.public_key()))
            put_text(named, f"_acme-challenge.{base}", digest(right))
            client.post(challenge["url"], {})
            assert client.settled(url)["status"] == "valid"
        client.finalize(order, make_csr([base, f"*.{base}"]))
        assert client.settled(answer.headers["Location"])["status"] == "valid"


def test_without_a_dns_server_there_is_no_dns01(responder: Responder) -> None:
    """Nothing leaves the machine by default: http-01 and tls-alpn-01 are offered, and no wildcard is taken."""
    with serve_in_thread(settings_for(responder), utc_now) as authority, calling(authority) as client:
        client.register()
        order = client.order("plain.test").json()
        offered = client.post(order["authorizations"][0]).json()["challenges"]
        assert [challenge["type"] for challenge in offered] == ["http-01", "tls-alpn-01"]
        assert_problem(client.order("*.plain.test"), "rejectedIdentifier", 400)


def test_a_stream_that_ends_early_is_told() -> None:
    """A server that cuts its answer short, and closes the connection on which the whole of it is asked for."""

    async def look() -> None:
        def script(query: dns.message.Message) -> list[bytes]:
            answer = answering(query)
            answer.flags |= dns.flags.TC
            return [answer.to_wire()]

        async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()

        async with scripted(script) as servers:
            ((address, port),) = servers.servers
            async with await asyncio.start_server(hang_up, address, port):
                await Dns01(servers)(Identifier("dns", "short.test"), "token", AUTHORIZATION)

    with pytest.raises(DnsError, match="closed the connection before its answer was complete"):
        asyncio.run(look())
