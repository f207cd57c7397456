"""Every operation of every plane with every token that must not hold: refused, recorded, and nothing done."""

import asyncio
import hashlib
import hmac
import json
import re
import sqlite3
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from certworker.api.app import build_app
from certworker.api.data_plane import ROUTES as DATA
from certworker.api.graph.plane import ROUTES as GRAPH
from certworker.api.management.plane import ROUTES as MANAGEMENT
from certworker.api.operation_names import UNKNOWN, operation_name
from certworker.crypto.keys import generate_key
from certworker.crypto.tokens import key_thumbprint, sign_token
from certworker.vault.vaults import Vault
from tests.api.recording import Recorder
from tests.api.world import SELF_SIGNED, VERSION, World

HOUR: Final = 3600
_PARAM: Final = re.compile(r"/?\{(\w+)(?::path)?\}")


@dataclass(frozen=True)
class Operation:
    """One operation of a plane."""

    name: str
    method: str
    path: str
    version: str


@dataclass(frozen=True)
class PlaneUnderTest:
    """A plane: where it is, whom its tokens are for, and all that it does."""

    url: Callable[[World], str]
    audience: Callable[[World], str]
    operations: tuple[Operation, ...]


def _operations(
    routes: Iterable[Any], prefix: str = "", version: Callable[[Any], str] = lambda _: VERSION
) -> tuple[Operation, ...]:
    return tuple(
        Operation(operation_name(method, prefix + route.path) or UNKNOWN, method, prefix + route.path, version(route))
        for route in routes
        if not getattr(route, "is_open", False)
        for method in sorted(route.methods)
    )


PLANES: Final[Mapping[str, PlaneUnderTest]] = MappingProxyType(
    {
        "data": PlaneUnderTest(lambda world: world.vault_url, lambda world: world.house.settings.resource, _operations(DATA)),
        "management": PlaneUnderTest(
            lambda world: world.house.settings.management_url,
            lambda world: world.house.settings.management_url,
            _operations(MANAGEMENT, version=lambda route: f"api-version={route.of.versions[-1]}"),
        ),
        "graph": PlaneUnderTest(
            lambda world: world.house.settings.graph_url,
            lambda world: world.house.settings.graph_url,
            _operations(GRAPH, "/v1.0", lambda _: ""),
        ),
    }
)


def url_of(world: World, plane: PlaneUnderTest, operation: Operation) -> str:
    """Write an operation's URL, with what there is for names."""
    vault: Vault = world.vault
    known = {
        "subscription": vault.subscription_id,
        "group": vault.resource_group,
        "vault": vault.name,
        "location": vault.location,
        "namespace": "Microsoft.KeyVault",
        "change": "add",
        "scope": f"subscriptions/{vault.subscription_id}",
        "version": "0" * 32,
        "name": "00000000-0000-0000-0000-00000000000a",
    }
    path = _PARAM.sub(lambda match: f"/{known.get(match[1], 'x')}", operation.path)
    return f"{plane.url(world)}{path}?{operation.version}"


Token = Callable[[World, str], str | None]


def _claims(world: World, audience: str, **changes: object) -> dict[str, Any]:
    return jwt.decode(world.token(audience=audience), options={"verify_signature": False}) | changes


def _signed(world: World, audience: str, **changes: object) -> str:
    return world.house.directory.sign(world.tenant, _claims(world, audience, **changes))


