"""Every public method of Azure's Python clients of certificates: both clients, at two api-versions, and none left out."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Self

import pytest
from azure.core.async_paging import AsyncItemPaged
from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.core.paging import ItemPaged
from azure.core.rest import HttpRequest
from azure.keyvault.certificates import (
    AdministratorContact,
    CertificateClient,
    CertificateContact,
    CertificatePolicy,
    KeyVaultCertificate,
)
from azure.keyvault.certificates._shared import http_challenge_cache
from azure.keyvault.certificates.aio import CertificateClient as AsyncCertificateClient
from azure.keyvault.secrets import SecretClient
from azure.keyvault.secrets.aio import SecretClient as AsyncSecretClient
from cryptography.hazmat.primitives.serialization import NoEncryption, load_der_private_key, pkcs12
from cryptography.x509 import load_der_x509_certificate

from certworker.crypto.extensions import SubjectNames
from certworker.crypto.keys import generate_key
from certworker.crypto.x509 import CertificateRequest, self_sign, sign_csr
from tests.api.world import BEGIN, END, TestAuthority, World, serve_world
from tests.support.clock import FakeClock

QUICK: Final = MappingProxyType({"_polling_interval": 0})
ASYNC_NAMES: Final = MappingProxyType(
    {
        "begin_create_certificate": "create_certificate",
        "begin_delete_certificate": "delete_certificate",
        "begin_recover_deleted_certificate": "recover_deleted_certificate",
    }
)
"""What the asynchronous client calls the methods that give pollers in the other."""


class Token:
    """A credential that has its token already, for both kinds of clients."""

    def __init__(self, world: World) -> None:
        self._token = AccessToken(world.token(), int(world.clock().timestamp()) + 10**9)

    def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        """Give it."""
        return self._token


class AsyncToken:
    """The same for asynchronous clients."""

    def __init__(self, world: World) -> None:
        self._token = Token(world).get_token()

    async def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        """Give it."""
        return self._token

    async def close(self) -> None:
        """Do nothing."""

    async def __aenter__(self) -> Self:
        """Do nothing."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class Driver:
    """Calls a method of either kind of client to its end: pollers are waited for, lists are read."""

    client: Any
    name: str
    """A name that no other case has."""

    async def __call__(self, method: str, *arguments: object, **options: object) -> Any:  # noqa: ANN401 - the SDK's own types
        """Call a method by its name in the synchronous client."""
        known = method if hasattr(self.client, method) else ASYNC_NAMES[method]
        result = getattr(self.client, known)(*arguments, **options)
        match result:
            case ItemPaged():
                return list(result)
            case AsyncItemPaged():
                return [item async for item in result]
            case Awaitable():
                return await result
        return result.result() if method.startswith("begin_") else result

    async def create(self, **options: object) -> KeyVaultCertificate:
        """Create a self-signed certificate."""
        made = await self("begin_create_certificate", self.name, self_signed(), **options, **QUICK)
        assert isinstance(made, KeyVaultCertificate)
        return made

    async def ask(self) -> Any:  # noqa: ANN401 - the SDK's own types
        """Ask for a certificate that somebody else signs."""
        return await self("begin_create_certificate", self.name, self_signed("Unknown"), **QUICK)

    async def delete(self) -> Any:  # noqa: ANN401 - the SDK's own types
        """Create a certificate and delete it."""
        await self.create()
        return await self("begin_delete_certificate", self.name, **QUICK)


def self_signed(issuer: str = "Self") -> CertificatePolicy:
    """Say what a quickly made certificate is."""
    return CertificatePolicy(
        issuer, subject="CN=web.example", san_dns_names=["web.example"], key_type="EC", key_usage=["digitalSignature"]
    )


def version_of(certificate: KeyVaultCertificate) -> str:
    """Give a certificate's version."""
    assert certificate.properties is not None
    return certificate.properties.version or ""


async def create(driver: Driver) -> None:
    """Check: it is there with its tags once the poller is done."""
    made = await driver.create(tags={"a": "b"}, enabled=True)
    assert (made.name, made.properties.tags, made.properties.enabled) == (driver.name, {"a": "b"}, True)  # type: ignore[union-attr]
    assert load_der_x509_certificate(bytes(made.cer or b"")).subject.rfc4514_string() == "CN=web.example"


async def get(driver: Driver) -> None:
    """Check: the current one comes with its policy."""
    made = await driver.create()
    found = await driver("get_certificate", driver.name.upper())
    assert found.cer == made.cer
    assert found.policy.issuer_name == "Self"


