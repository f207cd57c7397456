"""Certificates whose keys lie in the token: the key is made there, and signs there; the secret holds the certificate alone."""

import base64
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509 import load_der_x509_certificate, load_der_x509_csr

from certworker.crypto.keys import generate_key
from certworker.crypto.x509 import sign_csr
from certworker.vault.access import SERVICE
from certworker.vault.access import Caller as PersonCaller
from certworker.vault.issuers import IssuerParameters
from certworker.vault.objects import KeyVersion
from certworker.worker.rounds import Rounds
from tests.api.test_hsm_keys import check_signatures, is_in_token
from tests.api.world import Caller, World, open_world
from tests.support.clock import FakeClock
from tests.support.parcels import a_parcel
from tests.support.softhsm import SoftToken

pytestmark = pytest.mark.system("softhsm2-util")


@pytest.fixture
def premium(tmp_path: Path, clock: FakeClock, soft_token: SoftToken) -> Iterator[World]:
    """Give a deployment with a token, whose vault is of the premium SKU."""
    with open_world(tmp_path, clock, hsm=soft_token.settings) as world:
        yield world


@pytest.fixture
def call(premium: World) -> Caller:
    """Call the app in this process."""
    return Caller(premium)


def policy(kty: str = "EC-HSM", issuer: str = "Self", **key: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Make a policy with a key in the token."""
    return {
        "key_props": {"kty": kty, **key},
        "x509_props": {"subject": "CN=web.example", "sans": {"dns_names": ["web.example"]}, "key_usage": ["digitalSignature"]},
        "issuer": {"name": issuer},
    }


def key_of(world: World, name: str = "web") -> KeyVersion:
    """Find a certificate's key."""
    with world.house.store.reading() as reader:
        key = reader.key(world.vault.id, name, None)
    assert key
    assert key.hsm_key_id
    return key


@pytest.mark.parametrize(
    ("key", "kty", "algorithms"),
    [
        ({"kty": "RSA-HSM", "key_size": 2048}, rsa.RSAPublicKey, ("RS256", "PS256")),
        ({"kty": "EC-HSM"}, ec.EllipticCurvePublicKey, ("ES256",)),
        ({"kty": "EC-HSM", "crv": "P-384"}, ec.EllipticCurvePublicKey, ("ES384",)),
        ({"kty": "EC-HSM", "crv": "P-521"}, ec.EllipticCurvePublicKey, ("ES512",)),
    ],
    ids=["RSA", "P-256", "P-384", "P-521"],
)
def test_a_self_signed_certificate_of_a_key_in_the_token(
    call: Caller, premium: World, key: dict[str, Any], kty: type, algorithms: tuple[str, ...]
) -> None:
    """It is signed in the token; its key signs through the API; the secret has no key, and the database has it nowhere."""
    call.create("web", policy(**key))
    bundle = call("GET", "/certificates/web").json()
    certificate = load_der_x509_certificate(base64.b64decode(bundle["cer"]))
    certificate.verify_directly_issued_by(certificate)
    assert isinstance(certificate.public_key(), kty)
    assert bundle["policy"]["key_props"]["kty"] == key["kty"]
    assert bundle["policy"]["key_props"]["exportable"] is False
    assert call("GET", "/keys/web").json()["key"]["kty"] == key["kty"]
    check_signatures(call, "web", algorithms)
    secret = call("GET", "/secrets/web").json()
    opened = pkcs12.load_pkcs12(base64.b64decode(secret["value"]), b"")
    assert opened.key is None
    stored = key_of(premium)
    assert len(premium.house.materials._open(stored)) == 32
    assert is_in_token(premium, str(stored.hsm_key_id))


def test_a_key_in_the_token_is_never_exportable(call: Caller) -> None:
    """A policy that says so is refused, with the field's name."""
    answer = call("POST", "/certificates/web/create", {"policy": policy(exportable=True)})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadParameter")
    assert "key_props.exportable" in answer.json()["error"]["message"]


def test_where_there_is_no_token_the_policy_is_refused(tmp_path: Path, clock: FakeClock) -> None:
    """A standard vault takes no such policy, for a new certificate, for an import, or for one that is there."""
    with open_world(tmp_path, clock) as world:
        call = Caller(world)
        call.create("there")
        parcel = a_parcel(key=generate_key("EC", None, "P-256"))
        taken = {"value": parcel.pfx(), "policy": {"key_props": {"kty": "EC-HSM"}}}
        answers = [
            call("POST", "/certificates/web/create", {"policy": policy()}),
            call("PATCH", "/certificates/there/policy", {"key_props": {"kty": "EC-HSM"}}),
            call("POST", "/certificates/taken/import", taken),
        ]
        assert call("GET", "/certificates/web").status_code == 404
    for answer in answers:
        assert answer.status_code == 400, answer.text
        assert "key_props.kty" in answer.json()["error"]["message"]
        assert "premium SKU" in answer.json()["error"]["message"]


def test_a_request_that_a_person_carries_is_signed_in_the_token(call: Caller, premium: World) -> None:
    """The CSR of issuer Unknown holds, and what a CA makes of it is merged with the token's key."""
    call.create("web", policy("RSA-HSM", "Unknown"))
    csr = base64.b64decode(call("GET", "/certificates/web/pending").json()["csr"])
    assert load_der_x509_csr(csr).is_signature_valid
    root = premium.authority
    leaf = sign_csr(csr, root.root, root._key, premium.clock(), premium.clock() + timedelta(days=90))
    merged = call("POST", "/certificates/web/pending/merge", {"x5c": [base64.b64encode(leaf).decode()]})
    assert merged.status_code == 201, merged.text
    check_signatures(call, "web", ("RS256",))


def test_an_integrated_ca_issues_and_renewals_make_new_keys(call: Caller, premium: World) -> None:
    """The worker brings the certificate in; each renewal has a new key in the token, and with `reuse_key` the same one."""
    premium.house.issuers.set(SERVICE, premium.vault, "ca", IssuerParameters("Scripted"))
    rounds, administrator = Rounds(premium.house, "worker"), premium.administrator
    caller = PersonCaller(administrator.object_id, administrator.client_id, administrator.tenant_id)
    seen: list[tuple[str, str | None]] = []
    for change in (None, None, {"reuse_key": True}):
        if not seen:
            call.create("web", policy(issuer="ca"))
        else:
            if change:
                call("PATCH", "/certificates/web/policy", {"key_props": change})
            premium.house.requested.renew_now(caller, premium.vault, "web")
        rounds.run_due(premium.clock())
        seen.append((key_of(premium).version, key_of(premium).hsm_key_id))
        check_signatures(call, "web", ("ES256",))
    assert len({version for version, _ in seen}) == 3
    assert seen[0][1] != seen[1][1] == seen[2][1]


def test_a_certificate_is_imported_into_the_token(call: Caller, premium: World) -> None:
    """An import whose policy says so puts the key into the token, and the secret keeps the certificate alone."""
    parcel = a_parcel(key=generate_key("EC", None, "P-256"))
    body = {"value": parcel.pfx(), "policy": {"key_props": {"kty": "EC-HSM"}}}
    answer = call("POST", "/certificates/web/import", body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["policy"]["key_props"]["kty"] == "EC-HSM"
    assert key_of(premium).public_key
    check_signatures(call, "web", ("ES256",))
    opened = pkcs12.load_pkcs12(base64.b64decode(call("GET", "/secrets/web").json()["value"]), b"")
    assert opened.key is None


def test_the_keys_go_with_the_certificate(call: Caller, premium: World) -> None:
    """Purged, or given up before it was issued: the worker destroys the keys in the token."""
    call.create("web", policy())
    call.create("given-up", policy(issuer="Unknown"))
    with premium.house.store.reading() as reader:
        key_ids = reader.hsm_keys()
    assert len(key_ids) == 2
    assert call("DELETE", "/certificates/web").status_code == 200
    assert call("DELETE", "/deletedcertificates/web").status_code == 204
    assert call("DELETE", "/certificates/given-up/pending").status_code == 200
    premium.clock.advance(timedelta(hours=2))
    Rounds(premium.house, "worker").run("clearance", premium.clock())
    assert not any(is_in_token(premium, key_id) for key_id in key_ids)
    with premium.house.store.reading() as reader:
        assert reader.hsm_keys() == ()


def test_such_a_certificate_is_not_backed_up(call: Caller) -> None:
    """A backup would need the key, and the error says where it lies."""
    call.create("web", policy())
    answer = call("POST", "/certificates/web/backup")
    assert answer.status_code in {400, 403}
    assert "token" in answer.json()["error"]["message"]


def test_without_its_token_a_certificate_is_503(call: Caller, soft_token: SoftToken, premium: World) -> None:
    """A key that cannot be made now is asked for again later, and nothing half is left."""
    hidden = soft_token.path.parent.parent / "away"
    soft_token.path.rename(hidden)
    try:
        answer = call("POST", "/certificates/web/create", {"policy": policy()})
    finally:
        hidden.rename(soft_token.path)
    assert answer.status_code == 503
    assert call("GET", "/certificates/web").status_code == 404
    token: Any = premium.house.materials._hsm
    token._pool._library._restarted_at -= 10
    call.create("web", policy())
