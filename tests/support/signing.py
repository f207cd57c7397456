"""A CA that a person carries a certificate signing request to: it signs what it is told to."""

import ipaddress
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ObjectIdentifier

from certworker.crypto.extensions import SubjectNames, key_usage_extension, san_extension
from tests.support.clock import START

CLIENT_AUTH: Final = "1.3.6.1.5.5.7.3.2"
SERVER_AUTH: Final = "1.3.6.1.5.5.7.3.1"


class Signer:
    """A root, and an intermediate that signs."""

    def __init__(self, name: str = "Paper") -> None:
        root_key, self._key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name.from_rfc4514_string(f"CN={name} issuing CA")
        root_name = x509.Name.from_rfc4514_string(f"CN={name} root")
        self.root = _authority(root_name, root_name, root_key, root_key)
        self.intermediate = _authority(root_name, self._name, root_key, self._key)

    @property
    def chain(self) -> tuple[bytes, ...]:
        """Give what leads up from a leaf, in order."""
        return (self.intermediate, self.root)

    def sign(
        self,
        csr: bytes,
        *,
        subject: str | None = None,
        names: SubjectNames | None = None,
        begin: datetime = START,
        end: datetime = START + timedelta(days=365),
        ekus: tuple[str, ...] = (SERVER_AUTH, CLIENT_AUTH),
        key_usage: tuple[str, ...] = ("digitalSignature",),
        authority: bool = False,
    ) -> bytes:
        """Sign the key of a DER CSR, with its subject and names unless others are given."""
        request = x509.load_der_x509_csr(csr)
        asked = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        title = request.subject if subject is None else x509.Name.from_rfc4514_string(subject)
        key = request.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        builder = x509.CertificateBuilder(self._name, title, key, x509.random_serial_number(), begin, end)
        builder = builder.add_extension(asked if names is None else san_extension(names), critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        builder = builder.add_extension(key_usage_extension(key_usage, key), critical=True)
        if ekus:
            usages = x509.ExtendedKeyUsage([ObjectIdentifier(oid) for oid in ekus])
            builder = builder.add_extension(usages, critical=False)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.DER)


def with_network(csr: bytes, signer: Signer) -> bytes:
    """Sign a leaf whose alternative names hold a whole network, as only a name constraint may."""
    network = x509.IPAddress(ipaddress.ip_network("192.0.2.0/24"))
    key = x509.load_der_x509_csr(csr).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    name = x509.Name.from_rfc4514_string("CN=web.test")
    builder = x509.CertificateBuilder(signer._name, name, key, 7, START, START + timedelta(days=365))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("web.test"), network]), critical=False)
    return builder.sign(signer._key, hashes.SHA256()).public_bytes(Encoding.DER)


def _authority(
    issuer: x509.Name, subject: x509.Name, issuer_key: ec.EllipticCurvePrivateKey, key: ec.EllipticCurvePrivateKey
) -> bytes:
    begin, serial = START - timedelta(days=1000), x509.random_serial_number()
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), serial, begin, START + timedelta(days=5000))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(Encoding.DER)