def _part(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _at(world: World) -> int:
    return int(world.clock().timestamp())


def _by_public_key(world: World, audience: str) -> str:
    """Sign with HMAC, and the public key for a password."""
    with world.house.store.reading() as reader:
        known = reader.signing_keys(world.tenant)[-1]
    pem = load_der_public_key(known.public_key).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    header = json.dumps({"alg": "HS256", "typ": "JWT", "kid": known.id}).encode()
    signed = f"{_part(header)}.{_part(json.dumps(_claims(world, audience)).encode())}"
    return f"{signed}.{_part(hmac.digest(pem, signed.encode(), hashlib.sha256))}"


def _unsigned(world: World, audience: str) -> str:
    claims = _claims(world, audience)
    return jwt.encode(claims, "", algorithm="none", headers={"kid": jwt.get_unverified_header(world.token())["kid"]})


def _altered(world: World, audience: str) -> str:
    header, payload, signature = world.token(audience=audience).split(".")
    claims = json.loads(jwt.utils.base64url_decode(payload)) | {"oid": "00000000-0000-0000-0000-000000000001"}
    return f"{header}.{_part(json.dumps(claims).encode())}.{signature}"


def _by_stranger(world: World, audience: str) -> str:
    stranger = generate_key("RSA", 2048, None)
    return sign_token(stranger, key_thumbprint(stranger), _claims(world, audience))


def _of_other_tenant(world: World, audience: str) -> str:
    other = "00000000-0000-0000-0000-00000000000f"
    issuer = f"{world.house.settings.authority}/{other}/v2.0"
    return _signed(world, audience, tid=other, iss=issuer)


TOKENS: Final[Mapping[str, Token]] = MappingProxyType(
    {
        "none": lambda _world, _audience: None,
        "expired": lambda world, audience: _signed(world, audience, iat=0, nbf=0, exp=_at(world) - HOUR),
        "not yet valid": lambda world, audience: _signed(world, audience, nbf=_at(world) + HOUR, exp=_at(world) + 2 * HOUR),
        "without an end": lambda world, audience: _signed(world, audience, exp=None),
        "wrong audience": lambda world, _: _signed(world, "https://elsewhere.example"),
        "wrong issuer": lambda world, audience: _signed(world, audience, iss="https://elsewhere.example/v2.0"),
        "alg none": _unsigned,
        "HS256 with the public key": _by_public_key,
        "unknown kid": _by_stranger,
        "altered payload": _altered,
        "other tenant": _of_other_tenant,
    }
)


def ask(
    world: World, plane: PlaneUnderTest, token: str | None, bodies: Mapping[str, Any] = MappingProxyType({})
) -> tuple[list[httpx.Response], Recorder]:
    """Ask for every operation of a plane with a token."""
    recorder = Recorder(world.house.store)
    app = build_app(replace(world.house, trail=recorder))
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}

    async def send() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
            return [
                await client.request(
                    operation.method,
                    url_of(world, plane, operation),
                    headers=headers,
                    json=_body(world, bodies.get(operation.name, {})) if operation.method in {"PUT", "POST", "PATCH"} else None,
                )
                for operation in plane.operations
            ]

    return asyncio.run(send()), recorder


def _body(world: World, body: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
    text = json.dumps(body, default=dict)
    return json.loads(
        text.replace('"T"', f'"{world.tenant}"').replace("/subscriptions/S", f"/subscriptions/{world.vault.subscription_id}")
    )


class Unchanged:
    """Looks whether anybody has committed anything."""

    def __init__(self, folder: Path) -> None:
        self._connection = sqlite3.connect(folder / "certworker.db")
        self._before = self._version()

    def check(self) -> None:
        """Fail where somebody has."""
        after = self._version()
        self._connection.close()
        assert after == self._before

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])


@pytest.mark.parametrize("plane", PLANES)
def test_every_operation_has_a_name_in_the_log(plane: str) -> None:
    """Whoever adds a route of any plane cannot forget it."""
    nameless = [f"{found.method} {found.path}" for found in PLANES[plane].operations if found.name == UNKNOWN]
    assert PLANES[plane].operations
    assert not nameless


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("token", TOKENS)
def test_no_token_that_does_not_hold_does_anything(world: World, tmp_path: Path, plane: str, token: str) -> None:
    """Each operation answers 401 and has its record, of an authentication that failed; nothing is written."""
    under_test = PLANES[plane]
    bad = TOKENS[token](world, under_test.audience(world))
    database = Unchanged(tmp_path)
    answers, recorder = ask(world, under_test, bad)
    wrong = [
        f"{answer.status_code} {answer.request.method} {answer.request.url}" for answer in answers if answer.status_code != 401
    ]
    assert not wrong
    assert all(answer.headers["www-authenticate"].startswith("Bearer ") for answer in answers)
    database.check()
    assert not recorder.pending()
    told = {(record.operation, record.status, record.result.value) for record in recorder.appended}
    assert told == {("Authentication", 401, "Failure")}
    assert len(recorder.appended) == len(under_test.operations)
    assert not [record for record in recorder.appended if record.identity]


