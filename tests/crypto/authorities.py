"""Small authorities for the tests of chains."""

from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certworker.crypto.extensions import SubjectNames
from certworker.crypto.keys import generate_key, load_private, signing_hash
from certworker.crypto.subjects import parse_subject
from certworker.crypto.x509 import CertificateRequest, build_csr, sign_csr

BEGIN: Final = datetime(2026, 1, 1, tzinfo=UTC)
END: Final = BEGIN + timedelta(days=90)


def ec_key() -> bytes:
    """Make an EC key."""
    return generate_key("EC", None, "P-256")


def a_request(subject: str = "CN=web.example.test", **changes: object) -> CertificateRequest:
    """Ask for a server certificate."""
    values: dict[str, object] = {
        "subject": subject,
        "names": SubjectNames(dns_names=("web.example.test",)),
        "key_usage": ("digitalSignature", "keyEncipherment"),
        "ekus": ("1.3.6.1.5.5.7.3.1",),
    }
    return CertificateRequest(**{**values, **changes})  # type: ignore[arg-type]


class Authority:
    """A name and a key, and certificates for both by anybody."""

    def __init__(self, name: str) -> None:
        self.name = f"CN={name}"
        self.key = ec_key()

    def certificate(self, issuer: "Authority | None" = None) -> bytes:
        """Give a certificate of this authority: by `issuer`, or by itself."""
        issuer = issuer or self
        public, key = load_private(self.key).public_key(), load_private(issuer.key)
        builder = x509.CertificateBuilder(parse_subject(issuer.name), parse_subject(self.name), public)
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(BEGIN).not_valid_after(END)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        return builder.sign(key, signing_hash(key)).public_bytes(Encoding.DER)

    def leaf(self, key: bytes | None = None) -> bytes:
        """Issue a leaf."""
        return sign_csr(build_csr(key or ec_key(), a_request()), self.certificate(), self.key, BEGIN, END)
