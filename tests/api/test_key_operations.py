"""What keys do, over the API: paths as clients write them, answers as they read them, and every bad body."""

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from certworker.api.key_operations import CipherBody, ValueBody
from certworker.crypto.keys import KeyKind, base64url
from tests.api.world import VERSION, Caller, open_world
from tests.support.clock import START, FakeClock
from tests.support.keys import put_key

DIGEST: Final = base64url(hashlib.sha256(b"what is signed").digest())
OCTETS: Final = bytes(range(32))
WORDS: Final = ("encrypt", "decrypt", "sign", "verify", "wrapkey", "unwrapkey")
WHOLE: Final = {"alg": "RS256", "value": DIGEST, "digest": DIGEST}


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """Call one deployment that has an RSA key, an EC key and an oct key."""
    with open_world(tmp_path_factory.mktemp("operations"), FakeClock()) as world:
        put_key(world.house, world.vault, "Rsa", KeyKind("RSA", 2048))
        put_key(world.house, world.vault, "ec", KeyKind("EC", curve="P-256"))
        put_key(world.house, world.vault, "aes", KeyKind("oct", 256), OCTETS)
        yield Caller(world)


def do(call: Caller, path: str, body: object) -> Any:  # noqa: ANN401 - JSON
    """Call an operation that works."""
    answer = call("POST", path, body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def refusal(call: Caller, path: str, body: object) -> tuple[int, str, str]:
    """Call an operation that is refused; give status, inner code or code, and the words."""
    answer = call("POST", path, body)
    error = answer.json()["error"]
    return answer.status_code, error.get("innererror", error)["code"], error["message"]


@pytest.mark.parametrize(
    "path",
    ["/keys/rsa/{}/sign", "/keys/RSA/sign", "/keys/Rsa//sign", "/Keys/rsa/{}/SIGN/", "/keys/rsa/{}/sign?api%2Dversion=7.0"],
)
def test_a_path_is_taken_as_clients_write_it(call: Caller, path: str) -> None:
    """With a version, without one, with a doubled slash, in any case; the answer names key and version as they are."""
    version = call("GET", "/keys/rsa").json()["key"]["kid"].rsplit("/", 1)[1]
    made = do(call, path.format(version), {"alg": "RS256", "value": DIGEST})
    assert made["kid"] == f"{call.world.vault_url}/keys/Rsa/{version}"
    assert set(made) == {"kid", "value"}
    assert "=" not in made["value"]
    assert do(call, "/keys/rsa/verify", {"alg": "RS256", "digest": DIGEST, "value": made["value"]}) == {"value": True}
    assert do(call, "/keys/rsa/verify", {"alg": "RS256", "digest": DIGEST, "value": made["value"][::-1]}) == {"value": False}


@pytest.mark.parametrize("word", ["wrapKey", "WRAPKEY", "wrapkey"])
def test_a_key_is_wrapped_and_unwrapped(call: Caller, word: str) -> None:
    """Whichever way the word is written."""
    wrapped = do(call, f"/keys/aes/{word}", {"alg": "A256KW", "value": base64url(bytes(16))})
    assert do(call, f"/keys/aes/un{word}", {"alg": "A256KW", "value": wrapped["value"]})["value"] == base64url(bytes(16))


def test_gcm_answers_with_all_that_opens_it(call: Caller) -> None:
    """The iv that was made, the tag, and the additional data as it was sent; decryption gives the text alone."""
    body = {"alg": "A256GCM", "value": base64url(b"secret"), "aad": base64url(b"where")}
    made = do(call, "/keys/aes/encrypt", body)
    assert set(made) == {"kid", "value", "iv", "tag", "aad"}
    assert made["aad"] == body["aad"]
    opened = do(call, "/keys/aes/decrypt", {"alg": "A256GCM", **{name: made[name] for name in ("value", "iv", "tag", "aad")}})
    assert opened == {"kid": made["kid"], "value": base64url(b"secret")}


def test_missing_and_empty_additional_data_are_the_same(call: Caller) -> None:
    """And neither is as good as what was there."""
    for sent, given, status in ((None, "", 200), ("", None, 200), ("d2hlcmU", None, 400), ("d2hlcmU", "", 400)):
        made = do(call, "/keys/aes/encrypt", {"alg": "A256GCM", "value": "eA", "aad": sent})
        body = {"alg": "A256GCM", "value": made["value"], "iv": made["iv"], "tag": made["tag"], "aad": given}
        assert call("POST", "/keys/aes/decrypt", body).status_code == status


def test_padding_is_taken_and_not_given(call: Caller) -> None:
    """base64url with and without its equals signs; nothing else."""
    for value in ("eHg=", "eHg"):
        made = do(call, "/keys/aes/sign", {"alg": "HS256", "value": value})
        assert do(call, "/keys/aes/verify", {"alg": "HS256", "digest": value, "value": made["value"] + "="}) == {"value": True}
    for value in ("a+b/", "a b_", "é", "a", "abcde", "=", "eHg==", "a=bc", "ab===", "ab\n", "ab\0c", "####"):
        found = refusal(call, "/keys/aes/sign", {"alg": "HS256", "value": value})
        assert found == (400, "BadParameter", "Content of 'value' is not base64url.")


@pytest.mark.parametrize(("word", "field"), [("encrypt", "iv"), ("encrypt", "aad"), ("decrypt", "tag"), ("verify", "digest")])
def test_every_field_is_base64url(call: Caller, word: str, field: str) -> None:
    """The refusal names the field that is not."""
    body = {"alg": "A256GCM", "value": "eA", "digest": "eA", field: "a+b"}
    assert refusal(call, f"/keys/aes/{word}", body)[2] == f"Content of '{field}' is not base64url."


@pytest.mark.parametrize("word", WORDS)
def test_a_body_needs_all_its_fields(call: Caller, word: str) -> None:
    """Absent, null, of another type; none at all, no JSON, no object: 400 that names what is missing."""
    needed = ("alg", "value", "digest") if word == "verify" else ("alg", "value")
    for field in needed:
        rest = {name: value for name, value in WHOLE.items() if name != field}
        wrong: tuple[object, ...] = (None, 7, ["eA"], {}, True)
        for body in (rest, *({**rest, field: value} for value in wrong)):
            status, code, words = refusal(call, f"/keys/rsa/{word}", body)
            assert (status, code) == (400, "BadParameter")
            assert words.startswith(f"{field}: ")
    for content in (b"", b"{", b"[]", b'"x"', b"null", b"\xff\xfe"):
        answer = call("POST", f"/keys/rsa/{word}", content=content)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadParameter")


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("rsa/encrypt", {"alg": "A256GCM", "value": "eA"}, "Key and algorithm are incompatible"),
        ("ec/encrypt", {"alg": "RSA-OAEP", "value": "eA"}, "an EC key has for this: none"),
        ("ec/sign", {"alg": "ES384", "value": DIGEST}, "an EC key on P-256 has for this: ES256"),
        ("aes/sign", {"alg": "RS256", "value": DIGEST}, "an oct key has for this: HS256, HS384, HS512"),
        ("aes/wrapkey", {"alg": "A128KW", "value": DIGEST}, "an oct key of 256 bits has for this: A256CBC"),
        ("aes/wrapkey", {"alg": "A256GCM", "value": DIGEST}, "for wrapKey it is one of"),
        ("rsa/sign", {"alg": "RS1", "value": DIGEST}, "for sign it is one of"),
        ("rsa/sign", {"alg": "RS256", "value": DIGEST[:40]}, "Invalid length of 'value': 30 bytes. RS256 requires 32 bytes"),
        (
            "rsa/verify",
            {"alg": "PS512", "digest": DIGEST, "value": "eA"},
            "Invalid length of 'digest': 32 bytes. PS512 requires 64",
        ),
        ("rsa/encrypt", {"alg": "RSA-OAEP", "value": "A" * 300}, "225 bytes. RSA-OAEP takes at most 214 bytes with this key"),
        ("rsa/encrypt", {"alg": "RSA1_5", "value": "eA", "iv": "eA"}, "Property 'iv' is not for this operation with RSA1_5"),
        (
            "aes/encrypt",
            {"alg": "A256GCM", "value": "eA", "iv": "A" * 16},
            "Property 'iv' is not for this operation with A256GCM",
        ),
        ("aes/encrypt", {"alg": "A256GCM", "value": "eA", "tag": "eA"}, "Property 'tag' is not for this operation"),
        ("aes/encrypt", {"alg": "A256CBC", "value": DIGEST}, "Property 'iv' is required: A256CBC takes 16 bytes"),
        (
            "aes/encrypt",
            {"alg": "A256CBC", "value": DIGEST, "iv": "A" * 16},
            "Invalid length of 'iv': 12 bytes. A256CBC requires 16",
        ),
        ("aes/encrypt", {"alg": "A256CBC", "value": "eA", "iv": "A" * 22}, "A256CBC takes a multiple of 16 bytes"),
        (
            "aes/decrypt",
            {"alg": "A256GCM", "value": "eA", "tag": "A" * 22},
            "Property 'iv' is required: A256GCM takes 12 bytes",
        ),
        (
            "aes/decrypt",
            {"alg": "A256GCM", "value": "eA", "iv": "A" * 16},
            "Property 'tag' is required: A256GCM takes 16 bytes",
        ),
        (
            "aes/decrypt",
            {"alg": "A256GCM", "value": "eA", "iv": "A" * 16, "tag": "A" * 16},
            "Invalid length of 'tag': 12 bytes",
        ),
        ("aes/wrapkey", {"alg": "A256KW", "value": "eA"}, "A256KW wraps 16 to 16384 bytes, a multiple of 8 (RFC 3394)"),
    ],
)
def test_what_cannot_be_is_refused_in_words(call: Caller, path: str, body: dict[str, Any], words: str) -> None:
    """400 BadParameter, and what would be right."""
    status, code, found = refusal(call, f"/keys/{path}", body)
    assert (status, code) == (400, "BadParameter")
    assert words in found


