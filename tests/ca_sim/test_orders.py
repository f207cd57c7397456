"""Orders and authorizations: what is refused, what fails, what is given up (RFC 8555 sections 7.4 and 7.5)."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID

from ca_sim.acme.jose import encode, key_authorization, public_jwk
from tests.ca_sim.caller import PROBLEM, Caller, Key, assert_problem, make_csr
from tests.ca_sim.responder import CHALLENGES, Page, Responder


def answer_wrongly(caller: Caller, responder: Responder, name: str, page: Page | None) -> tuple[str, str]:
    """Order for a name and answer its challenge with a page; give the URLs of order and authorization."""
    answer = caller.order(name)
    authorization: str = answer.json()["authorizations"][0]
    challenge = caller.challenge(authorization)
    if page is not None:
        responder.pages[CHALLENGES + challenge["token"]] = page
    assert caller.post(challenge["url"], {}).json()["status"] == "processing"
    return answer.headers["Location"], authorization


@pytest.mark.parametrize(
    ("name", "page", "word"),
    [
        ("wrong.test", Page(b"token.thumbprint"), "unauthorized"),
        ("missing.test", None, "unauthorized"),
        ("huge.test", Page(b"x" * 5000), "connection"),
        ("circle.test", Page(b"", 302, {"Location": "http://circle.test/again"}), "unauthorized"),
        ("tls.test", Page(b"", 302, {"Location": "https://tls.test/"}), "connection"),
        ("port.test", Page(b"", 302, {"Location": "http://port.test:1/"}), "connection"),
        ("nowhere.test", Page(b"", 302, {"Location": "http://[nowhere/"}), "connection"),
        ("v6.test", None, "connection"),
    ],
)
def test_a_wrong_answer_makes_order_and_authorization_invalid(
    caller: Caller, responder: Responder, name: str, page: Page | None, word: str
) -> None:
    """The problem is told in the challenge and in the order, with the identifier."""
    order, authorization = answer_wrongly(caller, responder, name, page)
    settled = caller.settled(authorization)
    assert settled["status"] == "invalid"
    assert settled["challenges"][0]["status"] == "invalid"
    assert settled["challenges"][0]["error"]["type"] == PROBLEM + word
    document = caller.post(order).json()
    assert document["status"] == "invalid"
    assert document["error"]["type"] == PROBLEM + word
    assert document["error"]["identifier"] == {"type": "dns", "value": name}


def test_redirects_are_followed_up_to_a_limit(caller: Caller, responder: Responder) -> None:
    """A page that redirects to itself is given up."""
    responder.pages["/round"] = Page(b"", 302, {"Location": "/round"})
    _, authorization = answer_wrongly(caller, responder, "round.test", Page(b"", 302, {"Location": "/round"}))
    error = caller.settled(authorization)["challenges"][0]["error"]
    assert "redirects" in error["detail"]


def test_a_redirect_can_lead_to_the_answer(caller: Caller, responder: Responder) -> None:
    """The answer may be at another name, with white space at its end; the Host header is the name."""
    answer = caller.order("here.test")
    authorization = answer.json()["authorizations"][0]
    challenge = caller.challenge(authorization)
    content = key_authorization(challenge["token"], public_jwk(caller.key.public_key()))
    responder.pages["/there"] = Page(content.encode() + b" \r\n")
    moved = Page(b"", 308, {"Location": f"http://there.test:{responder.port}/there"})
    responder.pages[CHALLENGES + challenge["token"]] = moved
    caller.post(challenge["url"], {})
    assert caller.settled(authorization)["status"] == "valid"
    assert responder.hosts[-2:] == ["here.test", "there.test"]


def test_a_challenge_is_linked_and_can_be_answered_twice(caller: Caller, responder: Responder) -> None:
    """The second answer changes nothing; the reply links the authorization."""
    order = caller.order("twice.test").json()
    caller.authorize(order, responder)
    challenge = caller.challenge(order["authorizations"][0])
    again = caller.post(challenge["url"], {})
    assert again.json() == challenge
    assert again.json()["validated"]
    assert again.links["up"]["url"] == order["authorizations"][0]


def test_a_validation_in_work_says_when_to_ask_again(caller: Caller) -> None:
    """Retry-After is on the challenge while it is processed."""
    order = caller.order("v6.test").json()
    challenge = caller.challenge(order["authorizations"][0])
    assert caller.post(challenge["url"], {}).headers["Retry-After"] == "0"
    assert caller.settled(order["authorizations"][0])["status"] == "invalid"


@pytest.mark.parametrize(
    ("kind", "value", "word"),
    [
        ("dns", "*.example.test", "rejectedIdentifier"),
        ("dns", "www.blocked.test", "rejectedIdentifier"),
        ("dns", "bücher.test", "malformed"),
        ("dns", "xn--.test", "malformed"),
        ("dns", "xn--a.test", "malformed"),
        ("dns", "ab--c.test", "malformed"),
        ("dns", "-a.test", "malformed"),
        ("dns", "a..test", "malformed"),
        ("dns", "a.test.", "malformed"),
        ("dns", "192.0.2.1", "malformed"),
        ("dns", "a" * 64 + ".test", "malformed"),
        ("dns", "a." * 130 + "test", "malformed"),
        ("dns", "", "malformed"),
        ("ip", "192.0.2", "malformed"),
        ("email", "a@x.test", "unsupportedIdentifier"),
    ],
)
def test_identifiers_are_checked(caller: Caller, kind: str, value: str, word: str) -> None:
    """The problem names the identifier that was refused."""
    answer = caller.post(caller.directory["newOrder"], {"identifiers": [{"type": kind, "value": value}]})
    assert assert_problem(answer, word, 400)["identifier"] == {"type": kind, "value": value}


def test_several_refused_identifiers_are_subproblems(caller: Caller) -> None:
    """Each identifier at fault has a problem of its own (section 6.7.1)."""
    problem = assert_problem(caller.order("*.a.test", "fine.test", "blocked.test"), "rejectedIdentifier", 400)
    assert [sub["identifier"]["value"] for sub in problem["subproblems"]] == ["*.a.test", "blocked.test"]
    mixed = assert_problem(caller.order("*.a.test", "a..test"), "malformed", 400)
    assert [sub["type"] for sub in mixed["subproblems"]] == [PROBLEM + "rejectedIdentifier", PROBLEM + "malformed"]


def test_names_are_ordered_once_and_in_lower_case(caller: Caller) -> None:
    """Two spellings of a name are one identifier."""
    order = caller.order("A.test", "a.TEST").json()
    assert order["identifiers"] == [{"type": "dns", "value": "a.test"}]
    assert len(order["authorizations"]) == 1


def test_an_order_needs_sense(caller: Caller) -> None:
    """No identifier, dates of the client's own and an unknown profile are refused."""
    assert_problem(caller.order(), "malformed", 400)
    assert_problem(caller.order("a.test", notAfter="2030-01-01T00:00:00Z"), "malformed", 400)
    assert "brief" in assert_problem(caller.order("a.test", profile="none"), "invalidProfile", 400)["detail"]


