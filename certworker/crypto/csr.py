"""What a certificate signing request says (RFC 2986): read again where somebody else has kept it."""

from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from certworker.errors import BadParameter


@dataclass(frozen=True, slots=True)
class CsrFacts:
    """The public key as a DER SubjectPublicKeyInfo, and the common name; empty where there is none."""

    public_key: bytes
    common_name: str


def read_csr(der: bytes) -> CsrFacts:
    """Read a DER CSR. Raises BadParameter."""
    return _facts(der, pem=False)


def read_pem_csr(text: str) -> CsrFacts:
    """Read a CSR in PEM. Raises BadParameter."""
    return _facts(text.encode("ascii", "replace"), pem=True)


def csr_to_pem(der: bytes) -> str:
    """Write a DER CSR in PEM. Raises BadParameter."""
    return _load(der, pem=False).public_bytes(Encoding.PEM).decode("ascii")


def _facts(data: bytes, *, pem: bool) -> CsrFacts:
    request = _load(data, pem=pem)
    try:
        key = request.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        names = request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadParameter(f"This certificate signing request cannot be read: {error}.") from error
    return CsrFacts(key, str(names[0].value) if names else "")


def _load(data: bytes, *, pem: bool) -> x509.CertificateSigningRequest:
    try:
        return x509.load_pem_x509_csr(data) if pem else x509.load_der_x509_csr(data)
    except ValueError as error:
        raise BadParameter(f"This is not a certificate signing request: {error}.") from error
