"""The example of Contoso: four roles, every operation on what is in the vault and around it, and who may do which."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

import pytest

from certworker.vault.vaults import Principal
from tests.api.world import SELF_SIGNED, Caller, World, open_world
from tests.support.clock import FakeClock

ROLES: Final = ("administrator", "security", "devops", "auditor", "application", "stranger")
KEYS = {"backup", "create", "delete", "get", "import", "list", "restore"}
SECRETS = {"get", "list", "set", "delete", "recover", "backup", "restore"}
POLICIES: Final = {
    "security": {"keys": sorted(KEYS), "secrets": ["all"]},
    "devops": {"keys": ["list"], "secrets": ["list"]},
    "auditor": {"keys": ["list"], "secrets": ["list"]},
    "application": {"keys": ["sign"], "secrets": ["get"]},
}
KEEPER: Final = {"keys": ["all", "purge"], "secrets": ["all", "purge"], "certificates": ["all", "purge"]}
"""For whoever prepares what the roles then try their hands at."""
NAMED_ROLES: Final = {
    "security": ("f25e0fa2-a7c8-4377-a976-54943a77a395", "749f88d5-cbae-40b8-bcfc-e573ddc772fa"),
    "auditor": ("2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",),
}
"""Key Vault Contributor and Monitoring Contributor; Storage Blob Data Reader."""
MACHINES: Final = "9980e02c-c2be-4d73-94e8-173b1dc7cf3c"
EVERYTHING: Final = frozenset({"administrator", "security"})
KEY: Final = {"kty": "EC", "crv": "P-256"}


@dataclass(frozen=True)
class Contoso:
    """The deployment as the example leaves it."""

    call: Caller
    people: dict[str, Principal]
    vault_url: str
    scope: str
    tokens: dict[tuple[str, str], str] = field(default_factory=dict)

    def at(self, role: str, method: str, url: str, json: object = None) -> Any:  # noqa: ANN401  # an answer of httpx
        """Ask as a role: a path alone is one of the vault, one with a subscription is the management plane's."""
        world = self.call.world
        settings, version = world.house.settings, "2026-04-01"
        base, audience = self.vault_url, settings.resource
        if url.startswith("/subscriptions"):
            base, audience, version = settings.management_url, settings.management_url, _version_of(url)
        if (role, audience) not in self.tokens:
            self.tokens[role, audience] = world.token(self.people[role], audience)
        headers = {"Authorization": f"Bearer {self.tokens[role, audience]}"}
        return self.call.bare(method, f"{base}{url}?api-version={version}", json, headers=headers)

    def must(self, role: str, method: str, url: str, json: object = None) -> Any:  # noqa: ANN401  # JSON
        """Ask as a role, and see that it is done."""
        answer = self.at(role, method, url, json)
        assert answer.is_success, f"{role}: {method} {url}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def assign(self, role_id: str, principal_id: str, scope: str) -> None:
        """Assign a role as the administrator."""
        definition = f"{self.scope.partition('/resourceGroups')[0]}/providers/Microsoft.Authorization/roleDefinitions/{role_id}"
        properties = {"roleDefinitionId": definition, "principalId": principal_id, "principalType": "Group"}
        url = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{uuid4()}"
        self.must("administrator", "PUT", url, {"properties": properties})


def _version_of(url: str) -> str:
    kinds = {
        "/providers/Microsoft.Authorization": "2022-04-01",
        "/diagnosticSettings": "2021-05-01-preview",
        "/auditEvents": "2026-11-01",
        "/providers/Microsoft.Storage": "2023-05-01",
        "/providers/Microsoft.KeyVault": "2023-07-01",
    }
    return next((version for part, version in kinds.items() if part in url), "2022-09-01")


