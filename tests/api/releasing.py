"""What the tests of releases stand on: a deployment that believes an authority, and how it is asked."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx
import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from certworker.bootstrap import open_house
from certworker.settings import Network, Release, Seal, Server, Settings
from certworker.vault.access import Caller as Who
from certworker.vault.events import EventType
from tests.api.world import BEGIN, END, Caller, World
from tests.support.attester import KID, Attester, policy_for
from tests.support.clock import FakeClock
from tests.support.deployment import ScriptedAuthority
from tests.support.templates import put_deployment


@contextmanager
def open_release_world(
    folder: Path,
    clock: FakeClock,
    bundle: Path,
    authorities: tuple[str, ...],
    *,
    port: int = 8443,
    private: str = "localhost",
    patience: float = 30,
) -> Iterator[World]:
    """Found a deployment that releases keys for what these authorities attest, and waits so many seconds for them."""
    settings = Settings(
        database_url=f"sqlite:///{folder}/certworker.db",
        seal=Seal(master_key_file=folder / "master.key"),
        server=Server(port=port),
        network=Network(allow_private=(private,)),
        release=Release(authorities=authorities, ca_bundle=bundle, timeout_seconds=patience),
    )
    founded = put_deployment(folder, clock)
    assert founded
    with open_house(settings, clock, Random(1), durable=False) as house:
        yield World(house, clock, founded.vault, founded.administrator, founded.client_secret, ScriptedAuthority())


def encoded(policy: object) -> str:
    """Write a policy as the API takes it."""
    return base64.urlsafe_b64encode(json.dumps(policy).encode()).decode().rstrip("=")


def create(call: Caller, attester: Attester, name: str = "secret-key", **more: Any) -> Any:  # noqa: ANN401 - JSON
    """Create an exportable key."""
    policy = more.pop("policy", policy_for(attester.url))
    attributes = {"exportable": True, **more.pop("attributes", {})}
    body = {"kty": "EC", "attributes": attributes, "release_policy": {"data": encoded(policy)}, **more}
    answer = call("POST", f"/keys/{name}/create", body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def release(call: Caller, token: str, path: str = "/keys/secret-key/release", **more: object) -> httpx.Response:
    """Ask for a release."""
    return call("POST", path, {"target": token, **more})


def parts(answer: httpx.Response, world: World) -> Any:  # noqa: ANN401 - JSON
    """Read the signed object that answers, and prove it by the tenant's key set."""
    assert answer.status_code == 200, answer.text
    value = answer.json()["value"]
    (signer,) = world.house.directory.key_set(world.tenant)["keys"]
    assert jwt.get_unverified_header(value) == {"alg": "RS256", "typ": "JWT", "kid": signer["kid"]}
    return jwt.decode(value, jwt.PyJWK(signer).key, algorithms=["RS256"])


def wrapped_key(content: Any) -> tuple[bytes, Any]:  # noqa: ANN401 - JSON
    """Give the wrapped key, and the header beside it."""
    text = content["response"]["key"]["key"]["key_hsm"]
    envelope = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    assert envelope["schema_version"] == "1.0"
    ciphertext = envelope["ciphertext"]
    return base64.urlsafe_b64decode(ciphertext + "=" * (-len(ciphertext) % 4)), envelope["header"]


def told(world: World) -> list[dict[str, str]]:
    """List what the events tell of releases."""
    return [dict(event.detail) for event in world.house.fleet.events(0, 100) if event.type is EventType.KEY_RELEASED]


def assert_refused(answer: httpx.Response, status: int, message: str, world: World) -> None:
    """Make sure that a release was refused, in these words, and that nothing came of it."""
    error = answer.json()["error"]
    assert (answer.status_code, error["message"][: len(message)]) == (status, message), answer.text
    assert told(world) == []


def self_signed(key: Any) -> bytes:  # noqa: ANN401 - any private key
    """Make a certificate of a key."""
    name = x509.Name.from_rfc4514_string("CN=attester")
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, BEGIN, END).sign(key, hashes.SHA256())
    return made.public_bytes(Encoding.DER)


def caller_of(world: World) -> Who:
    """Give the administrator as the services know them."""
    principal = world.administrator
    return Who(principal.object_id, principal.client_id, principal.tenant_id)


def hs256(attester: Attester, clock: FakeClock, target: rsa.RSAPrivateKey) -> str:
    """Take the authority's public key for a shared secret, as the classic confusion has it."""
    pem = attester.keys[KID].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    payload = attester.attest(clock(), target).split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    confused = jwt.api_jws.PyJWS()
    confused.unregister_algorithm("HS256")
    confused.register_algorithm("HS256", Unwary(jwt.algorithms.HMACAlgorithm.SHA256))
    return confused.encode(json.dumps(claims).encode(), pem, "HS256", {"kid": KID})


def unsigned(attester: Attester, clock: FakeClock, target: rsa.RSAPrivateKey) -> str:
    """Say that there is no signature, and have none."""
    payload = attester.attest(clock(), target).split(".")[1]
    header = base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": KID}).encode()).decode().rstrip("=")
    return f"{header}.{payload}."


class Unwary(jwt.algorithms.HMACAlgorithm):
    """Signs with whatever it is given."""

    def prepare_key(self, key: str | bytes) -> bytes:
        """Take it as it is."""
        return key if isinstance(key, bytes) else key.encode()


def seconds(clock: FakeClock, **by: float) -> int:
    """Tell a time as a token does."""
    return int((clock() + timedelta(**by)).timestamp())
