"""Microsoft's own Python SDKs, as they come from PyPI, against a real server over TLS."""

import asyncio
import base64
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.identity import ClientSecretCredential
from azure.identity.aio import ClientSecretCredential as AsyncClientSecretCredential
from azure.keyvault.certificates import (
    AdministratorContact,
    CertificateClient,
    CertificateContentType,
    CertificateOperation,
    CertificatePolicy,
    KeyVaultCertificate,
)
from azure.keyvault.certificates._shared import http_challenge_cache
from azure.keyvault.certificates.aio import CertificateClient as AsyncCertificateClient
from azure.keyvault.secrets import SecretClient
from azure.keyvault.secrets.aio import SecretClient as AsyncSecretClient
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12
from cryptography.x509 import load_der_x509_certificate, load_pem_x509_certificates

from certworker.vault.access import SERVICE
from certworker.vault.issuers import IssuerParameters
from certworker.worker.rounds import Rounds
from tests.api.world import TestAuthority, World

VERSIONS = pytest.mark.parametrize("options", [{}, {"api_version": "7.4"}], ids=["default", "7.4"])
QUICK: Any = {"_polling_interval": 0}


@pytest.fixture(autouse=True)
def no_challenges() -> Iterator[None]:
    """Let the SDK learn anew where to ask for tokens; its cache is the process's."""
    http_challenge_cache.clear()
    yield
    http_challenge_cache.clear()


class Clients:
    """The SDKs' clients of one deployment."""

    def __init__(self, world: World, authority: TestAuthority) -> None:
        self.world = world
        self.verify = {"connection_verify": str(authority.bundle)}

    def credential(self, secret: str | None = None, **changes: str) -> ClientSecretCredential:
        """Log in as the administrator, unless told otherwise."""
        fields = {
            "tenant_id": self.world.tenant,
            "client_id": self.world.administrator.client_id,
            "client_secret": secret or self.world.client_secret,
            "authority": self.world.house.settings.authority,
        }
        return ClientSecretCredential(**(fields | changes), disable_instance_discovery=True, **self.verify)

    def certificates(self, credential: ClientSecretCredential | None = None, **options: str) -> CertificateClient:
        """Make a client of certificates."""
        return CertificateClient(self.world.vault_url, credential or self.credential(), **self.verify, **options)

    def secrets(self, **options: str) -> SecretClient:
        """Make a client of secrets."""
        return SecretClient(self.world.vault_url, self.credential(), **self.verify, **options)


@pytest.fixture
def clients(served: World, authority: TestAuthority) -> Clients:
    """Give the SDKs' clients of a served deployment."""
    return Clients(served, authority)


def self_signed(**changes: object) -> CertificatePolicy:
    """Say what a quickly made self-signed certificate is."""
    fields: dict[str, Any] = {
        "subject": "CN=web.example",
        "san_dns_names": ["web.example"],
        "key_type": "EC",
        "key_curve_name": "P-256",
    }
    return CertificatePolicy("Self", **(fields | {"key_usage": ["digitalSignature"]} | changes))


@VERSIONS
def test_a_self_signed_certificate_lives_and_dies(clients: Clients, options: dict[str, Any]) -> None:
    """Create, read, list, delete, recover, delete again and purge, by the SDK."""
    with clients.certificates(**options) as client:
        made = client.begin_create_certificate("Web", self_signed(), tags={"team": "a"}, **QUICK).result()
        assert isinstance(made, KeyVaultCertificate)
        assert made.properties is not None
        assert made.name == "Web"
        assert made.properties.tags == {"team": "a"}
        assert made.properties.recovery_level == "Recoverable+Purgeable"
        assert made.properties.x509_thumbprint is not None
        leaf = load_der_x509_certificate(bytes(made.cer or b""))
        assert leaf.subject.rfc4514_string() == "CN=web.example"
        assert client.get_certificate_version("web", made.properties.version or "").cer == made.cer
        assert [item.name for item in client.list_properties_of_certificates()] == ["Web"]
        assert [item.version for item in client.list_properties_of_certificate_versions("Web")] == [made.properties.version]

        client.begin_delete_certificate("Web", **QUICK).wait()
        deleted = client.get_deleted_certificate("Web")
        assert deleted.recovery_id == f"{clients.world.vault_url}/deletedcertificates/Web"
        assert deleted.scheduled_purge_date == clients.world.clock() + timedelta(days=90)
        assert [item.name for item in client.list_deleted_certificates()] == ["Web"]
        with pytest.raises(ResourceNotFoundError, match="was not found in this key vault"):
            client.get_certificate("Web")
        with pytest.raises(ResourceExistsError, match="deleted but recoverable"):
            client.begin_create_certificate("Web", self_signed())

        client.begin_recover_deleted_certificate("Web", **QUICK).wait()
        assert client.get_certificate("Web").cer == made.cer
        client.begin_delete_certificate("Web", **QUICK).wait()
        client.purge_deleted_certificate("Web")
        assert list(client.list_deleted_certificates()) == []


