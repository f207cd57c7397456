"""How a certificate is named to a CA that is asked about its renewal."""

from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from certworker.crypto.renewal_info import certificate_id


def certificate(serial: int, authority: bytes | None) -> bytes:
    """Make a certificate with a serial number that says by which key it was signed, or does not."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    begin, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), serial, begin, end)
    if authority:
        builder = builder.add_extension(x509.AuthorityKeyIdentifier(authority, None, None), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    ("serial", "text"),
    [(0x87654321, "AIdlQyE"), (0x7F, "fw"), (0x80, "AIA"), (0x1234, "EjQ"), (1, "AQ")],
)
def test_a_certificate_is_named_as_the_specification_does(serial: int, text: str) -> None:
    """With the very serial of the specification's example, and where a leading zero is needed or not."""
    assert certificate_id(certificate(serial, bytes.fromhex("69885b6b87464041e1b37b847bd0ae2cde01c8d4"))) == (
        f"aYhba4dGQEHhs3uEe9CuLN4ByNQ.{text}"
    )


def test_a_certificate_that_does_not_tell_its_authority_has_no_name() -> None:
    """Neither a self-signed one nor what cannot be read."""
    assert certificate_id(certificate(1, None)) is None
    assert certificate_id(b"no certificate") is None
