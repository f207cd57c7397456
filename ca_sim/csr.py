"""Certificate signing requests: what the authority accepts in one (RFC 8555 section 7.4, RFC 2986)."""

from collections.abc import Collection
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from ca_sim.acme.jose import PublicKey, rsa_flaw
from ca_sim.identifiers import Identifier
from ca_sim.problems import BadCsrError

CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
HASHES = frozenset({"sha256", "sha384", "sha512"})
MAX_COMMON_NAME = 64


@dataclass(frozen=True, slots=True)
class SigningRequest:
    """What a checked CSR asks for; `common_name` is one of the identifiers, or None."""

    public_key: PublicKey
    common_name: str | None


def read_csr(der: bytes) -> x509.CertificateSigningRequest:
    """Read a CSR in DER; it is still to be checked. Raises BadCsrError."""
    try:
        return x509.load_der_x509_csr(der)
    except (ValueError, x509.InvalidVersion) as error:
        raise BadCsrError("the CSR is not DER of a PKCS #10 request") from error


def check_csr(csr: x509.CertificateSigningRequest, identifiers: Collection[Identifier]) -> SigningRequest:
    """Check signature, key and names against the identifiers of the order. Raises BadCsrError."""
    key = check_key(csr)
    common_name = _common_name(csr)
    names = _alternative_names(csr)
    if common_name is not None:
        names.add(_identifier_of(common_name, identifiers))
    if names != set(identifiers):
        raise _other_names(names, set(identifiers))
    return SigningRequest(key, common_name)


def _other_names(names: set[Identifier], identifiers: set[Identifier]) -> BadCsrError:
    """Say which names are too many and which are missing, each in a subproblem (RFC 8555 section 6.7.1)."""
    asked, ordered = (", ".join(sorted(name.value for name in side)) for side in (names, identifiers))
    many = [BadCsrError("this is not in the order", identifier=name.document()) for name in sorted(names - identifiers)]
    few = [BadCsrError("this is not in the CSR", identifier=name.document()) for name in sorted(identifiers - names)]
    return BadCsrError(f"the CSR is for {asked or 'no name'}, the order for {ordered}", subproblems=[*many, *few])


def check_key(csr: x509.CertificateSigningRequest) -> PublicKey:
    """Check signature and key, whatever the names. Raises BadCsrError."""
    try:
        key = csr.public_key()
        valid = csr.is_signature_valid
        digest = csr.signature_hash_algorithm
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadCsrError("the CSR's key or signature is of a kind that is not taken") from error
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        flaw = rsa_flaw(numbers.n, numbers.e)
        if flaw:
            raise BadCsrError(flaw)
    elif not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, CURVES):
        raise BadCsrError("the CSR's key is not taken: use RSA with 2048 bits or more, P-256, P-384 or P-521")
    if digest is None or digest.name not in HASHES:
        raise BadCsrError("the CSR's signature uses a hash that is not taken: use SHA-256 or longer")
    if not valid:
        raise BadCsrError("the signature of the CSR does not verify")
    return key


def _common_name(csr: x509.CertificateSigningRequest) -> str | None:
    found = csr.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if len(found) > 1:
        raise BadCsrError("the CSR has more than one common name")
    return str(found[0].value).lower() if found else None


def _identifier_of(common_name: str, identifiers: Collection[Identifier]) -> Identifier:
    for identifier in identifiers:
        if identifier.value == common_name:
            return identifier
    raise BadCsrError(f"the common name {common_name!r} of the CSR is not in the order")


def _alternative_names(csr: x509.CertificateSigningRequest) -> set[Identifier]:
    try:
        names = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise BadCsrError("the extensions of the CSR cannot be read") from error
    found: set[Identifier] = set()
    for name in names:
        if isinstance(name, x509.DNSName):
            found.add(Identifier("dns", name.value.lower()))
        elif isinstance(name, x509.IPAddress):
            found.add(Identifier("ip", str(name.value)))
        else:
            raise BadCsrError(f"the CSR has a name of type {type(name).__name__}: only DNS names and IP addresses")
    return found
