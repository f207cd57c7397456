"""Who may do what. Every service method asks here for the permission that it needs.

The two planes are apart: actions are for what manages vaults, data actions for what is inside of them. A vault goes by its
access policies, or by role assignments (`Vault.rbac`), never by both.
"""

from certworker.errors import AuthorizationFailed, Forbidden, ForbiddenByRoles
from certworker.vault.rights.built_in_roles import built_in_roles
from certworker.vault.rights.caller import SERVICE, Caller
from certworker.vault.rights.data_actions import DATA_ACTIONS
from certworker.vault.rights.roles import RoleAssignment, RoleDefinition
from certworker.vault.rights.scopes import covers, fold_scope, object_scope, vault_scope
from certworker.vault.store import HotReader, Store
from certworker.vault.vaults import SYSTEM_VAULT, Vault

__all__ = ["SERVICE", "Access", "Caller", "permits", "principals_of", "roles_at"]


class Access:
    """Decides from the store, on every request: whoever was removed is refused at once."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def require(
        self,
        caller: Caller,
        vault: Vault,
        noun: str,
        permission: str,
        reader: HotReader | None = None,
        *,
        name: str | None = None,
        role_permission: str | None = None,
    ) -> None:
        """Refuse a caller who lacks `permission` (Key Vault's word) on `noun` (keys, secrets, certificates) in `vault`.

        Roles may be assigned for the one object `name`; none means all of the vault. Where roles tell apart what access
        policies do not, `role_permission` is the word for them. `reader` is a glance that is open already. The service's own
        vault is for the service alone. Raises Forbidden, ForbiddenByRoles.
        """
        if caller.is_service:
            return
        if reader is None:
            with self._store.glance() as own:
                self._require(own, caller, vault, noun, permission.lower(), name, role_permission)
        else:
            self._require(reader, caller, vault, noun, permission.lower(), name, role_permission)

    def _require(
        self,
        reader: HotReader,
        caller: Caller,
        vault: Vault,
        noun: str,
        permission: str,
        name: str | None,
        role_permission: str | None,
    ) -> None:
        if vault.name == SYSTEM_VAULT or caller.tenant_id != vault.tenant_id:
            raise _forbidden(caller, vault, noun, permission)
        if not vault.rbac:
            if not _granted(reader, caller, vault, noun, permission):
                raise _forbidden(caller, vault, noun, permission)
            return
        action = DATA_ACTIONS[noun, role_permission or permission]
        scope = object_scope(vault, noun, name) if name else vault_scope(vault)
        if not permits(reader, caller, scope, action, data=True):
            raise ForbiddenByRoles(
                "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role "
                "definitions were changed recently, please observe propagation time.\r\n"
                f"Caller: appid={caller.client_id};oid={caller.object_id};iss={caller.issuer}\r\n"
                f"Action: '{action}'\r\nResource: '{scope.lower()}'\r\nAssignment: (not found)\r\n"
                f"DecisionReason: 'DeniedWithNoValidRBAC' \r\nVault: {vault.name};location={vault.location}\r\n"
            )

    def require_action(
        self, caller: Caller, scope: str, action: str, reader: HotReader | None = None, *, data: bool = False
    ) -> None:
        """Refuse a caller who has no role that permits `action` (or a data action) at `scope`, a resource id.

        Raises AuthorizationFailed.
        """
        if not self.may(caller, scope, action, reader, data=data):
            raise AuthorizationFailed(
                f"The client '{caller.user_name or caller.client_id}' with object id '{caller.object_id}' does not have "
                f"authorization to perform action '{action}' over scope '{scope}' or the scope is invalid. If access was "
                "recently granted, please refresh your credentials."
            )

    def may(self, caller: Caller, scope: str, action: str, reader: HotReader | None = None, *, data: bool = False) -> bool:
        """Tell whether a caller has a role that permits an action at a scope."""
        if caller.is_service:
            return True
        if reader is not None:
            return permits(reader, caller, scope, action, data=data)
        with self._store.glance() as own:
            return permits(own, caller, scope, action, data=data)


def permits(reader: HotReader, caller: Caller, scope: str, action: str, *, data: bool) -> bool:
    """Tell whether a role that is assigned to the caller, or to a group of theirs, permits an action at a scope.

    The decision is remembered for as long as nothing changes that it rests on.
    """

    def decide() -> bool:
        target = fold_scope(scope)
        return any(role.permits(action, data=data) for _, role in roles_at(reader, caller, target))

    groups = tuple(sorted(caller.groups))
    return reader.remember(("permits", caller.tenant_id, caller.object_id, groups, scope, action, data), decide)


def roles_at(reader: HotReader, caller: Caller, folded: str) -> list[tuple[RoleAssignment, RoleDefinition]]:
    """List the roles that a caller has at a folded scope, by themselves or by a group."""
    found = []
    for assignment in reader.role_assignments(caller.tenant_id, principals_of(reader, caller)):
        if covers(fold_scope(assignment.scope), folded):
            role = built_in_roles().get(assignment.role_id) or reader.role_definition(caller.tenant_id, assignment.role_id)
            if role:
                found.append((assignment, role))
    return found


def principals_of(reader: HotReader, caller: Caller) -> frozenset[str]:
    """List the object ids that a caller goes by: their own, and those of all groups that they are in."""
    return reader.groups_of(caller.object_id) | caller.groups | {caller.object_id}


def _granted(reader: HotReader, caller: Caller, vault: Vault, noun: str, permission: str) -> bool:
    def decide() -> bool:
        principals = principals_of(reader, caller)
        return any(
            policy.object_id in principals
            and policy.application_id in (None, caller.client_id)
            and policy.grants(noun, permission)
            for policy in reader.access_policies(vault.id)
        )

    groups = tuple(sorted(caller.groups))
    return reader.remember(("granted", vault.id, caller.object_id, caller.client_id, groups, noun, permission), decide)


def _forbidden(caller: Caller, vault: Vault, noun: str, permission: str) -> Forbidden:
    return Forbidden(
        f"The user, group or application 'appid={caller.client_id};oid={caller.object_id};tid={caller.tenant_id}' does not "
        f"have {noun} {permission} permission on key vault '{vault.name};location={vault.location}'."
    )