@pytest.fixture(scope="module")
def contoso(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Contoso]:
    """Do all that the example does before the roles try their hands; the last steps go by the same roads as az's."""
    folder = tmp_path_factory.mktemp("contoso")
    with open_world(folder, FakeClock()) as world:
        people = {"administrator": world.administrator}
        for name in ("security", "devops", "auditor", "application", "stranger", "keeper"):
            people[name] = world.add_principal(name, administrator=False)[0]
        subscription = f"/subscriptions/{world.vault.subscription_id}"
        suffix = world.house.settings.vault_suffix
        found = Contoso(Caller(world), people, f"https://contosovault.{suffix}", f"{subscription}/resourceGroups/contoso")
        groups = gather(world, people)
        found.must("administrator", "PUT", found.scope, {"location": "local"})
        store = f"{found.scope}/providers/Microsoft.Storage/storageAccounts/contosologstorage"
        found.must("administrator", "PUT", store, {"location": "local", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}})
        for name, role_ids in NAMED_ROLES.items():
            for role_id in role_ids:
                found.assign(role_id, groups[name], store if name == "auditor" else found.scope)
        make_vault(found, groups | {name: people[name].object_id for name in ("application", "keeper")})
        make_role(found, groups["devops"])
        yield found


def gather(world: World, people: dict[str, Principal]) -> dict[str, str]:
    """Put one of each of three roles into a group; give the groups' object ids."""
    caller = Caller(world)
    graph = world.house.settings.graph_url
    headers = {"Authorization": f"Bearer {world.token(audience=graph)}"}
    found = {}
    for name in ("security", "devops", "auditor"):
        body = {"displayName": name, "mailNickname": name, "mailEnabled": False, "securityEnabled": True}
        found[name] = caller.bare("POST", f"{graph}/v1.0/groups", body, headers=headers).json()["id"]
        member = {"@odata.id": f"{graph}/v1.0/directoryObjects/{people[name].object_id}"}
        answer = caller.bare("POST", f"{graph}/v1.0/groups/{found[name]}/members/$ref", member, headers=headers)
        assert answer.status_code == 204, answer.text
    return found


def make_vault(contoso: Contoso, ids: dict[str, str]) -> None:
    """Make the vault as the security team, with the access policies of the four roles."""
    tenant = contoso.call.world.tenant
    policies = POLICIES | {"keeper": KEEPER}
    entries = [{"tenantId": tenant, "objectId": ids[name], "permissions": words} for name, words in policies.items()]
    properties = {
        "tenantId": tenant,
        "sku": {"family": "A", "name": "premium"},
        "enableRbacAuthorization": False,
        "accessPolicies": entries,
    }
    url = f"{contoso.scope}/providers/Microsoft.KeyVault/vaults/contosovault"
    contoso.must("security", "PUT", url, {"location": "local", "properties": properties})


def make_role(contoso: Contoso, group: str) -> None:
    """Make the role of devops, of Virtual Machine Contributor and one action more, and assign it."""
    subscription = contoso.scope.partition("/resourceGroups")[0]
    roles = f"{subscription}/providers/Microsoft.Authorization/roleDefinitions"
    permission = contoso.must("administrator", "GET", f"{roles}/{MACHINES}")["properties"]["permissions"][0]
    permission["actions"].append("Microsoft.KeyVault/vaults/deploy/action")
    role_id = str(uuid4())
    own = {"roleName": "Contoso devops", "type": "CustomRole", "permissions": [permission], "assignableScopes": [subscription]}
    contoso.must("administrator", "PUT", f"{roles}/{role_id}", {"properties": own})
    contoso.assign(role_id, group, contoso.scope)


@dataclass(frozen=True)
class Operation:
    """One operation on what is in the vault. NAME in a path is an object that the keeper prepared, in the state `given`."""

    noun: str
    permission: str
    method: str
    path: str
    body: object = None
    given: str = "there"

    def allowed(self, role: str) -> bool:
        """Tell whether the access policies of the example let a role do it."""
        words = POLICIES.get(role, {}).get(self.noun, [])
        return self.permission in words or ("all" in words and self.permission != "purge")

    def tried(self, contoso: Contoso, role: str, name: str, backup: str) -> Any:  # noqa: ANN401  # an answer of httpx
        """Let a role try it on an object."""
        body = {"value": backup} if self.body == "BACKUP" else self.body
        return contoso.at(role, self.method, self.path.replace("NAME", name), body)


