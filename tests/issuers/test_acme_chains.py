"""Which of a CA's chains is taken."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from certworker.crypto.extensions import SubjectNames
from certworker.crypto.keys import generate_key
from certworker.crypto.x509 import CertificateRequest, build_csr, order_chain, read_certificate, self_sign, sign_csr, to_pem
from certworker.issuers.acme import AcmeIssuerSettings
from certworker.issuers.acme.client import MAX_ALTERNATES
from certworker.vault.issuance import Issued
from tests.issuers.journey import KEY, NOON, Journey, assert_issued, make_request
from tests.issuers.memory import MemoryBoard, Responder
from tests.issuers.pebble import running_pebble
from tests.issuers.scripted_ca import Answer, ScriptedCA

END = NOON + timedelta(days=1)
PEM = {"Content-Type": "application/pem-certificate-chain"}


class Authority:
    """A CA whose one key has a certificate of its own under each name: a leaf has as many chains."""

    def __init__(self, *names: str) -> None:
        key = generate_key("EC", None, "P-256")
        intermediate = CertificateRequest("CN=Intermediate", SubjectNames(), ("keyCertSign",), ())
        leaf = CertificateRequest("", SubjectNames(dns_names=("www.example.test",)), ("digitalSignature",), ())
        middle = self_sign(key, intermediate, NOON, END, authority=True)
        self.leaf = sign_csr(build_csr(KEY, leaf), middle, key, NOON, END)
        self.chains = {name: self._chain(name, key) for name in names}

    def _chain(self, name: str, key: bytes) -> bytes:
        root_key = generate_key("EC", None, "P-256")
        asked = CertificateRequest(f"CN={name}", SubjectNames(), ("keyCertSign",), ())
        root = self_sign(root_key, asked, NOON, END, authority=True)
        csr = build_csr(key, CertificateRequest("CN=Intermediate", SubjectNames(), ("keyCertSign",), ()))
        return to_pem((self.leaf, sign_csr(csr, root, root_key, NOON, END)))


@pytest.fixture
def fetching(ca: ScriptedCA, ordering: Journey) -> Journey:
    """Come as far as an order whose certificate is there, with the chains `one` to `nine`, the first of them by default."""
    names = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    chains = Authority(*names).chains
    ordering.until_step("ordered")
    ca.status, ca.order_more = "valid", {"certificate": ca.base + "/one"}
    links = ", ".join(f'</{name}>;rel="alternate"' for name in names[1:])
    ca.script |= {f"/{name}": Answer(200, chain, PEM) for name, chain in chains.items()}
    ca.script["/one"] = Answer(200, chains["one"], {**PEM, "Link": f'<{ca.base}/directory>;rel="index", {links}'})
    return ordering


def topmost_of(step: object) -> str:
    """Tell who issued the topmost certificate."""
    assert isinstance(step, Issued), step
    topmost = (order_chain(step.chain[0], step.chain[1:]) or step.chain)[-1]
    return read_certificate(topmost).issuer


def wish(journey: Journey, name: str) -> Issued:
    """Wish for a chain, and take what comes."""
    journey.settings = replace(journey.settings, preferred_chain=name)
    result = journey.step()
    assert isinstance(result, Issued), result
    return result


def test_the_default_is_taken_where_nothing_is_wished_for(ca: ScriptedCA, fetching: Journey) -> None:
    """No other is looked at; so it is where the default is the one wished for."""
    for name in ("", "one", "ONE"):
        result = wish(fetching, name)
        assert (topmost_of(result), result.warnings) == ("CN=one", ())
    assert ca.count("/two") == 0


def test_the_first_that_fits_is_taken(ca: ScriptedCA, fetching: Journey) -> None:
    """The others are looked at in the CA's order, up to that one."""
    result = wish(fetching, "three")
    assert (topmost_of(result), result.warnings) == ("CN=three", ())
    assert [ca.count(f"/{name}") for name in ("two", "three", "four")] == [1, 1, 0]


def test_where_none_fits_the_default_is_taken_with_a_warning(ca: ScriptedCA, fetching: Journey) -> None:
    """The warning names what was wished for; a CA that offers very many is not asked for all."""
    result = wish(fetching, "nine")
    assert topmost_of(result) == "CN=one"
    assert result.warnings == ("None of the chains that the CA offers leads to 'nine': its default chain was taken.",)
    assert (
        sum(ca.count(f"/{name}") for name in ("two", "three", "four", "five", "six", "seven", "eight", "nine"))
        == MAX_ALTERNATES
    )


@pytest.mark.parametrize(
    "broken",
    [
        Answer(500),
        Answer(503, "", {"Retry-After": "3600"}),
        Answer(200, "no certificate", PEM),
        Answer(dropped=True),
        Answer(endless=True),
        Answer(302, "", {"Location": "http://10.0.0.1/"}),
    ],
)
def test_a_chain_that_cannot_be_had_holds_nothing_up(ca: ScriptedCA, fetching: Journey, broken: Answer) -> None:
    """The next one is looked at; where the wished one is broken, the default is taken and the warning says so."""
    ca.script["/two"] = broken
    assert topmost_of(wish(fetching, "three")) == "CN=three"
    result = wish(fetching, "two")
    assert topmost_of(result) == "CN=one"
    assert "Some could not be had: 127.0.0.1" in result.warnings[0]


def test_a_chain_for_another_certificate_is_not_taken(ca: ScriptedCA, fetching: Journey) -> None:
    """The alternate must be the same certificate."""
    ca.script["/two"] = Answer(200, Authority("two").chains["two"], PEM)
    result = wish(fetching, "two")
    assert topmost_of(result) == "CN=one"
    assert result.warnings


@pytest.mark.parametrize(
    "link", ["", ";;;,,<", '<ftp://ca.test/>;rel="alternate"', '<http://[>;rel="alternate"', "</two>", '</two>;rel="up"']
)
def test_links_that_lead_nowhere_are_no_chains(ca: ScriptedCA, fetching: Journey, link: str) -> None:
    """Neither nonsense nor links of another kind are followed."""
    default = ca.script["/one"]
    assert isinstance(default, Answer)
    ca.script["/one"] = replace(default, headers={**PEM, "Link": link})
    assert topmost_of(wish(fetching, "two")) == "CN=one"
    assert ca.count("/two") == 0


@pytest.mark.long
@pytest.mark.system("pebble", "pebble-challtestsrv")
def test_pebble_gives_the_chain_that_is_wished_for(responder: Responder, board: MemoryBoard, tmp_path: Path) -> None:
    """Of three roots the wished one is at the top, whichever the CA prefers itself."""
    with running_pebble(tmp_path, responder.port, ALTERNATE_ROOTS="2") as pebble:
        plain = AcmeIssuerSettings(ca_bundle=pebble.ca_bundle)
        for number in range(3):
            wished = pebble.root(number)
            settings = replace(plain, preferred_chain=wished)
            result = assert_issued(Journey(make_request(pebble.directory), board, settings).run(), "www.example.test")
            assert (topmost_of(result), result.warnings) == (f"CN={wished}", ())