async def get_version(driver: Driver) -> None:
    """Check: the first of two versions is still there."""
    made = await driver.create()
    assert version_of(await driver.create()) != version_of(made)
    assert (await driver("get_certificate_version", driver.name, version_of(made))).cer == made.cer


async def list_all(driver: Driver) -> None:
    """Check: it is listed by its name; pending ones only where asked for."""
    await driver.ask()
    assert driver.name not in {item.name for item in await driver("list_properties_of_certificates")}
    assert driver.name in {item.name for item in await driver("list_properties_of_certificates", include_pending=True)}


async def list_versions(driver: Driver) -> None:
    """Check: both versions are listed."""
    versions = {version_of(await driver.create()) for _ in range(2)}
    assert {item.version for item in await driver("list_properties_of_certificate_versions", driver.name)} == versions


async def update(driver: Driver) -> None:
    """Check: tags and whether it is enabled can be changed."""
    made = await driver.create()
    method = "update_certificate_properties"
    changed = await driver(method, driver.name, version_of(made), enabled=False, tags={"c": "d"})
    assert (changed.properties.enabled, changed.properties.tags) == (False, {"c": "d"})
    assert (await driver(method, driver.name, enabled=True)).properties.enabled is True


async def delete(driver: Driver) -> None:
    """Check: it is gone, and says where it can be recovered."""
    deleted = await driver.delete()
    assert deleted.recovery_id.endswith(f"/deletedcertificates/{driver.name}")
    with pytest.raises(ResourceNotFoundError):
        await driver("get_certificate", driver.name)


async def get_deleted(driver: Driver) -> None:
    """Check: it tells when it was deleted and when it will be purged."""
    await driver.delete()
    deleted = await driver("get_deleted_certificate", driver.name)
    assert deleted.deleted_on < deleted.scheduled_purge_date


async def list_deleted(driver: Driver) -> None:
    """Check: it is among the deleted ones."""
    await driver.delete()
    assert driver.name in {item.name for item in await driver("list_deleted_certificates")}


async def recover(driver: Driver) -> None:
    """Check: it is there again."""
    await driver.delete()
    await driver("begin_recover_deleted_certificate", driver.name, **QUICK)
    assert (await driver("get_certificate", driver.name)).name == driver.name


async def purge(driver: Driver) -> None:
    """Check: it is gone for good."""
    await driver.delete()
    await driver("purge_deleted_certificate", driver.name)
    with pytest.raises(ResourceNotFoundError):
        await driver("get_deleted_certificate", driver.name)


async def get_policy(driver: Driver) -> None:
    """Check: the policy is what was asked for."""
    await driver.create()
    policy = await driver("get_certificate_policy", driver.name)
    assert (policy.key_type, policy.key_curve_name, policy.validity_in_months) == ("EC", "P-256", 12)


async def update_policy(driver: Driver) -> None:
    """Check: what was changed stays changed."""
    await driver.create()
    policy = await driver("get_certificate_policy", driver.name)
    policy._validity_in_months = 6
    assert (await driver("update_certificate_policy", driver.name, policy)).validity_in_months == 6
    assert (await driver("get_certificate_policy", driver.name)).validity_in_months == 6


async def get_operation(driver: Driver) -> None:
    """Check: what is pending has a CSR."""
    await driver.ask()
    operation = await driver("get_certificate_operation", driver.name)
    assert (operation.status, operation.issuer_name) == ("inProgress", "Unknown")
    assert operation.csr


async def cancel_operation(driver: Driver) -> None:
    """Check: the wish is recorded."""
    await driver.ask()
    assert (await driver("cancel_certificate_operation", driver.name)).cancellation_requested is True


async def delete_operation(driver: Driver) -> None:
    """Check: it is forgotten."""
    await driver.ask()
    assert (await driver("delete_certificate_operation", driver.name)).name == driver.name
    with pytest.raises(ResourceNotFoundError):
        await driver("get_certificate_operation", driver.name)


async def merge(driver: Driver) -> None:
    """Check: what another authority signed becomes the version."""
    operation = await driver.ask()
    key = generate_key("EC", None, "P-256")
    root = self_sign(key, CertificateRequest("CN=Other", SubjectNames(), ("keyCertSign",), ()), BEGIN, END, authority=True)
    leaf = sign_csr(operation.csr, root, key, BEGIN, END)
    merged = await driver("merge_certificate", driver.name, [leaf, root])
    assert merged.cer == leaf
    assert (await driver("get_certificate_operation", driver.name)).status == "completed"


