"""Reading the audit log: whoever may read the store sees what is routed there, and nobody else anything."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from certworker.audit.log import AuditLog
from certworker.audit.opening import open_audit_log
from certworker.vault.rights.built_in_roles import KEY_VAULT_CONTRIBUTOR, OWNER, STORAGE_BLOB_DATA_READER
from certworker.vault.vaults import Principal
from certworker.worker.rounds import Rounds
from tests.api.management.arm import ARM, Arm, told
from tests.api.management.test_diagnostics import make_store, route
from tests.api.world import Caller, World

EVENTS, VERIFICATION = "certworker/auditEvents", "certworker/auditVerification"
API = "api-version=2026-11-01"


@pytest.fixture
def arm(world: World) -> Iterator[Arm]:
    """Call a deployment that keeps its log in files."""
    house = world.house
    with open_audit_log(house.settings.audit, house.store, house.keyring, house.clock, "worker") as log:
        logged = replace(world, house=replace(house, trail=log))
        yield Arm(logged, Caller(logged))


@pytest.fixture
def store(arm: Arm) -> str:
    """Read a secret; make a store and route the vault there; read another secret."""
    for name in ("before", "after", "hours"):
        assert arm.call("PUT", f"/secrets/{name}", {"value": "v"}).status_code == 200
    arm.call("GET", "/secrets/before")
    arm.world.clock.advance(timedelta(minutes=1))
    store = make_store(arm, "contosologs")
    assert route(arm, store).status_code == 200
    arm.world.clock.advance(timedelta(minutes=1))
    arm.call("GET", "/secrets/after")
    arm.world.clock.advance(timedelta(hours=1))
    arm.call("PUT", "/secrets/hours", {"value": "w"})
    Rounds(arm.world.house).run("audit-draining", arm.world.clock())
    return store


def operations(arm: Arm, path: str, principal: Principal) -> list[str]:
    """List the operations that somebody sees, the newest first, all pages of them."""
    link, found = f"{path}?{API}&$top=2", []
    while link:
        answer = arm("GET", link.removeprefix(ARM), principal=principal)
        assert answer.status_code == 200, answer.text
        found += [record["operationName"] for record in answer.json()["value"]]
        link = answer.json().get("nextLink", "")
    return found


def test_a_reader_of_the_store_sees_what_is_routed_there(arm: Arm, store: str) -> None:
    """Records of the vault from when it was routed, those of changes too; and nothing of other resources."""
    auditor = arm.somebody("auditor", (STORAGE_BLOB_DATA_READER, store))
    assert operations(arm, f"{store}/{EVENTS}", auditor) == ["SecretSet", "SecretGet", "DiagnosticSettingPut"]


def test_a_reader_of_the_subscription_sees_all(arm: Arm, store: str) -> None:
    """Records of the time before, and of the management plane, are among them."""
    auditor = arm.somebody("auditor", (STORAGE_BLOB_DATA_READER, arm.subscription))
    found = operations(arm, f"{arm.subscription}/providers/Certworker.Audit/auditEvents", auditor)
    assert found.count("SecretGet") == 2
    assert found.count("SecretSet") >= 4
    assert any(name.startswith("StorageAccount") for name in found), found
    assert store.startswith(arm.subscription)


@pytest.mark.parametrize("path", [EVENTS, VERIFICATION])
@pytest.mark.parametrize("role", [OWNER, KEY_VAULT_CONTRIBUTOR])
def test_nobody_else_reads_it(arm: Arm, store: str, path: str, role: str) -> None:
    """Who owns everything, or manages vaults, has by that no right to the log; nor has the administrator."""
    for principal in (arm.somebody("owner", (role, arm.subscription)), arm.world.administrator):
        for place in (f"{store}/{path}", f"{arm.subscription}/providers/Certworker.Audit/{path.rpartition('/')[2]}"):
            assert told(arm("GET", f"{place}?{API}", principal=principal)) == (403, "AuthorizationFailed")


def test_a_store_that_is_not_there_is_told_to_readers_only(arm: Arm, store: str) -> None:
    """Whoever may read in the group is told that there is none; others are refused first."""
    missing = store.replace("contosologs", "nothere")
    auditor = arm.somebody("auditor", (STORAGE_BLOB_DATA_READER, arm.group))
    assert told(arm("GET", f"{missing}/{EVENTS}?{API}", principal=auditor)) == (404, "ResourceNotFound")
    assert told(arm("GET", f"{missing}/{EVENTS}?{API}")) == (403, "AuthorizationFailed")


@pytest.mark.parametrize(
    ("terms", "found"),
    [
        ("operationName eq 'secretget'", ["SecretGet"]),
        ("object eq 'hours' and resultType eq 'Success'", ["SecretSet"]),
        ("eventTimestamp ge '2026-01-01T01:00:00Z'", ["SecretSet"]),
        ("eventTimestamp le '2026-01-01T00:30:00+00:00' and vault eq 'contoso'", ["SecretGet", "DiagnosticSettingPut"]),
        ("caller eq 'it''s me'", []),
    ],
)
def test_a_filter_narrows(arm: Arm, store: str, terms: str, found: list[str]) -> None:
    """Terms are joined by and."""
    auditor = arm.somebody("auditor", (STORAGE_BLOB_DATA_READER, store))
    answer = arm("GET", f"{store}/{EVENTS}?{API}&$filter={terms.replace('+', '%2B')}", principal=auditor)
    assert [record["operationName"] for record in answer.json()["value"]] == found


@pytest.mark.parametrize(
    "terms", ["operationName", "operationName ne 'x'", "x eq 'y'", "vault eq 'a' or vault eq 'b'", "eventTimestamp ge 'now'"]
)
def test_a_wrong_filter_is_refused(arm: Arm, store: str, terms: str) -> None:
    """The answer says what there is."""
    auditor = arm.somebody("auditor", (STORAGE_BLOB_DATA_READER, store))
    answer = arm("GET", f"{store}/{EVENTS}?{API}&$filter={terms}", principal=auditor)
    assert told(answer) == (400, "InvalidFilter")


def test_whoever_reads_can_have_it_verified(arm: Arm, store: str) -> None:
    """What is wrong is told chain by chain."""
    auditor = arm.somebody("auditor", (STORAGE_BLOB_DATA_READER, store))

    log = arm.world.house.trail
    assert isinstance(log, AuditLog)
    log.sync()
    log.put_head()
    verification = f"{store}/{VERIFICATION}?{API}"
    assert arm("GET", verification, principal=auditor).json()["passed"] is True
    (path,) = arm.world.house.settings.audit.folder.iterdir()
    path.write_bytes(path.read_bytes().replace(b"SecretGet", b"SecretSet", 1))
    assert arm("GET", verification, principal=auditor).json()["passed"] is False
