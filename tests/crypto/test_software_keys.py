"""Keys in this process: every algorithm, against the library used directly, and every input that cannot be."""

import hashlib
from collections.abc import Callable
from typing import Final, ParamSpec

import pytest
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap, aes_key_unwrap_with_padding

from certworker.crypto.keys import CURVES, KeyKind, generate_material, load_private
from certworker.crypto.software_keys import load_usable
from certworker.crypto.usable import HMACS, UsableKey
from certworker.crypto.usable_keys import MOST_WRAPPED, UNDECRYPTABLE
from certworker.errors import BadParameter

P = ParamSpec("P")
HASHES: Final = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
RSA_OAEP: Final = {"RSA-OAEP": (hashes.SHA1(), 42), "RSA-OAEP-256": (hashes.SHA256(), 66)}  # noqa: S303 - what it is made of
EC_ALGORITHMS: Final = {"ES256": ("P-256", 64), "ES384": ("P-384", 96), "ES512": ("P-521", 132), "ES256K": ("P-256K", 64)}
SIZES: Final = (128, 192, 256)
IV: Final = bytes(range(16))


@pytest.fixture(scope="module")
def rsa_der() -> bytes:
    """Make one RSA key for all tests."""
    return generate_material(KeyKind("RSA", 2048))


@pytest.fixture(scope="module")
def private(rsa_der: bytes) -> rsa.RSAPrivateKey:
    """Give the RSA key to the library."""
    key = load_private(rsa_der)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


@pytest.fixture(scope="module")
def rsa_key(rsa_der: bytes) -> UsableKey:
    """Load the RSA key."""
    return load_usable("RSA", rsa_der)


def oct_key(size: int) -> tuple[bytes, UsableKey]:
    """Make an oct key; give its octets as well."""
    octets = generate_material(KeyKind("oct", size))
    return octets, load_usable("oct", octets)


def digest_for(algorithm: str, message: bytes = b"what is signed") -> bytes:
    """Digest a message as an algorithm wants it."""
    return hashlib.new(f"sha{algorithm[2:5]}", message).digest()