def test_an_altered_bit_is_refused(call: Caller) -> None:
    """Of a GCM text, an OAEP text, a wrapped key and a signature; the words are always the same."""
    made = {
        "aes/decrypt": do(call, "/keys/aes/encrypt", {"alg": "A256GCM", "value": DIGEST}) | {"alg": "A256GCM"},
        "rsa/decrypt": do(call, "/keys/rsa/encrypt", {"alg": "RSA-OAEP-256", "value": DIGEST}) | {"alg": "RSA-OAEP-256"},
        "aes/unwrapkey": do(call, "/keys/aes/wrapkey", {"alg": "A256KW", "value": DIGEST}) | {"alg": "A256KW"},
    }
    found = set()
    for path, body in made.items():
        assert do(call, f"/keys/{path}", body)["value"] == DIGEST
        first = "B" if body["value"][0] == "A" else "A"
        found.add(refusal(call, f"/keys/{path}", {**body, "value": first + body["value"][1:]}))
    assert len(found) == 1
    assert next(iter(found))[:2] == (400, "BadParameter")


def test_a_key_is_forbidden_what_it_must_not(call: Caller) -> None:
    """403 Forbidden with the inner code and the words that Key Vault has."""
    world = call.world
    kind = KeyKind("EC", curve="P-256")
    put_key(world.house, world.vault, "disabled", kind, enabled=False)
    put_key(world.house, world.vault, "early", kind, not_before=START + timedelta(days=1))
    put_key(world.house, world.vault, "late", kind, expires=START)
    put_key(world.house, world.vault, "verifies", kind, key_ops=("verify",))
    body = {"alg": "ES256", "value": DIGEST}
    assert refusal(call, "/keys/disabled/sign", body) == (
        403,
        "KeyDisabled",
        "Operation sign is not allowed on a disabled key.",
    )
    assert refusal(call, "/keys/early/sign", body)[:2] == (403, "KeyNotYetValid")
    assert refusal(call, "/keys/late/sign", body) == (403, "KeyExpired", "Operation sign is not allowed on an expired key.")
    forbidden = (403, "KeyOperationForbidden", "Operation sign is not permitted on this key.")
    assert refusal(call, "/keys/verifies/sign", body) == forbidden
    assert call("POST", "/keys/late/sign", body).json()["error"]["code"] == "Forbidden"
    assert do(call, "/keys/late/verify", {**body, "digest": DIGEST}) == {"value": False}


