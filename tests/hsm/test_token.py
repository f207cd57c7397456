"""Keys in a token: every algorithm, in agreement with keys in this process; and nothing that could leave it."""

import hashlib
import os
from uuid import uuid4

import pytest
from pkcs11.constants import Attribute, ObjectClass
from pkcs11.exceptions import AttributeSensitive, PKCS11Error
from pkcs11.mechanisms import Mechanism

from certworker.crypto.keys import KeyKind, generate_material, public_der
from certworker.crypto.software_keys import load_usable
from certworker.crypto.usable import UsableKey
from certworker.errors import BadParameter, SealBroken
from certworker.hsm.keys import object_id
from certworker.hsm.token import Token, open_token
from tests.support.softhsm import SoftToken

pytestmark = pytest.mark.system("softhsm2-util")

RSA = KeyKind("RSA", 2048)
CURVES = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "P-256K": "ES256K"}
UNABLE = "Unable to decrypt specified value"
SIGNATURES = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")


def make(token: Token, kind: KeyKind) -> UsableKey:
    """Make a key in the token, and load it."""
    made = token.generate(uuid4().hex, kind)
    return token.use(made.id, kind, made.public_key)


def take(token: Token, kind: KeyKind) -> tuple[UsableKey, UsableKey]:
    """Put a key into the token; give its use there, and here."""
    material, key_id = generate_material(kind), uuid4().hex
    taken = token.take(key_id, kind, material)
    assert taken.public_key == (b"" if kind.kty == "oct" else public_der(material))
    return token.use(key_id, kind, taken.public_key), load_usable(kind.kty, material)


def digest_for(algorithm: str) -> bytes:
    """Give a digest that an algorithm signs."""
    return hashlib.new(f"sha{algorithm[2:5]}", b"what is signed").digest()


def test_an_rsa_key_that_was_made_in_the_token_signs(token: Token) -> None:
    """Every RSA signature of the token is right by the public key outside, and an altered one is not."""
    key = make(token, KeyKind("RSA", 2048, exponent=65539))
    for algorithm in SIGNATURES:
        digest = digest_for(algorithm)
        signature = key.sign(algorithm, digest)
        assert key.verify(algorithm, digest, signature)
        assert not key.verify(algorithm, digest, signature[:-1] + bytes([signature[-1] ^ 1]))


@pytest.mark.parametrize("size", [3072, 4096])
def test_larger_rsa_keys_are_taken(token: Token, size: int) -> None:
    """A key of 3072 or 4096 bits that was imported signs as it does here."""
    there, here = take(token, KeyKind("RSA", size))
    assert there.sign("RS512", digest_for("RS512")) == here.sign("RS512", digest_for("RS512"))


def test_an_imported_rsa_key_is_the_same_key_there(token: Token) -> None:
    """What is signed or encrypted here is verified and decrypted there, and the other way round."""
    there, here = take(token, RSA)
    assert there.sign("RS256", digest_for("RS256")) == here.sign("RS256", digest_for("RS256"))
    assert there.sign("RSNULL", b"raw") == here.sign("RSNULL", b"raw")
    assert here.verify("PS384", digest_for("PS384"), there.sign("PS384", digest_for("PS384")))
    for algorithm in ("RSA1_5", "RSA-OAEP"):
        assert there.decrypt(algorithm, here.encrypt(algorithm, b"a key").ciphertext) == b"a key"
        assert here.decrypt(algorithm, there.encrypt(algorithm, b"a key").ciphertext) == b"a key"


@pytest.mark.parametrize("curve", CURVES)
def test_every_curve_signs(token: Token, curve: str) -> None:
    """A key on each curve is made and taken, and its signatures hold here."""
    kind, algorithm = KeyKind("EC", None, curve), CURVES[curve]
    digest = digest_for(algorithm)
    made = make(token, kind)
    assert made.verify(algorithm, digest, made.sign(algorithm, digest))
    there, here = take(token, kind)
    signature = there.sign(algorithm, digest)
    assert here.verify(algorithm, digest, signature)
    assert not here.verify(algorithm, digest[::-1], signature)


@pytest.mark.parametrize("size", [128, 192, 256])
def test_every_aes_key_encrypts_and_wraps(token: Token, size: int) -> None:
    """GCM, CBC, CBC with padding and key wrap are what this process makes of the same key."""
    there, here = take(token, KeyKind("oct", size))
    iv, key = os.urandom(16), os.urandom(32)
    for one, other in ((there, here), (here, there), (make(token, KeyKind("oct", size)),) * 2):
        sealed = one.encrypt(f"A{size}GCM", b"what is secret", aad=b"where")
        assert other.decrypt(f"A{size}GCM", sealed.ciphertext, sealed.iv, b"where", sealed.tag) == b"what is secret"
        for mode, text in (("CBC", bytes(64)), ("CBCPAD", b""), ("CBCPAD", b"seventeen letters")):
            assert other.decrypt(f"A{size}{mode}", one.encrypt(f"A{size}{mode}", text, iv).ciphertext, iv) == text
        assert other.decrypt(f"A{size}KW", one.encrypt(f"A{size}KW", key).ciphertext) == key