_CRYPT: Final = MappingProxyType({"alg": "RSA-OAEP", "value": "AA"})
_VAULT: Final = MappingProxyType(
    {"location": "local", "properties": {"tenantId": "T", "sku": {"family": "A", "name": "standard"}, "accessPolicies": []}}
)
_ROLE_ID: Final = "/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7"
_STORE: Final = "/subscriptions/x/resourceGroups/x/providers/Microsoft.Storage/storageAccounts/logs"
BODIES: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "CertificateCreate": {"policy": SELF_SIGNED},
        "CertificateContactsSet": {"contacts": [{"email": "a@example.com"}]},
        "CertificateIssuerSet": {"provider": "Test"},
        "CertificatePendingUpdate": {"cancellation_requested": True},
        "CertificatePendingMerge": {"x5c": ["AA=="]},
        "CertificateImport": {"value": "AA=="},
        "CertificateRevoke": {"reason": "superseded"},
        "SecretSet": {"value": "v"},
        **{key: {"value": "AA"} for key in ("SecretRestore", "CertificateRestore", "KeyRestore")},
        "KeyImport": {"key": {"kty": "oct", "k": "AAAAAAAAAAAAAAAAAAAAAA"}},
        "KeyCreate": {"kty": "EC"},
        **dict.fromkeys(("KeyEncrypt", "KeyDecrypt", "KeyWrap", "KeyUnwrap"), _CRYPT),
        "KeySign": {"alg": "ES256", "value": "A" * 43},
        "KeyVerify": {"alg": "ES256", "digest": "A" * 43, "value": "A" * 86},
        "KeyRelease": {"target": "a.b.c"},
        "RandomBytesGet": {"count": 1},
        "SilenceSet": {"pattern": "*", "until": 1800000000, "why": "because"},
        "RenewalPause": {"why": "because"},
        "VaultPut": _VAULT,
        "VaultAccessPolicyPut": {"properties": {"accessPolicies": []}},
        "VaultCheckNameAvailability": {"name": "some-vault", "type": "Microsoft.KeyVault/vaults"},
        "VaultSecretPut": {"properties": {"value": "v"}},
        "VaultKeyPut": {"properties": {"kty": "EC"}},
        "RoleDefinitionPut": {
            "properties": {"roleName": "r", "permissions": [{"actions": ["*/read"]}], "assignableScopes": ["/subscriptions/S"]}
        },
        "RoleAssignmentPut": {
            "properties": {"roleDefinitionId": _ROLE_ID, "principalId": "00000000-0000-0000-0000-000000000001"}
        },
        "DiagnosticSettingPut": {
            "properties": {"storageAccountId": _STORE, "logs": [{"category": "AuditEvent", "enabled": True}]}
        },
        "StorageAccountPut": {"location": "local", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}},
        "CheckNameAvailability": {"name": "logs", "type": "Microsoft.Storage/storageAccounts"},
    }
)
"""What makes a request one that is refused for want of a right alone."""
FOR_ALL: Final = frozenset(
    {
        "AccessExplain",  # of oneself
        "KnownVaultList",
        "ProviderRegister",  # which every provider is from the beginning
        "SubscriptionList",
        "SubscriptionGet",
        "TenantList",
        "LocationList",
        "ProviderList",
        "ProviderGet",
        "OperationList",
        "ResourceGroupList",
        "ResourceList",
        "ManagedHSMList",
        "DeletedManagedHSMList",
        "PermissionList",
        "DenyAssignmentList",
        "ClassicAdministratorList",
        "StorageAccountList",
    }
)
"""What anybody of the tenant may ask: it tells of what they may see alone, or of nothing that is kept."""


@pytest.mark.parametrize("plane", ["data", "management"])
def test_a_token_without_rights_does_nothing(world: World, tmp_path: Path, plane: str) -> None:
    """Somebody who is known and may do nothing is refused everywhere, each time by name in the record."""
    under_test = PLANES[plane]
    guest, _ = world.add_principal("guest", administrator=False)
    good = world.token(guest, audience=under_test.audience(world))
    database = Unchanged(tmp_path)
    answers, recorder = ask(world, under_test, good, BODIES)
    passed = [
        (operation.name, answer.status_code, answer.text[:150])
        for operation, answer in zip(under_test.operations, answers, strict=True)
        if answer.status_code != 403 and operation.name not in FOR_ALL
    ]
    assert not passed, "\n".join(map(str, passed))
    database.check()
    assert [record.operation for record in recorder.appended] == [operation.name for operation in under_test.operations]
    assert {record.identity["objectidentifier"] for record in recorder.appended} == {guest.object_id}
