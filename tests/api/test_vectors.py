"""Published vectors through the API: keys are imported, and do what NIST, RSA, the RFCs and JOSE's cookbook say.

Not all of them can be: a vault holds RSA keys from 2048 bits with exponents from 65537, makes its own IVs for GCM and its own
nonces for ECDSA, takes IVs of 96 bits and whole tags, and imports no public keys (NIST's SigVer of ECDSA has no others). PSS
has a salt as long as the digest here (RFC 7518 section 3.5), which NIST's never have: theirs have to be refused. Large sets
are sampled: every n-th record, always the same.
"""

import hashlib
from base64 import urlsafe_b64decode
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric import utils

from certworker.crypto.keys import base64url
from tests.api.world import Caller, open_world
from tests.support import jose
from tests.support.clock import FakeClock
from tests.support.jose import Jws
from tests.support.keys import EVERY_OPERATION
from tests.support.vectors import Record, ec_jwk, ec_jwk_of, labelled, oct_jwk, private_keys, records, rsa_jwk, rsa_jwk_of

RSA_SIZES: Final = {"2048", "3072", "4096"}
RSA_HASHES: Final = {"SHA256": "RS256", "SHA384": "RS384", "SHA512": "RS512"}
ECDSA: Final = {"P-256,SHA-256": "ES256", "P-384,SHA-384": "ES384", "P-521,SHA-512": "ES512", "K-256,SHA-256": "ES256K"}
CURVES: Final = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "ES256K": "P-256K"}
SIZES: Final = (128, 192, 256)
AES: Final = pytest.mark.parametrize("size", SIZES)


class KeyBox:
    """Imports keys, and calls their operations."""

    def __init__(self, call: Caller) -> None:
        self._call = call
        self._names: dict[str, str] = {}

    def put(self, jwk: Mapping[str, str]) -> str:
        """Import a key, unless it was before; give its name."""
        identity = jwk.get("n") or jwk.get("d") or jwk["k"]
        if identity not in self._names:
            name = f"key-{len(self._names)}"
            operations = ("sign", "verify") if jwk["kty"] == "EC" else EVERY_OPERATION
            answer = self._call("PUT", f"/keys/{name}", {"key": {**jwk, "key_ops": operations}})
            assert answer.status_code == 200, answer.text
            self._names[identity] = name
        return self._names[identity]

    def do(self, jwk: Mapping[str, str], operation: str, algorithm: str, value: bytes, **more: bytes) -> bytes | bool | None:
        """Do an operation; none where it is refused as what cannot be decrypted is."""
        parts = {name: base64url(part) for name, part in more.items()}
        body = {"alg": algorithm, "value": base64url(value), **parts}
        answer = self._call("POST", f"/keys/{self.put(jwk)}/{operation}", body)
        found: dict[str, Any] = answer.json()
        if answer.status_code == 400:
            assert found["error"]["message"].startswith("Unable to decrypt specified value with this key")
            return None
        assert answer.status_code == 200, answer.text
        return found["value"] if operation == "verify" else octets(found["value"])


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyBox]:
    """Give one deployment for all vectors."""
    with open_world(tmp_path_factory.mktemp("vectors"), FakeClock()) as world:
        yield KeyBox(Caller(world))


