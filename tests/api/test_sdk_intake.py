"""Import, update, backup, restore, contacts and issuers by Microsoft's own Python SDK, as it comes from PyPI; also async."""

import asyncio
import base64
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.identity.aio import ClientSecretCredential as AsyncClientSecretCredential
from azure.keyvault.certificates import (
    AdministratorContact,
    CertificateContact,
    CertificateContentType,
    CertificatePolicy,
    KeyVaultCertificate,
    LifetimeAction,
)
from azure.keyvault.certificates.aio import CertificateClient as AsyncCertificateClient
from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12

from certworker.vault.operations import OperationStatus
from certworker.worker.rounds import Rounds
from tests.api.test_sdks import QUICK, VERSIONS, Clients, clients, no_challenges, self_signed
from tests.support.parcels import PKCS8, a_parcel

__all__ = ["clients", "no_challenges"]

PARCEL = a_parcel()
PASSWORD = "correct horse"
PEM_POLICY: dict[str, Any] = {"content_type": CertificateContentType.pem}
CONTACTS = [
    CertificateContact(email="ada@contoso.example", name="Ada", phone="1"),
    CertificateContact(email="b@contoso.example"),
]


def in_bytes(value: str) -> bytes:
    """Give what the SDK takes: the file itself, of what goes as base64."""
    return base64.b64decode(value)


def check_arrived(made: KeyVaultCertificate) -> None:
    """Check that the certificate is the one that was brought, and its policy the one that was read."""
    assert made.cer == bytearray(PARCEL.leaf)
    assert made.policy is not None
    assert (made.policy.issuer_name, made.policy.subject) == ("Unknown", "CN=brought.test")
    assert made.policy.san_dns_names == ["brought.test"]
    assert [str(action.action) for action in made.policy.lifetime_actions or []] == ["CertificatePolicyAction.email_contacts"]


@VERSIONS
def test_pkcs12_and_pem_come_in(clients: Clients, options: dict[str, Any]) -> None:
    """With the policy of the SDK's documentation and without one, protected and not; the secret opens."""
    with clients.certificates(**options) as client, clients.secrets(**options) as secrets:
        check_arrived(client.import_certificate("pfx", in_bytes(PARCEL.pfx(PASSWORD)), password=PASSWORD, tags={"a": "b"}))
        key, leaf, _ = pkcs12.load_key_and_certificates(base64.b64decode(secrets.get_secret("pfx").value or ""), None)
        assert leaf is not None
        assert key is not None
        policy = CertificatePolicy("Unknown", **PEM_POLICY)
        check_arrived(client.import_certificate("pem", PARCEL.pem().encode(), policy=policy))
        protected = PARCEL.pem(PKCS8, PASSWORD).encode()
        check_arrived(client.import_certificate("plain", protected, password=PASSWORD, enabled=False))
        pem = (secrets.get_secret("pem").value or "").encode()
        assert load_pem_private_key(pem, None).public_key() == key.public_key()
        with pytest.raises(HttpResponseError, match="disabled secret"):
            secrets.get_secret("plain")
        with pytest.raises(HttpResponseError, match="does not open the content") as refused:
            client.import_certificate("wrong", in_bytes(PARCEL.pfx(PASSWORD)), password="wrong horse")
        assert "horse" not in str(refused.value)
        listed = {item.name: item for item in client.list_properties_of_certificates()}
        assert set(listed) == {"pfx", "pem", "plain"}
        assert listed["pfx"].tags == {"a": "b"}
        with pytest.raises(ResourceNotFoundError, match="Pending certificate not found"):
            client.get_certificate_operation("pfx")


def test_an_imported_one_is_handed_to_an_issuer(clients: Clients) -> None:
    """A policy with an integrated issuer and AutoRenew goes with the import; the next version is the issuer's."""
    world = clients.world
    with clients.certificates() as client:
        client.create_issuer("MyCA", "Scripted")
        actions = [LifetimeAction("AutoRenew", lifetime_percentage=50)]
        client.import_certificate("web", in_bytes(PARCEL.pfx()), policy=CertificatePolicy("MyCA", lifetime_actions=actions))
    with world.house.store.reading() as reader:
        certificate = reader.certificate(world.vault.id, "web")
    assert certificate is not None
    assert certificate.renewal.due_at is not None
    world.clock.set(certificate.renewal.due_at)
    rounds = Rounds(world.house, "worker")
    rounds.run_due(world.clock())
    rounds.run_due(world.clock())
    # the first client's token is from before
    with clients.certificates() as client:
        assert client.get_certificate_operation("web").status == OperationStatus.COMPLETED.value
        assert client.get_certificate("web").cer != bytearray(PARCEL.leaf)
        assert len(list(client.list_properties_of_certificate_versions("web"))) == 2


