"""The drill of a mass revocation from the command line."""

from datetime import timedelta

from certworker.vault.access import SERVICE
from certworker.vault.issuers import IssuerParameters
from certworker.worker.rounds import Rounds
from tests.cli.terminal import Terminal
from tests.support.clock import FakeClock
from tests.support.deployment import policy_for

DRILL = ("drill", "mass-revocation", "--issuer", "ca")


def issue(terminal: Terminal, clock: FakeClock, *names: str) -> Rounds:
    """Have certificates issued, each an hour after the one before; give the worker."""
    house, vault = terminal.world.house, terminal.world.vault
    house.issuers.set(SERVICE, vault, "ca", IssuerParameters("Scripted"))
    rounds = Rounds(house, "test-worker")
    for name in names:
        house.certificates.create(SERVICE, vault, name, policy_for(f"{name}.test", "ca"), tags={})
        rounds.run_due(clock())
        clock.advance(timedelta(hours=1))
    return rounds


def test_a_drill_shows_who_goes_when(terminal: Terminal, clock: FakeClock) -> None:
    """The most urgent first, beside what is planned; what is paused is told with its reason; nothing changes."""
    issue(terminal, clock, "b", "a", "held")
    terminal("certificate", "pause", "held", "--why", "Its owner moves.")
    plan = terminal("plan", "--json").json
    said = terminal(*DRILL, "--dry-run")
    assert "Nothing was changed" in said.err
    lines = said.out.splitlines()
    assert [line.split()[0] for line in lines if line.startswith(("a ", "b ", "held "))] == ["b", "a", "held"]
    assert "not by themselves       1" in said.out
    assert "Its owner moves." in said.out
    found = terminal(*DRILL, "--json").json
    assert (found["certificates"], len(found["turns"]), len(found["held"])) == (3, 2, 1)
    assert found["turns"][0]["begins"] == found["at"] == found["last"]
    assert terminal("plan", "--json").json == plan


def test_all_are_replaced_only_by_those_who_mean_it(terminal: Terminal, clock: FakeClock) -> None:
    """Neither --replace alone nor with --dry-run does; with --yes each is renewed, once."""
    rounds = issue(terminal, clock, "a", "b")
    authority = terminal.world.authority
    for words in (("--replace",), ("--replace", "--dry-run", "--yes"), ("--yes",)):
        terminal.try_(*DRILL, *words)
        rounds.run_due(clock())
        assert authority.issued == 2
    assert terminal.try_(*DRILL, "--replace").code == 2
    said = terminal(*DRILL, "--replace", "--yes")
    assert "2 certificates are to be renewed" in said.err
    rounds.run_due(clock())
    assert authority.issued == 4
    assert terminal.try_("drill", "mass-revocation", "--issuer", "nobody").code == 3
