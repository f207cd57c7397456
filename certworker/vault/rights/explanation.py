"""Why somebody may do something in a vault: by which role assignment, or by which access policy."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from certworker.vault.access import Access, Caller
from certworker.vault.rights.data_actions import DATA_ACTIONS, NOUNS
from certworker.vault.rights.decisions import Held, policies_for, principals_of, role_of, roles_of
from certworker.vault.rights.policies import WORDS, AccessPolicy
from certworker.vault.rights.roles import READ_ASSIGNMENTS
from certworker.vault.rights.scopes import covers, fold_scope, object_scope, vault_scope
from certworker.vault.store import Reader, Store
from certworker.vault.vaults import Vault


class GroundKind(StrEnum):
    """What grants something."""

    ROLE_ASSIGNMENT = "role assignment"
    ACCESS_POLICY = "access policy"


@dataclass(frozen=True, slots=True)
class Ground:
    """What grants something, and to whom: to the principal itself, or to a group that it is in.

    `role` and `assignment_id` are of a role assignment, `application_id` is of an access policy for a compound identity.
    """

    kind: GroundKind
    principal_id: str
    scope: str
    role: str | None = None
    assignment_id: str | None = None
    application_id: str | None = None


@dataclass(frozen=True, slots=True)
class Right:
    """Something that somebody may do, in the words of access policies, with all that grants it; roles call it `data_action`."""

    noun: str
    permission: str
    data_action: str
    grounds: tuple[Ground, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """What somebody may do in a vault, or with the objects of one name in it. What is not among the rights is refused."""

    vault: Vault
    object_id: str
    application_id: str | None
    name: str | None
    groups: tuple[str, ...]
    rights: tuple[Right, ...]


@dataclass(frozen=True, slots=True)
class Holding:
    """What one role assignment or access policy gives: noun -> permissions. It may be for a group."""

    ground: Ground
    permissions: Mapping[str, tuple[str, ...]]


class Explanations:
    """Explains rights to those whose own they are, and to those who may read role assignments."""

    def __init__(self, store: Store, access: Access) -> None:
        self._store = store
        self._access = access

    def explain(
        self,
        caller: Caller,
        vault: Vault,
        object_id: str | None = None,
        application_id: str | None = None,
        name: str | None = None,
    ) -> Explanation:
        """Tell what a principal may do, the caller without one; through an application, if one is named, as a user does.

        Roles for single objects count only where a `name` is given. Of somebody else only those groups are known that the
        directory has, and not those that a foreign issuer's token tells of. Raises AuthorizationFailed.
        """
        who = caller
        if (object_id or caller.object_id, application_id or caller.client_id) != (caller.object_id, caller.client_id):
            if object_id not in (None, caller.object_id):
                self._access.require_action(caller, vault_scope(vault), READ_ASSIGNMENTS)
            user_name = (object_id or caller.user_name) if application_id else ""
            who = Caller(object_id or caller.object_id, application_id or "", caller.tenant_id, user_name=user_name)
        with self._store.reading() as reader:
            groups = sorted(principals_of(reader, who) - {who.object_id})
            rights = self._rights(reader, who, vault, name) if who.tenant_id == vault.tenant_id else ()
        return Explanation(vault, who.object_id, application_id, name, tuple(groups), rights)

    def holdings(self, caller: Caller, vault: Vault, name: str | None = None) -> tuple[Holding, ...]:
        """List all that gives anybody something in a vault, or with the objects of one name. Raises AuthorizationFailed."""
        self._access.require_action(caller, vault_scope(vault), READ_ASSIGNMENTS)
        with self._store.reading() as reader:
            found = _of_roles(reader, vault, name) if vault.rbac else _of_policies(reader, vault)
            return tuple(holding for holding in found if any(holding.permissions.values()))

    def _rights(self, reader: Reader, who: Caller, vault: Vault, name: str | None) -> tuple[Right, ...]:
        if vault.rbac:
            held = roles_of(reader, who)
            found = (_by_roles(held, vault, noun, word, name) for noun, word in DATA_ACTIONS)
        else:
            policies = policies_for(reader, who, vault)
            found = (_by_policies(policies, vault, noun, word) for noun in NOUNS for word in WORDS[noun])
        rights = (right for right in found if right.grounds)
        return tuple(sorted(rights, key=lambda right: (NOUNS.index(right.noun), right.permission)))


def _by_roles(held: list[Held], vault: Vault, noun: str, word: str, name: str | None) -> Right:
    action = DATA_ACTIONS[noun, word]
    target = fold_scope(object_scope(vault, noun, name) if name else vault_scope(vault))
    grounds = tuple(
        _of_assignment((assignment, role))
        for assignment, role in held
        if covers(fold_scope(assignment.scope), target) and role.permits(action, data=True)
    )
    return Right(noun, word, action, grounds)


def _by_policies(policies: list[AccessPolicy], vault: Vault, noun: str, word: str) -> Right:
    grounds = tuple(_of_policy(policy, vault) for policy in policies if policy.grants(noun, word))
    return Right(noun, word, DATA_ACTIONS[noun, word], grounds)


def _of_roles(reader: Reader, vault: Vault, name: str | None) -> Iterator[Holding]:
    here = fold_scope(vault_scope(vault))
    targets = {noun: fold_scope(object_scope(vault, noun, name)) if name else here for noun in NOUNS}
    for assignment in reader.all_role_assignments(vault.tenant_id):
        role, scope = role_of(reader, assignment), fold_scope(assignment.scope)
        if role is None:
            continue
        # without a name, what holds for single objects is listed as well, with its own scope
        nouns = [
            noun
            for noun, target in targets.items()
            if covers(scope, target) or (name is None and covers(f"{here}/{noun}", scope))
        ]
        words = {
            noun: tuple(
                sorted(word for of, word in DATA_ACTIONS if of == noun and role.permits(DATA_ACTIONS[of, word], data=True))
            )
            for noun in nouns
        }
        yield Holding(_of_assignment((assignment, role)), words)


def _of_policies(reader: Reader, vault: Vault) -> Iterator[Holding]:
    for policy in reader.access_policies(vault.id):
        words = {noun: tuple(sorted(word for word in WORDS[noun] if policy.grants(noun, word))) for noun in NOUNS}
        yield Holding(_of_policy(policy, vault), words)


def _of_assignment(held: Held) -> Ground:
    assignment, role = held
    return Ground(GroundKind.ROLE_ASSIGNMENT, assignment.principal_id, assignment.scope, role.name, assignment.id)


def _of_policy(policy: AccessPolicy, vault: Vault) -> Ground:
    return Ground(GroundKind.ACCESS_POLICY, policy.object_id, vault_scope(vault), application_id=policy.application_id)
