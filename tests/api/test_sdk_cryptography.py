"""The unmodified `CryptographyClient`, sync and async, over TLS: every algorithm, and its remote and local halves agree."""

import asyncio
import hashlib
from base64 import urlsafe_b64decode
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest
from azure.core.exceptions import HttpResponseError
from azure.identity.aio import ClientSecretCredential as AsyncClientSecretCredential
from azure.keyvault.keys import JsonWebKey, KeyClient
from azure.keyvault.keys._shared import http_challenge_cache
from azure.keyvault.keys.aio import KeyClient as AsyncKeyClient
from azure.keyvault.keys.crypto import (
    CryptographyClient,
    EncryptionAlgorithm,
    EncryptResult,
    KeyWrapAlgorithm,
    SignatureAlgorithm,
)
from azure.keyvault.keys.crypto.aio import CryptographyClient as AsyncCryptographyClient
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap

from certworker.crypto.keys import CURVES
from tests.api.test_sdks import Clients
from tests.api.world import TestAuthority, serve_world
from tests.support.clock import FakeClock
from tests.support.vectors import Record, ec_jwk_of, oct_jwk, rsa_jwk

ENCRYPTION: Final = [*EncryptionAlgorithm]
WRAPPING: Final = [*KeyWrapAlgorithm]
SIGNING: Final = [*SignatureAlgorithm]
RSA_ENCRYPTION: Final = [algorithm for algorithm in ENCRYPTION if algorithm.startswith("RSA")]
RSA_WRAPPING: Final = [algorithm for algorithm in WRAPPING if algorithm.startswith("RSA")]
ASYMMETRIC: Final = [algorithm for algorithm in SIGNING if not algorithm.startswith("HS")]
SIGNERS: Final = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "ES256K": "P-256K"}
IV: Final = bytes(range(16))
TEXT: Final = b"sixteen byte txt"


def key_for(algorithm: str) -> str:
    """Name the key that an algorithm is for."""
    if algorithm in SIGNERS:
        return SIGNERS[algorithm]
    if algorithm.startswith(("RS", "PS")):
        return "RSA"
    return algorithm[:4] if algorithm[1:4].isdecimal() else "A256"


def digest_for(algorithm: str) -> bytes:
    """Digest a text as an algorithm wants it."""
    return hashlib.new(f"sha{algorithm[2:5]}", TEXT).digest()


