"""An ACME client that signs by hand, so that it can do each thing wrong."""

import json
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from ca_sim.acme.jose import encode, key_authorization, public_jwk
from ca_sim.server import Running
from tests.ca_sim.responder import Responder

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PROBLEM = "urn:ietf:params:acme:error:"
_EC = {256: ("ES256", hashes.SHA256()), 384: ("ES384", hashes.SHA384()), 521: ("ES512", hashes.SHA512())}


def make_key() -> ec.EllipticCurvePrivateKey:
    """Make a P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def make_csr(names: Sequence[str], key: Key | None = None, common_name: str | None = None) -> bytes:
    """Make a CSR in DER."""
    subject = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else []
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
    return builder.sign(key or make_key(), hashes.SHA256()).public_bytes(Encoding.DER)


def sign(key: Key, data: bytes) -> tuple[str, bytes]:
    """Sign as JWS wants it; give the algorithm and the signature."""
    if isinstance(key, rsa.RSAPrivateKey):
        return "RS256", key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    algorithm, digest = _EC[key.key_size]
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(digest)))
    size = (key.key_size + 7) // 8
    return algorithm, r.to_bytes(size, "big") + s.to_bytes(size, "big")


def algorithm_of(key: Key) -> str:
    """Name the algorithm of a key."""
    return "RS256" if isinstance(key, rsa.RSAPrivateKey) else _EC[key.key_size][0]


def jws(key: Key, header: dict[str, Any], payload: object) -> dict[str, str]:
    """Make a flattened JWS; a payload of None is the empty one of POST-as-GET."""
    protected = encode(json.dumps({"alg": algorithm_of(key)} | header).encode())
    content = "" if payload is None else encode(json.dumps(payload).encode())
    return {
        "protected": protected,
        "payload": content,
        "signature": encode(sign(key, f"{protected}.{content}".encode())[1]),
    }


class Caller:
    """One client with one key; `kid` is the URL of its account once it is registered."""

    def __init__(self, running: Running, http: httpx.Client, key: Key | None = None) -> None:
        self.key: Key = key or make_key()
        self.http = http
        self.kid = ""
        self.directory: dict[str, Any] = http.get(running.directory_url).json()

    def nonce(self) -> str:
        """Fetch a new nonce."""
        return self.http.head(self.directory["newNonce"]).headers["Replay-Nonce"]

    def header(self, url: str) -> dict[str, Any]:
        """Make a right protected header."""
        who = {"kid": self.kid} if self.kid else {"jwk": public_jwk(self.key.public_key())}
        return {"nonce": self.nonce(), "url": url, **who}

    def send(self, url: str, body: object, content_type: str = "application/jose+json") -> httpx.Response:
        """Post a body as it is."""
        return self.http.post(url, content=json.dumps(body), headers={"Content-Type": content_type})

    def post(self, url: str, payload: object = None, /, **changed: object) -> httpx.Response:
        """Post a signed request; `changed` are members of the header that differ, None leaves one out."""
        header = {name: value for name, value in (self.header(url) | changed).items() if value is not None}
        return self.send(url, jws(self.key, header, payload))

    def register(self, **members: object) -> httpx.Response:
        """Register the key."""
        self.kid = ""
        answer = self.post(self.directory["newAccount"], {"termsOfServiceAgreed": True} | members)
        self.kid = answer.headers.get("Location", "")
        return answer

    def order(self, *names: str, **members: object) -> httpx.Response:
        """Place an order for DNS names."""
        identifiers = [{"type": "dns", "value": name} for name in names]
        return self.post(self.directory["newOrder"], {"identifiers": identifiers} | members)

    def challenge(self, authorization_url: str, kind: str = "http-01") -> dict[str, Any]:
        """Give the challenge of a kind of an authorization."""
        offered: list[dict[str, Any]] = self.post(authorization_url).json()["challenges"]
        return next(challenge for challenge in offered if challenge["type"] == kind)

    def authorize(self, order: dict[str, Any], responder: Responder) -> None:
        """Meet the challenges of an order, and wait until they were looked at."""
        for url in order["authorizations"]:
            challenge = self.challenge(url)
            token = challenge["token"]
            responder.show(token, key_authorization(token, public_jwk(self.key.public_key())))
            assert self.post(challenge["url"], {}).status_code == 200
            assert self.settled(url)["status"] == "valid"

    def finalize(self, order: dict[str, Any], csr: bytes) -> httpx.Response:
        """Send the CSR of an order."""
        return self.post(order["finalize"], {"csr": encode(csr)})

    def settled(self, url: str) -> dict[str, Any]:
        """Poll an authorization or an order until it is neither pending nor processing."""
        for _ in range(500):
            document: dict[str, Any] = self.post(url).json()
            if document["status"] not in {"pending", "processing"}:
                return document
            time.sleep(0.01)
        raise AssertionError(f"{url} stays {document['status']}")

    def ready_order(self, responder: Responder, *names: str, **members: object) -> tuple[str, dict[str, Any]]:
        """Bring an order to ready; give its URL and document."""
        answer = self.order(*names, **members)
        assert answer.status_code == 201, answer.text
        self.authorize(answer.json(), responder)
        url = answer.headers["Location"]
        return url, self.post(url).json()

    def issue(self, responder: Responder, *names: str, key: Key | None = None, **members: object) -> x509.Certificate:
        """Go the whole way to a certificate."""
        return x509.load_pem_x509_certificates(self.issue_chain(responder, *names, key=key, **members))[0]

    def issue_chain(self, responder: Responder, *names: str, key: Key | None = None, **members: object) -> bytes:
        """Go the whole way to the PEM chain."""
        url, order = self.ready_order(responder, *names, **members)
        assert order["status"] == "ready"
        assert self.finalize(order, make_csr(names, key)).status_code == 200
        done = self.settled(url)
        assert done["status"] == "valid", done
        return self.post(done["certificate"]).content

    def revoke(self, certificate: x509.Certificate, **members: object) -> httpx.Response:
        """Ask for a revocation with the account's key."""
        der = encode(certificate.public_bytes(Encoding.DER))
        return self.post(self.directory["revokeCert"], {"certificate": der} | members)


@contextmanager
def calling(running: Running, key: Key | None = None) -> Iterator[Caller]:
    """Make a client that is not registered yet."""
    context = ssl.create_default_context(cadata=running.root_pem.decode())
    with httpx.Client(verify=context) as http:
        yield Caller(running, http, key)


def assert_problem(answer: httpx.Response, word: str, status: int) -> dict[str, Any]:
    """Check that an answer is this problem; give its document."""
    assert answer.headers["Content-Type"] == "application/problem+json", answer.text
    document: dict[str, Any] = answer.json()
    assert (document["type"], answer.status_code, document["status"]) == (PROBLEM + word, status, status), document
    return document
