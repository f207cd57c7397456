"""A client of the API in the style of DigiCert CertCentral that asks by hand, in the server's own thread."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from ca_sim.faults.rules import Fault, FaultKind
from ca_sim.in_process import Answer, InProcess, in_process
from ca_sim.planes import PlaneName
from ca_sim.settings import read
from tests.ca_sim.caller import make_csr

KEY = "ca-sim-digicert-api-key"
OTHER_KEY = "the-key-of-another-account"
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@dataclass
class Time:
    """A real time that goes on when it is told to."""

    at: datetime = NOON

    def __call__(self) -> datetime:
        """Tell it."""
        return self.at

    def wait(self, seconds: float) -> None:
        """Go on."""
        self.at += timedelta(seconds=seconds)


@dataclass
class CertCentral:
    """Asks as an account."""

    authority: InProcess
    time: Time
    key: str | None = KEY

    def ask(self, method: str, path: str, body: object = None, raw: bytes | None = None) -> Answer:
        """Make one request."""
        headers = {"x-dc-devkey": self.key} if self.key else {}
        content = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        base = self.authority.house.bases[PlaneName.DIGICERT]
        return self.authority.request(method, f"{base}/services/v2{path}", headers, content)

    def read(self, path: str) -> dict[str, Any]:
        """Ask for a document that must be there."""
        return document(self.ask("GET", path))

    def order(self, product: str = "ssl_basic", **changed: object) -> int:
        """Place an order, and give its id."""
        return int(document(self.ask("POST", f"/order/certificate/{product}", order_body(**changed)), 201)["id"])

    def status(self, order_id: int) -> str:
        """Tell the status of an order."""
        return str(self.read(f"/order/certificate/{order_id}")["status"])

    def manage(self, path: str, body: Mapping[str, object] | None = None) -> Answer:
        """Ask the management endpoint to do something."""
        base = self.authority.house.bases[PlaneName.MANAGEMENT]
        content = json.dumps(body or {}).encode()
        return self.authority.request("POST", f"{base}{path}", {"content-type": "application/json"}, content)

    def arm(self, kind: FaultKind, at: str = "digicert.*", **more: object) -> None:
        """Put a fault in force."""
        self.authority.house.faults.arm(Fault.model_validate({"kind": kind, "at": (at,)} | more))


def order_body(*names: str, **changed: object) -> dict[str, Any]:
    """Write the body of an order; a member that is changed to None is left out."""
    names = names or ("www.example.com",)
    body: dict[str, Any] = {
        "certificate": certificate_part(*names),
        "organization": {"id": 1},
        "order_validity": {"days": 90},
        "skip_approval": True,
    }
    return {name: value for name, value in (body | changed).items() if value is not None}


def certificate_part(*names: str, **changed: object) -> dict[str, Any]:
    """Write the certificate of an order."""
    csr = x509.load_der_x509_csr(make_csr(names, ec.generate_private_key(ec.SECP256R1())))
    part: dict[str, Any] = {
        "common_name": names[0],
        "dns_names": list(names[1:]),
        "csr": csr.public_bytes(Encoding.PEM).decode(),
        "signature_hash": "sha256",
        "server_platform": {"id": 2},
    }
    return {name: value for name, value in (part | changed).items() if value is not None}


def document(answer: Answer, status: int = 200) -> dict[str, Any]:
    """Read the document of an answer that must have this status."""
    assert answer.status == status, answer
    found: dict[str, Any] = json.loads(answer.body)
    return found


def error_code(answer: Answer, status: int) -> str:
    """Give the code of the one error of an answer that must have this status."""
    (error,) = document(answer, status)["errors"]
    assert set(error) == {"code", "message"}
    assert error["message"]
    return str(error["code"])


@contextmanager
def cert_central(**settings: object) -> Iterator[CertCentral]:
    """Open an authority in memory with these settings of its section."""
    time = Time()
    known = {"accounts": {"1000001": KEY, "2000002": OTHER_KEY}}
    with in_process(read({"digicert": known | settings, "blocked_identifiers": ["blocked.test"]}), time) as authority:
        yield CertCentral(authority, time)
