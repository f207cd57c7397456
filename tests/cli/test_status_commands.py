"""The status from the command line: problems first, what lies ahead, and who is at work."""

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from certworker.cli.options import open_vault
from certworker.cli.status import _ask, _changes, _print_change
from certworker.vault.access import SERVICE
from certworker.vault.issuance import Rejected
from certworker.vault.notification.message import Severity
from certworker.vault.revocation.standing import Standing
from certworker.vault.summary.attention import ALWAYS, Trouble, finding_of, needy_from
from certworker.vault.summary.keeping import Summary
from certworker.vault.summary.records import Member, Place, State
from certworker.worker.rounds import Rounds
from tests.cli.terminal import Terminal
from tests.support.clock import FakeClock
from tests.support.deployment import policy_for

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
WELL = Member(
    Place("v", "web"),
    "main",
    "web",
    "ca",
    State.VALID,
    version="1",
    not_before=AT - 60 * DAY,
    not_after=AT + 30 * DAY,
    due_at=AT + 3 * DAY,
    revocation=Standing.GOOD,
    checked=AT,
)
NEW = replace(WELL, version=None, not_before=None, not_after=None, due_at=None, revocation=None, checked=None)
TROUBLES = {
    "nothing": (WELL, None),
    "disabled": (replace(WELL, state=State.DISABLED, enabled=False, not_after=AT - DAY), None),
    "being issued": (replace(NEW, state=State.BEING_ISSUED, pending_since=AT, next_attempt=AT), None),
    "empty": (replace(NEW, state=State.EMPTY), None),
    "not looked at": (replace(WELL, revocation=Standing.UNKNOWN, checked=None), None),
    "renewing": (replace(WELL, state=State.RENEWING, pending_since=AT, next_attempt=AT), None),
    "odd life": (replace(WELL, due_at=None, not_before=AT - DAY, not_after=AT + DAY - SECOND), None),
    "far end": (replace(WELL, due_at=None, not_before=AT - DAY), None),
    "expired": (replace(WELL, not_after=AT), Trouble.EXPIRED),
    "revoked": (replace(WELL, state=State.REVOKED, revocation=Standing.REVOKED), Trouble.REVOKED),
    "overdue": (replace(WELL, overdue=Severity.CRITICAL, failures=2), Trouble.OVERDUE),
    "failing": (replace(WELL, state=State.RENEWAL_FAILED, failures=1), Trouble.RENEWAL_FAILED),
    "never issued": (replace(NEW, state=State.FAILED), Trouble.FAILED),
    "by hand": (replace(NEW, state=State.WAITS_FOR_SIGNATURE, pending_since=AT), Trouble.WAITS_FOR_SIGNATURE),
    "by hand again": (replace(WELL, state=State.RENEWING, pending_since=AT, due_at=None), Trouble.WAITS_FOR_SIGNATURE),
    "paused": (replace(WELL, state=State.PAUSED, paused_since=AT), Trouble.PAUSED),
    "ends for good": (replace(WELL, due_at=None), Trouble.NOT_RENEWED),
    "unknown": (replace(WELL, revocation=Standing.UNKNOWN), Trouble.REVOCATION_UNKNOWN),
}


def create(terminal: Terminal, name: str, issuer: str = "Self", *, months: int = 1) -> None:
    """Have a certificate made."""
    policy = policy_for("web.example", issuer)
    policy = replace(policy, x509=replace(policy.x509, validity_months=months))
    terminal.world.house.certificates.create(SERVICE, terminal.world.vault, name, policy, tags={})


def work(terminal: Terminal) -> None:
    """Let the worker do what is due, the summary with it."""
    Rounds(terminal.world.house, "test-worker").run_due(terminal.world.clock())
    while Summary(terminal.world.house.store).catch_up():
        pass


def test_the_database_says_the_same_as_the_rule(terminal: Terminal) -> None:
    """Of every kind of certificate, whether it needs somebody; what is critical stands first."""
    house, vault = terminal.world.house, terminal.world.vault
    members = [replace(member, place=Place(vault.id, word), vault=vault.name) for word, (member, _) in TROUBLES.items()]
    with house.store.writing() as writer:
        writer.put_members(members)
        writer.add_counts(sum((member.counts() for member in members), Counter()))
    with house.store.reading() as reader:
        found = reader.needy(vault.id, AT, 100)
        groups = reader.standing_groups(vault, AT)
        assert reader.needy("another", AT, 100) == ()
    expected = {word: trouble for word, (_, trouble) in TROUBLES.items() if trouble}
    findings = {member.place.folded: finding_of(member, AT) for member in found}
    assert {word: finding.trouble for word, finding in findings.items() if finding} == expected
    severities = [finding.severity for finding in findings.values() if finding]
    assert severities == sorted(severities, key=[Severity.CRITICAL, Severity.WARNING].index)
    assert {word for word, (member, _) in TROUBLES.items() if finding_of(member, AT)} == set(expected)
    assert sum(group.needy for group in groups) == len(expected)
    assert sum(group.number for group in groups) == len(TROUBLES)
    assert sum(group.expired for group in groups) == 1


