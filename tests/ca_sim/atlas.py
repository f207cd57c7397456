"""A client of the API in the style of GlobalSign Atlas, by hand, at an authority in the same thread."""

import json
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ca_sim.in_process import InProcess, in_process
from ca_sim.planes import PlaneName
from ca_sim.settings import read
from ca_sim.validation.http01 import Validate

START = datetime(2030, 1, 1, tzinfo=UTC)
ACCOUNT = {"api_key": "ca-sim-key", "api_secret": "ca-sim-secret"}
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
NOBODY: dict[str, Validate] = {}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, its body read as JSON where it has one."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def description(self) -> str:
        """Give the words of a refusal."""
        assert self.headers["content-type"] == "application/problem+json", self
        return str(self.body["description"])

    @property
    def serial(self) -> str:
        """Give the serial number of what was issued."""
        assert self.status == 201, self
        return self.headers["location"].rsplit("/", 1)[1]


@dataclass
class AtlasCaller:
    """One client with a certificate of its own, and the token of its last log-in."""

    authority: InProcess
    key: Key = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    certificate: bytes | None = None
    token: str = ""

    def get_certificate(self) -> None:
        """Have a client certificate issued by management."""
        answer = self.manage("POST", "/globalsign/clients", {"public_key": public_pem(self.key)})
        assert answer.status == 201, answer
        self.certificate = x509.load_pem_x509_certificate(answer.body["certificate"].encode()).public_bytes(Encoding.DER)

    def log_in(self, **changed: str) -> Reply:
        """Log in, and keep the token."""
        reply = self.ask("POST", "/login", ACCOUNT | changed)
        self.token = reply.body.get("access_token", "")
        return reply

    def ask(self, method: str, path: str, body: object = None) -> Reply:
        """Send a request to the API."""
        headers = {"authorization": f"Bearer {self.token}"} if self.token else {}
        return self._send(PlaneName.GLOBALSIGN, method, "/v2" + path, body, headers)

    def manage(self, method: str, path: str, body: object = None) -> Reply:
        """Send a request to management."""
        return self._send(PlaneName.MANAGEMENT, method, path, body, {})

    def _send(self, plane: PlaneName, method: str, path: str, body: object, headers: dict[str, str]) -> Reply:
        content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        url = self.authority.house.bases[plane] + path
        answer = self.authority.request(method, url, {"content-type": "application/json", **headers}, content, self.certificate)
        read_body = json.loads(answer.body) if answer.body else None
        return Reply(answer.status, dict(answer.headers), read_body)

    def request(self, *names: str, key: Key | None = None, **changed: object) -> Reply:
        """Ask for a certificate for an hour; `changed` are members that differ."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        return self.ask("POST", "/certificates", self.order(names, key) | changed)

    def order(self, names: Sequence[str], key: Key, hours: int = 1) -> dict[str, Any]:
        """Make the body of a right request."""
        begin = int(self.authority.house.clock().timestamp())
        return {
            "validity": {"not_before": begin, "not_after": begin + hours * 3600},
            "san": {"dns_names": list(names or ("www.example.test",))},
            "public_key": public_pem(key),
            "public_key_signature": signature(key),
        }

    def step(self, seconds: int) -> None:
        """Let the time pass."""
        assert self.manage("POST", "/clock", {"advance_seconds": seconds}).status == 200

    def arm(self, **fault: object) -> None:
        """Arm a fault."""
        assert self.manage("POST", "/faults", fault).status == 201


def public_pem(key: Key) -> str:
    """Give the public key in PEM."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def signature(key: Key, algorithm: hashes.HashAlgorithm | None = None) -> str:
    """Sign the public key as the API wants it."""
    data = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    algorithm = algorithm or hashes.SHA256()
    if isinstance(key, rsa.RSAPrivateKey):
        return b64encode(key.sign(data, padding.PKCS1v15(), algorithm)).decode()
    return b64encode(key.sign(data, ec.ECDSA(algorithm))).decode()


@contextmanager
def atlas(top: dict[str, Any] | None = None, /, **settings: object) -> Iterator[AtlasCaller]:
    """Open an authority whose clock stands still, and a client that has logged in; `settings` are those of the API."""
    table: dict[str, Any] = {"clock": {"start": START.isoformat(), "speed": 0}, "globalsign": settings, **(top or {})}
    with in_process(read(table), lambda: START, NOBODY) as authority:
        caller = AtlasCaller(authority)
        caller.get_certificate()
        assert caller.log_in().status == 200
        yield caller
