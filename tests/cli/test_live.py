"""The live picture says in a word how each certificate stands."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from certworker.cli.live import News, describe, picture
from certworker.cli.output import time_left
from certworker.vault.events import EventType
from certworker.vault.issuance import Rejected
from certworker.vault.key_creation import WantedKey
from certworker.vault.key_settings import KeySettings
from certworker.vault.operations import Renewal
from certworker.vault.summary.records import FleetEntry
from tests.support.clock import START, FakeClock
from tests.support.deployment import Deployment, open_deployment, policy_for
from tests.support.records import an_event

ENTRY = FleetEntry(
    vault="contoso",
    name="web",
    issuer="test-ca",
    version="v",
    enabled=True,
    not_before=START,
    not_after=START + timedelta(days=90),
    renewal=Renewal(None, None, 0.0),
    operation_status=None,
    operation_created=None,
    operation_due_at=None,
)


@pytest.fixture
def deployment(tmp_path: Path, clock: FakeClock) -> Iterator[Deployment]:
    """Set up a house with a worker."""
    with open_deployment(tmp_path, clock) as opened:
        yield opened


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0, "0 min 00 s"),
        (61, "1 min 01 s"),
        (3600, "1 h 0 min"),
        (86399, "23 h 59 min"),
        (86400, "1 d 0 h"),
        (90 * 86400 - 1, "89 d 23 h"),
        (-1, "-0 min 01 s"),
        (-90000, "-1 d 1 h"),
    ],
)
def test_time_left_has_two_units(seconds: int | None, text: str) -> None:
    """The two largest; with a sign where it is over."""
    assert time_left(None if seconds is None else START + timedelta(seconds=seconds), START) == text


def test_the_picture_shows_everything_at_once(deployment: Deployment, clock: FakeClock) -> None:
    """Each certificate with its state and its times, and the news below."""
    deployment.authority.script.append(lambda *_: Rejected("Request rejected", "CAA [forbids] it."))
    for name, issuer in (("bad", "test-ca"), ("own", "Self"), ("manual", "Unknown")):
        deployment.create(name, policy_for(f"{name}.test", issuer))
    deployment.work()
    deployment.create("good", policy_for("good.test"))
    deployment.work()
    news = News(deployment.house, 0)
    assert {event.name for event in news.read()} == {"bad", "own", "manual", "good"}
    assert news.read() == ()
    console = Console(width=110, record=True, file=StringIO())
    console.print(picture(deployment.house.fleet.entries(), news.lines, "the headline", ["a hint"], clock()))
    text = console.export_text()
    for words in ("the headline", "a hint", "Ctrl-C", "waits for its signature", "90 d 0 h", "CAA [forbids] it."):
        assert words in text
    rows = {name: line for line in text.splitlines() for name in ("bad", "own", "manual", "good") if f" {name} " in line}
    assert "valid" in rows["good"]
    assert "failed" in rows["bad"]


@pytest.mark.parametrize("event_type", EventType)
def test_every_kind_of_event_has_a_sentence(event_type: EventType) -> None:
    """Even where an older release wrote less into it."""
    line = describe(replace(an_event(), type=event_type, detail={"vault": "contoso"}))
    assert line.startswith("00:00:00  certificate contoso/Web ")


def test_keys_and_secrets_of_ones_own_are_news(deployment: Deployment, clock: FakeClock) -> None:
    """Those that a certificate brings along are not: they say again what it says."""
    who = deployment.administrator, deployment.vault
    deployment.create("own", policy_for("own.test", "Self"))
    expires = clock() + timedelta(days=40)
    deployment.house.key_life.creation.create(*who, "k", WantedKey("EC"), KeySettings(expires=expires))
    news = News(deployment.house, 0)
    assert [event.name for event in news.read()] == ["own", "k"]
    clock.set(expires - timedelta(days=30))
    deployment.work()
    clock.set(expires)
    deployment.work()
    news.read()
    assert [line.partition("  ")[2] for line in news.lines][1:] == [
        "key contoso/k has a new version (reason: create)",
        "key contoso/k is near its expiry",
        "key contoso/k has expired",
    ]


def test_a_home_of_any_name_can_be_shown(clock: FakeClock) -> None:
    """The headline holds a path, which may look like markup and is shown as it is."""
    console = Console(file=StringIO(), width=100, record=True)
    console.print(picture((ENTRY,), [], "home /srv/[/x]/[bold]", [], clock()))
    assert "home /srv/[/x]/[bold]" in console.export_text()
