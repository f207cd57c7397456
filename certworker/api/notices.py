"""The ledger of notices, under a path of our own: list, replay, acknowledge, silence, and a test."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, TypeVar

from starlette.responses import Response

from certworker.api.bodies import Body, Text
from certworker.api.call import Call, answer, route
from certworker.api.own import PREFIX
from certworker.api.wire import unix
from certworker.errors import BadParameter
from certworker.vault.notification.ledger import Notice, NoticeStatus, Silence
from certworker.vault.notification.message import Topic

NOTICES: Final = PREFIX + "notices"
SILENCES: Final = PREFIX + "silences"
_LATEST: Final = 253402300799
"""The last second of the year 9999."""
Word = TypeVar("Word", bound=StrEnum)


async def list_(call: Call) -> Response:
    """GET /certworker/v1/notices: the newest first; with `status`, only those that stand so."""
    status = _word(NoticeStatus, "status", call.query.get("status"))
    page = await call.run(call.house.lifecycle.notification.desk.list, status, call.after(), call.max_results())
    return call.page(page, notice_wire)


async def show(call: Call) -> Response:
    """GET /certworker/v1/notices/{id}."""
    return answer(notice_wire(await call.run(call.house.lifecycle.notification.desk.get, _id(call))))


async def replay(call: Call) -> Response:
    """POST /certworker/v1/notices/{id}/replay."""
    return answer(notice_wire(await call.run(call.house.lifecycle.notification.desk.replay, _id(call))), 202)


async def replay_dead(call: Call) -> Response:
    """POST /certworker/v1/notices/replay: all that were given up."""
    replayed = await call.run(call.house.lifecycle.notification.desk.replay_dead)
    return answer({"value": [notice_wire(notice) for notice in replayed]}, 202)


async def acknowledge(call: Call) -> Response:
    """POST /certworker/v1/notices/{id}/acknowledge."""
    return answer(notice_wire(await call.run(call.house.lifecycle.notification.desk.acknowledge, _id(call))))


class TestBody(Body):
    """What sends a test: to everybody, or by one channel."""

    channel: Text | None = None


async def test(call: Call) -> Response:
    """POST /certworker/v1/notices/test: answers with the notices, which the worker delivers."""
    body = await call.body(TestBody)
    made = await call.run(call.house.lifecycle.notification.desk.test, body.channel)
    return answer({"value": [notice_wire(notice) for notice in made]}, 202)


class SilenceBody(Body):
    """What silences: a pattern of names, until a time in Unix seconds, and why; of one topic or all."""

    pattern: Text
    until: int
    why: Text
    topic: Text | None = None


async def silence(call: Call) -> Response:
    """POST /certworker/v1/silences."""
    body = await call.body(SilenceBody)
    topic = _word(Topic, "topic", body.topic)
    if not 0 <= body.until <= _LATEST:
        raise BadParameter("until is a time in Unix seconds.", "until")
    until = datetime.fromtimestamp(body.until, UTC)
    made = await call.run(call.house.lifecycle.notification.desk.silence, body.pattern, topic, until, body.why)
    return answer(silence_wire(made), 201)


async def silences(call: Call) -> Response:
    """GET /certworker/v1/silences: those in force."""
    found = await call.run(call.house.lifecycle.notification.desk.silences)
    return answer({"value": [silence_wire(one) for one in found]})


async def unsilence(call: Call) -> Response:
    """DELETE /certworker/v1/silences/{id}."""
    await call.run(call.house.lifecycle.notification.desk.unsilence, _id(call))
    return Response(status_code=204)


def notice_wire(notice: Notice) -> dict[str, Any]:
    """Show an entry of the ledger; what it does not have is left out."""
    times = {"due": notice.due_at, "sent": notice.sent_at, "acknowledged": notice.acknowledged_at}
    wire: dict[str, Any] = {
        "id": notice.id,
        "status": notice.status.value,
        "topic": notice.topic.value,
        "severity": notice.severity.value,
        "kind": notice.kind.value,
        "name": notice.name,
        "version": notice.version,
        "threshold": notice.threshold,
        "channel": notice.channel,
        "address": notice.address,
        "created": unix(notice.at),
        **{name: unix(at) for name, at in times.items() if at},
        "acknowledged_by": notice.acknowledged_by,
        "attempts": notice.attempts,
        "last_error": notice.last_error,
        "digest": notice.digest_id,
        "facts": dict(notice.facts),
    }
    return {name: value for name, value in wire.items() if value not in (None, "")}


def silence_wire(silence: Silence) -> dict[str, Any]:
    """Show a silence."""
    return {
        "id": silence.id,
        "pattern": silence.pattern,
        **({"topic": silence.topic.value} if silence.topic else {}),
        "until": unix(silence.until),
        "by": silence.by,
        "why": silence.why,
        "created": unix(silence.created),
    }


def _id(call: Call) -> str:
    return str(call.request.path_params["id"])


def _word(words: type[Word], name: str, text: str | None) -> Word | None:
    if not text:
        return None
    known = {word.value: word for word in words}
    if text not in known:
        raise BadParameter(f"{name} has the value {text[:40]!r}: it is one of {', '.join(known)}.", name)
    return known[text]


ROUTES = (
    route("GET", NOTICES, list_),
    route("POST", NOTICES + "/test", test),
    route("POST", NOTICES + "/replay", replay_dead),
    route("GET", NOTICES + "/{id}", show),
    route("POST", NOTICES + "/{id}/replay", replay),
    route("POST", NOTICES + "/{id}/acknowledge", acknowledge),
    route("GET", SILENCES, silences),
    route("POST", SILENCES, silence),
    route("DELETE", SILENCES + "/{id}", unsilence),
)