@VERSIONS
def test_the_policy_is_read_and_changed(clients: Clients, options: dict[str, Any]) -> None:
    """A policy that the SDK read can be sent back changed, and the default action does not become a choice by it."""
    with clients.certificates(**options) as client:
        client.begin_create_certificate("web", self_signed(), **QUICK).result()
        policy = client.get_certificate_policy("web")
        assert (policy.key_type, policy.key_curve_name, policy.exportable) == ("EC", "P-256", True)
        assert policy.validity_in_months == 12
        assert policy.lifetime_actions is not None
        assert [action.lifetime_percentage for action in policy.lifetime_actions] == [80]
        policy._validity_in_months = 6
        changed = client.update_certificate_policy("web", policy)
        assert changed.validity_in_months == 6
        assert changed.san_dns_names == ["web.example"]
    known = clients.world.house.certificates.policy(SERVICE, clients.world.vault, "web")
    assert known.policy.lifetime_actions_set is False


@VERSIONS
def test_the_secret_of_a_certificate_opens(clients: Clients, options: dict[str, Any]) -> None:
    """The PKCS#12 secret holds key and certificate, and so does the PEM one."""
    with clients.certificates(**options) as client, clients.secrets(**options) as secrets:
        made = client.begin_create_certificate("pfx", self_signed(), **QUICK).result()
        assert isinstance(made, KeyVaultCertificate)
        assert made.properties is not None
        secret = secrets.get_secret("pfx")
        assert secret.value is not None
        assert secret.properties.content_type == CertificateContentType.pkcs12.value
        assert secret.properties.managed is True
        assert secret.properties.key_id == f"{clients.world.vault_url}/keys/pfx/{made.properties.version}"
        key, leaf, _ = pkcs12.load_key_and_certificates(base64.b64decode(secret.value), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        assert leaf is not None
        assert leaf.public_key() == key.public_key()

        policy = self_signed(content_type=CertificateContentType.pem, key_type="RSA", key_size=2048, key_curve_name=None)
        client.begin_create_certificate("pem", policy, **QUICK).result()
        pem = (secrets.get_secret("pem").value or "").encode()
        private = load_pem_private_key(pem, None)
        assert isinstance(private, rsa.RSAPrivateKey)
        assert load_pem_x509_certificates(pem)[0].public_key() == private.public_key()
        assert sorted(item.name or "" for item in secrets.list_properties_of_secrets()) == ["pem", "pfx"]
        assert len(list(secrets.list_properties_of_secret_versions("pem"))) == 1


def test_a_certificate_signing_request_waits_for_its_owner(clients: Clients) -> None:
    """With the issuer Unknown the poller gives the operation and its CSR at once; it can be cancelled and deleted."""
    with clients.certificates() as client:
        operation = client.begin_create_certificate("manual", CertificatePolicy("Unknown", subject="CN=m")).result()
        assert isinstance(operation, CertificateOperation)
        assert operation.status == "inProgress"
        assert operation.csr is not None
        assert operation.status_details == "Pending certificate created. Please Perform Merge to complete the request."
        assert list(client.list_properties_of_certificates()) == []
        assert [(item.name, item.enabled) for item in client.list_properties_of_certificates(include_pending=True)] == [
            ("manual", False)
        ]
        assert client.cancel_certificate_operation("manual").cancellation_requested is True
        assert client.delete_certificate_operation("manual").status == "inProgress"
        with pytest.raises(ResourceNotFoundError, match="Pending certificate not found: manual"):
            client.get_certificate_operation("manual")


def test_two_creates_at_once_are_a_conflict(clients: Clients) -> None:
    """The second create of a name is refused while the first is in progress."""
    with clients.certificates() as client:
        client.begin_create_certificate("twice", CertificatePolicy("Unknown", subject="CN=m"))
        with pytest.raises(ResourceExistsError, match="status is inProgress"):
            client.begin_create_certificate("twice", CertificatePolicy("Unknown", subject="CN=m"))


def test_issuers_are_set_and_deleted(clients: Clients) -> None:
    """An issuer comes back as it was set, save its password."""
    contact = AdministratorContact(first_name="Ada", last_name="L", email="ada@contoso.example", phone="1")
    with clients.certificates() as client:
        made = client.create_issuer(
            "ca", "Scripted", account_id="me", password="hush", organization_id="org", admin_contacts=[contact], enabled=True
        )
        assert (made.provider, made.account_id, made.password, made.organization_id) == ("Scripted", "me", None, "org")
        assert client.get_issuer("CA").admin_contacts is not None
        assert [item.name for item in client.list_properties_of_issuers()] == ["ca"]
        assert client.delete_issuer("ca").name == "ca"
        with pytest.raises(ResourceNotFoundError, match="Issuer not found"):
            client.get_issuer("ca")
        with pytest.raises(ResourceNotFoundError, match="Issuer not found: ca"):
            client.begin_create_certificate("web", CertificatePolicy("ca", subject="CN=m"))
        with pytest.raises(HttpResponseError, match="provider has the value 'Nobody'"):
            client.create_issuer("x", "Nobody")


def test_a_certificate_of_a_ca_is_pending_first(clients: Clients) -> None:
    """The SDK sees the texts of an issuer that takes its time, and the certificate once the worker has been there."""
    world = clients.world
    world.house.issuers.set(SERVICE, world.vault, "ca", IssuerParameters("Scripted"))
    with clients.certificates() as client:
        policy = self_signed()
        policy._issuer_name = "ca"
        poller = client.begin_create_certificate("web", policy, _polling_interval=0.02)
        operation = client.get_certificate_operation("web")
        assert operation.status == "inProgress"
        assert (operation.status_details or "").startswith("Pending certificate created. Certificate request is in progress.")
        Rounds(world.house, "test-worker").run_due(world.clock())
        made = poller.result()
        assert isinstance(made, KeyVaultCertificate)
        assert load_der_x509_certificate(bytes(made.cer or b"")).issuer.rfc4514_string() == "CN=Scripted root"
        assert client.get_certificate_operation("web").status == "completed"


def test_a_wrong_secret_is_refused_by_the_identity_provider(clients: Clients) -> None:
    """A wrong secret and an unknown client are refused by the numbers that the service has for them."""
    for credential, number in (
        (clients.credential("wrong"), "AADSTS7000215"),
        (clients.credential(client_id="4e8b1d42-1b4f-4a7e-9f6e-0d2f6e1f2a3b"), "AADSTS700016"),
    ):
        with clients.certificates(credential) as client, pytest.raises(ClientAuthenticationError, match=number):
            client.get_certificate("web")


def test_an_unknown_tenant_is_refused(clients: Clients) -> None:
    """The discovery of a tenant that does not exist fails with a word of advice."""
    credential = clients.credential(tenant_id="11111111-2222-3333-4444-555555555555")
    with pytest.raises(ClientAuthenticationError, match="tenant"):
        credential.get_token(f"{clients.world.house.settings.resource}/.default")


def test_somebody_without_permission_is_refused(clients: Clients) -> None:
    """A principal who may do nothing gets 403 and Key Vault's text."""
    principal, secret = clients.world.add_principal("guest", administrator=False)
    credential = clients.credential(secret, client_id=principal.client_id)
    with clients.certificates(credential) as client, pytest.raises(HttpResponseError) as caught:
        client.get_certificate("web")
    assert caught.value.status_code == 403
    assert "Action: 'Microsoft.KeyVault/vaults/certificates/read'" in str(caught.value)


def test_the_bare_domain_is_the_first_vault(clients: Clients) -> None:
    """A client that turns the challenge check off is served at localhost, and asks for its token there."""
    world = clients.world
    url = f"https://{world.house.settings.netloc}"
    credential = clients.credential(authority=url)
    with CertificateClient(url, credential, verify_challenge_resource=False, **clients.verify) as client:
        client.begin_create_certificate("web", self_signed(), **QUICK).result()
        assert (client.get_certificate("web").id or "").startswith(f"{url}/certificates/web/")


def test_lists_go_on_page_by_page(clients: Clients) -> None:
    """The SDK follows nextLink until all are listed, pending ones too, whatever the size of a page."""
    with clients.certificates() as client:
        names = [f"c{number}" for number in range(7)]
        for name in names:
            client.begin_create_certificate(name, self_signed(), **QUICK).result()
        client.begin_create_certificate("pending", CertificatePolicy("Unknown", subject="CN=m", key_type="EC"))
        pages = client.list_properties_of_certificates(include_pending=True, max_page_size=3).by_page()
        assert [len(list(page)) for page in pages] == [3, 3, 2]
        assert [item.name for item in client.list_properties_of_certificates(max_page_size=2)] == names


@VERSIONS
def test_the_asynchronous_clients_do_the_same(clients: Clients, options: dict[str, Any]) -> None:
    """Create, read and delete with the aio clients."""
    world = clients.world

    async def story() -> None:
        credential = AsyncClientSecretCredential(
            world.tenant,
            world.administrator.client_id,
            world.client_secret,
            authority=world.house.settings.authority,
            disable_instance_discovery=True,
            **clients.verify,
        )
        certificates = AsyncCertificateClient(world.vault_url, credential, **clients.verify, **options)
        secrets = AsyncSecretClient(world.vault_url, credential, **clients.verify, **options)
        async with credential, certificates, secrets:
            made = await certificates.create_certificate("web", self_signed(), **QUICK)
            assert isinstance(made, KeyVaultCertificate)
            secret = await secrets.get_secret("web")
            assert pkcs12.load_key_and_certificates(base64.b64decode(secret.value or ""), None)[1] is not None
            assert [item.name async for item in certificates.list_properties_of_certificates()] == ["web"]
            await certificates.delete_certificate("web", **QUICK)
            await certificates.purge_deleted_certificate("web")

    asyncio.run(story())