def test_an_aes_key_of_the_token_refuses_what_the_token_cannot_do(token: Token) -> None:
    """HMAC and padded key wrap are refused in words, and nothing does them instead."""
    key = make(token, KeyKind("oct", 256))
    for sign in (lambda: key.sign("HS256", b"text"), lambda: key.verify("HS256", b"text", bytes(32))):
        with pytest.raises(BadParameter, match="makes no HMAC"):
            sign()
    with pytest.raises(BadParameter, match="CKM_AES_KEY_WRAP_PAD is not for a key in the hardware token"):
        key.encrypt("CKM_AES_KEY_WRAP_PAD", b"odd")


@pytest.mark.parametrize("raw_oaep", [False, True])
def test_what_was_altered_is_refused_in_the_same_words(soft_token: SoftToken, *, raw_oaep: bool) -> None:
    """A ciphertext that is altered, too short or too long is 'unable to decrypt', whatever the token says of it."""
    with open_token(soft_token.settings.model_copy(update={"raw_oaep": raw_oaep})) as token:
        rsa, aes = make(token, RSA), make(token, KeyKind("oct", 256))
        whole = rsa.encrypt("RSA-OAEP", b"a key").ciphertext
        for bad in (whole[:-1] + bytes([whole[-1] ^ 1]), whole[:-1], whole + b"\0", b"\xff" * 256, b""):
            with pytest.raises(BadParameter, match=UNABLE):
                rsa.decrypt("RSA-OAEP", bad)
        assert rsa.decrypt("RSA-OAEP", whole) == b"a key"
        sealed, wrapped = aes.encrypt("A256GCM", b"text", aad=b"a"), aes.encrypt("A256KW", bytes(32)).ciphertext
        with pytest.raises(BadParameter, match=UNABLE):
            aes.decrypt("A256GCM", sealed.ciphertext, sealed.iv, b"b", sealed.tag)
        with pytest.raises(BadParameter, match=UNABLE):
            aes.decrypt("A256KW", wrapped[:-1] + bytes([wrapped[-1] ^ 1]))
        with pytest.raises(BadParameter, match=UNABLE):
            aes.decrypt("A256CBCPAD", bytes(32), bytes(16))
        assert aes.decrypt("A256KW", wrapped) == bytes(32)


def test_a_wrong_rsa1_5_padding_is_no_error(soft_token: SoftToken) -> None:
    """It gives bytes, the same from every process, and others for another ciphertext; a wrong length is an error."""
    with open_token(soft_token.settings) as one, open_token(soft_token.settings) as other:
        key_id = uuid4().hex
        made = one.generate(key_id, RSA)
        keys = [token.use(key_id, RSA, made.public_key) for token in (one, other)]
        whole = keys[0].encrypt("RSA1_5", b"a key").ciphertext
        answers = [[key.decrypt("RSA1_5", bytes([0, number]) + whole[2:]) for number in range(8)] for key in keys]
        assert answers[0] == answers[1]
        assert len(set(answers[0])) == 8
        assert all(len(answer) <= 245 for answer in answers[0])
        assert [key.decrypt("RSA1_5", whole) for key in keys] == [b"a key"] * 2
        with pytest.raises(BadParameter, match=UNABLE):
            keys[0].decrypt("RSA1_5", whole + b"\0")
        other._mechanisms -= {Mechanism.RSA_X_509}
        with pytest.raises(BadParameter, match=UNABLE):
            other.use(key_id, RSA, made.public_key).decrypt("RSA1_5", bytes(2) + whole[2:])


def test_oaep_with_sha_256_is_refused_where_the_token_lacks_it(token: Token) -> None:
    """SoftHSM does OAEP with SHA-1 alone: the error says so, and names the setting."""
    key = make(token, RSA)
    with pytest.raises(BadParameter, match=r"CKM_RSA_PKCS_OAEP does not do RSA-OAEP-256.*hsm\.raw_oaep"):
        key.decrypt("RSA-OAEP-256", key.encrypt("RSA-OAEP-256", b"a key").ciphertext)


