"""Domain claims of the API in the style of GlobalSign Atlas."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import dns.message
import pytest

from ca_sim.globalsign.looks import record_look
from tests.ca_sim.atlas import AtlasCaller, atlas
from tests.ca_sim.name_server import answering, asked, scripted

PATH = "/.well-known/pki-validation/gsdv.txt"


class Pages(BaseHTTPRequestHandler):
    """Shows one file, whatever the name."""

    text = ""
    port = 0

    def do_GET(self) -> None:
        """Answer."""
        body = self.text.encode()
        self.send_response(200 if self.path == PATH else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def pages() -> Iterator[type[Pages]]:
    """Serve a domain's file on a free port, which `port` of the class tells."""

    class OwnPages(Pages):
        pass

    handler = OwnPages
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    handler.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield handler
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def claimant() -> Iterator[tuple[AtlasCaller, type[Pages]]]:
    """Log in at an authority where nothing is claimed beforehand, with a domain that can show a file."""
    with pages() as site, atlas({"http01_port": site.port}, claimed_domains=[]) as caller:
        yield caller, site


def test_a_name_needs_a_verified_claim(claimant: tuple[AtlasCaller, type[Pages]]) -> None:
    """The claim's token is looked for at the domain; then the domain and the names below it can be had, and no others."""
    caller, site = claimant
    assert "no verified domain claim" in caller.request("www.mine.test").description
    claim = caller.ask("POST", "/claims/domains/mine.test")
    assert claim.status == 201
    path = f"/claims/domains/{claim.body['id']}"
    assert caller.ask("POST", f"{path}/http", {"scheme": "HTTP"}).status == 201
    assert caller.ask("GET", path).body["log"][0]["status"] == "ERROR"
    assert caller.request("mine.test").status == 422
    site.text = claim.body["token"] + "\n"
    assert caller.ask("POST", f"{path}/http", {"scheme": "HTTP", "authorization_domain": "mine.test"}).status == 204
    assert caller.ask("GET", "/claims/domains?status=VERIFIED").body[0]["domain"] == "mine.test"
    assert caller.request("mine.test", "www.mine.test", "*.mine.test").status == 201
    for other in ("notmine.test", "test", "mine.test.example"):
        assert caller.request(other).status == 422
    caller.step(365 * 86400)
    caller.log_in()
    assert caller.request("mine.test").status == 422


def test_a_record_proves_a_claim_too() -> None:
    """A TXT record that says what it is for and has the token; others beside it do not matter."""

    async def look() -> list[str]:
        def answer(query: dns.message.Message) -> list[bytes]:
            assert asked(query) == ("mine.test", "TXT")
            texts = ("v=spf1", "_globalsign-domain-verification=the-token", "the-other-token")
            return [answering(query, *(f'mine.test. TXT "{text}"' for text in texts)).to_wire()]

        async with scripted(answer) as servers:
            return list(await record_look(servers)("mine.test"))

    assert asyncio.run(look()) == ["the-token"]
    with atlas({"dns_server": "127.0.0.1:9", "validation_timeout_seconds": 1}, claimed_domains=[]) as caller:
        claim = caller.ask("POST", "/claims/domains/mine.test").body["id"]
        assert caller.ask("POST", f"/claims/domains/{claim}/dns").status == 201
        assert "looking up TXT" in caller.ask("GET", f"/claims/domains/{claim}").body["log"][0]["description"]


def test_what_cannot_be_claimed_is_refused(claimant: tuple[AtlasCaller, type[Pages]]) -> None:
    """No name, a claim that is there, a way that is not offered, another domain, and the time being over."""
    caller, _ = claimant
    claim = caller.ask("POST", "/claims/domains/mine.test")
    path = f"/claims/domains/{claim.body['id']}"
    assert caller.ask("POST", "/claims/domains/mine.test").status == 422
    assert caller.ask("POST", "/claims/domains/not%20a%20name").status == 422
    assert caller.ask("POST", f"{path}/email", {}).status == 422
    assert caller.ask("POST", f"{path}/http", {"scheme": "HTTPS"}).status == 422
    assert caller.ask("POST", f"{path}/http", {"authorization_domain": "other.test"}).status == 422
    assert caller.ask("GET", "/claims/domains/none").status == 404
    caller.step(31 * 86400)
    caller.log_in()
    assert "reassert" in caller.ask("POST", f"{path}/http").description
    again = caller.ask("POST", f"{path}/reassert")
    assert (again.status, again.body["token"] != claim.body["token"]) == (200, True)
    assert caller.ask("DELETE", path).status == 204
    assert caller.ask("GET", "/claims/domains").headers["total-count"] == "0"