def octets(text: str) -> bytes:
    """Read base64url without padding."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def every(step: int, found: Iterable[Record], at_least: int) -> list[Record]:
    """Take every n-th record, and make sure that there are enough of them: a file that reads as nothing tests nothing."""
    taken = list(islice(found, 0, None, step))
    assert len(taken) >= at_least
    return taken


def hexed(record: Record, name: str) -> bytes:
    """Read hex."""
    return bytes.fromhex(record[name])


def number(record: Record, name: str) -> int:
    """Read a number in hex."""
    return int(record[name], 16)


def digest_of(algorithm: str, message: bytes) -> bytes:
    """Digest a message as an algorithm wants it."""
    return hashlib.new(f"sha{algorithm[2:5]}", message).digest()


def verify(box: KeyBox, jwk: Mapping[str, str], algorithm: str, message: bytes, signature: bytes) -> bool:
    """Verify the signature of a message."""
    right = box.do(jwk, "verify", algorithm, signature, digest=digest_of(algorithm, message))
    assert isinstance(right, bool)
    return right


def test_nist_rsa_pkcs1_verification(box: KeyBox) -> None:
    """SigVer15_186-3: 51 signatures, of which 9 are right; the others were altered, or padded with malice."""
    found = records("asymmetric/RSA/FIPS_186-2/SigVer15_186-3.rsp", "Msg")
    usable = [one for one in found if one["mod"] in RSA_SIZES and number(one, "e") == 65537 and one["SHAAlg"] in RSA_HASHES]
    assert len(usable) == 51
    right = [
        verify(
            box,
            rsa_jwk(number(one, "p"), number(one, "q"), 65537),
            RSA_HASHES[one["SHAAlg"]],
            hexed(one, "Msg"),
            hexed(one, "S"),
        )
        for one in usable
    ]
    assert right == [one["Result"].startswith("P") for one in usable]


@pytest.mark.long
def test_nist_rsa_pkcs1_signing(box: KeyBox) -> None:
    """SigGen15_186-2: every 10th of 90 signatures, by keys of 2048, 3072 and 4096 bits, comes out to the last bit."""
    found = records("asymmetric/RSA/FIPS_186-2/SigGen15_186-2.txt", "Msg")
    usable = (one for one in found if one["mod"] in RSA_SIZES and one["SHAAlg"] in RSA_HASHES)
    for one in every(10, usable, 9):
        jwk = rsa_jwk_of(number(one, "n"), number(one, "e"), number(one, "d"))
        algorithm = RSA_HASHES[one["SHAAlg"]]
        digest = digest_of(algorithm, hexed(one, "Msg"))
        assert box.do(jwk, "sign", algorithm, digest) == hexed(one, "S")
        assert box.do(jwk, "verify", algorithm, hexed(one, "S"), digest=digest) is True


def test_nist_rsa_pss_has_another_salt(box: KeyBox) -> None:
    """SigVerPSS_186-3: what is right there has a salt of 10 bytes, and is none of JWA's."""
    found = records("asymmetric/RSA/FIPS_186-2/SigVerPSS_186-3.rsp", "Msg")
    usable = (one for one in found if one["mod"] in RSA_SIZES and number(one, "e") == 65537 and one["SHAAlg"] in RSA_HASHES)
    for one in every(1, (one for one in usable if one["Result"].startswith("P")), 5):
        jwk = rsa_jwk(number(one, "p"), number(one, "q"), 65537)
        algorithm = RSA_HASHES[one["SHAAlg"]].replace("RS", "PS")
        assert verify(box, jwk, algorithm, hexed(one, "Msg"), hexed(one, "S")) is False


@pytest.mark.parametrize(
    ("filename", "algorithm", "count", "step"),
    [
        ("pkcs-1v2-1d2-vec/oaep-vect.txt", "RSA-OAEP", 6, 1),
        ("oaep-custom/oaep-sha256-sha256.txt", "RSA-OAEP-256", 60, 4),
        ("pkcs1v15crypt-vectors.txt", "RSA1_5", 20, 1),
    ],
)
def test_rsa_decryption(box: KeyBox, filename: str, algorithm: str, count: int, step: int) -> None:
    """RSA's own vectors, by the keys of 2048 bits: decrypted, and unwrapped. Of OAEP with SHA-256 every 4th."""
    found = [one for one in labelled(f"asymmetric/RSA/{filename}", "Encryption") if len(one["Modulus"]) == 512]
    assert len(found) == count
    for one in found[::step]:
        jwk = rsa_jwk(number(one, "Prime 1"), number(one, "Prime 2"), number(one, "Public exponent"))
        for operation in ("decrypt", "unwrapkey"):
            assert box.do(jwk, operation, algorithm, hexed(one, "Encryption")) == hexed(one, "Message")


@pytest.mark.parametrize(("filename", "step"), [("FIPS_186-3/SigGen.txt", 3), ("SECP256K1/SigGen.txt", 25)])
def test_nist_ecdsa(box: KeyBox, filename: str, step: int) -> None:
    """SigGen: a sample of 45 signatures on NIST's curves and of 225 on P-256K is right, and with s altered it is not."""
    found = (one for one in records(f"asymmetric/ECDSA/{filename}", "Msg") if one["section"] in ECDSA)
    for one in every(step, found, 9):
        algorithm = ECDSA[one["section"]]
        jwk, size = ec_jwk(CURVES[algorithm], number(one, "d")), {"P-521": 66, "P-384": 48}.get(CURVES[algorithm], 32)
        r, s = (number(one, name).to_bytes(size, "big") for name in ("R", "S"))
        assert verify(box, jwk, algorithm, hexed(one, "Msg"), r + s) is True
        assert verify(box, jwk, algorithm, hexed(one, "Msg"), r + s[:-1] + bytes([s[-1] ^ 1])) is False


