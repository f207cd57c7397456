"""Every operation of the data plane with the permission and the data action that the service's reference asks for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final
from uuid import uuid4

from certworker.bootstrap import House
from certworker.errors import CertworkerError, Forbidden, ForbiddenByPolicy, ForbiddenByRoles
from certworker.vault.access import Caller
from certworker.vault.imports import Arrival
from certworker.vault.issuers import IssuerChange, IssuerParameters
from certworker.vault.key_creation import ArrivingKey, WantedKey
from certworker.vault.key_settings import KeySettings
from certworker.vault.rights.policies import AccessPolicy
from certworker.vault.rights.roles import PrincipalType, RoleAssignment
from certworker.vault.rotation_policy import RotationPolicy
from certworker.vault.secrets import NewSecret, SecretUpdate
from certworker.vault.updates import Update
from certworker.vault.vaults import Vault
from tests.support.clock import START

Asking = Callable[[House, Caller, Vault, str], object]


@dataclass(frozen=True)
class Operation:
    """One operation: `noun` and `word` are of access policies, `action` is what follows `Microsoft.KeyVault/vaults/`.

    With `of_object` it is about a single object, for which alone a role may be assigned.
    """

    noun: str
    word: str
    action: str
    ask: Asking
    of_object: bool = True


def _reach(path: str) -> Callable[[House], Any]:
    def reach(house: House) -> Any:  # noqa: ANN401 - a service
        service: Any = house
        for step in path.split("."):
            service = getattr(service, step)
        return service

    return reach


def _named(path: str, *more: object) -> Asking:
    """Ask a method of the house about one object."""
    reach = _reach(path)
    return lambda house, caller, vault, name: reach(house)(caller, vault, name, *more)


def _whole(path: str, *more: object) -> Asking:
    """Ask a method of the house about the vault."""
    reach = _reach(path)
    return lambda house, caller, vault, _name: reach(house)(caller, vault, *more)


def _in_vault(noun: str, word: str, action: str, ask: Asking) -> Operation:
    return Operation(noun, word, action, ask, of_object=False)


_PAGE: Final = (None, 25)
_SECRETS: Final = {
    "secrets.set": Operation("secrets", "set", "secrets/setSecret/action", _named("secrets.set", NewSecret("x" * 30_000))),
    "secrets.get": Operation("secrets", "get", "secrets/getSecret/action", _named("secrets.get")),
    "secrets.list_": _in_vault("secrets", "list", "secrets/readMetadata/action", _whole("secrets.list_", *_PAGE)),
    "secrets.versions": Operation("secrets", "list", "secrets/readMetadata/action", _named("secrets.versions", *_PAGE)),
    "secrets.update": Operation("secrets", "set", "secrets/update/action", _named("secrets.update", None, SecretUpdate())),
    "secrets.delete": Operation("secrets", "delete", "secrets/delete", _named("secrets.delete")),
    "secrets.deleted": Operation("secrets", "get", "secrets/readMetadata/action", _named("secrets.deleted")),
    "secrets.list_deleted": _in_vault("secrets", "list", "secrets/readMetadata/action", _whole("secrets.list_deleted", *_PAGE)),
    "secrets.recover": Operation("secrets", "recover", "secrets/recover/action", _named("secrets.recover")),
    "secrets.purge": Operation("secrets", "purge", "secrets/purge/action", _named("secrets.purge")),
    "backups.secrets.backup": Operation("secrets", "backup", "secrets/backup/action", _named("backups.secrets.backup")),
    "backups.secrets.restore": _in_vault(
        "secrets", "restore", "secrets/restore/action", _whole("backups.secrets.restore", b"none")
    ),
}


def _key(word: str, action: str, path: str, *more: object) -> Operation:
    return Operation("keys", word, f"keys/{action}", _named(path, *more))


def _use(word: str, action: str, *more: object) -> Operation:
    return _key(word, f"{action}/action", f"key_operations.{action}", None, "none", *more)


_KEYS: Final = {
    "keys.get": _key("get", "read", "keys.get"),
    "keys.list_": _in_vault("keys", "list", "keys/read", _whole("keys.list_", *_PAGE)),
    "keys.versions": _key("list", "read", "keys.versions", *_PAGE),
    "attestations.attest": _key("get", "read", "attestations.attest", None),
    "key_life.creation.create": _key("create", "create/action", "key_life.creation.create", WantedKey("wrong")),
    "key_life.creation.import_": _key("import", "import/action", "key_life.creation.import_", ArrivingKey("wrong", {})),
    "key_life.updates.update": _key("update", "update/action", "key_life.updates.update", None, KeySettings()),
    "key_life.rotations.rotate": _key("rotate", "rotate/action", "key_life.rotations.rotate"),
    "key_life.rotations.policy": Operation(
        "keys", "getrotationpolicy", "keyrotationpolicies/read", _named("key_life.rotations.policy")
    ),
    "key_life.rotations.set_policy": Operation(
        "keys",
        "setrotationpolicy",
        "keyrotationpolicies/write",
        _named("key_life.rotations.set_policy", RotationPolicy(expiry_time="wrong")),
    ),
    "key_life.deletions.delete": _key("delete", "delete", "key_life.deletions.delete"),
    "key_life.deletions.deleted": _key("get", "read", "key_life.deletions.deleted"),
    "key_life.deletions.list_deleted": _in_vault(
        "keys", "list", "keys/read", _whole("key_life.deletions.list_deleted", *_PAGE)
    ),
    "key_life.deletions.recover": _key("recover", "recover/action", "key_life.deletions.recover"),
    "key_life.deletions.purge": _key("purge", "purge/action", "key_life.deletions.purge"),
    "backups.keys.backup": _key("backup", "backup/action", "backups.keys.backup"),
    "backups.keys.restore": _in_vault("keys", "restore", "keys/restore/action", _whole("backups.keys.restore", b"none")),
    "key_operations.encrypt": _use("encrypt", "encrypt", b"data"),
    "key_operations.decrypt": _use("decrypt", "decrypt", b"data"),
    "key_operations.sign": _use("sign", "sign", b"digest"),
    "key_operations.verify": _use("verify", "verify", b"digest", b"signature"),
    "key_operations.wrap": _use("wrapKey", "wrap", b"data"),
    "key_operations.unwrap": _use("unwrapKey", "unwrap", b"data"),
    "releases.release": _key("release", "release/action", "releases.release", None, "none"),
    "key_operations.random_bytes": _in_vault("keys", "get", "keys/rng/action", _whole("key_operations.random_bytes", 8)),
}


def _certificate(word: str, action: str, path: str, *more: object) -> Operation:
    return Operation("certificates", word, f"certificates/{action}", _named(path, *more))


def _issuer(word: str, action: str, path: str, *more: object) -> Operation:
    return _in_vault("certificates", word, f"certificatecas/{action}", _named(path, *more))


def _contacts(path: str, *more: object) -> Operation:
    return _in_vault("certificates", "managecontacts", "certificatecontacts/write", _whole(path, *more))


def _create(house: House, caller: Caller, vault: Vault, name: str) -> object:
    return house.certificates.create(caller, vault, name, None, tags={})


_CERTIFICATES: Final = {
    "certificates.create": Operation("certificates", "create", "certificates/create/action", _create),
    "certificates.get": _certificate("get", "read", "certificates.get"),
    "certificates.show": _certificate("get", "read", "certificates.show"),
    "certificates.list_": _in_vault("certificates", "list", "certificates/read", _whole("certificates.list_", *_PAGE)),
    "certificates.versions": _certificate("list", "read", "certificates.versions", *_PAGE),
    "certificates.policy": _certificate("get", "read", "certificates.policy"),
    "certificates.update_policy": _certificate("update", "update/action", "certificates.update_policy", lambda policy: policy),
    "certificates.operation": _certificate("get", "read", "certificates.operation"),
    "certificates.request_cancellation": _certificate("update", "update/action", "certificates.request_cancellation"),
    "certificates.delete_operation": _certificate("delete", "delete", "certificates.delete_operation"),
    "certificates.delete": _certificate("delete", "delete", "certificates.delete"),
    "certificates.deleted": _certificate("get", "read", "certificates.deleted"),
    "certificates.list_deleted": _in_vault(
        "certificates", "list", "certificates/read", _whole("certificates.list_deleted", *_PAGE)
    ),
    "certificates.recover": _certificate("recover", "recover/action", "certificates.recover"),
    "certificates.purge": _certificate("purge", "purge/action", "certificates.purge"),
    "merging.merge": _certificate("create", "create/action", "merging.merge", ()),
    "imports.import_": _certificate("import", "import/action", "imports.import_", Arrival("none")),
    "updates.update": _certificate("update", "update/action", "updates.update", None, Update()),
    "backups.certificates.backup": _certificate("backup", "backup/action", "backups.certificates.backup"),
    "backups.certificates.restore": _in_vault(
        "certificates", "restore", "certificates/restore/action", _whole("backups.certificates.restore", b"none")
    ),
    "contacts.get": _contacts("contacts.get"),
    "contacts.set": _contacts("contacts.set", ()),
    "contacts.delete": _contacts("contacts.delete"),
    "issuers.set": _issuer("setissuers", "write", "issuers.set", IssuerParameters("none")),
    "issuers.update": _issuer("setissuers", "write", "issuers.update", IssuerChange()),
    "issuers.get": _issuer("getissuers", "read", "issuers.get"),
    "issuers.list_": _in_vault("certificates", "listissuers", "certificatecas/read", _whole("issuers.list_", *_PAGE)),
    "issuers.delete": _issuer("deleteissuers", "delete", "issuers.delete"),
}

_OF_OUR_OWN: Final = {
    "requested.renew_now": _certificate("create", "create/action", "requested.renew_now"),
    "histories.latest": _certificate("get", "read", "histories.latest"),
    "refusals.list_": _certificate("get", "read", "refusals.list_"),
    "dealings.examinations.examine": _issuer("setissuers", "write", "dealings.examinations.examine"),
    "dealings.account_keys.roll": _issuer("setissuers", "write", "dealings.account_keys.roll"),
    "dealings.revocations.revoke": _certificate("delete", "delete", "dealings.revocations.revoke", None, "none"),
    "lifecycle.outlooks.show": _certificate("get", "read", "lifecycle.outlooks.show"),
    "lifecycle.outlooks.list_": _in_vault(
        "certificates", "list", "certificates/read", _whole("lifecycle.outlooks.list_", *_PAGE)
    ),
    "lifecycle.statuses.show": _in_vault("certificates", "list", "certificates/read", _whole("lifecycle.statuses.show")),
    "lifecycle.pauses.pause": _certificate("update", "update/action", "lifecycle.pauses.pause", "why"),
    "lifecycle.pauses.resume": _certificate("update", "update/action", "lifecycle.pauses.resume"),
    "lifecycle.mass_replacements.drill": _in_vault(
        "certificates", "list", "certificates/read", _named("lifecycle.mass_replacements.drill")
    ),
    "lifecycle.mass_replacements.replace": _in_vault(
        "certificates", "create", "certificates/create/action", _named("lifecycle.mass_replacements.replace")
    ),
    "lifecycle.revocation.statuses.show": _certificate("get", "read", "lifecycle.revocation.statuses.show"),
    "lifecycle.revocation.statuses.check": _certificate("get", "read", "lifecycle.revocation.statuses.check"),
    "lifecycle.revocation.statuses.list_": _in_vault(
        "certificates", "list", "certificates/read", _whole("lifecycle.revocation.statuses.list_")
    ),
    "lifecycle.notification.desk.list": _contacts("lifecycle.notification.desk.list", None, *_PAGE),
    "lifecycle.notification.desk.get": _contacts("lifecycle.notification.desk.get", "none"),
    "lifecycle.notification.desk.replay": _contacts("lifecycle.notification.desk.replay", "none"),
    "lifecycle.notification.desk.replay_dead": _contacts("lifecycle.notification.desk.replay_dead"),
    "lifecycle.notification.desk.acknowledge": _contacts("lifecycle.notification.desk.acknowledge", "none"),
    "lifecycle.notification.desk.silence": _contacts("lifecycle.notification.desk.silence", "*", None, START, "why"),
    "lifecycle.notification.desk.silences": _contacts("lifecycle.notification.desk.silences"),
    "lifecycle.notification.desk.unsilence": _contacts("lifecycle.notification.desk.unsilence", "none"),
    "lifecycle.notification.desk.test": _contacts("lifecycle.notification.desk.test", "none"),
}

OPERATIONS: Final[Mapping[str, Operation]] = MappingProxyType({**_SECRETS, **_KEYS, **_CERTIFICATES, **_OF_OUR_OWN})
"""By the path of the method in the house."""


def is_let_in(operation: Operation, house: House, caller: Caller, vault: Vault, name: str = "none") -> bool:
    """Tell whether a caller comes past the door; what is behind it is asked with what cannot work."""
    try:
        operation.ask(house, caller, vault, name)
    except (ForbiddenByRoles, ForbiddenByPolicy):
        return False
    except Forbidden as refusal:
        return "permission on key vault" not in str(refusal)
    except CertworkerError:
        return True
    return True


def let_in(house: House, caller: Caller, vault: Vault, name: str = "none") -> set[str]:
    """List the operations that a caller may do."""
    return {path for path, operation in OPERATIONS.items() if is_let_in(operation, house, caller, vault, name)}


def assign(
    house: House, principal_id: str, role_id: str, scope: str, kind: PrincipalType = PrincipalType.USER
) -> RoleAssignment:
    """Assign a role in the tenant of the first vault."""
    with house.store.writing() as writer:
        tenant = writer.vaults()[0].tenant_id
        assignment = RoleAssignment(str(uuid4()), tenant, scope, role_id, principal_id, kind, START, START)
        writer.add_role_assignment(assignment)
    return assignment


def go_by_policies(house: House, vault: Vault, *policies: AccessPolicy) -> Vault:
    """Let a vault go by access policies; give it as it is then."""
    changed = replace(vault, rbac=False)
    with house.store.writing() as writer:
        writer.replace_vault(changed)
        writer.put_access_policies(vault.id, policies)
    return changed