DIGEST = {"alg": "ES256", "value": "A" * 43}
OPERATIONS: Final = (
    Operation("keys", "list", "GET", "/keys"),
    Operation("keys", "list", "GET", "/keys/NAME/versions"),
    Operation("keys", "list", "GET", "/deletedkeys"),
    Operation("keys", "get", "GET", "/keys/NAME"),
    Operation("keys", "get", "GET", "/deletedkeys/NAME", given="deleted"),
    Operation("keys", "create", "POST", "/keys/NAME/create", KEY),
    Operation("keys", "update", "PATCH", "/keys/NAME", {"tags": {"a": "b"}}),
    Operation("keys", "backup", "POST", "/keys/NAME/backup"),
    Operation("keys", "restore", "POST", "/keys/restore", "BACKUP", given="backed-up"),
    Operation("keys", "delete", "DELETE", "/keys/NAME"),
    Operation("keys", "recover", "POST", "/deletedkeys/NAME/recover", given="deleted"),
    Operation("keys", "purge", "DELETE", "/deletedkeys/NAME", given="deleted"),
    Operation("keys", "sign", "POST", "/keys/NAME/sign", DIGEST),
    Operation("keys", "verify", "POST", "/keys/NAME/verify", {"alg": "ES256", "digest": "A" * 43, "value": "A" * 86}),
    Operation("keys", "rotate", "POST", "/keys/NAME/rotate"),
    Operation("keys", "getrotationpolicy", "GET", "/keys/NAME/rotationpolicy"),
    Operation("keys", "setrotationpolicy", "PUT", "/keys/NAME/rotationpolicy", {"attributes": {"expiryTime": "P2Y"}}),
    Operation("secrets", "list", "GET", "/secrets"),
    Operation("secrets", "list", "GET", "/secrets/NAME/versions"),
    Operation("secrets", "list", "GET", "/deletedsecrets"),
    Operation("secrets", "get", "GET", "/secrets/NAME"),
    Operation("secrets", "get", "GET", "/deletedsecrets/NAME", given="deleted"),
    Operation("secrets", "set", "PUT", "/secrets/NAME", {"value": "another"}),
    Operation("secrets", "set", "PATCH", "/secrets/NAME", {"tags": {"a": "b"}}),
    Operation("secrets", "backup", "POST", "/secrets/NAME/backup"),
    Operation("secrets", "restore", "POST", "/secrets/restore", "BACKUP", given="backed-up"),
    Operation("secrets", "delete", "DELETE", "/secrets/NAME"),
    Operation("secrets", "recover", "POST", "/deletedsecrets/NAME/recover", given="deleted"),
    Operation("secrets", "purge", "DELETE", "/deletedsecrets/NAME", given="deleted"),
    Operation("certificates", "list", "GET", "/certificates"),
    Operation("certificates", "get", "GET", "/certificates/NAME"),
    Operation("certificates", "create", "POST", "/certificates/NAME/create", {"policy": SELF_SIGNED}),
    Operation("certificates", "update", "PATCH", "/certificates/NAME", {"tags": {"a": "b"}}),
    Operation("certificates", "delete", "DELETE", "/certificates/NAME"),
    Operation("certificates", "managecontacts", "PUT", "/certificates/contacts", {"contacts": [{"email": "a@contoso.com"}]}),
    Operation("certificates", "listissuers", "GET", "/certificates/issuers"),
)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: f"{one.method} {one.path}")
def test_each_role_does_in_the_vault_what_its_access_policy_says(contoso: Contoso, operation: Operation) -> None:
    """Whoever may is served; whoever may not is refused, and what was there is as it was."""
    name, backup = prepare(contoso, operation)
    before = state_of(contoso, operation.noun, name)
    for role in [role for role in ROLES if not operation.allowed(role)]:
        answer = operation.tried(contoso, role, name, backup)
        assert answer.status_code == 403, f"{role}: {answer.status_code} {answer.text}"
        assert answer.json()["error"]["code"] == "Forbidden"
    assert state_of(contoso, operation.noun, name) == before
    for role in filter(operation.allowed, ROLES):
        answer = operation.tried(contoso, role, *prepare(contoso, operation))
        assert answer.is_success, f"{role}: {answer.status_code} {answer.text}"


def prepare(contoso: Contoso, operation: Operation) -> tuple[str, str]:
    """Make an object as the keeper, in the state that an operation wants; give its name, and its backup if that is wanted."""
    noun, name, backup = operation.noun, f"{operation.noun}-{uuid4().hex[:8]}", ""
    made = {"keys": ("POST", "/create", KEY), "secrets": ("PUT", "", {"value": "of Contoso"})}
    method, verb, body = made.get(noun, ("POST", "/create", {"policy": SELF_SIGNED}))
    contoso.must("keeper", method, f"/{noun}/{name}{verb}", body)
    if operation.given == "backed-up":
        backup = contoso.must("keeper", "POST", f"/{noun}/{name}/backup")["value"]
    if operation.given != "there":
        contoso.must("keeper", "DELETE", f"/{noun}/{name}")
    if operation.given == "backed-up":
        contoso.must("keeper", "DELETE", f"/deleted{noun}/{name}")
    return name, backup