def test_rfc_6979(box: KeyBox) -> None:
    """12 deterministic signatures on P-256, P-384 and P-521, half of them wrong; what a vault signs is random."""
    filename = "asymmetric/ECDSA/RFC6979/evppkey_ecdsa_rfc6979.txt"
    keys, hashes, tried = private_keys(filename), {"P-256": "SHA256", "P-384": "SHA384", "P-521": "SHA512"}, 0
    for one in records(filename, "DigestVerify"):
        curve = one["Key"].removesuffix("_PUB")
        if hashes.get(curve) != one["DigestVerify"]:
            continue
        tried += 1
        algorithm, size = f"ES{hashes[curve][3:]}", (keys[f"{curve}_PRIV"].key_size + 7) // 8
        r, s = utils.decode_dss_signature(hexed(one, "Output"))
        signature = r.to_bytes(size, "big") + s.to_bytes(size, "big")
        jwk, message = ec_jwk_of(keys[f"{curve}_PRIV"]), one["Input"].strip('"').encode()
        assert verify(box, jwk, algorithm, message, signature) is (one.get("Result") != "VERIFY_ERROR")
    assert tried == 12


@AES
def test_nist_gcm(box: KeyBox, size: int) -> None:
    """gcmDecrypt: every 25th of 375 with IVs of 96 and tags of 128 bits, some of which must not open."""
    found = records(f"ciphers/AES/GCM/gcmDecrypt{size}.rsp", "CT")
    usable = (one for one in found if (one["IVlen"], one["Taglen"]) == ("96", "128"))
    taken = every(25, usable, 15)
    assert 0 < sum("FAIL" in one for one in taken) < 15
    for one in taken:
        more = {"iv": hexed(one, "IV"), "aad": hexed(one, "AAD"), "tag": hexed(one, "Tag")}
        opened = box.do(oct_jwk(hexed(one, "Key")), "decrypt", f"A{size}GCM", hexed(one, "CT"), **more)
        assert opened == (None if "FAIL" in one else hexed(one, "PT"))


@AES
def test_nist_cbc(box: KeyBox, size: int) -> None:
    """CBCMMT: 20 texts of one to ten blocks, both ways."""
    for one in every(1, records(f"ciphers/AES/CBC/CBCMMT{size}.rsp", "CIPHERTEXT"), 20):
        jwk, iv = oct_jwk(hexed(one, "KEY")), hexed(one, "IV")
        plain, sealed = hexed(one, "PLAINTEXT"), hexed(one, "CIPHERTEXT")
        assert box.do(jwk, "encrypt", f"A{size}CBC", plain, iv=iv) == sealed
        assert box.do(jwk, "decrypt", f"A{size}CBC", sealed, iv=iv) == plain
        padded = box.do(jwk, "encrypt", f"A{size}CBCPAD", plain, iv=iv)
        assert isinstance(padded, bytes)
        assert padded[: len(sealed)] == sealed


@AES
@pytest.mark.parametrize(("set_", "names"), [("KW", ("A{}KW", "CKM_AES_KEY_WRAP")), ("KWP", ("CKM_AES_KEY_WRAP_PAD",))])
def test_nist_key_wrap(box: KeyBox, size: int, set_: str, names: tuple[str, ...]) -> None:
    """SP 800-38F: every 40th of 500 wrapped, and every 25th of 500 unwrapped, some of which must not open."""
    algorithms = [name.format(size) for name in names]
    for one in every(40, records(f"keywrap/kwtestvectors/{set_}_AE_{size}.txt", "C"), 12):
        for algorithm in algorithms:
            assert box.do(oct_jwk(hexed(one, "K")), "wrapkey", algorithm, hexed(one, "P")) == hexed(one, "C")
    taken = every(25, records(f"keywrap/kwtestvectors/{set_}_AD_{size}.txt", "C"), 20)
    assert 0 < sum("FAIL" in one for one in taken) < 20
    for one in taken:
        for algorithm in algorithms:
            opened = box.do(oct_jwk(hexed(one, "K")), "unwrapkey", algorithm, hexed(one, "C"))
            assert opened == (None if "FAIL" in one else hexed(one, "P"))


@pytest.mark.parametrize(
    ("algorithm", "kek", "secret", "wrapped"),
    [
        ("A128KW", 16, bytes.fromhex("00112233445566778899AABBCCDDEEFF"), "1FA68B0A8112B447AEF34BD8FB5A7B829D3E862371D2CFE5"),
        ("A192KW", 24, bytes.fromhex("00112233445566778899AABBCCDDEEFF"), "96778B25AE6CA435F92B5B97C050AED2468AB8A17AD84E5D"),
        ("A256KW", 32, bytes.fromhex("00112233445566778899AABBCCDDEEFF"), "64E8C3F9CE0F5BA263E9777905818A2A93C8191E7D6E8AE7"),
        (
            "A256KW",
            32,
            bytes.fromhex("00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F"),
            "28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21",
        ),
    ],
)
def test_rfc_3394(box: KeyBox, algorithm: str, kek: int, secret: bytes, wrapped: str) -> None:
    """Section 4.1, 4.3, 4.5 and 4.6: the key that wraps is 00 01 02 and so on."""
    jwk = oct_jwk(bytes(range(kek)))
    assert box.do(jwk, "wrapkey", algorithm, secret) == bytes.fromhex(wrapped)
    assert box.do(jwk, "unwrapkey", algorithm, bytes.fromhex(wrapped)) == secret


