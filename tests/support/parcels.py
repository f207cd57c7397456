"""What people bring to be imported: a key, its certificate and the chain above it, in every wrapping."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    pkcs12,
)

from certworker.crypto.extensions import SubjectNames
from certworker.crypto.keys import generate_key
from certworker.crypto.x509 import CertificateRequest, build_csr, self_sign, sign_csr, to_pem
from tests.support.clock import START

SERVER_AUTH: Final = "1.3.6.1.5.5.7.3.1"
PKCS8, TRADITIONAL = PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | dsa.DSAPrivateKey


@dataclass(frozen=True)
class Parcel:
    """A key as DER PKCS#8, its certificate, and the chain in order."""

    key: bytes
    leaf: bytes
    chain: tuple[bytes, ...]

    def pfx(self, password: str | None = None, chain: Sequence[bytes] | None = None) -> str:
        """Wrap it as PKCS#12 in base64."""
        key = load_der_private_key(self.key, None, unsafe_skip_rsa_key_validation=True)
        assert isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
        above = [x509.load_der_x509_certificate(der) for der in (self.chain if chain is None else chain)]
        leaf = x509.load_der_x509_certificate(self.leaf)
        return wrap(pkcs12.serialize_key_and_certificates(b"web", key, leaf, above, encryption(password)))

    def key_pem(self, form: PrivateFormat = PKCS8, password: str | None = None) -> bytes:
        """Write the key as PEM."""
        key = load_der_private_key(self.key, None, unsafe_skip_rsa_key_validation=True)
        return key.private_bytes(Encoding.PEM, form, encryption(password))

    def pem(self, form: PrivateFormat = PKCS8, password: str | None = None) -> str:
        """Write it all as PEM, the key first."""
        return (self.key_pem(form, password) + to_pem((self.leaf, *self.chain))).decode()


def wrap(data: bytes) -> str:
    """Write bytes in base64."""
    return base64.b64encode(data).decode()


def encryption(password: str | None) -> KeySerializationEncryption:
    """Encrypt under a password, if there is one."""
    return BestAvailableEncryption(password.encode()) if password else NoEncryption()


def a_parcel(
    key: bytes | None = None,
    *,
    names: SubjectNames | None = None,
    subject: str = "CN=brought.test",
    key_usage: tuple[str, ...] = ("digitalSignature",),
    ekus: tuple[str, ...] = (SERVER_AUTH,),
    begin: datetime = START,
    end: datetime = START + timedelta(days=90),
) -> Parcel:
    """Make a leaf under an intermediate under a root; an EC key unless another is given."""
    key = key or generate_key("EC", None, "P-256")
    root_key, above_key = (generate_key("EC", None, "P-256") for _ in range(2))
    root = _authority("CN=Far root", root_key, None, root_key)
    above = _authority("CN=Far issuing CA", above_key, root, root_key)
    request = CertificateRequest(subject, names or SubjectNames(dns_names=("brought.test",)), key_usage, ekus)
    return Parcel(key, sign_csr(build_csr(key, request), above, above_key, begin, end), (above, root))


def _authority(subject: str, key: bytes, issuer: bytes | None, issuer_key: bytes) -> bytes:
    request = CertificateRequest(subject, SubjectNames(), ("keyCertSign",), ())
    begin, end = START - timedelta(days=1000), START + timedelta(days=5000)
    own = self_sign(key, request, begin, end, authority=True)
    if issuer is None:
        return own
    found, above = x509.load_der_x509_certificate(own), x509.load_der_x509_certificate(issuer)
    signer = load_der_private_key(issuer_key, None)
    public = found.public_key()
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    assert isinstance(public, ec.EllipticCurvePublicKey)
    builder = x509.CertificateBuilder(above.subject, found.subject, public, found.serial_number, begin, end)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    return builder.sign(signer, SHA256()).public_bytes(Encoding.DER)


def odd_parcel(key: Key) -> str:
    """Make PEM of a self-signed certificate with any kind of key."""
    name = x509.Name.from_rfc4514_string("CN=odd")
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey) else SHA256()
    public = key.public_key()
    builder = x509.CertificateBuilder(name, name, public, 7, START, START + timedelta(days=90))
    certificate = builder.sign(key, digest).public_bytes(Encoding.PEM)
    return (key.private_bytes(Encoding.PEM, PKCS8, NoEncryption()) + certificate).decode()