def test_an_order_tells_its_profile(caller: Caller) -> None:
    """The chosen profile, or else the first one."""
    assert caller.order("a.test", profile="brief").json()["profile"] == "brief"
    assert caller.order("a.test").json()["profile"] == "long"


def test_a_pending_order_cannot_be_finalized(caller: Caller) -> None:
    """orderNotReady, and the order stays pending."""
    answer = caller.order("early.test")
    assert_problem(caller.finalize(answer.json(), make_csr(["early.test"])), "orderNotReady", 403)
    assert caller.post(answer.headers["Location"]).json()["status"] == "pending"


def test_an_order_is_finalized_once(caller: Caller, responder: Responder) -> None:
    """The answer is processing with Retry-After; a second CSR is orderNotReady."""
    url, order = caller.ready_order(responder, "once.test")
    answer = caller.finalize(order, make_csr(["once.test"]))
    assert answer.json()["status"] == "processing"
    assert answer.headers["Retry-After"] == "0"
    assert_problem(caller.finalize(order, make_csr(["once.test"])), "orderNotReady", 403)
    assert caller.settled(url)["status"] == "valid"


@pytest.mark.parametrize(
    ("names", "common_name"),
    [(["other.test"], None), (["csr.test", "more.test"], None), ([], None), (["csr.test"], "other.test")],
)
def test_a_csr_with_other_names_is_refused(
    caller: Caller, responder: Responder, names: list[str], common_name: str | None
) -> None:
    """badCSR, and the order is still ready for a better one."""
    url, order = caller.ready_order(responder, "csr.test")
    assert_problem(caller.finalize(order, make_csr(names, common_name=common_name)), "badCSR", 400)
    assert caller.post(url).json()["status"] == "ready"


