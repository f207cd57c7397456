"""An authority in process whose clock is stepped, and what its public server tells of what it issued."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID

from ca_sim.bootstrap import House
from ca_sim.certificates import Certificate
from ca_sim.csr import SigningRequest
from ca_sim.faults.rules import Breakage, Fault, FaultKind
from ca_sim.identifiers import Identifier
from ca_sim.in_process import Answer, InProcess, in_process
from ca_sim.issuing import Application
from ca_sim.planes import PlaneName
from ca_sim.settings import read
from tests.support.clock import START

DAY = timedelta(days=1)
PROFILES: dict[str, object] = {"plain": {"validity_seconds": 7_776_000}}


@dataclass(slots=True)
class Issued:
    """A leaf, its issuer and its record."""

    leaf: x509.Certificate
    issuer: x509.Certificate
    record: Certificate


class Bench:
    """Issues, revokes and looks."""

    def __init__(self, running: InProcess) -> None:
        self.running = running
        self.key = ec.generate_private_key(ec.SECP256R1())
        self._numbers = count(1)

    @property
    def house(self) -> House:
        """Give what is behind the servers."""
        return self.running.house

    @property
    def base(self) -> str:
        """Give the URL of the public server."""
        return self.house.bases[PlaneName.PUBLIC]

    def issue(self, profile: str = "plain", *, validity: timedelta = 90 * DAY, common_name: str | None = None) -> Issued:
        """Issue a leaf and write it into the book."""
        number = next(self._numbers)
        application = Application(
            api="acme",
            account_id="somebody",
            order_id=str(number),
            request=SigningRequest(self.key.public_key(), common_name),
            identifiers=(Identifier("dns", f"host{number}.example.com"),),
            profile=profile,
            validity=validity,
        )
        record = self.house.issuing.issue(application)
        self.house.book.keep_certificate(record)
        leaf, issuer, *_ = x509.load_pem_x509_certificates(record.chain.encode())
        return Issued(leaf, issuer, record)

    def revoke(self, issued: Issued, reason: int = 4) -> None:
        """Revoke a leaf."""
        self.house.certificates.revoke(issued.record.serial, reason)

    def later(self, by: timedelta) -> None:
        """Let time go by."""
        self.house.clock.advance(by)

    def break_(
        self, kind: FaultKind, place: str, *, seconds: float | None = None, breakage: Breakage = Breakage.GARBAGE
    ) -> None:
        """Let something go wrong once."""
        self.house.faults.arm(Fault(kind=kind, at=(place,), count=1, seconds=seconds, breakage=breakage))

    def get(self, url: str, **headers: str) -> Answer:
        """Fetch a URL."""
        return self.running.request("GET", url, {name.replace("_", "-"): value for name, value in headers.items()})

    def crl(self, url: str) -> x509.CertificateRevocationList:
        """Fetch a CRL."""
        answer = self.get(url)
        assert answer.status == 200, answer
        assert ("content-type", "application/pkix-crl") in answer.headers
        return x509.load_der_x509_crl(answer.body)

    def ask_bytes(self, request: bytes) -> Answer:
        """Send a request to the responder."""
        return self.running.request("POST", f"{self.base}/ocsp", {"content-type": "application/ocsp-request"}, request)

    def ask(
        self, issued: Issued, *, algorithm: hashes.HashAlgorithm | None = None, nonce: bytes | None = None
    ) -> ocsp.OCSPResponse:
        """Ask the responder about a leaf."""
        request = request_for(issued.leaf, issued.issuer, algorithm=algorithm, nonce=nonce)
        return ocsp.load_der_ocsp_response(self.ask_bytes(request).body)


def request_for(
    leaf: x509.Certificate,
    issuer: x509.Certificate,
    *,
    algorithm: hashes.HashAlgorithm | None = None,
    nonce: bytes | None = None,
) -> bytes:
    """Make an OCSP request in DER."""
    builder = ocsp.OCSPRequestBuilder().add_certificate(leaf, issuer, algorithm or hashes.SHA1())  # noqa: S303 - as clients do
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(Encoding.DER)


def crl_url(certificate: x509.Certificate) -> str:
    """Give the CRL that a certificate points to."""
    (point,) = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert point.full_name is not None
    return str(point.full_name[0].value)


def access_urls(certificate: x509.Certificate) -> dict[str, str]:
    """Give where a certificate points to for its issuer and for OCSP."""
    words = {AuthorityInformationAccessOID.CA_ISSUERS: "issuer", AuthorityInformationAccessOID.OCSP: "ocsp"}
    access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    return {words[description.access_method]: str(description.access_location.value) for description in access}


@contextmanager
def bench(state: Path | None = None, profiles: dict[str, object] | None = None, **authority: object) -> Iterator[Bench]:
    """Open an authority at START whose section [authority] says this."""
    table: dict[str, object] = {"authority": authority, "profiles": PROFILES | (profiles or {})}
    if state is not None:
        table["state_directory"] = str(state)
    with in_process(read(table), lambda: START) as running:
        yield Bench(running)
