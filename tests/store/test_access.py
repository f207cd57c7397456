"""Rights that were taken back in one process are gone in another one, on its very next request."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from certworker.errors import Forbidden
from certworker.store.engine import open_store
from certworker.vault.access import Access, Caller
from certworker.vault.rights.policies import AccessPolicy
from certworker.vault.rights.roles import Permission, PrincipalType, RoleAssignment, RoleDefinition
from certworker.vault.store import Store
from certworker.vault.vaults import Vault
from tests.support.clock import START, FakeClock
from tests.support.records import TENANT_ID, a_vault


@contextmanager
def opened(url: str, clock: FakeClock) -> Iterator[Store]:
    """Open the same database once more, as another process does."""
    store = open_store(url, clock)
    try:
        yield store
    finally:
        store.close()


def test_what_was_taken_back_is_refused_by_another_process_at_once(database_url: str, store: Store, clock: FakeClock) -> None:
    """An assignment, a membership, an access policy, a permission of a role."""
    vault, caller, role_id = a_vault(), Caller("ada", "terminal", TENANT_ID), "custom"
    by_policies = replace(vault, id="vault-2", name="plain", rbac=False)
    reading = Permission((), (), ("Microsoft.KeyVault/vaults/secrets/*",))
    role = RoleDefinition(role_id, "Reads", "", (reading,), ("/",), TENANT_ID, built_in=False, created=START, updated=START)
    first = RoleAssignment("a-1", TENANT_ID, "/", role_id, "team", PrincipalType.GROUP, START, START)
    with store.writing() as writer:
        writer.add_vault(by_policies)
        writer.put_role_definition(role)
        writer.add_role_assignment(first)
        writer.add_group_member("team", "ada")
        writer.put_access_policies(by_policies.id, (AccessPolicy(TENANT_ID, "team", {"secrets": ("get",)}),))
    with opened(database_url, clock) as other:
        there = Access(other)
        _check(there, caller, (vault, by_policies), ())
        with store.writing() as writer:
            writer.put_role_definition(replace(role, permissions=(Permission(),)))
        _check(there, caller, (by_policies,), (vault,))
        with store.writing() as writer:
            writer.put_role_definition(role)
            writer.put_access_policies(by_policies.id, ())
        _check(there, caller, (vault,), (by_policies,))
        with store.writing() as writer:
            writer.put_access_policies(by_policies.id, (AccessPolicy(TENANT_ID, "team", {"secrets": ("all",)}),))
            writer.delete_role_assignment(TENANT_ID, first.id)
        _check(there, caller, (by_policies,), (vault,))
        with store.writing() as writer:
            writer.add_role_assignment(first)
        _check(there, caller, (vault, by_policies), ())
        with store.writing() as writer:
            writer.delete_group_member("team", "ada")
        _check(there, caller, (), (vault, by_policies))


def _check(access: Access, caller: Caller, open_ones: tuple[Vault, ...], closed: tuple[Vault, ...]) -> None:
    for vault in open_ones:
        access.require(caller, vault, "secrets", "get", name="web")
    for vault in closed:
        with pytest.raises(Forbidden):
            access.require(caller, vault, "secrets", "get", name="web")
