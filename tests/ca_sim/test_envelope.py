"""The checks that every request goes through before anything in it is looked at (RFC 8555 section 6)."""

import json
import re
import socket
import ssl
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ca_sim.acme.jose import encode, public_jwk
from ca_sim.server import Running
from tests.ca_sim.caller import Caller, Key, assert_problem, calling, jws, make_key


def test_a_nonce_can_be_used_once(caller: Caller) -> None:
    """The second use of a nonce is badNonce, and the answer brings a new one that works."""
    nonce = caller.nonce()
    assert caller.post(caller.kid, nonce=nonce).status_code == 200
    refused = caller.post(caller.kid, nonce=nonce)
    assert_problem(refused, "badNonce", 400)
    assert caller.post(caller.kid, nonce=refused.headers["Replay-Nonce"]).status_code == 200


@pytest.mark.parametrize(
    ("nonce", "word"), [(None, "badNonce"), ("invented", "badNonce"), (7, "malformed"), ("!", "malformed")]
)
def test_a_nonce_of_the_client_is_refused(caller: Caller, nonce: object, word: str) -> None:
    """A missing or invented nonce is badNonce; what is no base64url makes the JWS malformed (section 6.5.2)."""
    assert_problem(caller.post(caller.kid, nonce=nonce), word, 400)


@pytest.mark.parametrize("url", [None, "https://localhost/other", 7])
def test_the_url_header_must_be_the_url(caller: Caller, url: object) -> None:
    """Another url in the protected header, or none, is unauthorized (section 6.4)."""
    assert_problem(caller.post(caller.kid, url=url), "unauthorized", 403)


def test_the_query_belongs_to_the_url(caller: Caller) -> None:
    """A query that was not signed is refused."""
    orders = caller.post(caller.kid).json()["orders"]
    body = jws(caller.key, caller.header(orders), None)
    assert_problem(caller.send(orders + "?after=5", body), "unauthorized", 403)


@pytest.mark.parametrize("path", ["account", "newOrder", "newAccount", "revokeCert", "keyChange"])
def test_get_is_refused_on_what_is_signed(caller: Caller, path: str) -> None:
    """A GET is answered with 405 and a problem (section 6.3)."""
    url = caller.directory.get(path, caller.kid)
    answer = caller.http.get(url)
    assert_problem(answer, "malformed", 405)
    assert answer.headers["Allow"] == "POST"


def test_get_is_refused_on_an_order(caller: Caller) -> None:
    """Orders and authorizations are for POST-as-GET only."""
    answer = caller.order("get.test")
    assert_problem(caller.http.get(answer.headers["Location"]), "malformed", 405)
    assert_problem(caller.http.get(answer.json()["authorizations"][0]), "malformed", 405)


def test_a_tampered_request_does_not_verify(caller: Caller) -> None:
    """Another payload under the same signature is refused, and the nonce is not used up."""
    url = caller.directory["newOrder"]
    header = caller.header(url)
    body = jws(caller.key, header, {"identifiers": [{"type": "dns", "value": "a.test"}]})
    other = body | {"payload": encode(b'{"identifiers": [{"type": "dns", "value": "b.test"}]}')}
    assert_problem(caller.send(url, other), "malformed", 400)
    assert caller.send(url, body).status_code == 201


def test_a_signature_of_another_key_does_not_verify(caller: Caller) -> None:
    """Somebody else's key under my kid is refused."""
    assert_problem(caller.send(caller.kid, jws(make_key(), caller.header(caller.kid), None)), "malformed", 400)


@pytest.mark.parametrize("algorithm", ["none", "HS256", "ES256K", "PS256", None, 5])
def test_other_algorithms_are_refused(caller: Caller, algorithm: object) -> None:
    """An algorithm that is not on the list is refused, and the list is given (section 6.2)."""
    body = jws(caller.key, caller.header(caller.kid) | {"alg": algorithm}, None)
    problem = assert_problem(caller.send(caller.kid, body), "badSignatureAlgorithm", 400)
    assert problem["algorithms"] == ["ES256", "ES384", "ES512", "RS256"]


def test_the_algorithm_must_fit_the_key(caller: Caller) -> None:
    """RS256 or ES384 named over a P-256 key are refused."""
    for algorithm in ("RS256", "ES384"):
        body = jws(caller.key, caller.header(caller.kid) | {"alg": algorithm}, None)
        assert_problem(caller.send(caller.kid, body), "badSignatureAlgorithm", 400)


@pytest.mark.parametrize(
    "key", [ec.generate_private_key(ec.SECP384R1()), ec.generate_private_key(ec.SECP521R1())], ids=["P-384", "P-521"]
)
def test_longer_curves_sign_too(running: Running, key: Key) -> None:
    """ES384 and ES512 are accepted."""
    with calling(running, key) as client:
        assert client.register().status_code == 201
        assert client.post(client.kid).status_code == 200


def test_an_unknown_kid_has_no_account(caller: Caller) -> None:
    """A kid that is no account's, or not a URL of this server, is accountDoesNotExist."""
    for kid in (caller.kid + "x", "https://elsewhere.test/acme/account/1", 5):
        assert_problem(caller.post(caller.kid, kid=kid), "accountDoesNotExist", 400)


def test_kid_and_jwk_have_their_places(caller: Caller) -> None:
    """Both, neither, a jwk for an order and a kid for a new account are malformed."""
    jwk = public_jwk(caller.key.public_key())
    assert_problem(caller.post(caller.kid, jwk=jwk), "malformed", 400)
    assert_problem(caller.post(caller.kid, kid=None), "malformed", 400)
    assert_problem(caller.post(caller.directory["newOrder"], {}, kid=None, jwk=jwk), "malformed", 400)
    assert_problem(caller.post(caller.directory["newAccount"], {}), "malformed", 400)


