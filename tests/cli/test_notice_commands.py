"""Notices from the command line."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import pytest

from certworker.vault.notification.ledger import NoticeStatus
from certworker.worker.rounds import Rounds
from tests.api.world import TestAuthority, World, serve_world
from tests.cli.terminal import Terminal
from tests.support.clock import START, FakeClock
from tests.support.everything import a_notice
from tests.support.recording import Recorder, an_audience

ID = "6" * 32


@pytest.fixture
def mail() -> Recorder:
    """Give a relay."""
    return Recorder()


@pytest.fixture
def served(tmp_path: Path, clock: FakeClock, authority: TestAuthority, mail: Recorder) -> Iterator[World]:
    """Serve a deployment that has a relay and a worker."""
    with serve_world(tmp_path, clock, authority, audience=an_audience(mail)) as world:
        stop = Event()
        worker = Thread(target=work, args=(world, stop))
        worker.start()
        yield world
        stop.set()
        worker.join()


def work(world: World, stop: Event) -> None:
    """Do what is due, again and again."""
    rounds = Rounds(world.house, "worker")
    while not stop.wait(0.05):
        rounds.run_due(world.clock())


def plant(world: World) -> None:
    """Put a dead entry into the ledger."""
    with world.house.store.writing() as writer:
        dead = replace(a_notice(world.vault.id, START), status=NoticeStatus.DEAD, due_at=None, last_error="No.")
        assert writer.add_notice(dead)


def test_a_test_is_sent_and_waited_for(terminal: Terminal, mail: Recorder) -> None:
    """It ends well only where it arrived; without a contact there is nobody to send it to."""
    assert "Nobody listens" in terminal.try_("notify", "test").err
    terminal("contact", "add", "ada@example.test")
    assert terminal("notify", "test", "--channel", "mail").out == "mail to ada@example.test: sent\n"
    assert mail.topics == ["test"]
    mail.is_away = True
    failed = terminal.try_("notify", "test")
    assert (failed.code, failed.out) == (1, "mail to ada@example.test: retrying (The relay does not answer.)\n")


def test_notices_are_listed_shown_replayed_and_acknowledged(terminal: Terminal, served: World, mail: Recorder) -> None:
    """One by its id, or all that are dead."""
    terminal("contact", "add", "ada@example.test")
    plant(served)
    row = [ID, "2026-01-01T00:00:00Z", "near_expiry", "web", "mail", "ada@example.test", "dead"]
    assert terminal("notify", "list", "--status", "dead").table() == [row]
    assert "No." in terminal("notify", "show", ID).out
    assert "unless it gets worse" in terminal("notify", "acknowledge", ID).out
    assert terminal("notify", "replay", "--dead").out == "1 notice goes out again.\n"
    assert terminal("notify", "replay", "--dead").out == "0 notices go out again.\n"
    assert terminal.try_("notify", "replay", ID).code == 5
    assert terminal.try_("notify", "replay").code == 2
    assert terminal.try_("notify", "show", "0" * 32).code == 3
    assert [notice["id"] for notice in terminal("notify", "list", "--json").json["value"]] == [ID]
    patience = time.monotonic() + 10
    while not mail.messages and time.monotonic() < patience:
        time.sleep(0.01)  # the worker is another thread
    assert mail.messages[0].id == ID


def test_silences_are_made_and_ended(terminal: Terminal) -> None:
    """The answer names the command that ends one."""
    said = terminal("notify", "silence", "test-*", "--until", "2026-02-01", "--why", "moving").out
    ((silence, pattern, topic, until, _, why),) = terminal("notify", "silences").table()
    assert f"notify unsilence {silence}" in said
    assert (pattern, topic, until, why) == ("test-*", "-", "2026-02-01T00:00:00Z", "moving")
    assert terminal("notify", "unsilence", silence).out == "The silence has ended.\n"
    assert terminal("notify", "silences").table() == []
    assert terminal.try_("notify", "silence", "*", "--until", "soon", "--why", "x").code == 2
