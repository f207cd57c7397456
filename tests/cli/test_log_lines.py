"""What a line of the log is, for programs and for people."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any, Literal

import pytest

from certworker.cli import logs
from certworker.cli.log_lines import LONGEST_FIELD, LONGEST_MESSAGE, MOST_FRAMES, JsonLines, TextLines
from certworker.correlation import correlating
from certworker.errors import Unavailable
from certworker.settings import Log

FORGED = 'web"}\n{"level":"error"} \r\x1b[2J\x7f\u2028\u202e\x9b1m\udc80'
"""What would begin a line of its own, end the string that it is in, and move a terminal."""


def record(message: str, *args: object, error: BaseException | None = None, **fields: object) -> logging.LogRecord:
    """Make a record."""
    info = (type(error), error, error.__traceback__) if error else None
    made = logging.LogRecord("certworker.test", logging.INFO, "", 0, message, args, info)
    made.created, made.msecs = 1_800_000_000.25, 250.0
    made.fields = fields
    return made


def read(text: str) -> Any:  # noqa: ANN401 - JSON
    """Read a line of JSON, which is one for everybody who splits a text into lines."""
    assert len(text.splitlines()) == 1
    assert text.isascii()
    assert text.isprintable()
    return json.loads(text)


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    """Raise an exception, and give it as it was caught."""
    try:
        raise error from cause  # noqa: TRY301 - to be caught is all that it is for
    except BaseException as caught:  # noqa: BLE001 - whatever it is
        return caught


def test_a_line_of_json_has_its_fields() -> None:
    """Where it comes from, what it says, what it belongs to, and fields of its own, each of its kind."""
    with correlating("c-1", "o-1", 2):
        fields: dict[str, Any] = {"status": 200, "duration_ms": 1.5, "bad": float("nan"), "a": None, "yes": True, "no": False}
        line = read(JsonLines("api").format(record("%s of %d", "web", 3, **fields)))
    assert line.pop("pid") > 0
    assert line == {
        "time": "2027-01-15T08:00:00.250Z",
        "level": "info",
        "role": "api",
        "logger": "certworker.test",
        "message": "web of 3",
        "correlation_id": "c-1",
        "operation_id": "o-1",
        "status": 200,
        "duration_ms": 1.5,
        "bad": None,
        "a": None,
        "yes": True,
        "no": False,
    }


@pytest.mark.parametrize("lines", [JsonLines, TextLines])
def test_nothing_forges_a_line(lines: type[JsonLines | TextLines]) -> None:
    """Neither a message, nor an argument, a field, an id, or what was raised."""
    with correlating(FORGED, FORGED):
        text = lines("api").format(
            record(f"{FORGED} %s", FORGED, error=raised(Unavailable(FORGED)), vault=FORGED, more=[FORGED])
        )
    assert len(text.splitlines()) == 1
    assert text.isprintable()
    if lines is JsonLines:
        line = read(text)
        assert line["level"] == "info"
        assert line["vault"] == line["correlation_id"] == FORGED
        assert line["message"] == f"{FORGED} {FORGED}"


def test_what_is_long_is_cut() -> None:
    """A message and a field have an end, for whoever keeps the lines."""
    line = read(JsonLines("api").format(record("m" * 10**6, name="n" * 10**6)))
    assert len(line["message"]) == LONGEST_MESSAGE + 1
    assert len(line["name"]) == LONGEST_FIELD + 1
    assert len(TextLines("api").format(record("m" * 10**6))) < LONGEST_MESSAGE + 100


@pytest.mark.parametrize("message", ["m" * 10**6, "The certificate web was renewed"])
def test_no_message_takes_the_ids_from_a_text(message: str) -> None:
    """Neither a long one, nor one that has the word in it that a client chose for its id."""
    with correlating("certificate", "o-1"):
        text = TextLines("api").format(record(message))
    assert text.endswith(" correlation_id=certificate operation_id=o-1")


@pytest.mark.parametrize("lines", [JsonLines, TextLines])
def test_of_an_exception_kind_and_place_are_told(lines: type[JsonLines | TextLines]) -> None:
    """Texts of others may hold values; our own tell what is wrong, and the system's errors have names."""
    cause = raised(KeyError("hush"), raised(OSError(28, "hush", "/hush")))
    text = lines("api").format(record("It failed.", error=raised(Unavailable("It is away."), cause)))
    for told in ("Unavailable: It is away. < KeyError < OSError: ENOSPC", "cli/test_log_lines.py:", " raised"):
        assert told in text
    assert "hush" not in text


def test_of_a_deep_fall_the_innermost_places_are_told() -> None:
    """The first is where it was raised; a recursion without an end makes no line without one."""

    def fall(deep: int) -> None:
        if not deep:
            raise KeyError
        fall(deep - 1)

    with pytest.raises(KeyError) as caught:
        fall(MOST_FRAMES)
    places = read(JsonLines("api").format(record("It failed.", error=caught.value)))["traceback"]
    assert len(places) == MOST_FRAMES
    assert int(places[0].split(":")[1].split()[0]) < int(places[1].split(":")[1].split()[0])


def test_news_of_the_event_loop_are_cut_at_their_first_line() -> None:
    """In those that follow, exceptions and objects are written out."""
    made = record("Task exception was never retrieved\nfuture: <Task exception=ValueError('hush')>")
    made.name = "asyncio"
    assert read(JsonLines("api").format(made))["message"] == "Task exception was never retrieved"


@pytest.fixture
def untouched() -> Iterator[None]:
    """Put back what setting up the log changes in this process."""
    root, ours = logging.getLogger(), logging.getLogger("certworker")
    kept = (root.handlers[:], root.level, ours.level, sys.excepthook, sys.unraisablehook)
    names = ("logThreads", "logProcesses", "logMultiprocessing", "_srcfile")
    flags = {name: getattr(logging, name) for name in names}
    root.handlers.clear()  # those that are there would be closed
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:], level, own, sys.excepthook, sys.unraisablehook = kept
    root.setLevel(level)
    ours.setLevel(own)
    for name, value in flags.items():
        setattr(logging, name, value)


class Terminal(io.StringIO):
    """What says that it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    ("form", "stream", "is_json"),
    [
        ("auto", io.StringIO, True),
        ("auto", Terminal, False),
        ("json", Terminal, True),
        ("text", io.StringIO, False),
    ],
)
def test_a_terminal_gets_text_and_others_json(
    monkeypatch: pytest.MonkeyPatch, form: Literal["auto", "json", "text"], stream: type[io.StringIO], *, is_json: bool
) -> None:
    """Unless the settings say which; libraries keep to themselves what they are sent, and what nobody catches is a line."""
    monkeypatch.setattr(sys, "stderr", output := stream())
    logs.set_up_logging(Log(level="debug", format=form), "worker")
    logging.getLogger("certworker.anything").debug("ours")
    for library in ("httpx", "httpcore.http11", "sqlalchemy.engine", "urllib3", "multipart.multipart"):
        logging.getLogger(library).info("hush")
    sys.excepthook(ValueError, ValueError("hush"), None)
    lines = output.getvalue().splitlines()
    assert [line.startswith("{") for line in lines] == [is_json] * 2
    assert "ours" in lines[0]
    assert "ValueError" in lines[1]
    assert "hush" not in output.getvalue()
    logs.follow_settings(Log(level="error", format="text"))
    logging.getLogger("certworker.anything").warning("not told")
    logging.getLogger("certworker.anything").error("told")
    (line,) = output.getvalue().splitlines()[2:]
    assert line.endswith("ERROR   worker: told")