def make_jwks() -> Mapping[str, Record]:
    """Make a private key of every kind."""
    numbers = rsa.generate_private_key(65537, 2048).private_numbers()
    made = {"RSA": rsa_jwk(numbers.p, numbers.q, 65537)}
    made |= {name: ec_jwk_of(ec.generate_private_key(curve)) for name, curve in CURVES.items()}
    return made | {f"A{size}": oct_jwk(bytes(range(size // 8))) for size in (128, 192, 256)}


class Halves:
    """A client of each kind for each key: `near` does what it can by itself, `remote` nothing, `local` all."""

    def __init__(self, clients: Clients) -> None:
        self.clients = clients
        self.credential = clients.credential()
        self.keys = KeyClient(clients.world.vault_url, self.credential, **clients.verify)
        self.jwks: dict[str, JsonWebKey] = {}
        for name, jwk in make_jwks().items():
            # in bytes, as the SDK's own classes have them
            members = {part: text if part in {"kty", "crv"} else octets(text) for part, text in jwk.items()}
            operations = ["sign", "verify"]
            if jwk["kty"] != "EC":
                operations += ["encrypt", "decrypt", "wrapKey", "unwrapKey"]
            self.jwks[name] = JsonWebKey(**members, key_ops=operations)
            self.keys.import_key(name, self.jwks[name])

    def near(self, name: str) -> CryptographyClient:
        """Give a client that has looked at the key: what its public half can do is done in the client."""
        return CryptographyClient(self.keys.get_key(name), self.credential, **self.clients.verify)

    def remote(self, name: str) -> CryptographyClient:
        """Give a client as it is after it was forbidden to look at the key: it asks the service for everything."""
        return self.remote_by_id(self.keys.get_key(name).id or "")

    def remote_by_id(self, key_id: str) -> CryptographyClient:
        """Give such a client of a key that cannot be looked at."""
        client = CryptographyClient(key_id, self.credential, **self.clients.verify)
        client._keys_get_forbidden = client._initialized = True
        return client

    def local(self, name: str) -> CryptographyClient:
        """Give a client that has the whole key, and asks nobody."""
        return CryptographyClient.from_jwk(self.jwks[name])


def octets(text: str) -> bytes:
    """Read base64url without padding."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def opening(made: EncryptResult) -> dict[str, Any]:
    """Give what decryption needs besides the text."""
    return {"iv": made.iv, "authentication_tag": made.tag, "additional_authenticated_data": made.aad}


def sealing(algorithm: str) -> dict[str, Any]:
    """Give what encryption takes besides the text."""
    if "GCM" in algorithm:
        return {"additional_authenticated_data": b"where"}
    return {"iv": IV} if "CBC" in algorithm else {}


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory, authority: TestAuthority) -> Iterator[Halves]:
    """Serve one deployment with a key of every kind."""
    http_challenge_cache.clear()
    with serve_world(tmp_path_factory.mktemp("cryptography"), FakeClock(), authority) as world:
        made = Halves(Clients(world, authority))
        with made.keys, made.credential:
            yield made
    http_challenge_cache.clear()


@pytest.mark.parametrize("algorithm", ENCRYPTION)
def test_what_the_service_encrypts_it_decrypts(halves: Halves, algorithm: EncryptionAlgorithm) -> None:
    """Every algorithm that the SDK knows, by the service alone."""
    with halves.remote(key_for(algorithm)) as client:
        made = client.encrypt(algorithm, TEXT, **sealing(algorithm))
        assert made.ciphertext != TEXT
        assert bool(made.tag) is ("GCM" in algorithm)
        assert client.decrypt(algorithm, made.ciphertext, **opening(made)).plaintext == TEXT


@pytest.mark.parametrize("algorithm", WRAPPING)
def test_what_the_service_wraps_it_unwraps(halves: Halves, algorithm: KeyWrapAlgorithm) -> None:
    """Likewise."""
    with halves.remote(key_for(algorithm)) as client:
        made = client.wrap_key(algorithm, TEXT)
        assert made.key_id == halves.keys.get_key(key_for(algorithm)).id
        assert client.unwrap_key(algorithm, made.encrypted_key).key == TEXT


@pytest.mark.parametrize("algorithm", SIGNING)
def test_what_the_service_signs_it_verifies(halves: Halves, algorithm: SignatureAlgorithm) -> None:
    """Likewise, and it finds another digest wrong."""
    with halves.remote(key_for(algorithm)) as client:
        signature = client.sign(algorithm, digest_for(algorithm)).signature
        assert client.verify(algorithm, digest_for(algorithm), signature).is_valid is True
        assert client.verify(algorithm, digest_for(algorithm)[::-1], signature).is_valid is False


@pytest.mark.parametrize("algorithm", RSA_ENCRYPTION)
def test_rsa_encryption_agrees(halves: Halves, algorithm: EncryptionAlgorithm) -> None:
    """Encrypted by the client with the public half it is decrypted by the service, and the other way round."""
    with halves.near("RSA") as near, halves.remote("RSA") as remote:
        assert remote.decrypt(algorithm, near.encrypt(algorithm, TEXT).ciphertext).plaintext == TEXT
        assert near.decrypt(algorithm, remote.encrypt(algorithm, TEXT).ciphertext).plaintext == TEXT
        assert halves.local("RSA").decrypt(algorithm, remote.encrypt(algorithm, TEXT).ciphertext).plaintext == TEXT


@pytest.mark.parametrize("algorithm", RSA_WRAPPING)
def test_rsa_wrapping_agrees(halves: Halves, algorithm: KeyWrapAlgorithm) -> None:
    """Likewise."""
    with halves.near("RSA") as near, halves.remote("RSA") as remote:
        assert remote.unwrap_key(algorithm, near.wrap_key(algorithm, TEXT).encrypted_key).key == TEXT
        assert halves.local("RSA").unwrap_key(algorithm, remote.wrap_key(algorithm, TEXT).encrypted_key).key == TEXT


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_signatures_agree(halves: Halves, algorithm: SignatureAlgorithm) -> None:
    """Signed by the service it is verified by the client with the public half; signed by the client, by the service."""
    name, digest = key_for(algorithm), digest_for(algorithm)
    with halves.near(name) as near, halves.remote(name) as remote:
        by_service = near.sign(algorithm, digest).signature
        assert near.verify(algorithm, digest, by_service).is_valid is True
        assert near.verify(algorithm, digest[::-1], by_service).is_valid is False
        by_client = halves.local(name).sign(algorithm, digest).signature
        assert remote.verify(algorithm, digest, by_client).is_valid is True
        assert remote.verify(algorithm, digest[::-1], by_client).is_valid is False


@pytest.mark.parametrize("size", [128, 192, 256])
def test_aes_agrees(halves: Halves, size: int) -> None:
    """A*KW and A*CBCPAD, which the client has as well where it has the key, give the same as the service to the last bit."""
    name, wrapping, encryption = f"A{size}", KeyWrapAlgorithm(f"A{size}KW"), EncryptionAlgorithm(f"A{size}CBCPAD")
    local = halves.local(name)
    with halves.remote(name) as remote:
        wrapped = remote.wrap_key(wrapping, TEXT).encrypted_key
        assert wrapped == local.wrap_key(wrapping, TEXT).encrypted_key
        assert wrapped == remote.wrap_key(KeyWrapAlgorithm.ckm_aes_key_wrap, TEXT).encrypted_key
        assert remote.encrypt(encryption, b"x", iv=IV).ciphertext == local.encrypt(encryption, b"x", iv=IV).ciphertext


def test_the_sdk_makes_up_octets_that_it_does_not_know(halves: Halves) -> None:
    """A client that may look at an oct key wraps with a key of its own, here as in Azure; by CKM_AES_KEY_WRAP it does not."""
    key = octets(oct_jwk(bytes(range(32)))["k"])
    with halves.near("A256") as near:
        made_up = near.wrap_key(KeyWrapAlgorithm.aes_256, TEXT).encrypted_key
        with pytest.raises(InvalidUnwrap):
            aes_key_unwrap(key, made_up)
        assert aes_key_unwrap(key, near.wrap_key(KeyWrapAlgorithm.ckm_aes_key_wrap, TEXT).encrypted_key) == TEXT


def test_the_sdk_signs_as_a_private_key_of_the_library(halves: Halves) -> None:
    """`create_rsa_private_key` is used where the library takes a private key; its public half verifies."""
    with halves.near("RSA") as near:
        private, public = near.create_rsa_private_key(), near.create_rsa_public_key()
        pad = padding.PSS(padding.MGF1(SHA256()), 32)
        public.verify(private.sign(TEXT, pad, SHA256()), TEXT, pad, SHA256())
        assert private.decrypt(public.encrypt(TEXT, padding.PKCS1v15()), padding.PKCS1v15()) == TEXT


@pytest.mark.parametrize("version", ["7.0", "7.1", "7.4", "7.6"])
def test_older_api_versions_do_the_same(halves: Halves, version: str) -> None:
    """The SDK's clients of before sign, verify, encrypt and decrypt with a key that they look at first."""
    options = {**halves.clients.verify, "api_version": version}
    with CryptographyClient(halves.keys.get_key("RSA").id or "", halves.credential, **options) as client:
        signature = client.sign(SignatureAlgorithm.ps256, digest_for("PS256")).signature
        assert client.verify(SignatureAlgorithm.ps256, digest_for("PS256"), signature).is_valid is True
        made = client.encrypt(EncryptionAlgorithm.rsa_oaep_256, TEXT)
        assert client.decrypt(EncryptionAlgorithm.rsa_oaep_256, made.ciphertext).plaintext == TEXT


def test_refusals_reach_the_caller(halves: Halves) -> None:
    """What was altered is an HttpResponseError with the service's words; a disabled key is 403."""
    with halves.remote("A256") as client:
        made = client.encrypt(EncryptionAlgorithm.a256_gcm, TEXT)
        with pytest.raises(HttpResponseError, match="Unable to decrypt specified value with this key") as refused:
            client.decrypt(EncryptionAlgorithm.a256_gcm, made.ciphertext[::-1], **opening(made))
        assert refused.value.status_code == 400
    off = halves.keys.import_key("off", halves.jwks["P-256"], enabled=False)
    with (
        halves.remote_by_id(off.id or "") as client,
        pytest.raises(HttpResponseError, match="Operation sign is not allowed on a disabled key") as refused,
    ):
        client.sign(SignatureAlgorithm.es256, digest_for("ES256"))
    assert refused.value.status_code == 403


@pytest.mark.parametrize("count", [1, 128])
def test_the_sdk_gets_random_bytes(halves: Halves, count: int) -> None:
    """As many as asked for; more than 128 are refused by the service."""
    assert len(halves.keys.get_random_bytes(count)) == count
    with pytest.raises(HttpResponseError, match="it is 1 to 128"):
        halves.keys.get_random_bytes(count + 128)


def test_the_async_client_does_all_of_it(halves: Halves) -> None:
    """Every algorithm, by the service alone; RSA and EC by a client that does the public part itself as well."""
    world, verify = halves.clients.world, halves.clients.verify
    ids = {name: halves.keys.get_key(name).id or "" for name in halves.jwks}

    async def story() -> int:
        login = (world.tenant, world.administrator.client_id, world.client_secret)
        options: dict[str, Any] = {"authority": world.house.settings.authority, "disable_instance_discovery": True, **verify}
        async with AsyncClientSecretCredential(*login, **options) as credential:
            async with AsyncKeyClient(world.vault_url, credential, **verify) as keys:
                assert len(await keys.get_random_bytes(16)) == 16
            done = 0
            for name, key_id in ids.items():
                async with AsyncCryptographyClient(key_id, credential, **verify) as client:
                    if name.startswith("A"):  # it would make up the octets, see above
                        client._keys_get_forbidden = client._initialized = True
                    done += await round_trips(client, name)
            return done

    assert asyncio.run(story()) == len(ENCRYPTION) + len(WRAPPING) + len(SIGNING)


async def round_trips(client: AsyncCryptographyClient, name: str) -> int:
    """Do every operation that a key has, and undo it; count the algorithms."""
    encryption, wrapping, signing = ([one for one in kind if key_for(one) == name] for kind in (ENCRYPTION, WRAPPING, SIGNING))
    for algorithm in encryption:
        made = await client.encrypt(algorithm, TEXT, **sealing(algorithm))
        assert (await client.decrypt(algorithm, made.ciphertext, **opening(made))).plaintext == TEXT
    for wrap in wrapping:
        wrapped = (await client.wrap_key(wrap, TEXT)).encrypted_key
        assert (await client.unwrap_key(wrap, wrapped)).key == TEXT
    for sign in signing:
        signature = (await client.sign(sign, digest_for(sign))).signature
        assert (await client.verify(sign, digest_for(sign), signature)).is_valid is True
        assert (await client.verify(sign, digest_for(sign)[::-1], signature)).is_valid is False
    return len(encryption) + len(wrapping) + len(signing)
