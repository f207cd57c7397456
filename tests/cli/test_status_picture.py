"""The picture of a status: what a person reads at a glance, word by word and at each width."""

import io
from datetime import UTC, date, datetime, timedelta

import pytest
from rich.console import Console

from certworker.cli.columns_chart import axis, columns
from certworker.cli.spans import span
from certworker.cli.status_picture import ASLEEP, picture

AT = 86400 * 20000
HOUR, DAY = 3600, 86400


def draw(status: object, width: int, encoding: str, rows: int | None = None) -> str:
    """Draw a picture on a terminal that has no colours."""
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=file, width=width, no_color=True)
    console.print(picture(status, console, rows))  # type: ignore[arg-type]
    file.seek(0)
    return file.read()


def a_status(problems: int) -> dict[str, object]:
    """Make up a status."""
    problem = {"name": "web", "issuer": "ca", "what": "expired", "severity": "critical", "expires": 0, "why": "W. " * 40}
    return {
        "vault": "main",
        "at": 86400 * 20000,
        "certificates": 100_000,
        "needing_attention": problems * 3,
        "states": {"valid": 100_000},
        "problems": [{**problem, "to_do": "certworker certificate renew web"}] * problems,
        "issuers": [{"name": "ca", "certificates": 100_000, "needing_attention": problems * 3}],
        "gates": [{"issuer": "CA", "reason": "outage", "since": 86400 * 19999, "closed_until": 86400 * 20000 + 60}],
        "ahead": [{"begins": 86400 * (20000 + day), "renewals": day * 100, "expiries": 1} for day in range(90)],
        "dead_notices": 2,
    }


def test_each_thing_that_is_wrong_has_its_words() -> None:
    """Who needs somebody and what to do, whose CA is in the way and until when, and who sleeps."""
    web = {"name": "web", "issuer": "ca", "what": "has expired", "severity": "critical"}
    web |= {"why": "The CA said no.", "to_do": "certworker certificate renew web"}
    mail = {"name": "mail", "issuer": "Self", "what": "is paused", "severity": "warning"}
    gone, soon = {"since": AT - DAY, "expires": AT - DAY}, {"since": AT - HOUR, "expires": AT + HOUR}
    status = {
        "vault": "main",
        "at": AT,
        "certificates": 10_001,
        "needing_attention": 4,
        "states": {"renewal_failed": 1, "valid": 2},
        "problems": [web | gone, mail | soon],
        "issuers": [{"name": name, "certificates": 2000, "needing_attention": 1} for name in ("ca", "b", "c", "d", "Unknown")]
        + [{"name": "Self", "certificates": 1, "needing_attention": 0}],
        "gates": [
            {"issuer": "CA", "reason": "outage", "since": AT - DAY, "closed_until": AT + 90},
            {"issuer": "b", "reason": "throttled", "closed_until": AT},
            {"issuer": "c", "reason": "budget", "since": AT - 30},
        ],
        "ahead": [{"begins": AT + day * DAY, "renewals": int(day == 1), "expiries": 0} for day in range(90)],
        "dead_notices": 1,
        "more_dead_notices": False,
        "changes_waiting": 1,
        "worker": {"last_run": AT - 301, "failed": True},
    }
    assert [line.rstrip() for line in draw(status, 110, "utf-8").splitlines()] == [
        "main  10,001 certificates: 9,997 fine, 4 need you   2024-10-04 00:00 UTC",
        "",
        "✗ web (ca)  has expired  expired 1 d ago",
        "  The CA said no.",
        "  → certworker certificate renew web",
        "! mail (Self)  is paused  for 1 h · expires in 1 h",
        "  and 2 more: certworker status --all, certworker plan",
        "",
        "Renewals ahead  1 in 50 days, 1 on the busiest",
        "       1    █",
        "",
        "Expiries, unless renewed before  0 in 50 days",
        "",
        "          " + "┴─────────────" * 7 + "┴─",
        "          today         11 Oct        18 Oct        25 Oct        01 Nov        08 Nov        15 Nov",
        "",
        "ISSUER   CERTIFICATES  NEED YOU  ITS CA",
        "ca              2,000         1  is down for 1 d; asked again in 1 min",
        "b               2,000         1  asks to be left alone; asked again now",
        "c               2,000         1  has been asked for all that its limits allow for 30 s; asked again now",
        "d               2,000         1  nothing in the way",
        "Unknown         2,000         1  a person asks it",
        "Self                1         0  none: it signs itself",
        "",
        "1 renewal failed · 2 valid",
        "The worker was last at work 5 min ago; nothing is renewed without it. Its last run failed: the log says why.",
        "1 change is not counted yet.",
        "! 1 notice was not delivered: certworker notify list --status dead",
    ]


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({}, "No worker has been at work yet: `certworker run` or `certworker dev` starts one."),
        ({"worker": {"last_run": AT - ASLEEP.total_seconds(), "failed": False}}, "The worker was last at work 5 min ago."),
        ({"changes_waiting": 1200}, "1,200 changes are not counted yet."),
        ({"dead_notices": 100, "more_dead_notices": True}, "! 100 or more notices were not delivered: "),
    ],
)
def test_what_stands_below(known: dict[str, object], said: str) -> None:
    """Whether somebody is at work, and what has piled up."""
    assert said in draw({**a_status(0), **known}, 200, "utf-8")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3600, "1 h"),
        (3660, "1 h 1 min"),
        (DAY, "1 d"),
        (90 * DAY + 3 * HOUR + 60, "90 d 3 h"),
    ],
)
def test_a_span_is_said_in_two_units(seconds: int, said: str) -> None:
    """The two largest ones, and never less than nothing."""
    start = datetime(2026, 11, 22, tzinfo=UTC)
    assert span(start, start + timedelta(seconds=seconds)) == said


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_picture_fits_on_the_screen(width: int, encoding: str) -> None:
    """However wide it is; of the problems so many are shown as have room, one at the least."""
    text = draw(a_status(20), width, encoding, rows=40)
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    assert len(lines) <= 40
    words = " ".join(text.split())
    assert "100,000 certificates: 99,940 fine, 60 need you" in words
    assert "is down for 1 d; asked again in 1 min" in words
    assert "more: certworker status --all" in words
    assert "2 notices were not delivered" in words


def test_columns_show_whatever_there_is() -> None:
    """One beside a thousand is seen; nothing stays nothing."""
    assert columns([0, 1, 1000], height=2) == ("    █", "  ▁ █")
    assert columns([0, 1, 1000], ascii_only=True, height=2) == ("    #", "  . #")
    assert columns([0, 0], height=2) == ("", "")
    line, dates = axis(date(2026, 11, 22), 15)
    assert line == "┴─────────────┴─────────────┴─"
    assert dates == "today         29 Nov"