@pytest.mark.parametrize("word", WORDS)
def test_a_key_that_is_not_there_is_404(call: Caller, word: str) -> None:
    """No such name, no such version, and in Key Vault's words."""
    for path in (f"/keys/other/{word}", f"/keys/rsa/{'0' * 32}/{word}"):
        status, code, words = refusal(call, path, WHOLE)
        assert (status, code) == (404, "KeyNotFound")
        assert words.startswith("A key with (name/id) ")
    assert refusal(call, f"/keys/no_name/{word}", WHOLE)[:2] == (400, "BadParameter")


@pytest.mark.parametrize("word", WORDS)
def test_nobody_else_uses_a_key(call: Caller, word: str) -> None:
    """401 without a token; 403 for somebody without the right, whether there is such a key or not."""
    assert call.bare("POST", f"/keys/rsa/{word}?{VERSION}", WHOLE).status_code == 401
    name = f"{word}-nobody"
    somebody, _ = call.world.add_principal(name, administrator=False)
    headers = {"Authorization": f"Bearer {call.world.token(somebody)}"}
    for path in (f"/keys/rsa/{word}", f"/keys/other/{word}"):
        answer = call("POST", path, WHOLE, headers=headers)
        assert answer.status_code == 403
        action = f"Microsoft.KeyVault/vaults/keys/{word.removesuffix('key')}/action"
        assert f"Action: '{action}'" in answer.json()["error"]["message"]


