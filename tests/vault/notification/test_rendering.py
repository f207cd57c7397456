"""Messages in words: what a person reads, what he is to run, and that what others wrote stays text."""

import shlex
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from typer.main import get_command

from certworker.cli.main import app
from certworker.vault.notification.explanation import explain
from certworker.vault.notification.facts import distance, moment, span
from certworker.vault.notification.message import Severity, Topic
from certworker.vault.notification.rendering import LONGEST_SUBJECT, MOST_PARTS, WIDTH, render
from certworker.vault.objects import ObjectKind
from tests.support.messages import AT, SUFFIX, VERSION, a_message

UNKNOWN = {"issuer": "Unknown", "exp": "1796000000"}
EVIL = '<script>alert("x")</script><img src=x onerror=y>\r\n\r\nSubject: & \u202egnp.exe ' + "long" * 100
ALL = [
    a_message(topic, kind=kind, facts=facts)
    for topic in Topic
    for kind in ObjectKind
    for facts in ({}, UNKNOWN, {"issuer": "ca", "action": "AutoRenew"}, {"issuer": "ca", "action": "none"})
]


class Tags(HTMLParser):
    """Collects the names of tags and their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag and its attributes."""
        self.names |= {tag, *(name for name, _ in attrs)}


def test_a_person_can_act_on_it() -> None:
    """What, where, when, why, and which commands, in this order."""
    text = render(a_message(facts={**UNKNOWN, "threshold": "30d"}), SUFFIX).text
    assert text == (
        "Warning: Certificate www-shop expires in 7 days\n\n"
        "Certificate www-shop is valid until 2026-11-30 00:53 UTC (in 7 days). Who\n"
        "uses it then is refused. Its issuer is Unknown, so a person has to have it\n"
        "signed.\n\n"
        "What to do\n\n"
        "Make a key and a signing request for the next version:\n"
        "    certworker csr create www-shop -o www-shop.csr --vault-url https://contoso.vault.example.test\n\n"
        "Have it signed by your CA, and put what comes back into the vault:\n"
        "    certworker csr merge www-shop www-shop.pem --vault-url https://contoso.vault.example.test\n\n"
        "To hear no more of this, as it is known:\n"
        "    certworker notify acknowledge 4f2c9e --vault-url https://contoso.vault.example.test\n\n"
        "Time:        2026-11-22 07:00 UTC\n"
        "Vault:       contoso\n"
        "Certificate: www-shop\n"
        f"Version:     {VERSION}\n"
        "Issuer:      Unknown\n"
        "Valid until: 2026-11-30 00:53 UTC (in 7 days)\n"
        "Threshold:   30d\n\n"
        "-- \nTold by certworker of the vault contoso; message 4f2c9e.\n"
    )


def test_every_command_is_one_that_there_is() -> None:
    """Each word, option and argument is understood by our own command line."""
    root: Any = get_command(app)
    commands = {step.command for message in ALL for step in explain(message, SUFFIX).steps if step.command}
    assert len(commands) > 10
    for text in sorted(commands):
        program, *words = shlex.split(text)
        assert program == "certworker"
        command, context = root, root.context_class(root)
        while hasattr(command, "resolve_command"):
            name, command, words = command.resolve_command(context, words)
            assert command is not None, text
            context = command.context_class(command, parent=context, info_name=name)
        command.make_context(command.name, words)


@pytest.mark.parametrize("topic", Topic)
def test_what_others_wrote_stays_text(topic: Topic) -> None:
    """Whatever stands in names and facts adds no tag, no attribute, no line to a subject, and no width to a text."""
    facts = dict.fromkeys(("issuer", "error", "reason", "why", "by", "to", "from", "since", "exp", "about", EVIL), EVIL)
    evil = a_message(topic, name=EVIL, version=EVIL, vault=EVIL, id=EVIL, facts=facts)
    plain = a_message(topic, facts=dict.fromkeys(facts, "x"))
    evil, plain = (replace(message, parts=(message,) if topic is Topic.DIGEST else ()) for message in (evil, plain))
    rendered = render(evil, SUFFIX)
    assert Tags(rendered.html).names == Tags(render(plain, SUFFIX).html).names
    assert "\u202e" not in rendered.subject + rendered.text + rendered.html
    assert rendered.subject.isprintable()
    assert len(rendered.subject) <= LONGEST_SUBJECT + 3
    lines = [line for line in rendered.text.splitlines() if not line.startswith("    certworker ")]
    assert max(map(len, lines)) <= WIDTH


def test_a_digest_lists_its_parts() -> None:
    """The worst of them stands in its head; very many are counted."""
    parts = (
        a_message(),
        a_message(Topic.EXPIRED, severity=Severity.CRITICAL, name="mail"),
        a_message(Topic.RENEWED, name="db"),
    )
    digest = a_message(Topic.DIGEST, name="", version=None, parts=parts, severity=Severity.CRITICAL, facts={})
    rendered = render(digest, SUFFIX)
    assert rendered.subject == "CRITICAL: 3 notices [contoso]"
    for said in ("expires in 7 days", "CRITICAL: Certificate mail has expired", "Certificate db was renewed"):
        assert said in " ".join(rendered.text.split())
        assert said in rendered.html
    many = render(replace(digest, parts=parts * MOST_PARTS), SUFFIX)
    assert f"and {2 * MOST_PARTS} more" in many.text
    assert f"and {2 * MOST_PARTS} more" in many.html


def test_it_is_the_same_however_often_it_is_sent() -> None:
    """Nothing in it hangs on the hour of sending."""
    assert render(a_message(), SUFFIX) == render(a_message(), SUFFIX)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        *((0, "now"), (-59, "now"), (60, "in 1 minute"), (-3600, "60 minutes ago"), (7200, "in 2 hours")),
        *((86400, "in 24 hours"), (172_800, "in 2 days"), (-864_000, "10 days ago")),
    ],
)
def test_distances_are_told_in_words(seconds: int, said: str) -> None:
    """In the largest unit of which there are two."""
    assert distance(AT + timedelta(seconds=seconds), AT) == said
    assert span(timedelta(minutes=1)) == "1 minute"


@pytest.mark.parametrize(
    "value", ["", "soon", "9" * 13, "-5", "2026-11-22", "2026-11-22T07:00:00", "99999-01-01T00:00:00Z", "²"]
)
def test_what_is_no_time_is_none(value: str) -> None:
    """Facts come from many places."""
    assert moment(a_message(facts={"exp": value}), "exp") is None
    assert render(a_message(facts={"exp": value}), SUFFIX).subject == "Warning: Certificate www-shop expires soon [contoso]"
