"""Attestations that are read before anything of them is proven: whatever they hold, they are refused in words."""

import base64
import json
from contextlib import suppress
from datetime import UTC, datetime

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from certworker.crypto.attestations import encryption_key, read_attestation, verify_attestation
from certworker.errors import BadParameter

ODD = [None, [], {}, 5, 1.5, True, "", "\ud800", ["RS256"], {"a": 1}, 10**50]
RSA_OID, UNKNOWN_OID = bytes.fromhex("06092a864886f70d010101"), bytes.fromhex("06092a864886f70d01017f")


def encoded(value: object) -> str:
    """Write a part of a token."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize("name", ["alg", "kid", "typ", "crit", "jwk", "jku", "x5u"])
def test_any_header_is_refused_in_words_or_read(name: str) -> None:
    """A member of another type than it should be is no fault of the server's, and never trusted."""
    for value in ODD:
        token = f"{encoded({'alg': 'RS256', 'kid': 'k', name: value})}.{encoded({'iss': 'https://a.test'})}.AA"
        with suppress(BadParameter):
            assert read_attestation(token).algorithm == "RS256"


def test_any_claims_are_refused_in_words() -> None:
    """Claims that are no object, and issuers that are no text."""
    for value in [*ODD, *({"iss": odd} for odd in ODD if odd != "\ud800")]:
        with pytest.raises(BadParameter):
            read_attestation(f"{encoded({'alg': 'RS256', 'kid': 'k'})}.{encoded(value)}.AA")


def test_a_target_key_may_tell_its_uses_in_a_list() -> None:
    """`use` is enc or a list of it; anything else is no encryption key, and no fault either."""
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 2048).public_key()))
    del public["key_ops"]
    for meant in ("enc", ["enc"]):
        assert encryption_key({**public, "use": meant}) is not None
        assert encryption_key({**public, "key_use": meant}) is not None
    for use in ODD:
        assert encryption_key({**public, "use": use}) is None
        assert encryption_key({**public, "use": "enc", "n": use}) is None


def test_a_certificate_of_an_unknown_kind_of_key_is_refused() -> None:
    """An authority may have keys that nothing here can read."""
    key, name = rsa.generate_private_key(65537, 2048), x509.Name([])
    begin, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, begin, end).sign(key, SHA256())
    der = made.public_bytes(Encoding.DER).replace(RSA_OID, UNKNOWN_OID)
    with pytest.raises(BadParameter, match="cannot be read"):
        verify_attestation("a.b.c", "RS256", {"x5c": [base64.b64encode(der).decode()]})
