"""What the service does by itself is recorded: what was done, in which vault, and in the course of which operation."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from certworker.vault.audit.acts import STEPS, is_act, operation_of, service_record
from certworker.vault.events import Event, EventType
from certworker.vault.objects import ObjectKind
from certworker.vault.rights.scopes import vault_scope
from tests.support.clock import START, FakeClock
from tests.support.deployment import Deployment, open_deployment, policy_for


def records(deployment: Deployment) -> list[Any]:
    """List what waits in the database, by the service alone."""
    with deployment.house.store.reading() as reader:
        found = [json.loads(record.text) for record in reader.pending_records(10_000)]
    return [record for record in found if record["identity"]["claim"].get("appid") == "certworker"]


@pytest.mark.parametrize("event_type", EventType)
def test_every_act_has_a_name_of_its_own(event_type: EventType) -> None:
    """But for steps, which change nothing that a vault keeps; no name is the event's plain one."""
    event = Event(event_type, START, "v", ObjectKind.SECRET, "web")
    assert is_act(event) == (event_type not in STEPS)
    assert event_type in STEPS or operation_of(event) != event_type.value


def test_an_issuance_of_the_worker_is_recorded(tmp_path: Path, clock: FakeClock) -> None:
    """Its one record names vault, certificate and version, and has the operation's id; companions have none of their own."""
    with open_deployment(tmp_path, clock) as deployment:
        deployment.create("web", policy_for("web.example"))
        before = len(records(deployment))
        deployment.issue()
        (record,) = records(deployment)[before:]
        operation = deployment.operation("web")
        assert record["operationName"] == "CertificateCreate"
        assert record["correlationId"] == operation.id
        assert record["resourceId"] == vault_scope(deployment.vault).upper()
        assert record["properties"]["name"] == "web"
        assert record["properties"]["version"] == deployment.get("web").version.version


def test_a_renewal_of_the_worker_is_recorded(tmp_path: Path, clock: FakeClock) -> None:
    """From its start, by itself, to the new version: all by one correlation id."""
    with open_deployment(tmp_path, clock) as deployment:
        deployment.create("web", policy_for("web.example"))
        due = deployment.issue()
        assert due is not None
        before = len(records(deployment))
        clock.set(due + timedelta(seconds=1))
        deployment.issue()
        new = records(deployment)[before:]
        names = [record["operationName"] for record in new]
        assert names[0] == "RenewalStart"
        assert "CertificateRenew" in names
        assert {record["correlationId"] for record in new if record["properties"]["kind"] == "certificate"} == {
            deployment.operation("web").correlation_id
        }


def test_what_others_wrote_is_no_part_of_a_record() -> None:
    """The text of a CA's refusal stays out; its code is told."""
    detail = {"vault": "contoso", "error": "secret words of a CA", "code": "rejected"}
    record = service_record(Event(EventType.OPERATION_FAILED, START, "v", ObjectKind.CERTIFICATE, "web", detail=detail))
    wire = json.loads(record.text())
    assert (wire["resultType"], wire["resultDescription"]) == ("Failure", "rejected")
    assert "secret words" not in record.text()
