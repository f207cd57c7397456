"""What a certificate signing request asks for (RFC 2986), for CAs that want it in words of their own."""

from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from certworker.crypto.extensions import SubjectNames, read_names, read_usages
from certworker.errors import BadParameter


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """What a CSR says. `subject` pairs dotted OIDs with values in its order; `public_key` is a DER SubjectPublicKeyInfo."""

    subject: tuple[tuple[str, str], ...]
    names: SubjectNames
    ekus: tuple[str, ...]
    public_key: bytes


def read_request(der: bytes) -> RequestFacts:
    """Read a DER CSR. Raises BadParameter where it cannot be read."""
    try:
        request = x509.load_der_x509_csr(der)
        return RequestFacts(
            tuple((attribute.oid.dotted_string, str(attribute.value)) for attribute in request.subject),
            read_names(request.extensions),
            read_usages(request.extensions)[1],
            request.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        )
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension) as error:
        raise BadParameter(f"This signing request cannot be read: {error}.") from error


def request_pem(der: bytes) -> str:
    """Show a DER CSR as PEM."""
    return x509.load_der_x509_csr(der).public_bytes(Encoding.PEM).decode("ascii")


def public_pem(spki: bytes) -> str:
    """Show a DER SubjectPublicKeyInfo as PEM, `PUBLIC KEY`."""
    return load_der_public_key(spki).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")
