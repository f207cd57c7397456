"""Files that clients are given: a CA that signs what is merged, and certificates with their keys to be imported."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    pkcs12,
)

from certworker.crypto.extensions import SubjectNames
from certworker.crypto.keys import generate_key
from certworker.crypto.x509 import CertificateRequest, self_sign


@dataclass(frozen=True)
class ClientFiles:
    """Where the files lie."""

    ca_pem: Path
    ca_der: Path
    ca_key: Path
    pfx: Path
    pem: Path


def write_client_files(folder: Path, at: datetime) -> ClientFiles:
    """Make the files anew, valid around `at`."""
    names = ("ca.pem", "ca.der", "ca.key", "imported.pfx", "imported.pem")
    files = ClientFiles(*(folder / name for name in names))
    root_key, root = _self_signed("CN=CA of the clients", at, authority=True)
    files.ca_der.write_bytes(root.public_bytes(Encoding.DER))
    files.ca_pem.write_bytes(root.public_bytes(Encoding.PEM))
    files.ca_key.write_bytes(_pem(root_key))
    key, leaf = _self_signed("CN=imported.example", at, authority=False)
    files.pfx.write_bytes(pkcs12.serialize_key_and_certificates(None, key, leaf, None, NoEncryption()))
    files.pem.write_bytes(_pem(key) + leaf.public_bytes(Encoding.PEM))
    return files


def _self_signed(subject: str, at: datetime, *, authority: bool) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    usage = ("keyCertSign", "cRLSign") if authority else ("digitalSignature",)
    private = generate_key("EC", None, "P-256")
    request = CertificateRequest(subject, SubjectNames(), usage, ())
    der = self_sign(private, request, at - timedelta(days=1), at + timedelta(days=365), authority=authority)
    key = load_der_private_key(private, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key, x509.load_der_x509_certificate(der)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