def test_oaep_with_sha_256_is_taken_off_outside_by_setting(soft_token: SoftToken) -> None:
    """With `raw_oaep` the token decrypts raw RSA, and both kinds of OAEP open; the longest and the empty text too."""
    with open_token(soft_token.settings.model_copy(update={"raw_oaep": True})) as token:
        there, here = take(token, RSA)
        for algorithm, most in (("RSA-OAEP", 214), ("RSA-OAEP-256", 190)):
            for text in (b"", b"\0\1\0\1", bytes(most)):
                assert there.decrypt(algorithm, here.encrypt(algorithm, text).ciphertext) == text


def test_a_mechanism_that_the_token_lacks_is_named(token: Token) -> None:
    """What the token has no mechanism for is refused before a session is asked."""
    key = make(token, RSA)
    token._mechanisms -= {Mechanism.RSA_PKCS_PSS}
    with pytest.raises(BadParameter, match="has no CKM_RSA_PKCS_PSS, which PS256 needs"):
        key.sign("PS256", digest_for("PS256"))
    token._mechanisms -= {Mechanism.EC_KEY_PAIR_GEN}
    with pytest.raises(BadParameter, match="has no CKM_EC_KEY_PAIR_GEN"):
        token.generate(uuid4().hex, KeyKind("EC", None, "P-256"))


def test_a_kind_that_the_token_refuses_is_a_bad_parameter(token: Token) -> None:
    """The token's own refusal of a size is told with its name."""
    with pytest.raises(BadParameter, match="takes no oct 136 key"):
        token.generate(uuid4().hex, KeyKind("oct", 136))


@pytest.mark.parametrize("kind", [RSA, KeyKind("EC", None, "P-256"), KeyKind("oct", 256)], ids=lambda kind: kind.kty)
@pytest.mark.parametrize("imported", [False, True])
def test_a_key_cannot_leave_the_token(token: Token, kind: KeyKind, *, imported: bool) -> None:
    """Private, sensitive and not extractable: its value is not told, it is not wrapped, and that cannot be changed."""
    key_id = uuid4().hex
    if imported:
        token.take(key_id, kind, generate_material(kind))
    else:
        token.generate(key_id, kind)
    wrapping = make(token, KeyKind("oct", 256))
    assert wrapping
    object_class = ObjectClass.SECRET_KEY if kind.kty == "oct" else ObjectClass.PRIVATE_KEY
    secret = Attribute.PRIVATE_EXPONENT if kind.kty == "RSA" else Attribute.VALUE

    def look(session: object) -> None:
        found = session.find({Attribute.ID: object_id(key_id)})  # type: ignore[attr-defined]
        assert [one[Attribute.CLASS] for one in found] == [object_class]  # no public half is left there either
        (key,) = found
        kept = (Attribute.TOKEN, Attribute.PRIVATE, Attribute.SENSITIVE)
        assert [key[attribute] for attribute in kept] == [True] * 3
        assert key[Attribute.EXTRACTABLE] is False
        assert key[Attribute.LABEL] == f"certworker {key_id}"
        with pytest.raises(AttributeSensitive):
            key[secret]
        for attribute, value in ((Attribute.EXTRACTABLE, True), (Attribute.SENSITIVE, False)):
            with pytest.raises(PKCS11Error):
                key[attribute] = value
        other = next(one for one in session.find({Attribute.CLASS: ObjectClass.SECRET_KEY}) if one != key)  # type: ignore[attr-defined]
        with pytest.raises(PKCS11Error):
            other.wrap_key(key, mechanism=Mechanism.AES_KEY_WRAP)

    token.run(look)


def test_a_destroyed_key_is_gone(token: Token) -> None:
    """Destroyed, it is neither loaded nor used by who had loaded it; destroying it again does nothing."""
    key_id, kind = uuid4().hex, KeyKind("EC", None, "P-256")
    made = token.generate(key_id, kind)
    loaded = token.use(key_id, kind, made.public_key)
    token.destroy(key_id)
    with pytest.raises(SealBroken, match=f"has no key {key_id}"):
        token.use(key_id, kind, made.public_key)
    with pytest.raises(SealBroken, match=f"has no key {key_id}"):
        loaded.sign("ES256", digest_for("ES256"))
    token.destroy(key_id)


def test_a_key_that_is_made_twice_is_there_once(token: Token) -> None:
    """Work that is begun again after trouble leaves one key."""
    key_id, kind = uuid4().hex, KeyKind("EC", None, "P-256")
    token.generate(key_id, kind)
    made = token.generate(key_id, kind)
    assert token.run(lambda session: len(session.find({Attribute.ID: object_id(key_id)}))) == 1
    key = token.use(key_id, kind, made.public_key)
    assert key.verify("ES256", digest_for("ES256"), key.sign("ES256", digest_for("ES256")))