@pytest.mark.parametrize(
    ("secret", "wrapped"),
    [
        ("c37b7e6492584340bed12207808941155068f738", "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a"),
        ("466f7250617369", "afbeb0f07dfbf5419200f2ccb50bb24f"),
    ],
)
def test_rfc_5649(box: KeyBox, secret: str, wrapped: str) -> None:
    """Section 6: a key of 20 bytes and one of 7."""
    jwk = oct_jwk(bytes.fromhex("5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8"))
    assert box.do(jwk, "wrapkey", "CKM_AES_KEY_WRAP_PAD", bytes.fromhex(secret)) == bytes.fromhex(wrapped)
    assert box.do(jwk, "unwrapkey", "CKM_AES_KEY_WRAP_PAD", bytes.fromhex(wrapped)) == bytes.fromhex(secret)


@pytest.mark.parametrize(("algorithm", "count"), [("HS256", 6), ("HS384", 4), ("HS512", 4)])
def test_rfc_4231(box: KeyBox, algorithm: str, count: int) -> None:
    """Of HMAC's 6: its keys have other sizes, but HMAC fills short ones up with zeros, and digests long ones first."""
    tried = 0
    for one in records(f"HMAC/rfc-4231-sha{algorithm[2:]}.txt", "MD"):
        key = hexed(one, "Key")
        if len(key) > 128:  # longer than a block: HMAC takes its digest (RFC 2104)
            key = digest_of(algorithm, key)
        if len(key) > 32:
            continue
        tried += 1
        jwk = oct_jwk(key.ljust(32, b"\0"))
        assert box.do(jwk, "sign", algorithm, hexed(one, "Msg")) == hexed(one, "MD")
        assert box.do(jwk, "verify", algorithm, hexed(one, "MD"), digest=hexed(one, "Msg")) is True
    assert tried == count


@pytest.mark.parametrize("example", [jose.RFC_7515_A3, jose.RFC_7520_4_2, jose.RFC_7520_4_3], ids=lambda one: one.algorithm)
def test_jose_signatures(box: KeyBox, example: Jws) -> None:
    """RFC 7515 A.3, RFC 7520 4.2 and 4.3: verified, and not with another text; what is signed anew is verified as well."""
    message, signature = example.signed.encode(), octets(example.signature)
    assert verify(box, example.key, example.algorithm, message, signature) is True
    assert verify(box, example.key, example.algorithm, message + b".", signature) is False
    anew = box.do(example.key, "sign", example.algorithm, digest_of(example.algorithm, message))
    assert isinstance(anew, bytes)
    assert anew != signature
    assert verify(box, example.key, example.algorithm, message, anew) is True


def test_jose_hmac(box: KeyBox) -> None:
    """RFC 7520 4.4: made, and verified."""
    example = jose.RFC_7520_4_4
    made = box.do(example.key, "sign", "HS256", example.signed.encode())
    assert made == octets(example.signature)
    assert box.do(example.key, "verify", "HS256", octets(example.signature), digest=example.signed.encode()) is True


def test_jose_key_wrap_and_gcm(box: KeyBox) -> None:
    """RFC 7520 5.8: the key within is unwrapped, imported, and opens the text; with another header it does not."""
    example = jose.RFC_7520_5_8
    within = box.do({"kty": "oct", "k": example.key}, "unwrapkey", "A128KW", octets(example.encrypted_key))
    assert isinstance(within, bytes)
    parts = {"iv": octets(example.iv), "tag": octets(example.tag)}
    for header, text in ((example.protected, example.plaintext.encode()), (example.protected + "A", None)):
        found = box.do(oct_jwk(within), "decrypt", "A128GCM", octets(example.ciphertext), aad=header.encode(), **parts)
        assert found == text


def test_jose_key_wrap_and_cbc(box: KeyBox) -> None:
    """RFC 7516 A.3: half of the key within makes the tag, the other half opens the text."""
    example = jose.RFC_7516_A3
    within = box.do({"kty": "oct", "k": example.key}, "unwrapkey", "A128KW", octets(example.encrypted_key))
    assert isinstance(within, bytes)
    iv, sealed, header = octets(example.iv), octets(example.ciphertext), example.protected.encode()
    authenticated = header + iv + sealed + (len(header) * 8).to_bytes(8, "big")
    tag = box.do(oct_jwk(within[:16]), "sign", "HS256", authenticated)
    assert isinstance(tag, bytes)
    assert tag[:16] == octets(example.tag)
    assert box.do(oct_jwk(within[16:]), "decrypt", "A128CBCPAD", sealed, iv=iv) == example.plaintext.encode()
