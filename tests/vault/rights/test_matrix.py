"""The full matrix: each built-in role, and each permission of an access policy, against each operation of the data plane."""

import ast
import inspect
from collections.abc import Iterator
from fnmatch import fnmatchcase
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import certworker.vault
from certworker.vault.access import Caller
from certworker.vault.key_operations import ALGORITHMS
from certworker.vault.rights.built_in_roles import built_in_roles
from certworker.vault.rights.data_actions import DATA_ACTIONS
from certworker.vault.rights.explanation import Explanations
from certworker.vault.rights.policies import WORDS, AccessPolicy
from certworker.vault.rights.scopes import vault_scope
from tests.support.deployment import Deployment
from tests.support.operations import OPERATIONS, assign, go_by_policies, let_in

ROLES = {
    "Key Vault Administrator": ("*",),
    "Key Vault Certificate User": (
        "certificates/read",
        "secrets/getSecret/action",
        "secrets/readMetadata/action",
        "keys/read",
    ),
    "Key Vault Certificates Officer": ("certificatecas/*", "certificates/*", "certificatecontacts/write"),
    "Key Vault Contributor": (),
    "Key Vault Crypto Officer": ("keys/*", "keyrotationpolicies/*"),
    "Key Vault Crypto Service Encryption User": ("keys/read", "keys/wrap/action", "keys/unwrap/action"),
    "Key Vault Crypto Service Release User": ("keys/release/action",),
    "Key Vault Crypto User": (
        "keys/read",
        *(f"keys/{word}/action" for word in ("update", "backup", "encrypt", "decrypt", "wrap", "unwrap", "sign", "verify")),
    ),
    "Key Vault Data Access Administrator": (),
    "Key Vault Reader": ("*/read", "secrets/readMetadata/action"),
    "Key Vault Secrets Officer": ("secrets/*",),
    "Key Vault Secrets User": ("secrets/getSecret/action", "secrets/readMetadata/action"),
    "Owner": (),
    "Contributor": (),
    "Reader": (),
    "User Access Administrator": (),
    "Monitoring Contributor": (),
    "Virtual Machine Contributor": (),
    "Storage Blob Data Reader": (),
}
"""The data actions of Key Vault's published roles, and of the others that manage and cannot look inside."""

PERMISSIONS = [(noun, word) for noun in ("keys", "secrets", "certificates") for word in sorted(WORDS[noun])]
ISSUERS = {"getissuers", "listissuers", "setissuers", "deleteissuers"}
ADA = "ada"


def ada(deployment: Deployment) -> Caller:
    """Somebody who may do nothing yet."""
    return Caller(ADA, "terminal", deployment.vault.tenant_id, user_name="ada@contoso.example")


def test_every_built_in_role_is_in_the_table() -> None:
    """Roles of another time would be missed otherwise."""
    assert {role.name for role in built_in_roles().values()} >= set(ROLES)
    with_data = {role.name for role in built_in_roles().values() if any(one.data_actions for one in role.permissions)}
    assert with_data <= set(ROLES)


@pytest.mark.parametrize("name", ROLES)
def test_a_role_lets_do_what_its_data_actions_say(deployment: Deployment, name: str) -> None:
    """That, and nothing else; in a vault that goes by access policies, nothing at all."""
    house, vault, caller = deployment.house, deployment.vault, ada(deployment)
    assert let_in(house, caller, vault) == set()
    role = next(role for role in built_in_roles().values() if role.name == name)
    assign(house, ADA, role.id, vault_scope(vault))
    expected = {
        path for path, operation in OPERATIONS.items() if any(fnmatchcase(operation.action, pattern) for pattern in ROLES[name])
    }
    assert let_in(house, caller, vault) == expected
    assert let_in(house, caller, go_by_policies(house, vault)) == set()


def test_a_permission_of_an_access_policy_lets_do_what_it_names(deployment: Deployment) -> None:
    """Each word by itself, in any case; `manageissuers` stands for all that is about issuers."""
    house, caller = deployment.house, ada(deployment)
    for noun, word in PERMISSIONS:
        vault = go_by_policies(house, deployment.vault, AccessPolicy(caller.tenant_id, ADA, {noun: (word.title(),)}))
        words = {word} | (ISSUERS if word == "manageissuers" else set())
        expected = {
            path for path, operation in OPERATIONS.items() if operation.noun == noun and operation.word.lower() in words
        }
        assert let_in(house, caller, vault) == expected, (noun, word)


