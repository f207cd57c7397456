"""Deleted vaults: nobody calls them, the worker leaves them alone, they come back whole or are gone for good."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import String, cast, func, select

from certworker.errors import InvalidResource, ResourceNotFound, SealBroken
from certworker.store.engine import open_engine
from certworker.store.tables import METADATA
from certworker.vault.management.places import VaultPlace
from certworker.vault.management.vaults import VaultWish
from certworker.vault.resealing import vault_terms
from certworker.vault.rights.built_in_roles import READER
from certworker.vault.rights.roles import PrincipalType, RoleAssignment
from certworker.vault.rights.scopes import object_scope, vault_scope
from certworker.vault.secrets import NewSecret
from certworker.vault.summary.keeping import Summary
from certworker.vault.vault_properties import VaultUpdate
from tests.support.clock import FakeClock
from tests.support.deployment import Deployment, check_whole, open_deployment, policy_for
from tests.support.everything import VALUE, fill
from tests.support.postgresql import Server

DAY = timedelta(days=1)
STAYS = frozenset({"hsm_key", "compromised_key"})
"""Keys in a token are destroyed later, and what is known to be compromised stays known."""


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> Iterator[tuple[Deployment, str]]:
    """Set a deployment up on each database, and give its URL."""
    if request.param == "sqlite":
        with open_deployment(tmp_path, clock) as deployment:
            yield deployment, f"sqlite:///{tmp_path}/certworker.db"
        return
    server: Server = request.getfixturevalue("postgresql")
    url = server.create()
    with open_deployment(tmp_path, clock, url) as deployment:
        yield deployment, url
    server.drop(url)


def place(deployment: Deployment) -> VaultPlace:
    """Say where the vault is."""
    vault = deployment.vault
    return VaultPlace(vault.subscription_id, vault.resource_group, vault.name)


def delete(deployment: Deployment) -> None:
    """Delete the vault."""
    assert deployment.house.resources.vaults.delete(deployment.administrator, place(deployment))


def recover(deployment: Deployment) -> None:
    """Recover the vault, as tools do: with nothing but location, tenant and SKU."""
    wish = VaultWish("local", deployment.vault.tenant_id, recover=True)
    vaults = deployment.house.resources.vaults
    assert vaults.put(deployment.administrator, place(deployment), wish, rbac_by_default=False).is_new


def purge(deployment: Deployment) -> None:
    """Purge the deleted vault."""
    vault, service = deployment.vault, deployment.house.resources.deleted_vaults
    service.purge(deployment.administrator, vault.subscription_id, "LOCAL", vault.name.upper())


def test_the_worker_leaves_it_alone_until_it_is_back(deployment: Deployment, clock: FakeClock) -> None:
    """No renewal, rotation, notice, watch or purge of an object in it; all that is overdue follows once it is recovered."""
    house = deployment.house
    deployment.create("web", policy_for("web.test"))
    deployment.work()
    house.secrets.set(deployment.administrator, deployment.vault, "soon", NewSecret("x", expires=clock() + 40 * DAY))
    house.secrets.set(deployment.administrator, deployment.vault, "gone", NewSecret("x"))
    house.secrets.delete(deployment.administrator, deployment.vault, "gone")
    deployment.work()
    delete(deployment)
    events, asked = deployment.events(), len(deployment.authority.requests)
    for _ in range(8):
        clock.advance(11 * DAY)
        deployment.work()
    assert deployment.events() == events
    assert len(deployment.authority.requests) == asked
    with house.store.reading() as reader:
        assert house.fleet.entries() == ()
        assert reader.next_renewal() is None
        assert reader.next_notice() is None
        assert reader.vault_by_name("contoso") is None
        assert vault_terms(house.store)[0].vault.name == "certworker-system"
        assert {found.vault.name for found in vault_terms(house.store)} == {"certworker-system", "contoso"}
    recover(deployment)
    deployment.work()
    assert len(deployment.authority.requests) > asked
    assert len(deployment.versions("web")) == 2
    check_whole(deployment, "web")
    told = {(event.type.name, event.name) for event in deployment.events()[len(events) :]}
    assert {("SECRET_EXPIRED", "soon"), ("CERTIFICATE_NEW_VERSION", "web")} <= told
    clock.advance(3 * DAY)
    deployment.work()
    assert ("OBJECT_PURGED", "gone") in {(event.type.name, event.name) for event in deployment.events()}


def test_it_comes_back_as_it_was(deployment: Deployment, clock: FakeClock) -> None:
    """With its properties, access policies, roles and what is in it."""
    house, caller, here = deployment.house, deployment.administrator, place(deployment)
    entry = {"tenantId": caller.tenant_id, "objectId": str(uuid4()), "permissions": {"keys": ["get"]}}
    update = VaultUpdate(tags={"a": "b"}, purge_protection=True)
    before = house.resources.vaults.patch(caller, here, VaultWish(update=update, policies=[entry]))
    house.secrets.set(caller, before.vault, "one", NewSecret("its value"))
    delete(deployment)
    found = house.resources.deleted_vaults.get(caller, here.subscription_id, "local", "CONTOSO")
    assert (found.deleted, found.purge_at) == (clock(), clock() + 90 * DAY)
    for missing in (("local", "nobody"), ("eastus", "contoso")):
        with pytest.raises(ResourceNotFound) as refused:
            house.resources.deleted_vaults.get(caller, here.subscription_id, *missing)
        assert refused.value.reason == "DeletedVaultNotFound"
    with pytest.raises(ResourceNotFound):
        house.resources.vaults.get(caller, here)
    recover(deployment)
    after = house.resources.vaults.get(caller, here)
    assert after.policies == before.policies
    assert (after.vault.tags, after.vault.purge_protection, after.vault.deleted) == ({"a": "b"}, True, None)
    assert house.secrets.get(caller, after.vault, "one").value == "its value"
    with pytest.raises(ResourceNotFound):
        purge(deployment)


def test_nothing_is_left_of_what_was_purged(either: tuple[Deployment, str]) -> None:
    """Rows of every table go, role assignments at it as well; keys in the token are destroyed; a new one has none of it."""
    deployment, url = either
    house, vault, at = deployment.house, deployment.vault, deployment.house.clock()
    fill(deployment)
    for scope in (vault_scope(vault), object_scope(vault, "secrets", "password"), f"{vault_scope(vault)}2"):
        kind = PrincipalType.GROUP
        with house.store.writing() as writer:
            writer.add_role_assignment(RoleAssignment(str(uuid4()), vault.tenant_id, scope, READER, str(uuid4()), kind, at, at))
    delete(deployment)
    purge(deployment)
    Summary(house.store).hurry()
    assert _holding(url, vault.id) <= STAYS | {"audit_pending"}
    with house.store.reading() as reader:
        assert reader.wrapped_keys(vault.id) == ()
        assert "noted" in reader.unused_hsm_keys(at + DAY, 10)
        scopes = {assignment.scope for assignment in reader.all_role_assignments(vault.tenant_id)}
    assert vault_scope(vault) not in scopes
    assert object_scope(vault, "secrets", "password") not in scopes
    assert f"{vault_scope(vault)}2" in scopes
    with pytest.raises(SealBroken):
        house.keyring.open(vault.id, house.keyring.seal(vault.id, b"x", "y"), "y")
    deployment.work()
    wish = VaultWish("local", vault.tenant_id)
    made = house.resources.vaults.put(deployment.administrator, place(deployment), wish, rbac_by_default=True)
    assert made.is_new
    assert made.vault.id != vault.id
    assert house.secrets.list_(deployment.administrator, made.vault, None, 25).items == ()
    add = NewSecret(VALUE)
    house.secrets.set(deployment.administrator, made.vault, "password", add)


def _holding(url: str, vault_id: str) -> set[str]:
    """Name the tables with the vault's id in any cell of any row."""
    engine, found = open_engine(url), set()
    with engine.connect() as connection:
        for table in METADATA.sorted_tables:
            for column in table.c:
                wanted = select(func.count()).select_from(table).where(cast(column, String).like(f"%{vault_id}%"))
                if connection.execute(wanted).scalar_one():
                    found.add(table.name)
    engine.dispose()
    return found