@VERSIONS
def test_properties_and_policy_are_updated(clients: Clients, options: dict[str, Any]) -> None:
    """One version, or the current one; what is not sent stays."""
    with clients.certificates(**options) as client:
        made = client.begin_create_certificate("web", self_signed(), tags={"a": "b"}, **QUICK).result()
        assert isinstance(made, KeyVaultCertificate)
        assert made.properties is not None
        version = made.properties.version or ""
        changed = client.update_certificate_properties("web", version, enabled=False)
        assert changed.properties is not None
        assert (changed.properties.enabled, changed.properties.tags) == (False, {"a": "b"})
        changed = client.update_certificate_properties("web", enabled=True, tags={"c": "d"})
        assert changed.properties is not None
        assert (changed.properties.enabled, changed.properties.tags, changed.properties.version) == (True, {"c": "d"}, version)
        policy = client.get_certificate_policy("web")
        policy._validity_in_months = 6
        assert client.update_certificate_policy("web", policy).validity_in_months == 6
        with pytest.raises(ResourceNotFoundError):
            client.update_certificate_properties("web", "0" * 32, enabled=True)


@VERSIONS
def test_a_backup_is_restored(clients: Clients, options: dict[str, Any]) -> None:
    """All versions come back, once the name is free again."""
    with clients.certificates(**options) as client:
        client.import_certificate("web", in_bytes(PARCEL.pfx()))
        client.begin_create_certificate("web", self_signed(), **QUICK).result()
        before = [item.version for item in client.list_properties_of_certificate_versions("web")]
        backup = client.backup_certificate("web")
        with pytest.raises(ResourceExistsError, match="already exists"):
            client.restore_certificate_backup(backup)
        client.begin_delete_certificate("web", **QUICK).wait()
        with pytest.raises(ResourceExistsError, match="deleted but recoverable"):
            client.restore_certificate_backup(backup)
        client.purge_deleted_certificate("web")
        restored = client.restore_certificate_backup(backup)
        assert restored.cer == client.get_certificate("web").cer
        assert [item.version for item in client.list_properties_of_certificate_versions("web")] == before
        with pytest.raises(HttpResponseError, match="altered, or is cut off"):
            client.restore_certificate_backup(backup[:-1])


@VERSIONS
def test_contacts_and_issuers(clients: Clients, options: dict[str, Any]) -> None:
    """All that the SDK can do with them."""
    administrator = AdministratorContact(first_name="Ada", last_name="L", email="ada@contoso.example", phone="1")
    with clients.certificates(**options) as client:
        with pytest.raises(ResourceNotFoundError, match="Contacts not found"):
            client.get_contacts()
        for answer in (client.set_contacts(CONTACTS), client.get_contacts(), client.delete_contacts()):
            assert [(contact.email, contact.name, contact.phone) for contact in answer] == [
                ("ada@contoso.example", "Ada", "1"),
                ("b@contoso.example", None, None),
            ]
        with pytest.raises(ResourceNotFoundError):
            client.delete_contacts()
        client.create_issuer("MyCA", "Scripted", account_id="me", password="word", organization_id="org", enabled=True)
        changed = client.update_issuer("MyCA", admin_contacts=[administrator], enabled=False)
        assert (changed.provider, changed.account_id, changed.organization_id) == ("Scripted", "me", "org")
        assert changed.enabled is False
        assert changed.admin_contacts is not None
        assert changed.admin_contacts[0].email == "ada@contoso.example"
        assert client.get_issuer("myca").updated_on is not None
        assert [issuer.name for issuer in client.list_properties_of_issuers()] == ["MyCA"]
        assert client.delete_issuer("MyCA").account_id == "me"
        with pytest.raises(ResourceNotFoundError):
            client.update_issuer("MyCA", enabled=True)


@VERSIONS
def test_the_async_sdk_does_the_same(clients: Clients, options: dict[str, Any]) -> None:
    """Import, update, back up, restore; contacts and issuers."""

    async def story() -> None:
        world = clients.world
        credential = AsyncClientSecretCredential(
            world.tenant,
            world.administrator.client_id,
            world.client_secret,
            authority=world.house.settings.authority,
            disable_instance_discovery=True,
            **clients.verify,
        )
        client = AsyncCertificateClient(world.vault_url, credential, **clients.verify, **options)
        async with credential, client:
            check_arrived(await client.import_certificate("web", in_bytes(PARCEL.pfx(PASSWORD)), password=PASSWORD))
            changed = await client.update_certificate_properties("web", tags={"a": "b"})
            assert changed.properties is not None
            assert changed.properties.tags == {"a": "b"}
            policy = await client.get_certificate_policy("web")
            assert (await client.update_certificate_policy("web", policy)).subject == "CN=brought.test"
            backup = await client.backup_certificate("web")
            await client.delete_certificate("web", **QUICK)
            await client.purge_deleted_certificate("web")
            assert (await client.restore_certificate_backup(backup)).cer == changed.cer
            assert len(await client.set_contacts(CONTACTS)) == len(await client.get_contacts()) == 2
            assert len(await client.delete_contacts()) == 2
            await client.create_issuer("MyCA", "Scripted", account_id="me")
            assert (await client.update_issuer("MyCA", enabled=False)).account_id == "me"
            assert (await client.get_issuer("MyCA")).enabled is False
            assert [issuer.name async for issuer in client.list_properties_of_issuers()] == ["MyCA"]
            assert (await client.delete_issuer("MyCA")).name == "MyCA"

    asyncio.run(story())
