"""Roles under two hands at once: what must hold afterwards holds, on both databases."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from uuid import uuid4

import pytest

from certworker.errors import AuthorizationFailed, CertworkerError, ResourceConflict, ResourceNotFound
from certworker.vault.access import Access
from certworker.vault.management.role_assignments import NewAssignment, RoleAssignments
from certworker.vault.management.role_definitions import NewRole, RoleDefinitions
from certworker.vault.rights.built_in_roles import OWNER
from certworker.vault.rights.caller import Caller
from certworker.vault.rights.roles import Permission, PrincipalType, RoleAssignment
from certworker.vault.store import Store
from certworker.vault.vaults import Subscription
from tests.support.clock import START, FakeClock
from tests.support.records import TENANT_ID

SUBSCRIPTION = "/subscriptions/0f0f0f0f-0000-4000-8000-000000000000"
OWNERS = (Caller(str(uuid4()), "", TENANT_ID), Caller(str(uuid4()), "", TENANT_ID))
ROLE = NewRole("Watcher", "", (Permission(("*/read",)),), (SUBSCRIPTION,))


@pytest.fixture
def assigned(store: Store) -> tuple[str, str]:
    """Make a subscription with two owners; give the names of their assignments."""
    names = str(uuid4()), str(uuid4())
    with store.writing() as writer:
        writer.add_subscription(Subscription(SUBSCRIPTION.rsplit("/", 1)[1], TENANT_ID, "one", START))
        for name, owner in zip(names, OWNERS, strict=True):
            writer.add_role_assignment(
                RoleAssignment(name, TENANT_ID, SUBSCRIPTION, OWNER, owner.object_id, PrincipalType.USER, START, START)
            )
    return names


def at_once(*acts: Callable[[], object]) -> list[type[CertworkerError] | None]:
    """Do things at once; tell what each raised."""
    barrier = threading.Barrier(len(acts))

    def do(act: Callable[[], object]) -> type[CertworkerError] | None:
        barrier.wait(timeout=10)
        try:
            act()
        except CertworkerError as error:
            return type(error)
        return None

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(do, acts))


def test_two_owners_do_not_remove_each_other(store: Store, assigned: tuple[str, str], clock: FakeClock) -> None:
    """Of two owners who remove each other at once, or themselves, one stays."""
    service = RoleAssignments(store, Access(store), clock)
    first, second = (
        lambda: service.delete(OWNERS[0], SUBSCRIPTION, assigned[0]),
        lambda: service.delete(OWNERS[1], SUBSCRIPTION, assigned[1]),
    )
    raised = at_once(first, second)
    assert raised.count(None) == 1
    assert {one for one in raised if one} <= {ResourceConflict, AuthorizationFailed}
    with store.reading() as reader:
        assert len(reader.all_role_assignments(TENANT_ID)) == 1


def test_whose_right_is_being_taken_away_gives_none(store: Store, assigned: tuple[str, str], clock: FakeClock) -> None:
    """An assignment and a role that are on the way when their maker's right ends are refused, and not kept."""
    access = Access(store)
    assignments, roles = RoleAssignments(store, access, clock), RoleDefinitions(store, access, clock)
    new = NewAssignment(OWNER, str(uuid4()), PrincipalType.USER)
    with ThreadPoolExecutor(2) as pool:
        with store.writing() as writer:
            writer.delete_role_assignment(TENANT_ID, assigned[0])
            acts: list[Future[object]] = [
                pool.submit(assignments.put, OWNERS[0], SUBSCRIPTION, str(uuid4()), new),
                pool.submit(roles.put, OWNERS[0], SUBSCRIPTION, str(uuid4()), ROLE),
            ]
            assert not wait(acts, timeout=0.3).done
        raised = [act.exception(timeout=10) for act in acts]
    assert [type(error) for error in raised] == [AuthorizationFailed, AuthorizationFailed]


@pytest.mark.usefixtures("assigned")
def test_a_role_is_not_deleted_while_it_is_assigned(store: Store, clock: FakeClock) -> None:
    """Of a role's deletion and its assignment at once, one is refused: nobody has a role that is not there."""
    access = Access(store)
    roles, assignments = RoleDefinitions(store, access, clock), RoleAssignments(store, access, clock)
    for _ in range(5):
        role_id, name = str(uuid4()), str(uuid4())
        roles.put(OWNERS[0], SUBSCRIPTION, role_id, ROLE)
        new = NewAssignment(role_id, str(uuid4()), PrincipalType.USER)

        def delete(role_id: str = role_id) -> object:
            return roles.delete(OWNERS[0], SUBSCRIPTION, role_id)

        def assign(name: str = name, new: NewAssignment = new) -> object:
            return assignments.put(OWNERS[1], SUBSCRIPTION, name, new)

        assert at_once(delete, assign) in ([None, ResourceNotFound], [ResourceConflict, None])
        with store.reading() as reader:
            role, given = reader.role_definition(TENANT_ID, role_id), reader.role_assignment(TENANT_ID, name)
        assert (role is None) == (given is None)
        if role:
            assignments.delete(OWNERS[0], SUBSCRIPTION, name)
            roles.delete(OWNERS[0], SUBSCRIPTION, role_id)


@pytest.mark.usefixtures("assigned")
def test_a_fault_leaves_nothing_behind(store: Store, clock: FakeClock) -> None:
    """What fails within its transaction is as if it had not begun."""
    service = RoleAssignments(store, Access(store), clock)
    with pytest.raises(ResourceNotFound):
        service.put(OWNERS[0], SUBSCRIPTION, str(uuid4()), NewAssignment(str(uuid4()), str(uuid4()), PrincipalType.USER))
    with store.reading() as reader:
        assert len(reader.all_role_assignments(TENANT_ID)) == len(OWNERS)
