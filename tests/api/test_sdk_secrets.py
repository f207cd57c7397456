"""Secrets by the unmodified azure-keyvault-secrets, sync and async, over TLS: every method that it has."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.identity.aio import ClientSecretCredential as AsyncClientSecretCredential
from azure.keyvault.certificates import KeyVaultCertificate
from azure.keyvault.secrets import KeyVaultSecretIdentifier, SecretClient
from azure.keyvault.secrets._shared import http_challenge_cache
from azure.keyvault.secrets.aio import SecretClient as AsyncSecretClient

from tests.api.test_sdks import QUICK, VERSIONS, Clients, self_signed
from tests.api.world import TestAuthority, World

PEM, PKCS12 = "application/x-pem-file", "application/x-pkcs12"
DAYS = timedelta(days=100)


@pytest.fixture(autouse=True)
def no_challenges() -> Iterator[None]:
    """Let the SDK learn anew where to ask for tokens; its cache is the process's."""
    http_challenge_cache.clear()
    yield
    http_challenge_cache.clear()


@pytest.fixture
def clients(served: World, authority: TestAuthority) -> Clients:
    """Give the SDKs' clients of a served deployment."""
    return Clients(served, authority)


def public_methods(client: type) -> set[str]:
    """List what a client can do, without what every client has."""
    return {name for name in vars(client) if not name.startswith("_")}


@VERSIONS
def test_a_secret_lives_and_dies(clients: Clients, options: dict[str, Any]) -> None:
    """Set, get, update, list, delete, recover, delete again and purge."""
    world, at = clients.world, clients.world.clock()
    with clients.secrets(**options) as client:
        made = client.set_secret("Db", "hush", content_type="text/plain", tags={"a": "b"}, not_before=at, expires_on=at + DAYS)
        properties = made.properties
        assert (made.name, made.value, properties.content_type, properties.tags) == ("Db", "hush", "text/plain", {"a": "b"})
        assert (properties.not_before, properties.expires_on, properties.created_on) == (at, at + DAYS, at)
        assert (properties.recovery_level, properties.enabled, properties.managed) == ("Recoverable+Purgeable", True, None)
        assert KeyVaultSecretIdentifier(made.id or "").vault_url == world.vault_url
        second = client.set_secret("Db", "second")
        assert client.get_secret("Db").value == "second"
        assert client.get_secret("Db", properties.version).value == "hush"

        changed = client.update_secret_properties("Db", properties.version, enabled=False, content_type="x", tags={})
        assert (changed.enabled, changed.content_type, changed.tags, changed.expires_on) == (False, "x", None, at + DAYS)
        with pytest.raises(HttpResponseError, match="not allowed on a disabled secret") as refused:
            client.get_secret("Db", properties.version)
        assert refused.value.status_code == 403
        assert client.update_secret_properties("Db", expires_on=at + 2 * DAYS).version == second.properties.version

        assert [item.name for item in client.list_properties_of_secrets()] == ["Db"]
        listed = {item.version: item.enabled for item in client.list_properties_of_secret_versions("Db")}
        assert listed == {properties.version: False, second.properties.version: True}

        deleted = client.begin_delete_secret("Db", **QUICK).result()
        assert deleted.recovery_id == f"{world.vault_url}/deletedsecrets/Db"
        assert (deleted.deleted_date, deleted.scheduled_purge_date) == (at, at + timedelta(days=90))
        assert client.get_deleted_secret("Db").properties.version == second.properties.version
        assert [item.name for item in client.list_deleted_secrets()] == ["Db"]
        with pytest.raises(ResourceNotFoundError, match="was not found in this key vault"):
            client.get_secret("Db")
        with pytest.raises(ResourceExistsError, match="deleted but recoverable"):
            client.set_secret("Db", "third")
        assert client.begin_recover_deleted_secret("Db", **QUICK).result().name == "Db"
        assert client.get_secret("Db").value == "second"
        client.begin_delete_secret("Db", **QUICK).wait()
        client.purge_deleted_secret("Db")
        assert list(client.list_deleted_secrets()) == []


@VERSIONS
def test_a_backup_is_restored(clients: Clients, options: dict[str, Any]) -> None:
    """With every version, after the secret is gone; and not beside itself."""
    with clients.secrets(**options) as client:
        values = {client.set_secret("db", value).properties.version: value for value in ("one", "ü€😀", "x" * 25_600)}
        backup = client.backup_secret("db")
        with pytest.raises(ResourceExistsError):
            client.restore_secret_backup(backup)
        client.begin_delete_secret("db", **QUICK).wait()
        client.purge_deleted_secret("db")
        current = client.restore_secret_backup(backup)
        assert current.version == list(values)[-1]
        assert {version: client.get_secret("db", version).value for version in values} == values
        with pytest.raises(HttpResponseError, match="cannot be restored"):
            client.restore_secret_backup(backup[:-1])


