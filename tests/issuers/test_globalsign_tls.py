"""The GlobalSign provider over real mutual TLS, with a client certificate of a vault."""

import ssl
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from ca_sim.clock import utc_now
from ca_sim.planes import PlaneName
from ca_sim.server import Running, serve_in_thread
from ca_sim.settings import read
from certworker.crypto.bundles import pem_bundle
from certworker.crypto.keys import generate_key, public_der
from certworker.crypto.signing_requests import public_pem
from certworker.crypto.x509 import split_pem
from certworker.errors import SettingsError
from certworker.issuers.globalsign import GlobalsignIssuerSettings, GlobalsignProvider
from certworker.network.egress import EgressRules
from certworker.network.http import Trust
from certworker.vault.client_certificates import ClientCertificate, ClientCertificates
from certworker.vault.imports import Arrival
from certworker.vault.issuance import Issued, Pending, Step
from certworker.vault.objects import CertificateVersion
from certworker.vault.policy import SELF
from tests.issuers.atlas import PLACE, make_request
from tests.support.deployment import Deployment, open_deployment, policy_for

FREE = {"port": 0, "management_port": 0, "public_port": 0, "digicert": {"port": 0}}
NAME = PLACE.partition("/")[2]


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    """Set a deployment up that lives in real time, as TLS does."""
    with open_deployment(tmp_path, utc_now) as deployment:
        yield deployment


def present_self_signed(deployment: Deployment, folder: Path) -> Path:
    """Make a self-signed client certificate in the vault; give a PEM file with it."""
    deployment.create(NAME, policy_for("client.example.test", SELF))
    file = folder / "clients.pem"
    file.write_text(ssl.DER_cert_to_PEM_cert(deployment.get(NAME).version.der))
    return file


@pytest.fixture
def running(deployment: Deployment, tmp_path: Path) -> Iterator[Running]:
    """Serve an authority that trusts the vault's client certificate by itself."""
    trusted = present_self_signed(deployment, tmp_path)
    with serve_in_thread(read({**FREE, "globalsign": {"port": 0, "client_roots": str(trusted)}}), utc_now) as running:
        (tmp_path / "root.pem").write_bytes(running.root_pem)
        yield running


@pytest.fixture
def provider(deployment: Deployment, running: Running, tmp_path: Path) -> GlobalsignProvider:
    """Make a provider that presents the vault's client certificate."""
    url = f"{running.bases[PlaneName.GLOBALSIGN]}/v2"
    settings = GlobalsignIssuerSettings(url, str(tmp_path / "root.pem"), PLACE)
    present = ClientCertificates(deployment.house.store, deployment.house.materials).find
    return GlobalsignProvider(EgressRules(("localhost",)), lambda _: settings, present)


def run(provider: GlobalsignProvider) -> Step:
    """Take steps until one ends it, or fails."""
    result: Step = Pending({}, None)
    for _ in range(20):
        assert isinstance(result, Pending)
        result = provider.step(make_request(), result.progress, utc_now())
        if not isinstance(result, Pending) or result.failure:
            return result
    raise AssertionError("not done")


def bring_client_certificate(deployment: Deployment, running: Running) -> CertificateVersion:
    """Have management issue a client certificate, and import it as the next version."""
    key = generate_key("EC", None, "P-256")
    answer = httpx.post(f"{running.management_url}/globalsign/clients", json={"public_key": public_pem(public_der(key))})
    leaf, *chain = split_pem(answer.json()["certificate"].encode())
    arrival = Arrival(pem_bundle(key, leaf, chain).decode(), None)
    deployment.house.imports.import_(deployment.administrator, deployment.vault, NAME, arrival)
    return deployment.get(NAME).version


def test_a_client_certificate_of_the_vault_is_presented(
    deployment: Deployment, running: Running, provider: GlobalsignProvider
) -> None:
    """Its current version: one that the CA does not know is not let in, and once it is renewed the next step is."""
    assert isinstance(run(provider), Issued)
    deployment.create(NAME, policy_for("other.example.test", SELF))
    refused = run(provider)
    assert isinstance(refused, Pending)
    assert "localhost" in (refused.failure or "")
    examined = provider.examine(make_request(), utc_now())
    assert (examined.passed, "check the client certificate" in examined.findings[-1]) == (False, True)
    bring_client_certificate(deployment, running)
    assert isinstance(run(provider), Issued)


def test_a_context_is_made_once_for_each_version(
    deployment: Deployment, running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key is opened for that alone, and no file of it is left."""
    opened: list[str] = []
    (folder := tmp_path / "passing").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    trust, bundle = Trust(), tmp_path / "root.pem"
    assert running.root_pem

    def find() -> ClientCertificate:
        found = ClientCertificates(deployment.house.store, deployment.house.materials).find(PLACE, "setting")
        return ClientCertificate(found.place, found.version, found.certificates, noting(found))

    def noting(found: ClientCertificate) -> Callable[[], bytes]:
        def open_key() -> bytes:
            opened.append(found.version)
            return found.open_key()

        return open_key

    first = trust.context(bundle, find())
    assert trust.context(bundle, find()) is first
    assert trust.context(bundle) is not first
    assert len(opened) == 1
    deployment.create(NAME, policy_for("client.example.test", SELF))
    assert trust.context(bundle, find()) is not first
    assert len(set(opened)) == len(opened) == 2
    assert list(folder.iterdir()) == []


def test_a_certificate_and_a_key_that_do_not_go_together_are_told(deployment: Deployment, tmp_path: Path) -> None:
    """By the name of the certificate, and nothing of the key."""
    present_self_signed(deployment, tmp_path)
    found = ClientCertificates(deployment.house.store, deployment.house.materials).find(PLACE, "setting")
    other = ClientCertificate(PLACE, "1", found.certificates, lambda: generate_key("EC", None, "P-256"))
    with pytest.raises(SettingsError, match=f"{PLACE} cannot be presented"):
        Trust().context(None, other)
