"""The status of a vault on the wire: who is told it, and that each part of it is what is so."""

from dataclasses import replace
from datetime import timedelta

import pytest

from certworker.vault.notification.ledger import NoticeStatus
from certworker.vault.notification.message import Severity
from certworker.vault.resilience.gates import GateReason
from certworker.vault.store import Writer
from certworker.vault.summary.keeping import Summary
from certworker.vault.vaults import SYSTEM_VAULT, Heartbeat
from tests.api.world import Caller
from tests.support.everything import a_notice

STATUS = "/certworker/v1/status"
MINUTE = timedelta(minutes=1)


def shut(writer: Writer, vault_id: str, issuer: str, call: Caller) -> None:
    """Let the gate of an issuer be closed for a minute."""
    at = call.world.clock()
    gate = writer.hold_gate(vault_id, issuer)
    writer.put_gate(replace(gate, reason=GateReason.OUTAGE, since=at - 60 * MINUTE, closed_until=at + MINUTE))


def trouble(call: Caller) -> None:
    """Let one of two certificates be overdue, a CA be down, and notices be given up; another vault has its own."""
    world, at = call.world, call.world.clock()
    for name in ("web", "mail"):
        call.create(name)
    while Summary(world.house.store).catch_up():
        pass
    with world.house.store.writing() as writer:
        (web,) = (member for member in writer.members(10, world.vault.id) if member.name == "web")
        writer.put_members([replace(web, overdue=Severity.CRITICAL, failures=3)])
        system = writer.vault_by_name(SYSTEM_VAULT)
        assert system is not None
        shut(writer, world.vault.id, "ca", call)
        shut(writer, system.id, "other", call)
        writer.hold_gate(world.vault.id, "open")
        for number, status in enumerate((NoticeStatus.DEAD, NoticeStatus.DEAD, NoticeStatus.SENT, NoticeStatus.SENT)):
            writer.add_notice(a_notice(world.vault.id, at, id=f"{number}" * 32, address=f"{number}@x.test", status=status))
        writer.beat(Heartbeat("audit", at - 6 * MINUTE, 0.1, failed=True))
        writer.beat(Heartbeat("rounds", at - MINUTE, 0.1, failed=False))


def test_each_part_is_what_is_so(call: Caller) -> None:
    """Of this vault alone; what failed long ago is over."""
    trouble(call)
    call.create("late")
    at = int(call.world.clock().timestamp())
    found = call("GET", STATUS).json()
    assert found["vault"] == call.world.vault.name
    assert (found["at"], found["certificates"], found["needing_attention"]) == (at, 2, 1)
    assert found["issuers"] == [{"name": "Self", "certificates": 2, "needing_attention": 1}]
    assert found["gates"] == [{"issuer": "ca", "reason": "outage", "since": at - 3600, "closed_until": at + 60}]
    assert (found["dead_notices"], found["more_dead_notices"]) == (2, False)
    assert found["worker"] == {"last_run": at - 60, "failed": False}
    assert found["changes_waiting"] > 0
    (problem,) = found["problems"]
    ends = call("GET", "/certificates/web").json()["attributes"]["exp"]
    assert (problem["name"], problem["problem"], problem["severity"]) == ("web", "overdue", "critical")
    assert (problem["failures"], problem["expires"]) == (3, ends)


def test_what_failed_lately_and_what_is_too_much_is_said(call: Caller) -> None:
    """A round that failed a minute ago; a hundred notices, which may be more."""
    world, at = call.world, call.world.clock()
    with world.house.store.writing() as writer:
        writer.beat(Heartbeat("audit", at - MINUTE, 0.1, failed=True))
        writer.beat(Heartbeat("rounds", at, 0.1, failed=False))
        for number in range(100):
            dead = a_notice(world.vault.id, at, id=f"{number:032}", address=f"{number}@x.test", status=NoticeStatus.DEAD)
            writer.add_notice(dead)
    found = call("GET", STATUS).json()
    assert found["worker"] == {"last_run": int(at.timestamp()), "failed": True}
    assert (found["dead_notices"], found["more_dead_notices"]) == (100, True)


def test_who_may_not_list_certificates_is_told_nothing(call: Caller) -> None:
    """The status is of them."""
    trouble(call)
    nobody, _ = call.world.add_principal("nobody", administrator=False)
    refused = call("GET", STATUS, headers={"Authorization": f"Bearer {call.world.token(nobody)}"})
    assert refused.status_code == 403
    assert "web" not in refused.text


@pytest.mark.parametrize(("problems", "status"), [("0", 200), ("100", 200), ("101", 400), ("-1", 400), ("x", 400), ("٣", 400)])
def test_so_many_problems_are_told_as_are_asked_for(call: Caller, problems: str, status: int) -> None:
    """From none to a hundred."""
    assert call("GET", f"{STATUS}?problems={problems}").status_code == status
