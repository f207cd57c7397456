"""The plan from the command line, and renewals paused and resumed."""

from dataclasses import replace
from datetime import timedelta

from certworker.vault.access import SERVICE
from certworker.vault.issuance import Rejected
from certworker.worker.rounds import Rounds
from tests.cli.terminal import Terminal
from tests.support.clock import FakeClock
from tests.support.deployment import policy_for


def create(terminal: Terminal, name: str, issuer: str = "Self", *, months: int = 1) -> None:
    """Have a certificate made."""
    policy = policy_for("web.example", issuer)
    policy = replace(policy, x509=replace(policy.x509, validity_months=months))
    terminal.world.house.certificates.create(SERVICE, terminal.world.vault, name, policy, tags={})


def work(terminal: Terminal) -> None:
    """Let the worker do what is due."""
    Rounds(terminal.world.house, "test-worker").run_due(terminal.world.clock())


def test_the_plan_tells_what_is_next(terminal: Terminal) -> None:
    """What is due first stands first; what is never renewed stands last, and says why."""
    for name, months in (("late", 24), ("early", 1)):
        create(terminal, name, months=months)
    terminal("csr", "create", "by-hand", "--subject", "CN=hand.example")
    rows = terminal("plan").table()
    assert [row[:2] for row in rows] == [["early", "renewal"], ["late", "renewal"], ["by-hand", "person"]]
    assert "certworker csr merge" in terminal("plan", "by-hand").out
    one = terminal("plan", "early", "--json").json
    assert (one["next"], one["reason"], one["issuer"]) == ("renewal", "lifetime_action", "Self")
    assert one["at"] < one["deadline"] == one["expires"]
    assert {item["next"] for item in terminal("plan", "--json").json["value"]} == {"renewal", "person"}


def test_another_day_can_be_looked_at(terminal: Terminal, clock: FakeClock) -> None:
    """On that day other reasons count, and today's plan is as it was."""
    create(terminal, "web")
    before = terminal("plan", "web", "--json").json
    day = clock() + timedelta(days=30)
    assert terminal("plan", "web", "--at", f"{day:%Y-%m-%d}", "--json").json["reason"] == "backstop"
    assert terminal("plan", "--at", f"{day:%Y-%m-%dT%H:%M:%SZ}", "--json").json["value"][0]["reason"] == "backstop"
    assert terminal("plan", "web", "--json").json == before
    said = terminal.try_("plan", "--at", "tomorrow")
    assert said.code != 0
    assert "2026-12-24" in said.err
    assert terminal.try_("plan", "nobody").code == 3


def test_more_than_a_page_is_asked_for_on_the_same_day(terminal: Terminal, clock: FakeClock) -> None:
    """The time goes with every page."""
    for number in range(26):
        create(terminal, f"web-{number}")
    day = clock() + timedelta(days=30)
    found = terminal("plan", "--at", f"{day:%Y-%m-%d}", "--json").json["value"]
    assert [item["reason"] for item in found] == ["backstop"] * 26


def test_renewals_are_paused_and_resumed(terminal: Terminal) -> None:
    """The plan says who paused them and why, and what would come to pass otherwise."""
    create(terminal, "web")
    assert "certworker certificate resume web" in terminal("certificate", "pause", "web", "--why", "The shop moves house").out
    found = terminal("plan", "web", "--json").json
    assert (found["next"], found["pause"]["why"]) == ("paused", "The shop moves house")
    assert "administrator paused it" in found["why"]
    assert "The shop moves house. Else it would be renewed at" in found["why"]
    assert "next: renewal" in terminal("certificate", "resume", "web").out
    assert "pause" not in terminal("certificate", "resume", "web", "--json").json
    assert terminal.try_("certificate", "pause", "web", "--why", " ").code != 0
    assert terminal.try_("certificate", "pause", "nobody", "--why", "x").code == 3
    world = terminal.world
    told = [event for event in world.house.fleet.events(0) if event.type.value.startswith("Certworker.RenewalP")]
    assert [event.detail for event in told] == [
        {"vault": world.vault.name, "by": "administrator", "why": "The shop moves house"}
    ]


def test_failures_are_told(terminal: Terminal) -> None:
    """How many there were, the last error, and when the next attempt is made."""
    terminal("issuer", "set", "ca", "--provider", "Scripted")
    world = terminal.world
    create(terminal, "web", "ca")
    assert terminal("plan", "web", "--json").json["next"] == "operation"
    work(terminal)
    world.authority.script.append(lambda *_: Rejected("Request rejected", "Not today"))
    terminal("certificate", "renew", "web", "--no-wait")
    work(terminal)
    found = terminal("plan", "web", "--json").json
    assert (found["next"], found["reason"], found["failures"]) == ("retry", "requested", 1)
    assert "1 attempt failed. The last error: Not today." in found["why"]