async def import_(driver: Driver) -> None:
    """Check: a PKCS#12 with its key becomes a certificate of the vault."""
    key = generate_key("EC", None, "P-256")
    leaf = self_sign(key, CertificateRequest("CN=imported", SubjectNames(), ("digitalSignature",), ()), BEGIN, END)
    private: Any = load_der_private_key(key, None)
    pfx = pkcs12.serialize_key_and_certificates(None, private, load_der_x509_certificate(leaf), None, NoEncryption())
    imported = await driver("import_certificate", driver.name, pfx)
    assert imported.cer == leaf
    assert imported.policy.issuer_name == "Unknown"


async def backup(driver: Driver) -> None:
    """Check: there is a blob."""
    await driver.create()
    assert await driver("backup_certificate", driver.name)


async def restore(driver: Driver) -> None:
    """Check: after a purge it is there again, with its version."""
    made = await driver.create()
    blob = await driver("backup_certificate", driver.name)
    await driver("begin_delete_certificate", driver.name, **QUICK)
    await driver("purge_deleted_certificate", driver.name)
    restored = await driver("restore_certificate_backup", blob)
    assert version_of(restored) == version_of(made)
    assert restored.cer == made.cer


async def set_issuer(driver: Driver) -> None:
    """Check: it comes back without its password."""
    contact = AdministratorContact(first_name="Ada", last_name="L", email="ada@contoso.example", phone="1")
    options = {"account_id": "me", "password": "hush", "organization_id": "org", "admin_contacts": [contact], "enabled": True}
    made = await driver("create_issuer", driver.name, "Scripted", **options)
    assert (made.account_id, made.password, made.organization_id) == ("me", None, "org")
    assert [admin.email for admin in made.admin_contacts] == ["ada@contoso.example"]


async def get_issuer(driver: Driver) -> None:
    """Check: it is found without regard to case."""
    await driver("create_issuer", driver.name, "Scripted")
    assert (await driver("get_issuer", driver.name.upper())).provider == "Scripted"


async def list_issuers(driver: Driver) -> None:
    """Check: it is listed."""
    await driver("create_issuer", driver.name, "Scripted")
    assert driver.name in {item.name for item in await driver("list_properties_of_issuers")}


async def update_issuer(driver: Driver) -> None:
    """Check: what is not sent stays."""
    await driver("create_issuer", driver.name, "Scripted", account_id="me", organization_id="org")
    changed = await driver("update_issuer", driver.name, account_id="you", enabled=False)
    assert (changed.provider, changed.account_id, changed.organization_id) == ("Scripted", "you", "org")
    assert changed.enabled is False


async def delete_issuer(driver: Driver) -> None:
    """Check: it comes back once more, and is gone."""
    await driver("create_issuer", driver.name, "Scripted")
    assert (await driver("delete_issuer", driver.name)).name == driver.name
    with pytest.raises(ResourceNotFoundError):
        await driver("get_issuer", driver.name)


async def set_contacts(driver: Driver) -> None:
    """Check: they come back as they were set."""
    found = await driver("set_contacts", [CertificateContact(email="ada@contoso.example", name="Ada", phone="1")])
    assert [(contact.email, contact.name, contact.phone) for contact in found] == [("ada@contoso.example", "Ada", "1")]


async def get_contacts(driver: Driver) -> None:
    """Check: they replace those of before."""
    await driver("set_contacts", [CertificateContact(email="ada@contoso.example")])
    await driver("set_contacts", [CertificateContact(email="bob@contoso.example")])
    assert [contact.email for contact in await driver("get_contacts")] == ["bob@contoso.example"]


async def delete_contacts(driver: Driver) -> None:
    """Check: they come back once more, and are gone."""
    await driver("set_contacts", [CertificateContact(email="ada@contoso.example")])
    assert [contact.email for contact in await driver("delete_contacts")] == ["ada@contoso.example"]
    with pytest.raises(HttpResponseError) as caught:
        await driver("get_contacts")
    assert caught.value.status_code == 404


async def send_request(driver: Driver) -> None:
    """Check: a request of one's own goes to the vault, with the client's token and api-version."""
    response = await driver("send_request", HttpRequest("GET", "certificates"))
    assert response.status_code == 200
    assert "value" in response.json()


async def close(driver: Driver) -> None:
    """Check: the connections are closed."""
    await driver("close")


