"""Keys in a token, through the API: what they do, what they refuse, and that they are gone when they are purged."""

import base64
import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from azure.identity import ClientSecretCredential
from azure.keyvault.certificates._shared import http_challenge_cache
from azure.keyvault.keys import JsonWebKey, KeyClient, KeyType
from azure.keyvault.keys.crypto import CryptographyClient, EncryptionAlgorithm, KeyWrapAlgorithm, SignatureAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa

from certworker.crypto.keys import KeyKind, base64url, generate_material
from certworker.crypto.software_keys import load_usable
from certworker.errors import SealBroken
from certworker.hsm.token import Token
from certworker.vault.access import Caller as PersonCaller
from certworker.vault.key_creation import WantedKey
from certworker.worker.rounds import Rounds
from tests.api.world import Caller, TestAuthority, World, open_world, serve_world
from tests.stories.test_crash import Killed, MortalStore
from tests.support.clock import FakeClock
from tests.support.softhsm import PIN, SoftToken

pytestmark = pytest.mark.system("softhsm2-util")

DIGESTS = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}
SIGNATURES = {
    "RSA-HSM": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "P-256": ("ES256",),
    "P-384": ("ES384",),
    "P-521": ("ES512",),
    "P-256K": ("ES256K",),
}


@pytest.fixture
def premium(tmp_path: Path, clock: FakeClock, soft_token: SoftToken) -> Iterator[World]:
    """Give a deployment with a token, whose vault is of the premium SKU."""
    with open_world(tmp_path, clock, hsm=soft_token.settings) as world:
        yield world


@pytest.fixture
def call(premium: World) -> Caller:
    """Call the app in this process."""
    return Caller(premium)


def token_of(world: World) -> Token:
    """Give the token of a deployment."""
    token = world.house.materials._hsm
    assert isinstance(token, Token)
    return token