@pytest.mark.parametrize(
    "key",
    [rsa.generate_private_key(65537, 1024), rsa.generate_private_key(3, 2048), ec.generate_private_key(ec.SECP256K1())],  # noqa: S505
    ids=["1024 bits", "exponent 3", "another curve"],
)
def test_a_csr_with_a_weak_key_is_refused(caller: Caller, responder: Responder, key: Key) -> None:
    """Keys that public authorities refuse are refused here."""
    _, order = caller.ready_order(responder, "weak.test")
    assert_problem(caller.finalize(order, make_csr(["weak.test"], key)), "badCSR", 400)


def test_a_csr_must_be_whole_and_not_of_an_account_key(caller: Caller, responder: Responder) -> None:
    """Rubbish, a broken signature and the account's own key are badCSR (section 11.1)."""
    _, order = caller.ready_order(responder, "whole.test")
    good = make_csr(["whole.test"])
    broken = good[:-1] + bytes([good[-1] ^ 1])
    own = make_csr(["whole.test"], caller.key)
    for csr in (b"rubbish", broken, own):
        assert_problem(caller.finalize(order, csr), "badCSR", 400)
    assert_problem(caller.post(order["finalize"], {"csr": encode(good) + "="}), "malformed", 400)
    assert_problem(caller.post(order["finalize"], {}), "malformed", 400)


def test_a_deactivated_authorization_ends_its_order(caller: Caller, responder: Responder) -> None:
    """Given up by the client, it cannot be used or answered any more (section 7.5.2)."""
    url, order = caller.ready_order(responder, "given-up.test")
    authorization = order["authorizations"][0]
    assert caller.post(authorization, {"status": "deactivated"}).json()["status"] == "deactivated"
    assert caller.post(url).json()["status"] == "invalid"
    assert_problem(caller.finalize(order, make_csr(["given-up.test"])), "orderNotReady", 403)
    assert_problem(caller.post(authorization, {"status": "deactivated"}), "malformed", 400)
    assert_problem(caller.post(authorization, {"status": "valid"}), "malformed", 400)


def test_what_is_not_there_is_told(caller: Caller) -> None:
    """Unknown orders, authorizations, challenges and certificates are 404."""
    base = caller.directory["newOrder"].rsplit("/", 1)[0]
    authorization = caller.order("there.test").json()["authorizations"][0]
    missing = authorization.replace("/authorization/", "/challenge/") + "/dns-01"
    for url in (f"{base}/order/x", f"{base}/authorization/x", f"{base}/certificate/x", missing):
        assert_problem(caller.post(url), "malformed", 404)


def test_an_address_has_no_zone(caller: Caller) -> None:
    """What is behind the % may be any text, also header lines for the web server that is asked."""
    identifier = {"type": "ip", "value": "fe80::1%x\r\nCookie: y"}
    assert_problem(caller.post(caller.directory["newOrder"], {"identifiers": [identifier]}), "malformed", 400)


def test_an_odd_csr_is_refused(caller: Caller, responder: Responder) -> None:
    """A version that does not exist and a kind of name that nobody uses are badCSR, and the order stays ready."""
    url, order = caller.ready_order(responder, "odd.test")
    version = make_csr(["odd.test"]).replace(b"\x02\x01\x00", b"\x02\x01\x09", 1)
    address = x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, b"\x30\x04\xa3\x02\x05\x00")  # x400Address
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).add_extension(address, critical=False)
    named = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()).public_bytes(Encoding.DER)
    for csr in (version, named):
        assert_problem(caller.finalize(order, csr), "badCSR", 400)
    assert caller.post(url).json()["status"] == "ready"


def test_an_ed25519_csr_is_refused(caller: Caller, responder: Responder) -> None:
    """A kind of key that no public authority takes."""
    _, order = caller.ready_order(responder, "ed.test")
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    csr = builder.sign(ed25519.Ed25519PrivateKey.generate(), None).public_bytes(Encoding.DER)
    assert_problem(caller.finalize(order, csr), "badCSR", 400)