def test_other_verbs_and_words_are_refused(call: Caller) -> None:
    """405 with what is allowed; 404 for an operation that Key Vault has not."""
    version = "0" * 32
    answer = call("PUT", f"/keys/rsa/{version}/sign")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert call("POST", f"/keys/rsa/{version}/bless", WHOLE).status_code == 404


@pytest.mark.parametrize("count", [1, 32, 128])
def test_random_bytes(call: Caller, count: int) -> None:
    """As many as asked for, and never the same."""
    found = {do(call, "/rng", {"count": count})["value"] for _ in range(20)}
    assert len(found) > (10 if count == 1 else 19)
    assert {len(value) for value in found} == {(count * 4 + 2) // 3}


@pytest.mark.parametrize(
    "body", [{"count": 0}, {"count": 129}, {"count": -5}, {"count": "8"}, {"count": 1.5}, {"count": True}, {}]
)
def test_random_bytes_have_bounds(call: Caller, body: dict[str, Any]) -> None:
    """1 to 128, a whole number."""
    status, code, words = refusal(call, "/rng", body)
    assert (status, code) == (400, "BadParameter")
    assert words.startswith("count")


def test_large_texts_are_encrypted_up_to_the_body(call: Caller) -> None:
    """Half a megabyte goes through AES; a body of more than one is 413."""
    made = do(call, "/keys/aes/encrypt", {"alg": "A256GCM", "value": base64url(bytes(500_000))})
    opened = do(call, "/keys/aes/decrypt", {"alg": "A256GCM", "value": made["value"], "iv": made["iv"], "tag": made["tag"]})
    assert opened["value"] == base64url(bytes(500_000))
    assert call("POST", "/keys/aes/encrypt", {"alg": "A256GCM", "value": "A" * 1_100_000}).status_code == 413


def test_what_takes_long_does_not_stand_in_the_way(call: Caller) -> None:
    """A key of 3072 bits signs and decrypts in a thread, with the same answers, and the same refusals."""
    put_key(call.world.house, call.world.vault, "long", KeyKind("RSA", 3072))
    for algorithm in ("RS256", "PS256"):
        signature = do(call, "/keys/long/sign", {"alg": algorithm, "value": DIGEST})["value"]
        assert do(call, "/keys/long/verify", {"alg": algorithm, "digest": DIGEST, "value": signature}) == {"value": True}
    made = do(call, "/keys/long/encrypt", {"alg": "RSA-OAEP", "value": DIGEST})
    assert do(call, "/keys/long/decrypt", {"alg": "RSA-OAEP", "value": made["value"]})["value"] == DIGEST
    assert refusal(call, "/keys/long/decrypt", {"alg": "RSA-OAEP", "value": DIGEST})[:2] == (400, "BadParameter")


def test_no_plaintext_and_no_key_reaches_the_log(call: Caller, caplog: pytest.LogCaptureFixture) -> None:
    """What is logged of an operation is its path, done or refused."""
    caplog.set_level("DEBUG")
    secret = b"a plaintext that nobody reads in a log"
    made = do(call, "/keys/aes/encrypt", {"alg": "A256GCM", "value": base64url(secret)})
    do(call, "/keys/aes/decrypt", {"alg": "A256GCM", "value": made["value"], "iv": made["iv"], "tag": made["tag"]})
    for body in (
        {"alg": "A256KW", "value": base64url(secret)},
        {"alg": base64url(secret) * 9, "value": "x"},
        {"alg": 1, "value": 1},
    ):
        assert base64url(secret) * 2 not in call("POST", "/keys/aes/wrapkey", body).text
    sealed = AESGCM(OCTETS).encrypt(bytes(12), secret, None)
    altered = {"alg": "A256GCM", "value": base64url(sealed[:-16]), "iv": "A" * 16, "tag": "A" * 22}
    assert base64url(secret) not in call("POST", "/keys/aes/decrypt", altered).text
    assert "/keys/aes/decrypt" in caplog.text
    for text in (base64url(secret), secret.decode(), secret.hex(), base64url(OCTETS), OCTETS.hex()):
        assert text not in caplog.text


def test_what_is_sent_to_a_key_is_not_shown() -> None:
    """The `repr` of a body, which a debugger or a log could print, has no plaintext."""
    for model in (ValueBody, CipherBody):
        assert "plain" not in repr(model(alg="A256KW", value="plaintext"))