def make(call: Caller, name: str, **body: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Create a key."""
    answer = call("POST", f"/keys/{name}/create", body)
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


def operate(call: Caller, name: str, operation: str, **body: Any) -> Any:  # noqa: ANN401 - JSON
    """Use a key; octets go as base64url."""
    sent = {key: base64url(value) if isinstance(value, bytes) else value for key, value in body.items()}
    answer = call("POST", f"/keys/{name}/{operation}", sent)
    assert answer.status_code == 200, answer.text
    return answer.json()


def octets(text: str) -> bytes:
    """Read base64url."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def check_signatures(call: Caller, name: str, algorithms: tuple[str, ...]) -> None:
    """Sign with every algorithm, and verify."""
    for algorithm in algorithms:
        digest = DIGESTS[algorithm[2:5]](b"text").digest()
        signed = operate(call, name, "sign", alg=algorithm, value=digest)["value"]
        assert operate(call, name, "verify", alg=algorithm, digest=digest, value=octets(signed))["value"] is True
        assert operate(call, name, "verify", alg=algorithm, digest=digest[::-1], value=octets(signed))["value"] is False


def hsm_key_id(world: World, name: str) -> str:
    """Tell the id of a key's current version in the token."""
    with world.house.store.reading() as reader:
        key = reader.key(world.vault.id, name, None)
    assert key
    assert key.hsm_key_id
    return key.hsm_key_id


def is_in_token(world: World, key_id: str) -> bool:
    """Tell whether the token has a key."""
    try:
        token_of(world).use(key_id, KeyKind("EC", None, "P-256"), b"")
    except SealBroken:
        return False
    except ValueError:
        return True  # it was found, and then its public half was asked for
    return True


def test_an_rsa_key_of_the_token(call: Caller) -> None:
    """RSA-HSM: made with its exponent, shown as such, signs, decrypts and unwraps."""
    made = make(call, "rsa", kty="RSA-HSM", key_size=2048, public_exponent=65539)
    assert made["key"]["kty"] == "RSA-HSM"
    assert int.from_bytes(octets(made["key"]["e"]), "big") == 65539
    assert made["attributes"]["hsmPlatform"] == "1"
    check_signatures(call, "rsa", SIGNATURES["RSA-HSM"])
    for algorithm in ("RSA1_5", "RSA-OAEP"):
        for there, back in (("encrypt", "decrypt"), ("wrapkey", "unwrapkey")):
            sealed = operate(call, "rsa", there, alg=algorithm, value=b"a key of sorts")["value"]
            assert octets(operate(call, "rsa", back, alg=algorithm, value=sealed)["value"]) == b"a key of sorts"


@pytest.mark.parametrize("curve", ["P-256", "P-384", "P-521", "P-256K"])
def test_an_ec_key_of_the_token(call: Caller, curve: str) -> None:
    """EC-HSM: every curve signs."""
    made = make(call, "ec", kty="EC-HSM", crv=curve)
    assert (made["key"]["kty"], made["key"]["crv"]) == ("EC-HSM", curve)
    check_signatures(call, "ec", SIGNATURES[curve])


@pytest.mark.parametrize("size", [128, 192, 256])
def test_an_aes_key_of_the_token(call: Caller, size: int) -> None:
    """oct-HSM: GCM, CBC and key wrap of every size; HMAC is refused in words."""
    made = make(call, "aes", kty="oct-HSM", key_size=size)
    assert made["key"]["kty"] == "oct-HSM"
    assert "k" not in made["key"]
    sealed = operate(call, "aes", "encrypt", alg=f"A{size}GCM", value=b"text", aad=b"where")
    opened = operate(
        call, "aes", "decrypt", alg=f"A{size}GCM", **{name: sealed[name] for name in ("value", "iv", "aad", "tag")}
    )
    assert octets(opened["value"]) == b"text"
    iv = bytes(range(16))
    for mode, text in (("CBC", bytes(32)), ("CBCPAD", b"odd")):
        sealed = operate(call, "aes", "encrypt", alg=f"A{size}{mode}", value=text, iv=iv)
        assert octets(operate(call, "aes", "decrypt", alg=f"A{size}{mode}", value=sealed["value"], iv=iv)["value"]) == text
    wrapped = operate(call, "aes", "wrapkey", alg=f"A{size}KW", value=bytes(32))["value"]
    assert octets(operate(call, "aes", "unwrapkey", alg=f"A{size}KW", value=wrapped)["value"]) == bytes(32)


def test_what_the_token_cannot_do_is_refused_in_words(call: Caller) -> None:
    """OAEP with SHA-256 and an altered ciphertext are 400, and say what is wrong."""
    make(call, "rsa", kty="RSA-HSM")
    for algorithm, words in (("RSA-OAEP-256", "hsm.raw_oaep"), ("RSA-OAEP", "Unable to decrypt")):
        sealed = octets(operate(call, "rsa", "encrypt", alg=algorithm, value=b"text")["value"])
        bad = sealed if algorithm == "RSA-OAEP-256" else sealed[:-1] + bytes([sealed[-1] ^ 1])
        answer = call("POST", "/keys/rsa/decrypt", {"alg": algorithm, "value": base64url(bad)})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadParameter")
        assert words in answer.json()["error"]["message"]


def jwk_of(private: rsa.RSAPrivateKey) -> dict[str, str]:
    """Show a private key as a JWK."""
    numbers = private.private_numbers()
    members = {
        "n": numbers.public_numbers.n,
        "e": numbers.public_numbers.e,
        "d": numbers.d,
        "p": numbers.p,
        "q": numbers.q,
        "dp": numbers.dmp1,
        "dq": numbers.dmq1,
        "qi": numbers.iqmp,
    }
    return {name: base64url(number.to_bytes((number.bit_length() + 7) // 8, "big")) for name, number in members.items()}


@pytest.mark.parametrize("body", [{"Hsm": True, "kty": "RSA"}, {"kty": "RSA-HSM"}], ids=["Hsm", "kty"])
def test_an_imported_key_goes_into_the_token(call: Caller, premium: World, body: dict[str, Any]) -> None:
    """`Hsm: true`, or the type, puts a key into the token: the database has it nowhere, and it is the same key."""
    jwk = jwk_of(rsa.generate_private_key(65537, 2048)) | {"kty": body["kty"]}
    answer = call("PUT", "/keys/taken", {"key": jwk, **{name: body[name] for name in body if name != "kty"}})
    assert answer.status_code == 200, answer.text
    assert answer.json()["key"]["kty"] == "RSA-HSM"
    assert answer.json()["key"]["n"] == jwk["n"]
    check_signatures(call, "taken", ("RS256", "PS256"))
    assert is_in_token(premium, hsm_key_id(premium, "taken"))
    with premium.house.store.reading() as reader:
        key = reader.key(premium.vault.id, "taken", None)
    assert key
    assert len(premium.house.materials._open(key)) == 32  # its id, and nothing of it


def test_a_vault_of_the_standard_sku_makes_none(tmp_path: Path, clock: FakeClock) -> None:
    """Without the premium SKU the error names it."""
    with open_world(tmp_path, clock) as world:
        answer = Caller(world)("POST", "/keys/one/create", {"kty": "EC-HSM"})
    assert answer.status_code == 400
    assert "premium SKU" in answer.json()["error"]["message"]


def test_a_deployment_without_a_token_makes_none(tmp_path: Path, clock: FakeClock, soft_token: SoftToken) -> None:
    """A premium vault without a token says so, for keys to make and for keys that were made: none is pretended."""
    with open_world(tmp_path, clock, hsm=soft_token.settings) as world:
        call = Caller(world)
        make(call, "made", kty="EC-HSM")
        world.house.materials._hsm = None
        world.house.materials._loaded.clear()
        creating = call("POST", "/keys/one/create", {"kty": "oct-HSM"})
        using = call("POST", "/keys/made/sign", {"alg": "ES256", "value": base64url(bytes(32))})
    assert creating.status_code == 400
    assert "no hardware token" in creating.json()["error"]["message"]
    assert using.status_code == 403
    assert "hsm.module" in using.json()["error"]["message"]


def test_a_token_that_is_gone_is_503(call: Caller, premium: World, soft_token: SoftToken) -> None:
    """While the token is away, its keys are 503 with Retry-After, and others work; no answer tells the PIN."""
    make(call, "there", kty="EC-HSM")
    make(call, "here", kty="EC")
    hidden = soft_token.path.parent.parent / "away"
    soft_token.path.rename(hidden)
    try:
        answers = [
            call("POST", "/keys/there/sign", {"alg": "ES256", "value": base64url(bytes(32))}),
            call("POST", "/keys/another/create", {"kty": "EC-HSM"}),
        ]
        check_signatures(call, "here", ("ES256",))
    finally:
        hidden.rename(soft_token.path)
    for answer in answers:
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "ServiceUnavailable")
        assert int(answer.headers["Retry-After"]) >= 1
        assert PIN not in answer.text
    pool = token_of(premium)._pool
    pool._library._restarted_at -= 10  # the pause between two openings, without waiting for it
    check_signatures(call, "there", ("ES256",))


def test_sessions_that_are_all_taken_are_503(tmp_path: Path, clock: FakeClock, soft_token: SoftToken) -> None:
    """The caller is told when to come again, soon; who needs no session is served, and so is the next one after it."""
    few = soft_token.settings.model_copy(update={"sessions": 1, "wait_seconds": 0.2})
    with open_world(tmp_path, clock, hsm=few) as world:
        call, taken, done = Caller(world), Event(), Event()
        make(call, "there", kty="EC-HSM")
        signing = {"alg": "ES256", "value": base64url(bytes(32))}

        def hold(_: object) -> None:
            taken.set()
            assert done.wait(20)

        with ThreadPoolExecutor(1) as threads:
            holder = threads.submit(token_of(world).run, hold)
            assert taken.wait(10)
            answer = call("POST", "/keys/there/sign", signing)
            shown = call("GET", "/keys/there")
            done.set()
            holder.result(10)
        assert call("POST", "/keys/there/sign", signing).status_code == 200
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "ServiceUnavailable")
    assert "All 1 sessions" in answer.json()["error"]["message"]
    assert answer.headers["Retry-After"] == "1"
    assert shown.status_code == 200


def test_a_row_cannot_point_to_another_key(call: Caller, premium: World) -> None:
    """What is used is the id that was sealed: a row that names another key, or has another's seal, uses none but its own."""
    for name in ("one", "two"):
        make(call, name, kty="EC-HSM")
    with premium.house.store.reading() as reader:
        one, two = (reader.key(premium.vault.id, name, None) for name in ("one", "two"))
    assert one
    assert two
    materials, digest = premium.house.materials, bytes(32)
    signature = materials.use(replace(one, hsm_key_id=two.hsm_key_id, tags={})).sign("ES256", digest)
    assert materials.use(one).verify("ES256", digest, signature)
    with pytest.raises(SealBroken):
        materials.use(replace(one, sealed_key=two.sealed_key))


def test_a_key_of_the_token_is_not_backed_up(call: Caller) -> None:
    """What lies in a token cannot leave it, and the error says so."""
    make(call, "stays", kty="EC-HSM")
    answer = call("POST", "/keys/stays/backup")
    assert answer.status_code in {400, 403}
    assert "token" in answer.json()["error"]["message"]


def test_an_attestation_is_refused_honestly(call: Caller) -> None:
    """No attestation is made up; an unknown key is 404."""
    make(call, "there", kty="EC-HSM")
    make(call, "here", kty="EC")
    for name, words in (("there", "PKCS#11 has none"), ("here", "is a software key")):
        version = call("GET", f"/keys/{name}").json()["key"]["kid"].rsplit("/", 1)[1]
        answer = call("GET", f"/keys/{name}/{version}/attestation")
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadParameter")
        assert words in answer.json()["error"]["message"]
    assert call("GET", f"/keys/none/{'0' * 32}/attestation").status_code == 404


def test_a_rotated_key_stays_in_the_token(call: Caller, premium: World) -> None:
    """A rotation makes the next version in the token as well, of the same kind; the old one goes on working."""
    for name, body in (("ec", {"kty": "EC-HSM", "crv": "P-384"}), ("aes", {"kty": "oct-HSM", "key_size": 192})):
        first = make(call, name, **body)
        before = hsm_key_id(premium, name)
        answer = call("POST", f"/keys/{name}/rotate")
        assert answer.status_code == 200, answer.text
        assert answer.json()["key"]["kty"] == body["kty"]
        assert answer.json()["key"]["kid"] != first["key"]["kid"]
        assert hsm_key_id(premium, name) != before
    check_signatures(call, "ec", ("ES384",))
    assert operate(call, "aes", "wrapkey", alg="A192KW", value=bytes(16))


def test_a_purged_key_is_gone_from_the_token(call: Caller, premium: World) -> None:
    """Deleted, it stays for as long as it can be recovered; purged, the worker destroys it in the token."""
    make(call, "going", kty="EC-HSM")
    key_id, rounds = hsm_key_id(premium, "going"), Rounds(premium.house, "worker")
    premium.clock.advance(timedelta(hours=2))
    assert call("DELETE", "/keys/going").status_code == 200
    rounds.run("clearance", premium.clock())
    assert is_in_token(premium, key_id)
    assert call("DELETE", "/deletedkeys/going").status_code == 204
    rounds.run("clearance", premium.clock())
    assert not is_in_token(premium, key_id)
    with premium.house.store.reading() as reader:
        assert key_id not in reader.hsm_keys()


def test_a_death_between_token_and_database_leaves_nothing(premium: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that was made in the token, and whose version was never stored, is destroyed after an hour, and not before."""
    creation, administrator = premium.house.key_life.creation, premium.administrator
    caller = PersonCaller(administrator.object_id, administrator.client_id, administrator.tenant_id)
    with monkeypatch.context() as patch:
        patch.setattr(creation, "_store", MortalStore(premium.house.store, 0, committed=False))
        with pytest.raises(Killed):
            creation.create(caller, premium.vault, "lost", WantedKey("EC-HSM"))
    with premium.house.store.reading() as reader:
        (key_id,) = reader.hsm_keys()
    rounds = Rounds(premium.house, "worker")
    rounds.run("clearance", premium.clock())
    assert is_in_token(premium, key_id)
    premium.clock.advance(timedelta(minutes=61))
    rounds.run("clearance", premium.clock())
    assert not is_in_token(premium, key_id)
    with premium.house.store.reading() as reader:
        assert reader.hsm_keys() == ()


def test_a_key_that_is_given_up_leaves_nothing_in_the_token(premium: World) -> None:
    """What was made and is refused by the database is destroyed at once."""
    materials = premium.house.materials
    made = materials.make(premium.vault, "lost", "0" * 32, KeyKind("EC", None, "P-256"), in_hsm=True)
    assert made.hsm_key_id
    assert is_in_token(premium, made.hsm_key_id)
    materials.discard(made)
    assert not is_in_token(premium, made.hsm_key_id)
    with premium.house.store.reading() as reader:
        assert reader.hsm_keys() == ()


def test_an_absent_token_does_not_stop_the_worker(call: Caller, premium: World, soft_token: SoftToken) -> None:
    """What cannot be destroyed now is destroyed in a later round."""
    make(call, "going", kty="EC-HSM")
    key_id, rounds = hsm_key_id(premium, "going"), Rounds(premium.house, "worker")
    call("DELETE", "/keys/going")
    call("DELETE", "/deletedkeys/going")
    premium.clock.advance(timedelta(hours=2))
    hidden = soft_token.path.parent.parent / "away"
    soft_token.path.rename(hidden)
    try:
        rounds.run("clearance", premium.clock())
    finally:
        hidden.rename(soft_token.path)
    with premium.house.store.reading() as reader:
        assert reader.hsm_keys() == (key_id,)
    token_of(premium)._pool._library._restarted_at -= 10
    rounds.run("clearance", premium.clock())
    with premium.house.store.reading() as reader:
        assert reader.hsm_keys() == ()
    assert not is_in_token(premium, key_id)


@pytest.fixture
def clients(tmp_path: Path, clock: FakeClock, authority: TestAuthority, soft_token: SoftToken) -> Iterator["Clients"]:
    """Serve a deployment with a token over TLS, and give Azure's own clients of it."""
    http_challenge_cache.clear()
    with serve_world(tmp_path, clock, authority, soft_token.settings) as world:
        yield Clients(world, authority)
    http_challenge_cache.clear()


class Clients:
    """Azure's clients of keys."""

    def __init__(self, world: World, authority: TestAuthority) -> None:
        self._options: dict[str, Any] = {"connection_verify": str(authority.bundle)}
        self._credential = ClientSecretCredential(
            world.tenant,
            world.administrator.client_id,
            world.client_secret,
            authority=world.house.settings.authority,
            disable_instance_discovery=True,
            **self._options,
        )
        self.keys = KeyClient(world.vault_url, self._credential, **self._options)

    def cryptography(self, name: str) -> CryptographyClient:
        """Use a key by its id alone, so that the client does what it can by itself, once it has looked at the key."""
        return CryptographyClient(self.keys.get_key(name).id, self._credential, **self._options)


def test_azures_client_drives_keys_of_the_token(clients: Clients) -> None:
    """The unmodified client makes -HSM keys and uses them; what it verifies and encrypts by itself agrees with the token."""
    assert clients.keys.create_rsa_key("rsa", hardware_protected=True).key_type == KeyType.rsa_hsm
    assert clients.keys.create_ec_key("ec", hardware_protected=True, curve="P-521").key_type == KeyType.ec_hsm
    assert clients.keys.create_oct_key("aes", hardware_protected=True, size=256).key_type == KeyType.oct_hsm
    rsa_client, ec_client, aes_client = (clients.cryptography(name) for name in ("rsa", "ec", "aes"))
    digest = hashlib.sha256(b"text").digest()
    for algorithm in (SignatureAlgorithm.rs256, SignatureAlgorithm.ps256):
        assert rsa_client.verify(algorithm, digest, rsa_client.sign(algorithm, digest).signature).is_valid
    sealed = rsa_client.encrypt(EncryptionAlgorithm.rsa_oaep, b"text").ciphertext
    assert rsa_client.decrypt(EncryptionAlgorithm.rsa_oaep, sealed).plaintext == b"text"
    wide = hashlib.sha512(b"text").digest()
    assert ec_client.verify(SignatureAlgorithm.es512, wide, ec_client.sign(SignatureAlgorithm.es512, wide).signature).is_valid
    # not A256KW: that the client does by itself, with octets that it makes up
    wrapped = aes_client.wrap_key(KeyWrapAlgorithm.ckm_aes_key_wrap, bytes(32)).encrypted_key
    assert aes_client.unwrap_key(KeyWrapAlgorithm.ckm_aes_key_wrap, wrapped).key == bytes(32)
    gcm = aes_client.encrypt(EncryptionAlgorithm.a256_gcm, b"text", additional_authenticated_data=b"where")
    opened = aes_client.decrypt(
        EncryptionAlgorithm.a256_gcm,
        gcm.ciphertext,
        iv=gcm.iv,
        authentication_tag=gcm.tag,
        additional_authenticated_data=b"where",
    )
    assert opened.plaintext == b"text"


def test_azures_client_imports_into_the_token(clients: Clients) -> None:
    """`import_key(hardware_protected=True)` puts an oct key into the token; it wraps as it would here."""
    octs = generate_material(KeyKind("oct", 128))
    jwk = JsonWebKey(kty="oct-HSM", k=octs, key_ops=["wrapKey", "unwrapKey"])
    assert clients.keys.import_key("taken", jwk, hardware_protected=True).key_type == KeyType.oct_hsm
    wrapped = clients.cryptography("taken").wrap_key(KeyWrapAlgorithm.ckm_aes_key_wrap, bytes(16)).encrypted_key
    assert load_usable("oct", octs).decrypt("A128KW", wrapped) == bytes(16)