Case = Callable[[Driver], Awaitable[None]]
CASES: Final = MappingProxyType(
    {
        "backup_certificate": backup,
        "begin_create_certificate": create,
        "begin_delete_certificate": delete,
        "begin_recover_deleted_certificate": recover,
        "cancel_certificate_operation": cancel_operation,
        "close": close,
        "create_issuer": set_issuer,
        "delete_certificate_operation": delete_operation,
        "delete_contacts": delete_contacts,
        "delete_issuer": delete_issuer,
        "get_certificate": get,
        "get_certificate_operation": get_operation,
        "get_certificate_policy": get_policy,
        "get_certificate_version": get_version,
        "get_contacts": get_contacts,
        "get_deleted_certificate": get_deleted,
        "get_issuer": get_issuer,
        "import_certificate": import_,
        "list_deleted_certificates": list_deleted,
        "list_properties_of_certificate_versions": list_versions,
        "list_properties_of_certificates": list_all,
        "list_properties_of_issuers": list_issuers,
        "merge_certificate": merge,
        "purge_deleted_certificate": purge,
        "restore_certificate_backup": restore,
        "send_request": send_request,
        "set_contacts": set_contacts,
        "update_certificate_policy": update_policy,
        "update_certificate_properties": update,
        "update_issuer": update_issuer,
    }
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, authority: TestAuthority) -> Iterator[tuple[World, dict[str, str]]]:
    """Serve one deployment for all cases, each of which has names of its own; give what checks its server."""
    http_challenge_cache.clear()
    with serve_world(tmp_path_factory.mktemp("shared"), FakeClock(), authority) as world:
        yield world, {"connection_verify": str(authority.bundle)}
    http_challenge_cache.clear()


@pytest.mark.parametrize("options", [{}, {"api_version": "7.4"}], ids=["latest", "7.4"])
@pytest.mark.parametrize("method", sorted(CASES))
def test_the_client_does_it(shared: tuple[World, dict[str, str]], method: str, options: dict[str, str]) -> None:
    """Each method of CertificateClient."""
    world, verify = shared
    with CertificateClient(world.vault_url, Token(world), **verify, **options) as client:
        asyncio.run(CASES[method](Driver(client, _name(method, "sync", options))))


@pytest.mark.parametrize("options", [{}, {"api_version": "7.4"}], ids=["latest", "7.4"])
@pytest.mark.parametrize("method", sorted(CASES))
def test_the_asynchronous_client_does_it(shared: tuple[World, dict[str, str]], method: str, options: dict[str, str]) -> None:
    """Each method of the aio CertificateClient."""
    world, verify = shared

    async def drive() -> None:
        async with AsyncCertificateClient(world.vault_url, AsyncToken(world), **verify, **options) as client:
            await CASES[method](Driver(client, _name(method, "aio", options)))

    asyncio.run(drive())


def _name(method: str, kind: str, options: dict[str, str]) -> str:
    return f"{method}-{kind}-{options.get('api_version', 'latest')}".replace("_", "-").replace(".", "-")


def public_methods(client: type) -> set[str]:
    """Name the public methods of a client."""
    return {name for name, found in inspect.getmembers(client) if not name.startswith("_") and callable(found)}


def test_no_method_is_without_a_case() -> None:
    """A method that a new release of the SDK brings fails here until it has a case."""
    assert public_methods(CertificateClient) == set(CASES)
    assert public_methods(AsyncCertificateClient) == {ASYNC_NAMES.get(method, method) for method in CASES}


@pytest.mark.parametrize("options", [{}, {"api_version": "7.4"}], ids=["latest", "7.4"])
def test_secrets_of_certificates_are_read(shared: tuple[World, dict[str, str]], options: dict[str, str]) -> None:
    """Each reading method of both kinds of SecretClient, on the secret of a certificate."""
    world, verify = shared
    name = _name("secrets", "both", options)
    with CertificateClient(world.vault_url, Token(world), **verify) as certificates:
        version = version_of(asyncio.run(Driver(certificates, name).create()))

    async def read(client: Any) -> None:  # noqa: ANN401 - of both kinds
        driver = Driver(client, name)
        found = [await driver("get_secret", name), await driver("get_secret", name, version)]
        assert {secret.properties.version for secret in found} == {version}
        assert {secret.properties.managed for secret in found} == {True}
        assert [item.version for item in await driver("list_properties_of_secret_versions", name)] == [version]
        assert name in {item.name for item in await driver("list_properties_of_secrets")}

    async def read_asynchronously() -> None:
        async with AsyncSecretClient(world.vault_url, AsyncToken(world), **verify, **options) as client:
            await read(client)

    with SecretClient(world.vault_url, Token(world), **verify, **options) as client:
        asyncio.run(read(client))
    asyncio.run(read_asynchronously())
