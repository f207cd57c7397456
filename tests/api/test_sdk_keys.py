"""The life of keys by the unmodified azure-keyvault-keys: both clients, two api-versions, every method that belongs to it."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.keyvault.keys import (
    ApiVersion,
    JsonWebKey,
    KeyClient,
    KeyReleasePolicy,
    KeyRotationLifetimeAction,
    KeyRotationPolicy,
    KeyVaultKey,
)
from azure.keyvault.keys._shared import http_challenge_cache
from azure.keyvault.keys.aio import KeyClient as AsyncKeyClient
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key

from certworker.crypto.keys import KeyKind, generate_material
from tests.api.test_every_operation import AsyncToken, Driver, Token
from tests.api.world import TestAuthority, World, serve_world
from tests.support.clock import START, FakeClock
from tests.support.records import RELEASE_RULES

QUICK: Final = MappingProxyType({"_polling_interval": 0})
ASYNC_NAMES: Final = MappingProxyType({"begin_delete_key": "delete_key", "begin_recover_deleted_key": "recover_deleted_key"})
"""What the asynchronous client calls the methods that give pollers in the other."""
ELSEWHERE: Final = frozenset(
    {
        *("backup_key", "restore_key_backup"),
        *("get_cryptography_client", "get_random_bytes", "get_key_attestation", "release_key"),
        *("close", "send_request"),
    }
)
"""Methods that are not of the life of a key: other tests drive them."""
EXPIRES: Final = START.replace(year=2027)
OPTIONS: Final = pytest.mark.parametrize("options", [{}, {"api_version": "7.4"}], ids=["latest", "7.4"])


class KeyDriver(Driver):
    """Calls the methods of either kind of client to their end."""

    async def __call__(self, method: str, *arguments: object, **options: object) -> Any:  # noqa: ANN401 - the SDK's own types
        """Call a method by its name in the synchronous client."""
        known = method if hasattr(self.client, method) else ASYNC_NAMES[method]
        return await super().__call__(known, *arguments, **options)

    async def make(self, **options: object) -> KeyVaultKey:
        """Make a key of EC."""
        made = await self("create_ec_key", self.name, **options)
        assert isinstance(made, KeyVaultKey)
        return made


async def create_key(driver: KeyDriver) -> None:
    """Check: all that was said of it is there."""
    options = {"tags": {"a": "b"}, "enabled": False, "not_before": START, "expires_on": EXPIRES}
    made = await driver("create_key", driver.name, "EC", curve="P-521", key_operations=["sign"], **options)
    properties = made.properties
    assert (made.name, made.key_type, made.key.crv, made.key_operations) == (driver.name, "EC", "P-521", ["sign"])
    assert (properties.tags, properties.enabled) == ({"a": "b"}, False)
    assert (properties.not_before, properties.expires_on, properties.exportable) == (START, EXPIRES, False)
    policy = KeyReleasePolicy(RELEASE_RULES.encode())
    free = await driver("create_key", driver.name, "RSA", size=2048, exportable=True, release_policy=policy)
    assert free.properties.exportable is True
    assert free.properties.release_policy.encoded_policy == RELEASE_RULES.encode()


async def create_ec_key(driver: KeyDriver) -> None:
    """Check: on each curve."""
    for curve in ("P-256", "P-384", "P-521", "P-256K"):
        made = await driver("create_ec_key", driver.name, curve=curve)
        numbers = ec.EllipticCurvePublicNumbers(int.from_bytes(made.key.x), int.from_bytes(made.key.y), _CURVES[curve])
        assert numbers.public_key()


_CURVES: Final = MappingProxyType(
    {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1(), "P-256K": ec.SECP256K1()}
)


async def create_rsa_key(driver: KeyDriver) -> None:
    """Check: of each size that is quickly made, with its exponent."""
    for size, exponent in ((None, None), (3072, 65537)):
        made = await driver("create_rsa_key", driver.name, size=size, public_exponent=exponent)
        assert (int.from_bytes(made.key.n).bit_length(), made.key.e) == (size or 2048, b"\1\0\1")
    with pytest.raises(HttpResponseError, match="premium SKU"):
        await driver("create_rsa_key", driver.name, hardware_protected=True)


async def create_oct_key(driver: KeyDriver) -> None:
    """Check: a software key, since the vault has no token."""
    made = await driver("create_oct_key", driver.name, size=192, hardware_protected=False)
    assert (made.key_type, made.key.k) == ("oct", None)
    with pytest.raises(HttpResponseError, match="premium SKU"):
        await driver("create_oct_key", driver.name, hardware_protected=True)


async def import_key(driver: KeyDriver) -> None:
    """Check: a key that was made elsewhere is there, with what it may do."""
    private = load_der_private_key(generate_material(KeyKind("RSA", 2048)), None)
    assert isinstance(private, rsa.RSAPrivateKey)
    numbers = private.private_numbers()
    parts = {"p": numbers.p, "q": numbers.q, "dp": numbers.dmp1, "dq": numbers.dmq1, "qi": numbers.iqmp, "d": numbers.d}
    public = {"n": numbers.public_numbers.n, "e": numbers.public_numbers.e}
    members = {name: number.to_bytes((number.bit_length() + 7) // 8) for name, number in (parts | public).items()}
    jwk = JsonWebKey(kty="RSA", key_ops=["sign", "verify"], **members)
    taken = await driver("import_key", driver.name, jwk, tags={"a": "b"}, expires_on=EXPIRES)
    assert (taken.key.n, taken.key.d, taken.key_operations) == (members["n"], None, ["sign", "verify"])
    assert (taken.properties.tags, taken.properties.expires_on) == ({"a": "b"}, EXPIRES)
    jwk = JsonWebKey(kty="RSA", key_ops=["sign"], **(members | {"q": members["p"]}))
    with pytest.raises(HttpResponseError, match=r"key\.n is not the product"):
        await driver("import_key", driver.name, jwk)


async def get_key(driver: KeyDriver) -> None:
    """Check: the current version, and an older one by its version."""
    first, second = await driver.make(), await driver.make()
    assert (await driver("get_key", driver.name.upper())).id == second.id
    assert (await driver("get_key", driver.name, first.properties.version)).id == first.id
    with pytest.raises(ResourceNotFoundError, match="KeyNotFound"):
        await driver("get_key", "missing")


async def list_keys(driver: KeyDriver) -> None:
    """Check: it is listed by its name, among more than one page."""
    for number in range(26):
        await driver("create_oct_key", f"{driver.name}-{number}", hardware_protected=False)
    names = {item.name for item in await driver("list_properties_of_keys")}
    assert names >= {f"{driver.name}-{number}" for number in range(26)}


async def list_versions(driver: KeyDriver) -> None:
    """Check: both versions are listed."""
    versions = {(await driver.make()).properties.version for _ in range(2)}
    assert {item.version for item in await driver("list_properties_of_key_versions", driver.name)} == versions


async def update(driver: KeyDriver) -> None:
    """Check: what is named changes, the rest stays; a version may be named."""
    made = await driver.make(tags={"a": "b"})
    method = "update_key_properties"
    changed = await driver(method, driver.name, made.properties.version, enabled=False, key_operations=["sign"])
    assert (changed.properties.enabled, changed.key_operations, changed.properties.tags) == (False, ["sign"], {"a": "b"})
    changed = await driver(method, driver.name, tags={}, not_before=START, expires_on=EXPIRES)
    assert (changed.properties.enabled, changed.properties.tags, changed.properties.expires_on) == (False, None, EXPIRES)


async def delete(driver: KeyDriver) -> None:
    """Check: it is gone, says where it can be recovered, and holds its name."""
    await driver.make()
    deleted = await driver("begin_delete_key", driver.name, **QUICK)
    assert deleted.recovery_id.endswith(f"/deletedkeys/{driver.name}")
    with pytest.raises(ResourceNotFoundError):
        await driver("get_key", driver.name)
    with pytest.raises(ResourceExistsError, match="currently in a deleted but recoverable state"):
        await driver.make()


async def get_deleted(driver: KeyDriver) -> None:
    """Check: it tells when it was deleted and when it will be purged."""
    await delete(driver)
    deleted = await driver("get_deleted_key", driver.name)
    assert deleted.deleted_date < deleted.scheduled_purge_date


async def list_deleted(driver: KeyDriver) -> None:
    """Check: it is among the deleted ones."""
    await delete(driver)
    assert driver.name in {item.name for item in await driver("list_deleted_keys")}


async def recover(driver: KeyDriver) -> None:
    """Check: it is there again."""
    await delete(driver)
    recovered = await driver("begin_recover_deleted_key", driver.name, **QUICK)
    assert (await driver("get_key", driver.name)).id == recovered.id


async def purge(driver: KeyDriver) -> None:
    """Check: it is gone for good, and its name is free."""
    await delete(driver)
    await driver("purge_deleted_key", driver.name)
    with pytest.raises(ResourceNotFoundError, match="Deleted Key not found"):
        await driver("get_deleted_key", driver.name)
    await driver.make()


async def rotate(driver: KeyDriver) -> None:
    """Check: a new version of the same kind."""
    made = await driver.make(curve="P-384", tags={"a": "b"})
    rotated = await driver("rotate_key", driver.name)
    assert rotated.properties.version != made.properties.version
    assert (rotated.key.crv, rotated.properties.tags) == ("P-384", {"a": "b"})
    assert rotated.key.x != (await driver("get_key", driver.name, made.properties.version)).key.x


async def get_policy(driver: KeyDriver) -> None:
    """Check: a key whose owner has set none has the default one."""
    await driver.make()
    policy = await driver("get_key_rotation_policy", driver.name)
    (action,) = policy.lifetime_actions
    assert (action.action, action.time_before_expiry, action.time_after_create) == ("Notify", "P30D", None)
    assert (policy.expires_in, policy.created_on) == (None, None)


async def set_policy(driver: KeyDriver) -> None:
    """Check: what was set is shown, is put in the place of what was, and a rotation goes by it."""
    await driver.make()
    actions = [KeyRotationLifetimeAction("Rotate", time_after_create="P2M")]
    policy = await driver("update_key_rotation_policy", driver.name, KeyRotationPolicy(), lifetime_actions=actions)
    assert {action.action: action.time_after_create or action.time_before_expiry for action in policy.lifetime_actions} == {
        "Rotate": "P2M",
        "Notify": "P30D",
    }
    notify = [KeyRotationLifetimeAction("Notify", time_before_expiry="P60D")]
    options = {"lifetime_actions": notify, "expires_in": "P90D"}
    await driver("update_key_rotation_policy", driver.name, KeyRotationPolicy(), **options)
    policy = await driver("get_key_rotation_policy", driver.name)
    (action,) = policy.lifetime_actions
    assert (action.action, action.time_before_expiry, policy.expires_in) == ("Notify", "P60D", "P90D")
    assert policy.created_on == policy.updated_on == START
    rotated = await driver("rotate_key", driver.name)
    assert rotated.properties.expires_on == datetime(2026, 4, 1, tzinfo=UTC)
    again = await driver("update_key_rotation_policy", driver.name, policy)
    assert (again.expires_in, again.id) == ("P90D", policy.id)


CASES: Final = MappingProxyType(
    {
        "begin_delete_key": delete,
        "begin_recover_deleted_key": recover,
        "create_ec_key": create_ec_key,
        "create_key": create_key,
        "create_oct_key": create_oct_key,
        "create_rsa_key": create_rsa_key,
        "get_deleted_key": get_deleted,
        "get_key": get_key,
        "get_key_rotation_policy": get_policy,
        "import_key": import_key,
        "list_deleted_keys": list_deleted,
        "list_properties_of_key_versions": list_versions,
        "list_properties_of_keys": list_keys,
        "purge_deleted_key": purge,
        "rotate_key": rotate,
        "update_key_properties": update,
        "update_key_rotation_policy": set_policy,
    }
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, authority: TestAuthority) -> Iterator[tuple[World, dict[str, str]]]:
    """Serve one deployment for all cases, each of which has names of its own; give what checks its server."""
    http_challenge_cache.clear()
    with serve_world(tmp_path_factory.mktemp("shared"), FakeClock(), authority) as world:
        yield world, {"connection_verify": str(authority.bundle)}
    http_challenge_cache.clear()


@OPTIONS
@pytest.mark.parametrize("method", sorted(CASES))
def test_the_client_does_it(shared: tuple[World, dict[str, str]], method: str, options: dict[str, str]) -> None:
    """Each method of KeyClient."""
    world, verify = shared
    with KeyClient(world.vault_url, Token(world), **verify, **options) as client:
        asyncio.run(CASES[method](KeyDriver(client, _name(method, "sync", options))))


@OPTIONS
@pytest.mark.parametrize("method", sorted(CASES))
def test_the_asynchronous_client_does_it(shared: tuple[World, dict[str, str]], method: str, options: dict[str, str]) -> None:
    """Each method of the aio KeyClient."""
    world, verify = shared

    async def drive() -> None:
        async with AsyncKeyClient(world.vault_url, AsyncToken(world), **verify, **options) as client:
            await CASES[method](KeyDriver(client, _name(method, "aio", options)))

    asyncio.run(drive())


def _name(method: str, kind: str, options: dict[str, str]) -> str:
    return f"{method}-{kind}-{options.get('api_version', 'latest')}".replace("_", "-").replace(".", "-")


def public_methods(client: type) -> set[str]:
    """Name the public methods of a client."""
    return {name for name in dir(client) if not name.startswith("_") and callable(getattr(client, name))}


def test_no_method_is_without_a_case() -> None:
    """A method that a new release of the SDK brings fails here until it has a case."""
    assert public_methods(KeyClient) == {*CASES, *ELSEWHERE}
    assert public_methods(AsyncKeyClient) == {*(ASYNC_NAMES.get(method, method) for method in CASES), *ELSEWHERE}


@pytest.mark.parametrize("version", [version.value for version in ApiVersion])
def test_every_api_version_that_the_client_knows(shared: tuple[World, dict[str, str]], version: str) -> None:
    """A key is made and read by clients of all ages."""
    world, verify = shared
    with KeyClient(world.vault_url, Token(world), **verify, api_version=version) as client:
        made = client.create_ec_key("any-version")
        assert client.get_key("any-version").id == made.id
