"""Keys as files: what OpenSSL writes is read, and what is written OpenSSL reads."""

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)

from certworker.crypto.jwk import read_private_jwk
from certworker.crypto.key_files import (
    ecdsa_from_der,
    ecdsa_to_der,
    from_jose,
    is_private_pem,
    needs_password,
    public_pem,
    read_private_pem,
    to_jose,
)
from certworker.crypto.keys import CURVES, load_private
from certworker.errors import BadParameter

PASSWORD = "correct horse"
KEYS = {"RSA": rsa.generate_private_key(65537, 2048)} | {name: ec.generate_private_key(curve) for name, curve in CURVES.items()}


def pem_of(name: str, form: PrivateFormat = PrivateFormat.PKCS8, password: str = "") -> bytes:
    """Write a key as others do."""
    protection = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    return KEYS[name].private_bytes(Encoding.PEM, form, protection)


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("password", ["", PASSWORD])
def test_a_private_key_comes_in_every_form(name: str, form: PrivateFormat, password: str) -> None:
    """As PKCS#8, PKCS#1 and SEC 1, with a password or without; the vault's own reader takes the JWK that comes of it."""
    pem = b"What goes before.\r\n" + pem_of(name, form, password).replace(b"\n", b"\r\n")
    assert is_private_pem(pem)
    assert needs_password(pem) == bool(password)
    jwk = read_private_pem(pem, password or "not needed")
    key = load_private(read_private_jwk(jwk["kty"], jwk).private_key)
    assert key.private_numbers() == KEYS[name].private_numbers()


@pytest.mark.parametrize("name", KEYS)
def test_a_public_key_goes_out(name: str) -> None:
    """As PEM, and as a JWK by the names of the RFCs."""
    jwk = {
        member: value for member, value in read_private_pem(pem_of(name), None).items() if len(member) > 1 or member in "nexy"
    }
    public = KEYS[name].public_key()
    assert load_pem_public_key(public_pem({**jwk, "kty": f"{jwk['kty']}-HSM"})) == public
    shown = to_jose({**jwk, "kid": "k"})
    assert (shown["kid"], shown["kty"]) == ("k", jwk["kty"])
    assert shown.get("crv") == {"RSA": None, "P-256K": "secp256k1"}.get(name, name)
    assert from_jose(shown) == {**jwk, "kid": "k"} or name == "RSA"


@pytest.mark.system("openssl")
def test_a_file_of_openssl_has_more_than_the_key(tmp_path: Path) -> None:
    """Parameters of the curve before it, and a public key after it, are left alone."""
    command = ["openssl", "ecparam", "-name", "prime256v1", "-genkey"]
    pem = subprocess.run(command, capture_output=True, check=True, cwd=tmp_path).stdout
    assert b"EC PARAMETERS" in pem
    public = KEYS["P-256"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert read_private_pem(pem + public, None)["crv"] == "P-256"


def test_what_is_no_private_key_is_refused() -> None:
    """With what would be right, and without a word of what was read."""
    p256 = pem_of("P-256")
    body = p256.splitlines()[1].decode()
    foreign = ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    damaged = p256.replace(body.encode(), b"AAAA" + body[4:].encode())
    small = rsa.generate_private_key(65537, 1024)  # noqa: S505
    weak = small.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for pem, password, message in (
        (p256 + pem_of("RSA"), None, "There are 2 private keys"),
        (b"", None, "There are 0 private keys"),
        (p256.replace(b"\n-----END", b"\n-----AND"), None, "There are 0 private keys"),
        (damaged, None, "it is damaged"),
        (foreign, None, "it is RSA or EC"),
        (weak, None, "an RSA key of 1024 bits"),
        (pem_of("P-256", password=PASSWORD), None, "protected by a password"),
        (pem_of("P-256", password=PASSWORD), "wrong", "The password does not open"),
        (pem_of("RSA", PrivateFormat.TraditionalOpenSSL, PASSWORD), "wrong", "The password does not open"),
    ):
        with pytest.raises(BadParameter, match=message) as refused:
            read_private_pem(pem, password)
        assert body not in str(refused.value)
    with pytest.raises(BadParameter, match="oct-HSM has no public half"):
        public_pem({"kty": "oct-HSM"})


def test_a_signature_changes_its_form() -> None:
    """From r and s to DER and back, with zeros in front where a number is short; what is no such DER is refused."""
    for curve, size in (("P-256", 32), ("P-521", 66)):
        signature = bytes(size - 1) + b"\x07" + b"\x01" + bytes(size - 1)
        assert ecdsa_from_der(ecdsa_to_der(signature), curve) == signature
    for wrong in (b"", b"\x30\x00", ecdsa_to_der(b"\xff" * 132)):
        with pytest.raises(BadParameter, match="no DER of two numbers"):
            ecdsa_from_der(wrong, "P-256")