@pytest.mark.parametrize("noun", ["keys", "secrets", "certificates", "storage"])
def test_all_is_everything_but_purge(deployment: Deployment, noun: str) -> None:
    """And of its own noun only; a role that is assigned adds nothing."""
    house, caller = deployment.house, ada(deployment)
    assign(house, ADA, next(role.id for role in built_in_roles().values() if role.name == "Key Vault Administrator"), "/")
    mine = {path for path, operation in OPERATIONS.items() if operation.noun == noun}
    purges = {path for path in mine if OPERATIONS[path].word == "purge"}
    for words, expected in ((("All",), mine - purges), (("all", "purge"), mine), (("purge",), purges), ((), set())):
        vault = go_by_policies(house, deployment.vault, AccessPolicy(caller.tenant_id, ADA, {noun: words}))
        assert let_in(house, caller, vault) == expected


def modules() -> Iterator[ModuleType]:
    """Load the modules that have the services of the data plane."""
    root = Path(certworker.vault.__path__[0])
    for path in sorted(root.rglob("*.py")):
        name = ".".join(("certworker.vault", *path.relative_to(root).with_suffix("").parts)).removesuffix(".__init__")
        if not name.startswith("certworker.vault.management") and name != "certworker.vault.access":
            yield import_module(name)


def test_every_method_that_asks_for_a_caller_is_in_the_table(deployment: Deployment) -> None:
    """A new operation has to be put there, with its data action."""
    known = set()
    for path in OPERATIONS:
        service: object = deployment.house
        for step in path.split(".")[:-1]:
            service = getattr(service, step)
        known.add((type(service), path.rpartition(".")[2]))
    missing = {
        (kind.__name__, name)
        for module in modules()
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if kind.__module__ == module.__name__
        for name, function in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_")
        and list(inspect.signature(function).parameters)[:3] == ["self", "caller", "vault"]
        and (kind, name)
        not in known | {(Explanations, "explain"), (Explanations, "holdings")}  # it goes by a role of the management plane
    }
    assert missing == set()


def calls() -> Iterator[tuple[str, set[str], set[str], set[str], ast.FunctionDef, ast.Call]]:
    """List the calls that ask for a permission: the file, the nouns and the words of policies and of roles, and where it is."""
    for module in modules():
        for function in ast.walk(ast.parse(inspect.getsource(module))):
            if not isinstance(function, ast.FunctionDef):
                continue
            for call in ast.walk(function):
                if isinstance(call, ast.Call) and ast.unparse(call.func) == "self._access.require":
                    role = next((keyword.value for keyword in call.keywords if keyword.arg == "role_permission"), call.args[3])
                    nouns, words, roles = (_meant(module, one) for one in (call.args[2], call.args[3], role))
                    yield module.__name__, nouns, words, roles, function, call


def _meant(module: ModuleType, said: ast.expr) -> set[str]:
    if isinstance(said, ast.Constant):
        return {str(said.value)}
    assert isinstance(said, ast.Name)
    return set(ALGORITHMS) if said.id == "operation" else {getattr(module, said.id)}


def test_every_permission_that_is_asked_for_can_be_granted() -> None:
    """By a word that access policies have, and by a data action that roles have."""
    found = list(calls())
    assert len(found) > 50
    for name, nouns, words, roles, _, call in found:
        for noun in nouns:
            assert {word.lower() for word in words} <= WORDS[noun], (name, ast.unparse(call))
            assert all((noun, word.lower()) in DATA_ACTIONS for word in roles), (name, ast.unparse(call))


def test_what_is_about_one_object_is_asked_for_it() -> None:
    """So that a role that is assigned for the object alone suffices. Issuers are no objects of their own."""
    for name, _, words, _, function, call in calls():
        of_one = "name" in {argument.arg for argument in function.args.args} and not any("issuers" in word for word in words)
        assert ("name" in {keyword.arg for keyword in call.keywords}) == of_one, (name, ast.unparse(call))