def state_of(contoso: Contoso, noun: str, name: str) -> list[object]:
    """Give all that the keeper sees of an object, deleted or not."""
    seen = [contoso.at("keeper", "GET", f"/{path}") for path in (f"{noun}/{name}", f"deleted{noun}/{name}")]
    return [(answer.status_code, answer.json() if answer.is_success else None) for answer in seen]


VAULTS = "SCOPE/providers/Microsoft.KeyVault/vaults"
STORE = "SCOPE/providers/Microsoft.Storage/storageAccounts/contosologstorage"
LOGS = {"storageAccountId": STORE, "logs": [{"category": "AuditEvent", "enabled": True}]}
NO_POLICIES: Final[dict[str, object]] = {"properties": {"accessPolicies": []}}
ASSIGNMENT = {
    "properties": {
        "roleDefinitionId": "/providers/Microsoft.Authorization/roleDefinitions/00482a5a-887f-4fb3-b363-3b7fe8e74483",
        "principalId": "11111111-2222-4333-8444-555555555555",
        "principalType": "User",
    }
}
AROUND: Final = (
    ("GET", f"{VAULTS}/contosovault", None, EVERYTHING),
    ("GET", VAULTS, None, EVERYTHING),
    ("PATCH", f"{VAULTS}/contosovault", {"tags": {"a": "b"}}, EVERYTHING),
    ("PUT", f"{VAULTS}/contosovault/accessPolicies/add", NO_POLICIES, EVERYTHING),
    ("PUT", f"{VAULTS}/contosovault/providers/Microsoft.Insights/diagnosticSettings/log", {"properties": LOGS}, EVERYTHING),
    ("GET", f"{VAULTS}/contosovault/providers/Microsoft.Insights/diagnosticSettings/log", None, EVERYTHING),
    ("GET", f"{STORE}/certworker/auditEvents", None, frozenset({"auditor"})),
    (
        "PUT",
        "SCOPE/providers/Microsoft.Authorization/roleAssignments/5f0c1f5e-3c3b-4b0e-9d34-2f1c7c1f0c11",
        ASSIGNMENT,
        frozenset({"administrator"}),
    ),
    ("PUT", "SCOPE", {"location": "local"}, frozenset({"administrator"})),
)


@pytest.mark.parametrize(("method", "url", "body", "allowed"), AROUND, ids=[f"{one[0]} {one[1]}" for one in AROUND])
def test_each_role_does_around_the_vault_what_its_roles_say(
    contoso: Contoso, method: str, url: str, body: object, allowed: frozenset[str]
) -> None:
    """The management plane goes by roles alone: access policies open nothing there, and being an owner opens no log."""
    for role in ROLES:
        answer = contoso.at(role, method, url.replace("SCOPE", contoso.scope), _placed(body, contoso.scope))
        if role in allowed:
            assert answer.is_success, f"{role}: {answer.status_code} {answer.text}"
        else:
            assert answer.status_code == 403, f"{role}: {answer.status_code} {answer.text}"
            assert answer.json()["error"]["code"] == "AuthorizationFailed"


def _placed(body: object, scope: str) -> object:
    if isinstance(body, dict):
        return {name: _placed(value, scope) for name, value in body.items()}
    return body.replace("SCOPE", scope) if isinstance(body, str) else body


def test_devops_alone_may_deploy_from_the_vault(contoso: Contoso) -> None:
    """The custom role holds the action that whoever deploys machines with secrets of the vault needs."""
    world = contoso.call.world
    for role in ("devops", "auditor", "application", "stranger"):
        url = f"{contoso.scope}/providers/Microsoft.Authorization/permissions"
        answer = contoso.at(role, "GET", url)
        held = [action for one in answer.json().get("value", []) for action in one["actions"]] if answer.is_success else []
        assert ("Microsoft.KeyVault/vaults/deploy/action" in held) == (role == "devops"), (role, held, world.tenant)