def test_the_content_type_is_checked(caller: Caller) -> None:
    """Anything but application/jose+json is 415."""
    body = jws(caller.key, caller.header(caller.kid), None)
    assert_problem(caller.send(caller.kid, body, "application/json"), "malformed", 415)


@pytest.mark.parametrize("body", [b"", b"not json", b"[]", b"\xff", b"[" * 60_000, b'{"protected": 1}', b"{}"])
def test_what_is_not_a_jws_is_malformed(caller: Caller, body: bytes) -> None:
    """No JSON, no object, no members: malformed, with a nonce for the next try."""
    answer = caller.http.post(caller.kid, content=body, headers={"Content-Type": "application/jose+json"})
    assert_problem(answer, "malformed", 400)
    assert answer.headers["Replay-Nonce"]


@pytest.mark.parametrize("member", ["header", "signatures"])
def test_the_flattened_form_without_open_header_is_the_only_one(caller: Caller, member: str) -> None:
    """Unprotected headers and several signatures are refused."""
    body: dict[str, object] = {**jws(caller.key, caller.header(caller.kid), None), member: {}}
    assert_problem(caller.send(caller.kid, body), "malformed", 400)


def test_critical_extensions_are_refused(caller: Caller) -> None:
    """A crit header names what nobody here understands."""
    assert_problem(caller.post(caller.kid, crit=["b64"], b64=False), "malformed", 400)


def test_a_huge_body_is_not_read(caller: Caller) -> None:
    """Beyond 64 KiB the answer is 413."""
    answer = caller.http.post(caller.kid, content=b" " * 70_000, headers={"Content-Type": "application/jose+json"})
    assert_problem(answer, "malformed", 413)


def test_a_payload_where_none_belongs_is_malformed(caller: Caller) -> None:
    """A POST-as-GET has the empty payload, not an empty object."""
    order = caller.order("payload.test")
    assert_problem(caller.post(order.headers["Location"], {}), "malformed", 400)


@pytest.mark.parametrize(
    "change",
    [{"kty": "oct", "k": "AAAA"}, {"crv": "P-999"}, {"crv": "P-384"}, {"x": encode(bytes(32))}, {"d": "AAAA"}],
    ids=["symmetric", "curve", "other curve", "off the curve", "private"],
)
def test_bad_keys_are_refused(caller: Caller, change: dict[str, str]) -> None:
    """Keys that are no public keys of a known kind are badPublicKey."""
    jwk = public_jwk(caller.key.public_key()) | change
    assert_problem(caller.post(caller.directory["newAccount"], {}, kid=None, jwk=jwk), "badPublicKey", 400)


def test_weak_account_keys_are_refused(running: Running) -> None:
    """An RSA key of 1024 bits cannot open an account."""
    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505 - that is the point
    with calling(running, weak) as client:
        assert_problem(client.register(), "badPublicKey", 400)


def test_every_answer_has_its_headers(caller: Caller) -> None:
    """The directory is linked, nonces are fresh and not cached, HEAD and GET of newNonce differ in status."""
    url = caller.directory["newNonce"]
    head, get = caller.http.head(url), caller.http.get(url)
    assert (head.status_code, get.status_code) == (200, 204)
    assert head.headers["Replay-Nonce"] != get.headers["Replay-Nonce"]
    for answer in (head, get, caller.post(caller.kid)):
        assert answer.headers["Cache-Control"] == "no-store"
        assert re.fullmatch(r"[A-Za-z0-9_-]+", answer.headers["Replay-Nonce"])
        assert answer.links["index"]["url"].endswith("/directory")


def test_directory_and_nonce_can_be_asked_for_signed(caller: Caller, running: Running) -> None:
    """POST-as-GET works where GET does (section 6.3)."""
    assert caller.post(running.directory_url).json() == caller.directory
    assert caller.post(caller.directory["newNonce"]).status_code == 204


def test_the_host_header_leads_nowhere(caller: Caller) -> None:
    """A slash too many is no redirect to whatever the client named as the host."""
    answer = caller.http.get(caller.directory["newNonce"] + "/", headers={"Host": "elsewhere.test"})
    assert_problem(answer, "malformed", 404)


def test_an_unknown_path_is_a_problem(caller: Caller) -> None:
    """What is not there is told in the form that clients read."""
    assert_problem(caller.http.get(caller.kid.rsplit("/", 3)[0] + "/nothing"), "malformed", 404)


def test_the_directory_says_what_there_is(caller: Caller) -> None:
    """Terms, website, CAA identities, profiles, and that no external account is needed."""
    meta = caller.directory["meta"]
    assert meta["externalAccountRequired"] is False
    assert set(meta["profiles"]) == {"long", "brief"}
    assert {"termsOfService", "website", "caaIdentities"} <= set(meta)
    assert json.dumps(caller.directory).count("https://localhost:") == 6


def test_a_client_that_goes_away_leaves_no_traceback(caller: Caller, caplog: pytest.LogCaptureFixture) -> None:
    """Half a request is malformed; nobody is there to hear it, and the log keeps calm."""
    url = urlsplit(caller.directory["newOrder"])
    head = (
        f"POST {url.path} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Type: application/jose+json\r\nContent-Length: 99\r\n\r\n"
    )
    for _ in range(3):
        with (
            socket.create_connection(("localhost", url.port or 443), timeout=10) as plain,
            trusting_all().wrap_socket(plain) as client,
        ):
            client.sendall(head.encode() + b"{")
    assert caller.post(caller.kid).status_code == 200
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def trusting_all() -> ssl.SSLContext:
    """Make a context for a client that only wants to be rude."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