def test_whoever_needs_somebody_does_so_from_one_moment_on() -> None:
    """Before it nothing is wrong, and from it on something is: so the database finds them by a time alone."""
    for word, (member, trouble) in TROUBLES.items():
        begin = needy_from(member)
        around = (begin - SECOND, begin) if begin and begin > ALWAYS else ()
        assert trouble is None or (begin is not None and begin <= AT), word
        for at in (ALWAYS, AT - 60 * DAY, AT, AT + 29 * DAY, AT + 400 * DAY, *around):
            assert (finding_of(member, at) is not None) is (begin is not None and begin <= at), (word, at)


def test_a_vault_in_which_all_is_well(terminal: Terminal, clock: FakeClock) -> None:
    """One line says so; the renewals of the next weeks are counted by the day."""
    assert "no certificates yet" in terminal("status").out
    for number in range(3):
        create(terminal, f"web-{number}")
    work(terminal)
    said = terminal("status")
    assert "3 certificates, all fine" in said.out
    assert "Renewals ahead  3 in" in said.out
    assert "\x1b" not in said.out
    assert not said.err
    found = terminal("status", "--json").json
    assert (found["certificates"], found["needing_attention"], found["problems"]) == (3, 0, [])
    assert found["states"] == {"valid": 3}
    assert sum(day["renewals"] for day in found["ahead"]) == sum(day["expiries"] for day in found["ahead"]) == 3
    assert found["ahead"][0]["begins"] == clock().replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
    assert found["worker"] == {"last_run": int(clock().timestamp()), "failed": False}


def test_problems_come_with_the_command_that_goes_on(terminal: Terminal, clock: FakeClock) -> None:
    """What is wrong, why, and what to do: each command is one that there is."""
    terminal("issuer", "set", "ca", "--provider", "Scripted")
    create(terminal, "fine")
    create(terminal, "failing", "ca", months=12)
    terminal("csr", "create", "by-hand", "--subject", "CN=hand.example")
    create(terminal, "paused")
    terminal("certificate", "pause", "paused", "--why", "The shop moves house")
    work(terminal)
    terminal.world.authority.script.append(lambda *_: Rejected("Request rejected", "Not today"))
    terminal("certificate", "renew", "failing", "--no-wait")
    work(terminal)
    found = terminal("status", "--json").json
    told = {one["name"]: (one["problem"], one["to_do"]) for one in found["problems"]}
    assert told == {
        "failing": ("renewal_failed", "certworker certificate renew failing"),
        "by-hand": ("waits_for_signature", "certworker csr merge by-hand FILE"),
        "paused": ("paused", "certworker certificate resume paused"),
    }
    text = terminal("status").out
    assert "4 certificates: 1 fine, 3 need you" in text
    assert "Not today" in text
    assert "The shop moves house" in text
    clock.advance(timedelta(days=40))
    work(terminal)
    found = terminal("status", "--json").json
    assert {one["name"] for one in found["problems"] if one["problem"] == "expired"} == {"paused"}
    assert found["problems"][0]["severity"] == "critical"


def test_few_problems_are_told_of_many(terminal: Terminal) -> None:
    """All are counted; and whoever is nobody to the vault is told nothing."""
    for number in range(4):
        terminal("csr", "create", f"by-hand-{number}", "--subject", "CN=hand.example")
    work(terminal)
    world = terminal.world
    found = world.house.lifecycle.statuses.show(SERVICE, world.vault, 2)
    assert (len(found.problems), found.needy) == (2, 4)
    assert terminal.bare("status", "--json").code == 4


def test_watching_in_a_pipe_tells_changes_alone(
    terminal: Terminal, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Time that passes is no change; each change is one line, of JSON too."""
    for name, value in terminal.environment().items():
        monkeypatch.setenv(name, value)
    with open_vault(None) as vault:
        changes = _changes(partial(_ask, vault), 0)
        _print_change(next(changes), as_json=False)
        clock.advance(timedelta(seconds=30))
        terminal("csr", "create", "by-hand", "--subject", "CN=hand.example")
        work(terminal)
        changed = next(changes)
        clock.advance(timedelta(hours=2))  # longer than a token lasts
        work(terminal)
        terminal("csr", "create", "by-hand-2", "--subject", "CN=hand.example")
        work(terminal)
        assert next(changes)["needing_attention"] == 2
    for as_json in (False, True):
        _print_change(changed, as_json=as_json)
    out, err = capsys.readouterr()
    assert not err
    first, second, third = out.splitlines()
    assert first.endswith("  0 certificates, 0 to attend to")
    assert second.endswith("  1 certificate, 1 to attend to: by-hand waits for its signature")
    assert json.loads(third)["needing_attention"] == 1
