"""What a provider has signed by the certificate's key, wherever that lies, and what of it can be a client's in TLS."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, HashAlgorithm
from cryptography.x509 import load_der_x509_csr

from certworker.errors import SettingsError
from certworker.vault.access import SERVICE, Caller
from certworker.vault.client_certificates import ClientCertificates
from certworker.vault.issuers import IssuerParameters
from certworker.vault.policy import SELF, KeyProperties
from certworker.worker.rounds import Rounds
from tests.api.world import World, open_world
from tests.support.clock import FakeClock
from tests.support.deployment import ISSUER, Deployment, ScriptedAuthority, open_deployment, policy_for
from tests.support.softhsm import SoftToken

DATA = b"what a CA wants signed"
KEYS = [
    (KeyProperties("RSA", 2048), SHA256()),
    (KeyProperties("EC", None, "P-256"), SHA256()),
    (KeyProperties("EC", None, "P-384"), SHA384()),
]
HSM_KEYS = [
    (KeyProperties("RSA-HSM", 2048, exportable=False), SHA256()),
    (KeyProperties("EC-HSM", None, "P-384", exportable=False), SHA384()),
]


@pytest.fixture
def deployment(tmp_path: Path, clock: FakeClock) -> Iterator[Deployment]:
    """Set a deployment up."""
    with open_deployment(tmp_path, clock) as deployment:
        yield deployment


def check_signed(authority: ScriptedAuthority, algorithm: HashAlgorithm) -> None:
    """Check that what the last request signs verifies by the key of its CSR, and that nothing of it is in a repr."""
    request = authority.requests[-1]
    assert request.sign
    signature, public = request.sign(DATA), load_der_x509_csr(request.csr).public_key()
    if isinstance(public, rsa.RSAPublicKey):
        public.verify(signature, DATA, padding.PKCS1v15(), algorithm)
    else:
        assert isinstance(public, ec.EllipticCurvePublicKey)
        public.verify(signature, DATA, ec.ECDSA(algorithm))
    assert "sign" not in repr(request)


@pytest.mark.parametrize(("key", "algorithm"), KEYS, ids=["RSA", "P-256", "P-384"])
def test_a_key_of_the_vault_signs(deployment: Deployment, key: KeyProperties, algorithm: HashAlgorithm) -> None:
    """The one of the operation, with the hash that belongs to it."""
    deployment.create("web", policy_for("web.test", key=key))
    deployment.work()
    check_signed(deployment.authority, algorithm)


@pytest.fixture
def premium(tmp_path: Path, clock: FakeClock, soft_token: SoftToken) -> Iterator[World]:
    """Give a deployment with a token, whose vault is of the premium SKU."""
    with open_world(tmp_path, clock, hsm=soft_token.settings) as world:
        world.house.issuers.set(SERVICE, world.vault, ISSUER, IssuerParameters("Scripted"))
        yield world


@pytest.mark.system("softhsm2-util")
@pytest.mark.parametrize(("key", "algorithm"), HSM_KEYS, ids=["RSA", "P-384"])
def test_a_key_of_the_token_signs_there(premium: World, key: KeyProperties, algorithm: HashAlgorithm) -> None:
    """As one of the vault does."""
    house, administrator = premium.house, premium.administrator
    caller = Caller(administrator.object_id, administrator.client_id, administrator.tenant_id)
    house.certificates.create(caller, premium.vault, "web", policy_for("web.test", key=key), tags={})
    Rounds(house, "worker").run_due(premium.clock())
    check_signed(premium.authority, algorithm)


@pytest.mark.system("softhsm2-util")
def test_a_key_of_the_token_is_no_clients_key(premium: World) -> None:
    """TLS would need it outside; the refusal says what would be right."""
    house, administrator = premium.house, premium.administrator
    caller = Caller(administrator.object_id, administrator.client_id, administrator.tenant_id)
    policy = policy_for("client.test", SELF, key=KeyProperties("EC-HSM", None, "P-256", exportable=False))
    house.certificates.create(caller, premium.vault, "client", policy, tags={})
    premium.clock.advance(timedelta(minutes=1))
    with pytest.raises(SettingsError, match="lies in a hardware token: TLS needs a key that lies here"):
        ClientCertificates(house.store, house.materials).find("contoso/client", "issuers.ca.client_certificate")