def refusal(action: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> tuple[str, str | None]:
    """Tell how an action is refused: words and field."""
    with pytest.raises(BadParameter) as refused:
        action(*args, **kwargs)
    return str(refused.value), refused.value.field


@pytest.mark.parametrize("algorithm", RSA_OAEP)
def test_oaep_meets_the_library(rsa_key: UsableKey, private: rsa.RSAPrivateKey, algorithm: str) -> None:
    """Both ways, up to the last byte that fits; one more is refused with the number that would be right."""
    digest, overhead = RSA_OAEP[algorithm]
    pad = padding.OAEP(padding.MGF1(digest), digest, None)
    for plaintext in (b"", b"secret", b"x" * (256 - overhead)):
        made = rsa_key.encrypt(algorithm, plaintext)
        assert (made.iv, made.tag, len(made.ciphertext)) == (None, None, 256)
        assert private.decrypt(made.ciphertext, pad) == plaintext
        assert rsa_key.decrypt(algorithm, private.public_key().encrypt(plaintext, pad)) == plaintext
    words, field = refusal(rsa_key.encrypt, algorithm, b"x" * (257 - overhead))
    assert words.startswith(f"Invalid length of 'value': {257 - overhead} bytes. {algorithm} takes at most {256 - overhead}")
    assert field == "value"


def test_pkcs1_meets_the_library(rsa_key: UsableKey, private: rsa.RSAPrivateKey) -> None:
    """RSA1_5 both ways, up to 11 bytes less than the modulus."""
    for plaintext in (b"", b"secret", b"x" * 245):
        assert private.decrypt(rsa_key.encrypt("RSA1_5", plaintext).ciphertext, padding.PKCS1v15()) == plaintext
        ciphertext = private.public_key().encrypt(plaintext, padding.PKCS1v15())
        assert rsa_key.decrypt("RSA1_5", ciphertext) == plaintext
    assert "at most 245" in refusal(rsa_key.encrypt, "RSA1_5", b"x" * 246)[0]


def test_pkcs1_is_no_oracle(rsa_key: UsableKey, private: rsa.RSAPrivateKey) -> None:
    """Whatever is padded wrongly gives random bytes, the same for the same ciphertext, and never an error that tells."""
    ciphertext = bytearray(private.public_key().encrypt(b"secret", padding.PKCS1v15()))
    ciphertext[-1] ^= 1
    first = rsa_key.decrypt("RSA1_5", bytes(ciphertext))
    assert first != b"secret"
    assert rsa_key.decrypt("RSA1_5", bytes(ciphertext)) == first


@pytest.mark.parametrize("algorithm", RSA_OAEP)
def test_altered_oaep_is_refused_in_the_same_words(rsa_key: UsableKey, algorithm: str) -> None:
    """A bit, a wrong length, a number over the modulus, another padding: nobody learns which it was."""
    good = rsa_key.encrypt(algorithm, b"secret").ciphertext
    other = rsa_key.encrypt("RSA1_5", b"secret").ciphertext
    for bad in (good[:-1] + bytes([good[-1] ^ 1]), good[1:], good + b"x", b"", b"\xff" * 256, bytes(256), other):
        assert refusal(rsa_key.decrypt, algorithm, bad) == (UNDECRYPTABLE, "value")


def test_pkcs1_of_a_wrong_length_is_refused(rsa_key: UsableKey) -> None:
    """Its length is no secret."""
    for bad in (b"", b"x" * 255, b"\xff" * 256):
        assert refusal(rsa_key.decrypt, "RSA1_5", bad) == (UNDECRYPTABLE, "value")


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"])
def test_rsa_signatures_meet_the_library(rsa_key: UsableKey, private: rsa.RSAPrivateKey, algorithm: str) -> None:
    """Both ways; the salt of PSS is as long as the digest."""
    chosen = HASHES[algorithm[2:]]
    pad = padding.PKCS1v15() if algorithm[0] == "R" else padding.PSS(padding.MGF1(chosen), chosen.digest_size)
    digest = digest_for(algorithm)
    private.public_key().verify(rsa_key.sign(algorithm, digest), b"what is signed", pad, chosen)
    signature = private.sign(b"what is signed", pad, chosen)
    assert rsa_key.verify(algorithm, digest, signature) is True
    assert rsa_key.verify(algorithm, digest_for(algorithm, b"another"), signature) is False
    for bad in (signature[:-1] + bytes([signature[-1] ^ 1]), signature[1:], signature + b"x", b"", b"\xff" * 256):
        assert rsa_key.verify(algorithm, digest, bad) is False


def test_pss_of_another_salt_is_no_signature(rsa_key: UsableKey, private: rsa.RSAPrivateKey) -> None:
    """RFC 7518 section 3.5 says how long the salt is."""
    pad = padding.PSS(padding.MGF1(HASHES["256"]), 20)
    signature = private.sign(b"what is signed", pad, HASHES["256"])
    assert rsa_key.verify("PS256", digest_for("PS256"), signature) is False


def test_rsnull_signs_what_it_is_given(rsa_key: UsableKey, private: rsa.RSAPrivateKey) -> None:
    """RSNULL pads and signs 1 to 245 bytes, and verifies no other text."""
    for text in (b"x", hashlib.md5(b"a").digest() + hashlib.sha1(b"a").digest(), b"x" * 245):  # noqa: S324 - as TLS 1.0 has it
        signature = rsa_key.sign("RSNULL", text)
        number = pow(int.from_bytes(signature, "big"), 65537, private.public_key().public_numbers().n)
        assert number.to_bytes(256, "big") == b"\0\1" + b"\xff" * (253 - len(text)) + b"\0" + text
        assert rsa_key.verify("RSNULL", text, signature) is True
        assert rsa_key.verify("RSNULL", text + b"x" if len(text) < 245 else b"y", signature) is False
        assert rsa_key.verify("RSNULL", text, signature[::-1]) is False
    for text in (b"", b"x" * 246):
        assert "RSNULL takes 1 to 245 bytes" in refusal(rsa_key.sign, "RSNULL", text)[0]
        assert refusal(rsa_key.verify, "RSNULL", text, signature)[1] == "digest"


@pytest.mark.parametrize("algorithm", EC_ALGORITHMS)
def test_ec_signatures_meet_the_library(algorithm: str) -> None:
    """Both ways: r and s side by side, each as long as the curve (66 bytes for P-521)."""
    curve, size = EC_ALGORITHMS[algorithm]
    der = generate_material(KeyKind("EC", curve=curve))
    key, private = load_usable("EC", der), load_private(der)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    digest, ecdsa = digest_for(algorithm), ec.ECDSA(utils.Prehashed(HASHES[algorithm[2:5]]))
    signature = key.sign(algorithm, digest)
    assert len(signature) == size
    r, s = int.from_bytes(signature[: size // 2], "big"), int.from_bytes(signature[size // 2 :], "big")
    private.public_key().verify(utils.encode_dss_signature(r, s), digest, ecdsa)
    r, s = utils.decode_dss_signature(private.sign(digest, ecdsa))
    theirs = r.to_bytes(size // 2, "big") + s.to_bytes(size // 2, "big")
    assert key.verify(algorithm, digest, theirs) is True
    assert key.verify(algorithm, digest_for(algorithm, b"another"), theirs) is False
    der_form = utils.encode_dss_signature(r, s)
    for bad in (theirs[:-1] + bytes([theirs[-1] ^ 1]), theirs[1:], theirs + b"x", b"", bytes(size), b"\xff" * size, der_form):
        assert key.verify(algorithm, digest, bad) is False


def test_short_numbers_of_a_signature_are_filled_up() -> None:
    """Each of the two begins with zeros once in some hundred signatures; both are as long then as ever."""
    key = load_usable("EC", generate_material(KeyKind("EC", curve="P-256")))
    signatures = [key.sign("ES256", digest_for("ES256", str(count).encode())) for count in range(600)]
    assert {len(signature) for signature in signatures} == {64}
    assert any(signature[0] == 0 or signature[32] == 0 for signature in signatures)


@pytest.mark.parametrize("curve", CURVES)
def test_a_curve_has_one_algorithm(curve: str) -> None:
    """Another curve's algorithm, RSA's, and every encryption are refused, with what would be right."""
    key = load_usable("EC", generate_material(KeyKind("EC", curve=curve)))
    mine = next(algorithm for algorithm, (its, _) in EC_ALGORITHMS.items() if its == curve)
    for algorithm in {*EC_ALGORITHMS, "RS256", "PS512", "HS256", "RSNULL", ""} - {mine}:
        for words, field in (
            refusal(key.sign, algorithm, digest_for(mine)),
            refusal(key.verify, algorithm, digest_for(mine), b"x" * 64),
        ):
            assert words.startswith("Key and algorithm are incompatible.")
            assert words.endswith(f"an EC key on {curve} has for this: {mine}.")
            assert field == "alg"
    assert refusal(key.encrypt, "RSA-OAEP", b"x")[1] == "alg"
    assert refusal(key.decrypt, "A128GCM", b"x", IV)[1] == "alg"


@pytest.mark.parametrize("algorithm", ["RS256", "PS384", "RS512", "ES256", "ES384", "ES512", "ES256K"])
def test_a_digest_has_the_length_of_its_algorithm(rsa_key: UsableKey, algorithm: str) -> None:
    """Another length is refused in Key Vault's words, to sign and to verify."""
    key = rsa_key
    if algorithm in EC_ALGORITHMS:
        key = load_usable("EC", generate_material(KeyKind("EC", curve=EC_ALGORITHMS[algorithm][0])))
    size = len(digest_for(algorithm))
    for length in (0, 20, size - 1, size + 1):
        words = f"{length} bytes. {algorithm} requires {size} bytes, encoded with base64url."
        assert refusal(key.sign, algorithm, bytes(length)) == (
            f"Invalid length of 'value': {words}",
            "value",
        )
        assert refusal(key.verify, algorithm, bytes(length), b"x") == (
            f"Invalid length of 'digest': {words}",
            "digest",
        )


def test_an_rsa_key_has_its_own_algorithms(rsa_key: UsableKey) -> None:
    """Those of other keys are refused, and so is what RSA has no use for."""
    for algorithm in ("A128GCM", "A256KW", "RSA-OAEP-512", "rsa-oaep", "RS256", ""):
        assert refusal(rsa_key.encrypt, algorithm, b"x")[1] == "alg"
        assert refusal(rsa_key.decrypt, algorithm, bytes(256))[1] == "alg"
    for algorithm in ("ES256", "HS256", "RS1", "RSA-OAEP", "RS2560"):
        assert refusal(rsa_key.sign, algorithm, bytes(32))[1] == "alg"
    assert refusal(rsa_key.encrypt, "RSA-OAEP", b"x", IV)[1] == "iv"
    assert refusal(rsa_key.encrypt, "RSA-OAEP", b"x", None, b"x")[1] == "aad"
    assert refusal(rsa_key.decrypt, "RSA1_5", bytes(256), None, None, b"x")[1] == "tag"


@pytest.mark.parametrize("size", SIZES)
def test_gcm_meets_the_library(size: int) -> None:
    """Each encryption has an IV of its own; empty additional data is none."""
    octets, key = oct_key(size)
    name, library = f"A{size}GCM", AESGCM(octets)
    for plaintext, aad in ((b"secret", b"where"), (b"secret", None), (b"", b""), (b"x" * 100_000, b"a" * 1000)):
        made = key.encrypt(name, plaintext, None, aad)
        assert made.iv
        assert made.tag
        assert (len(made.iv), len(made.tag), len(made.ciphertext)) == (12, 16, len(plaintext))
        assert library.decrypt(made.iv, made.ciphertext + made.tag, aad) == plaintext
        assert key.decrypt(name, made.ciphertext, made.iv, aad, made.tag) == plaintext
    assert len({key.encrypt(name, b"").iv for _ in range(100)}) == 100


def test_gcm_makes_its_own_iv() -> None:
    """One that a client sends is refused: it could come twice."""
    words, field = refusal(oct_key(128)[1].encrypt, "A128GCM", b"secret", bytes(12))
    assert words == "Property 'iv' is not for this operation with A128GCM: leave it out."
    assert field == "iv"


def test_altered_gcm_is_refused_in_the_same_words() -> None:
    """A bit of text, IV, tag or additional data, one left out, or another key."""
    _, key = oct_key(256)
    made = key.encrypt("A256GCM", b"secret", None, b"where")
    text, iv, tag = made.ciphertext, made.iv or b"", made.tag or b""
    attempts = [(text, iv, None, tag), (text, iv, b"there", tag), (text, iv, b"", tag), (text, bytes(12), b"where", tag)]
    attempts += [(text[:-1], iv, b"where", tag), (b"", iv, b"where", tag), (text, iv, b"where", bytes(16))]
    attempts += [(bytes([text[0] ^ 128]) + text[1:], iv, b"where", tag)]
    for attempt, given_iv, aad, given_tag in attempts:
        found = refusal(key.decrypt, "A256GCM", attempt, given_iv, aad, given_tag)
        assert found == (UNDECRYPTABLE, "value")
    other = oct_key(256)[1]
    assert refusal(other.decrypt, "A256GCM", text, iv, b"where", tag) == (UNDECRYPTABLE, "value")


@pytest.mark.parametrize(
    ("iv", "tag", "field"), [(None, bytes(16), "iv"), (bytes(16), bytes(16), "iv"), (b"", bytes(16), "iv")]
)
def test_gcm_needs_an_iv_of_its_size(iv: bytes | None, tag: bytes, field: str) -> None:
    """None, an empty one and one of another size are told apart from what was altered: their lengths are no secret."""
    words, found = refusal(oct_key(128)[1].decrypt, "A128GCM", b"x", iv, None, tag)
    assert found == field
    assert "12 bytes" in words


@pytest.mark.parametrize("tag", [None, b"", bytes(12), bytes(17)])
def test_gcm_needs_a_whole_tag(tag: bytes | None) -> None:
    """A shortened tag would be easier to guess."""
    words, field = refusal(oct_key(128)[1].decrypt, "A128GCM", b"x", bytes(12), None, tag)
    assert field == "tag"
    assert "16 bytes" in words


@pytest.mark.parametrize("size", SIZES)
def test_cbc_takes_whole_blocks(size: int) -> None:
    """CBC leaves lengths alone and refuses parts of a block; CBCPAD takes any length."""
    _, key = oct_key(size)
    for plaintext in (b"", b"x" * 16, b"y" * 64):
        made = key.encrypt(f"A{size}CBC", plaintext, IV)
        assert (made.iv, made.tag, len(made.ciphertext)) == (IV, None, len(plaintext))
        assert key.decrypt(f"A{size}CBC", made.ciphertext, IV) == plaintext
    for plaintext in (b"", b"x", b"x" * 15, b"x" * 16, b"x" * 33):
        made = key.encrypt(f"A{size}CBCPAD", plaintext, IV)
        assert len(made.ciphertext) == len(plaintext) // 16 * 16 + 16
        assert key.decrypt(f"A{size}CBCPAD", made.ciphertext, IV) == plaintext
    assert refusal(key.encrypt, f"A{size}CBC", b"x" * 17, IV)[0].endswith("multiple of 16 bytes, encoded with base64url.")


def test_cbc_says_no_more_than_that_it_cannot() -> None:
    """Wrong padding, no padding, parts of a block and nothing at all are refused in the same words."""
    _, key = oct_key(128)
    unpadded = key.encrypt("A128CBC", bytes(32), IV).ciphertext
    too_much = key.encrypt("A128CBC", bytes(15) + b"\x11", IV).ciphertext
    uneven = key.encrypt("A128CBC", bytes(14) + b"\x01\x02", IV).ciphertext
    for bad in (unpadded, too_much, uneven, unpadded[:-1], b"", b"x"):
        assert refusal(key.decrypt, "A128CBCPAD", bad, IV) == (UNDECRYPTABLE, "value")
    assert refusal(key.decrypt, "A128CBC", b"x", IV) == (UNDECRYPTABLE, "value")


@pytest.mark.parametrize("mode", ["CBC", "CBCPAD"])
def test_cbc_authenticates_nothing(mode: str) -> None:
    """It needs an IV of 16 bytes, and refuses additional data and a tag."""
    _, key = oct_key(128)
    name = f"A128{mode}"
    for iv in (None, b"", bytes(12), bytes(17)):
        assert refusal(key.encrypt, name, bytes(16), iv)[1] == "iv"
        assert refusal(key.decrypt, name, bytes(16), iv)[1] == "iv"
    assert refusal(key.encrypt, name, bytes(16), IV, b"where")[1] == "aad"
    assert refusal(key.decrypt, name, bytes(16), IV, b"where")[1] == "aad"
    assert refusal(key.decrypt, name, bytes(16), IV, None, bytes(16))[1] == "tag"


@pytest.mark.parametrize("size", SIZES)
def test_key_wrap_meets_the_library(size: int) -> None:
    """A*KW and CKM_AES_KEY_WRAP are RFC 3394, CKM_AES_KEY_WRAP_PAD is RFC 5649."""
    octets, key = oct_key(size)
    for secret in (bytes(range(16)), b"x" * 24, b"x" * 32, b"x" * MOST_WRAPPED):
        for name in (f"A{size}KW", "CKM_AES_KEY_WRAP"):
            wrapped = key.encrypt(name, secret).ciphertext
            assert aes_key_unwrap(octets, wrapped) == secret
            assert key.decrypt(name, wrapped) == secret
    for secret in (b"x", b"x" * 20, b"x" * 32, b"x" * MOST_WRAPPED):
        wrapped = key.encrypt("CKM_AES_KEY_WRAP_PAD", secret).ciphertext
        assert aes_key_unwrap_with_padding(octets, wrapped) == secret
        assert key.decrypt("CKM_AES_KEY_WRAP_PAD", wrapped) == secret


def test_key_wrap_refuses_what_it_cannot_take() -> None:
    """Too little, too much, no multiple of 8; and what was altered, in the same words."""
    _, key = oct_key(256)
    for secret in (b"", b"x" * 8, b"x" * 17, b"x" * (MOST_WRAPPED + 8)):
        assert "16 to 16384 bytes, a multiple of 8 (RFC 3394)" in refusal(key.encrypt, "A256KW", secret)[0]
    for secret in (b"", b"x" * (MOST_WRAPPED + 1)):
        assert "(RFC 5649)" in refusal(key.encrypt, "CKM_AES_KEY_WRAP_PAD", secret)[0]
    assert refusal(key.encrypt, "A256KW", bytes(16), IV)[1] == "iv"
    for name in ("A256KW", "CKM_AES_KEY_WRAP_PAD"):
        good = key.encrypt(name, b"x" * 32).ciphertext
        other = oct_key(256)[1].encrypt(name, b"x" * 32).ciphertext
        for bad in (
            good[:-1] + bytes([good[-1] ^ 1]),
            good[:-8],
            good[1:],
            good + bytes(8),
            b"",
            bytes(16),
            bytes(50_000),
            other,
        ):
            assert refusal(key.decrypt, name, bad) == (UNDECRYPTABLE, "value")


@pytest.mark.parametrize("size", SIZES)
def test_an_oct_key_has_the_algorithms_of_its_size(size: int) -> None:
    """Those of another size, of other keys, and digits of other scripts are refused, with what would be right."""
    _, key = oct_key(size)
    wrong = {f"A{other}{mode}" for other in SIZES if other != size for mode in ("KW", "GCM", "CBC", "CBCPAD")}
    for algorithm in {*wrong, "RSA-OAEP", "HS256", "A512GCM", f"A{size}", f"a{size}gcm", "A\uff11\uff12\uff18GCM", "CKM", ""}:
        words, field = refusal(key.encrypt, algorithm, bytes(16), IV)
        assert field == "alg"
        assert f"an oct key of {size} bits has for this: A{size}CBC, A{size}CBCPAD, A{size}GCM, A{size}KW, CKM" in words
        assert refusal(key.decrypt, algorithm, bytes(32), IV)[1] == "alg"


@pytest.mark.parametrize("algorithm", sorted(HMACS))
def test_hmac_meets_the_library(algorithm: str) -> None:
    """Of a text of any length; a shortened, altered or empty one is wrong."""
    octets, key = oct_key(256)
    for text in (b"", b"x" * 32, b"y" * 100_000):
        library = hmac.HMAC(octets, HASHES[algorithm[2:]])
        library.update(text)
        made = key.sign(algorithm, text)
        library.verify(made)
        assert key.verify(algorithm, text, made) is True
        for bad in (made[:-1], made + b"x", b"", bytes(len(made))):
            assert key.verify(algorithm, text, bad) is False
    assert refusal(key.sign, "RS256", bytes(32))[0].endswith("an oct key has for this: HS256, HS384, HS512.")
    assert refusal(key.verify, "ES256", bytes(32), b"")[1] == "alg"


def test_a_loaded_key_shows_nothing() -> None:
    """Neither its repr nor that of its secret half tells the key."""
    octets, key = oct_key(256)
    der = generate_material(KeyKind("EC", curve="P-256"))
    for loaded in (key, load_usable("EC", der)):
        shown = repr(loaded) + repr(vars(loaded))
        assert octets.hex() not in shown
        assert repr(octets) not in shown
        assert repr(der) not in shown
