"""Who may do what. Every service method asks here for the permission that it needs.

The two planes are apart: actions are for what manages vaults, data actions for what is inside of them. A vault goes by its
access policies, or by role assignments (`Vault.rbac`), never by both.
"""

from certworker.errors import AuthorizationFailed, Forbidden, ForbiddenByPolicy, ForbiddenByRoles
from certworker.vault.rights.caller import SERVICE, Caller
from certworker.vault.rights.data_actions import DATA_ACTIONS
from certworker.vault.rights.decisions import (
    WHOLE_VAULT,
    granted,
    permits,
    places_in,
    policies_for,
    principals_of,
    roles_at,
)
from certworker.vault.rights.scopes import fold_scope, object_scope, vault_scope
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
        vault is for the service alone. Raises Forbidden, ForbiddenByPolicy, ForbiddenByRoles.
        """
        if caller.is_service:
            return
        if reader is None:
            with self._store.glance() as own:
                self.require(caller, vault, noun, permission, own, name=name, role_permission=role_permission)
            return
        if vault.name == SYSTEM_VAULT or caller.tenant_id != vault.tenant_id:
            raise _denied(reader, caller, vault, noun, permission)
        if vault.rbac:
            _require_role(reader, caller, vault, noun, (role_permission or permission).lower(), name)
        elif not granted(reader, caller, vault, noun, permission.lower()):
            raise _refusal(reader, caller, vault, noun, permission)

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


def _require_role(reader: HotReader, caller: Caller, vault: Vault, noun: str, permission: str, name: str | None) -> None:
    action = DATA_ACTIONS[noun, permission]
    places = places_in(reader, caller, vault, action)
    if WHOLE_VAULT in places:
        return
    scope = object_scope(vault, noun, name) if name else vault_scope(vault)
    if fold_scope(scope) not in places:
        raise ForbiddenByRoles(
            "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role "
            "definitions were changed recently, please observe propagation time.\r\n"
            f"Caller: appid={caller.client_id};oid={caller.object_id};iss={caller.issuer}\r\n"
            f"Action: '{action}'\r\nResource: '{scope.lower()}'\r\nAssignment: (not found)\r\nDenyAssignmentId: null\r\n"
            f"DecisionReason: 'DeniedWithNoValidRBAC' \r\nVault: {vault.name};location={vault.location}\r\n"
        )


def _refusal(reader: HotReader, caller: Caller, vault: Vault, noun: str, permission: str) -> Forbidden:
    """Tell those who have other permissions on `noun` from those who have none: the service names the cause in this way."""
    if any(policy.permissions.get(noun) for policy in policies_for(reader, caller, vault)):
        return ForbiddenByPolicy(
            f'Operation is not allowed.\r\nOperation: "{permission}"\r\nCaller: {_named(reader, caller)}\r\n'
            f"Vault: {vault.name};location={vault.location}"
        )
    return _denied(reader, caller, vault, noun, permission)


def _denied(reader: HotReader, caller: Caller, vault: Vault, noun: str, permission: str) -> Forbidden:
    return Forbidden(
        f"The user, group or application '{_named(reader, caller)}' does not have {noun} {permission} permission on key vault "
        f"'{vault.name};location={vault.location}'."
    )


def _named(reader: HotReader, caller: Caller) -> str:
    groups = principals_of(reader, caller) - {caller.object_id}
    return f"appid={caller.client_id};oid={caller.object_id};numgroups={len(groups)};iss={caller.issuer}"