@VERSIONS
def test_many_are_paged(clients: Clients, options: dict[str, Any]) -> None:
    """More than a page of secrets, of versions, and of deleted ones."""
    with clients.secrets(**options) as client:
        names = [f"s{number:02}" for number in range(30)]
        for name in names:
            client.set_secret(name, name)
        assert [item.name for item in client.list_properties_of_secrets(max_page_size=7)] == names
        assert [item.name for item in client.list_properties_of_secrets()] == names
        for _ in range(29):
            client.set_secret("s00", "again")
        assert len({item.version for item in client.list_properties_of_secret_versions("s00")}) == 30
        for name in names[:6]:
            client.begin_delete_secret(name, **QUICK)
        assert [item.name for item in client.list_deleted_secrets(max_page_size=2)] == names[:6]


def test_what_is_wrong_is_an_error_of_the_sdk(clients: Clients) -> None:
    """400 with words for a value that is too large, and for a name that nothing may have."""
    with clients.secrets() as client:
        for name, value, words in (("db", "x" * 25_601, "at most 25600"), ("a_b", "hush", "invalid name")):
            with pytest.raises(HttpResponseError, match=words) as refused:
                client.set_secret(name, value)
            assert refused.value.status_code == 400
        with pytest.raises(ResourceNotFoundError):
            client.begin_delete_secret("nobody", **QUICK)


def test_the_other_form_of_a_certificate(clients: Clients) -> None:
    """PKCS#12 as PEM, by the newest client; the version before is told."""
    with clients.certificates() as certificates, clients.secrets() as client:
        first = certificates.begin_create_certificate("web", self_signed(), **QUICK).result()
        clients.world.clock.advance(timedelta(seconds=1))
        certificates.begin_create_certificate("web", self_signed(), **QUICK).result()
        assert client.get_secret("web").properties.content_type == PKCS12
        pem = client.get_secret("web", out_content_type=PEM)
        assert pem.properties.content_type == PEM
        assert "PRIVATE KEY" in (pem.value or "")
        assert pem.properties.key_id == (pem.id or "").replace("/secrets/", "/keys/")
        assert isinstance(first, KeyVaultCertificate)
        assert first.properties is not None
        assert pem.properties.previous_version == first.properties.version


async def _live_and_die(clients: Clients, options: dict[str, Any]) -> set[str]:
    """Go through every method of the async client; give their names."""
    world, settings = clients.world, clients.world.house.settings
    used: set[str] = set()
    credential = AsyncClientSecretCredential(
        world.tenant,
        world.administrator.client_id,
        world.client_secret,
        authority=settings.authority,
        disable_instance_discovery=True,
        **clients.verify,
    )
    async with credential, AsyncSecretClient(world.vault_url, credential, **clients.verify, **options) as client:

        def use(name: str) -> Any:  # noqa: ANN401 - whatever the method gives
            used.add(name)
            return getattr(client, name)

        made = await use("set_secret")("db", "hush", tags={"a": "b"})
        assert (await use("get_secret")("db", made.properties.version)).value == "hush"
        changed = await use("update_secret_properties")("db", content_type="x")
        assert (changed.content_type, changed.tags) == ("x", {"a": "b"})
        assert [item.name async for item in use("list_properties_of_secrets")()] == ["db"]
        assert len([item async for item in use("list_properties_of_secret_versions")("db")]) == 1
        backup = await use("backup_secret")("db")
        deleted = await use("delete_secret")("db", **QUICK)
        assert deleted.recovery_id == f"{world.vault_url}/deletedsecrets/db"
        assert (await use("get_deleted_secret")("db")).name == "db"
        assert [item.name async for item in use("list_deleted_secrets")()] == ["db"]
        assert (await use("recover_deleted_secret")("db", **QUICK)).name == "db"
        await client.delete_secret("db", **QUICK)
        await use("purge_deleted_secret")("db")
        assert (await use("restore_secret_backup")(backup)).version == made.properties.version
        assert (await client.get_secret("db")).value == "hush"
    return used


@VERSIONS
def test_the_async_client_does_all_of_it(clients: Clients, options: dict[str, Any]) -> None:
    """Not one of its methods is left out; nor of the other's, by the tests above."""
    used = asyncio.run(_live_and_die(clients, options))
    assert used == public_methods(AsyncSecretClient)
    renamed = {"begin_delete_secret" if name == "delete_secret" else name for name in used}
    renamed = {"begin_recover_deleted_secret" if name == "recover_deleted_secret" else name for name in renamed}
    assert renamed == public_methods(SecretClient)
