"""The ledger over HTTP: listed, replayed, acknowledged, silenced and tried out, by those who may manage contacts."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from certworker.vault.notification.ledger import NoticeStatus
from certworker.worker.rounds import Rounds
from tests.api.world import Caller, World, open_world
from tests.support.clock import START, FakeClock
from tests.support.everything import a_notice
from tests.support.recording import Recorder, an_audience

NOTICES, SILENCES = "/certworker/v1/notices", "/certworker/v1/silences"
ID = "6" * 32


@pytest.fixture
def mail() -> Recorder:
    """Give a relay."""
    return Recorder()


@pytest.fixture
def call(tmp_path: Path, clock: FakeClock, mail: Recorder) -> Iterator[Caller]:
    """Give a caller of a deployment with a relay, a contact, and a notice that was given up."""
    with open_world(tmp_path, clock, audience=an_audience(mail)) as world:
        caller = Caller(world)
        caller("PUT", "/certificates/contacts", {"contacts": [{"email": "ada@example.test"}]})
        plant(world, status=NoticeStatus.DEAD, due_at=None, attempts=8, last_error="No.")
        yield caller


def plant(world: World, **changes: object) -> None:
    """Put an entry into the ledger."""
    with world.house.store.writing() as writer:
        assert writer.add_notice(replace(a_notice(world.vault.id, START), **changes))  # type: ignore[arg-type]


def test_a_notice_is_shown_with_all_that_is_known_of_it(call: Caller) -> None:
    """What it does not have is left out; no api-version is asked for."""
    shown = call.bare("GET", f"{NOTICES}/{ID}", headers=call.world.bearer()).json()
    assert shown == {
        "id": ID,
        "status": "dead",
        "topic": "near_expiry",
        "severity": "warning",
        "kind": "certificate",
        "name": "web",
        "version": shown["version"],
        "threshold": "7d",
        "channel": "mail",
        "address": "ada@example.test",
        "created": int(START.timestamp()),
        "attempts": 8,
        "last_error": "No.",
        "facts": {"issuer": "test-ca", "threshold": "7d"},
    }


def test_a_list_goes_page_by_page_and_keeps_to_its_status(call: Caller) -> None:
    """The newest first."""
    for number in range(3):
        plant(call.world, id=f"{number:032}", threshold=str(number), status=NoticeStatus.SENT)
    first = call("GET", f"{NOTICES}?status=sent&maxresults=2").json()
    second = call("GET", first["nextLink"].partition(".localhost:8443")[2]).json()
    assert [int(notice["id"]) for notice in first["value"] + second["value"]] == [2, 1, 0]
    assert second["nextLink"] is None
    assert [notice["id"] for notice in call("GET", f"{NOTICES}?status=dead").json()["value"]] == [ID]
    assert len(call("GET", NOTICES).json()["value"]) == 4
    refused = call("GET", f"{NOTICES}?status=lost")
    assert (refused.status_code, "it is one of waiting" in refused.text) == (400, True)


def test_what_was_given_up_is_replayed(call: Caller, mail: Recorder) -> None:
    """One, or all of them; and goes out under its own id."""
    assert call("POST", f"{NOTICES}/{ID}/replay").json()["status"] == "retrying"
    assert call("POST", f"{NOTICES}/{ID}/replay").status_code == 409
    plant(call.world, id="7" * 32, threshold="1d", status=NoticeStatus.DEAD, due_at=None)
    assert [notice["id"] for notice in call("POST", f"{NOTICES}/replay").json()["value"]] == ["7" * 32]
    Rounds(call.world.house, "worker").run_due(call.world.clock())
    assert {message.id for message in mail.messages} == {ID, "7" * 32}


def test_a_test_goes_to_everybody(call: Caller, mail: Recorder) -> None:
    """By a channel that there is."""
    made = call("POST", f"{NOTICES}/test", {"channel": "mail"})
    assert made.status_code == 202
    Rounds(call.world.house, "worker").run_due(call.world.clock())
    assert mail.topics == ["test"]
    assert call("GET", f"{NOTICES}/{made.json()['value'][0]['id']}").json()["status"] == "sent"
    assert call("POST", f"{NOTICES}/test", {"channel": "pigeon"}).status_code == 400


def test_silences_are_made_listed_and_ended(call: Caller) -> None:
    """With who made them, and why."""
    until = int((START + timedelta(days=1)).timestamp())
    made = call("POST", SILENCES, {"pattern": "test-*", "until": until, "why": "a drill", "topic": "near_expiry"})
    assert made.status_code == 201
    (listed,) = call("GET", SILENCES).json()["value"]
    assert listed == made.json()
    assert (listed["by"], listed["until"]) == (call.world.administrator.object_id, until)
    assert call("DELETE", f"{SILENCES}/{listed['id']}").status_code == 204
    assert call("DELETE", f"{SILENCES}/{listed['id']}").status_code == 404
    assert call("GET", SILENCES).json()["value"] == []


@pytest.mark.parametrize(
    ("changes", "word"),
    [({"until": 0}, "past"), ({"until": -1}, "Unix"), ({"topic": "love"}, "topic"), ({"pattern": ""}, "pattern")],
)
def test_a_silence_that_cannot_work_is_refused(call: Caller, changes: dict[str, object], word: str) -> None:
    """The answer says what is wrong."""
    until = int((START + timedelta(days=1)).timestamp())
    refused = call("POST", SILENCES, {"pattern": "*", "until": until, "why": "why"} | changes)
    assert refused.status_code == 400
    assert word in refused.json()["error"]["message"]


def test_who_may_not_manage_contacts_is_refused_everything(call: Caller) -> None:
    """On every route; and another vault's notices are nobody's."""
    stranger, _ = call.world.add_principal("stranger", administrator=False)
    bearer = {"Authorization": f"Bearer {call.world.token(stranger)}"}
    silence = {"pattern": "*", "until": 4_000_000_000, "why": "why"}
    for method, path, body in (
        ("GET", NOTICES, None),
        ("GET", f"{NOTICES}/{ID}", None),
        ("POST", f"{NOTICES}/{ID}/replay", None),
        ("POST", f"{NOTICES}/replay", None),
        ("POST", f"{NOTICES}/{ID}/acknowledge", None),
        ("POST", f"{NOTICES}/test", {}),
        ("GET", SILENCES, None),
        ("POST", SILENCES, silence),
        ("DELETE", f"{SILENCES}/{ID}", None),
    ):
        assert call(method, path, body, headers=bearer).status_code == 403, path
    assert call("GET", f"{NOTICES}/{'0' * 32}").status_code == 404