def test_purge_protection_holds_until_the_day(deployment: Deployment, clock: FakeClock) -> None:
    """Nobody purges it earlier, and nobody switches it off; the worker purges it on its date, and says so in the audit log."""
    house, vault = deployment.house, deployment.vault
    update = VaultWish(update=VaultUpdate(purge_protection=True))
    house.resources.vaults.patch(deployment.administrator, place(deployment), update)
    delete(deployment)
    with pytest.raises(InvalidResource, match="Operation 'DeletedVaultPurge' is not allowed") as refused:
        purge(deployment)
    assert refused.value.reason == "MethodNotAllowed"
    clock.advance(90 * DAY - timedelta(seconds=1))
    assert _wakes(deployment) == clock() + timedelta(seconds=1)
    with house.store.reading() as reader:
        assert reader.deleted_vault("contoso")
    clock.advance(timedelta(seconds=1))
    deployment.work()
    with house.store.reading() as reader:
        assert reader.deleted_vault("contoso") is None
        assert reader.next_vault_purge() is None
        records = [json.loads(found.text) for found in reader.pending_records(10_000)]
    purged = [record for record in records if record["operationName"] == "VaultPurge"]
    assert [record["resourceId"] for record in purged] == [vault_scope(vault).upper()]
    assert purged[0]["properties"]["vault_id"] == vault.id


def _wakes(deployment: Deployment) -> datetime | None:
    deployment.work()
    with deployment.house.store.reading() as reader:
        return reader.next_vault_purge()


def test_who_recovers_in_time_wins(deployment: Deployment, clock: FakeClock) -> None:
    """A vault that was recovered between the look and the purge is not purged."""
    house = deployment.house
    delete(deployment)
    clock.advance(91 * DAY)
    with house.store.reading() as reader:
        (due,) = reader.purgeable_vaults(clock(), 10)
    recover(deployment)
    assert not house.resources.deleted_vaults._purge_due(due.id, clock())
    assert house.resources.deleted_vaults.purge_due(clock(), 10) == 0
    with house.store.reading() as reader:
        assert reader.vault_by_name("contoso")
