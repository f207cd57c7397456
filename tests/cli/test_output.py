"""What is printed on a terminal; and names that complete."""

import io
import re
import sys
from pathlib import Path

import pytest

from certworker.cli.endings import keep_to_ascii
from certworker.cli.exits import EPILOG, MEANINGS, ExitCode, exit_code_of
from certworker.cli.files import write_bytes
from certworker.cli.options import complete_certificates, complete_issuers, name_of, open_vault
from certworker.cli.output import hex_of, plain, show_fields, show_notes, show_table, time_of
from certworker.cli.waiting import wait_for
from certworker.errors import BadParameter, CertificateNotFound, Disabled, LeaseLost, SetupError, Unavailable
from tests.cli.terminal import Terminal, working


class Screen(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


class TextTerminal(io.TextIOWrapper):
    """A stream of text in an encoding, that may be a terminal."""

    is_terminal = True

    def isatty(self) -> bool:
        """Say whether it is one."""
        return self.is_terminal


def test_a_table_on_a_terminal_takes_nothing_for_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names in brackets stay as they are, and control characters do not get through."""
    screen = Screen()
    monkeypatch.setattr(sys, "stdout", screen)
    show_table(("NAME", "ENABLED"), [("[red]x[/red]\x1b[2J", True), ("y", None)])
    text = screen.getvalue()
    assert "[red]x[/red]" in text
    assert "\x1b[2J" not in text
    assert "yes" in text


def test_columns_are_aligned_and_fields_without_a_value_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    """In a pipe, with no frame."""
    show_table(("NAME", "N"), [("long-name", 1), ("x", None)])
    show_fields({"id": "1", "longer": ["a", "b"], "none": None, "empty": ""})
    assert capsys.readouterr().out == "NAME       N\nlong-name  1\nx          -\nid      1\nlonger  a, b\n"


def test_a_terminal_gets_no_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to do."""
    screen = Screen()
    monkeypatch.setattr(sys, "stdout", screen)
    with pytest.raises(BadParameter, match="-o FILE"):
        write_bytes(None, b"\x00\xff")
    assert not screen.getvalue()


@pytest.mark.parametrize("content", [b"-----BEGIN\x1b]0;owned\x07", b"\x9b2J", b"\x08\x08"])
def test_a_terminal_gets_nothing_that_moves_it(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    """What a server calls PEM, or an id, may be anything."""
    monkeypatch.setattr(sys, "stdout", Screen())
    with pytest.raises(BadParameter, match="not for a terminal"):
        write_bytes(None, content)
    assert name_of("https://x/certificates/web\x1b[2J/") == "web [2J"


def test_a_device_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    """A private file takes the place of a file only."""
    link = tmp_path / "null"
    link.symlink_to("/dev/null")
    write_bytes(str(link), b"key", private=True)
    assert link.is_symlink()


def test_times_and_texts_are_fit_for_a_line() -> None:
    """UTC in ISO 8601; whatever is not printable is a blank."""
    assert time_of(0) == "1970-01-01T00:00:00Z"
    assert time_of(None) is None
    assert (hex_of("-_8"), hex_of(None)) == ("FBFF", None)
    assert plain("a\nb\x1b[0m\u202e ") == "a b [0m"


def test_every_exit_code_is_told() -> None:
    """The table is whole, and the nearest ancestor decides."""
    assert set(MEANINGS) == set(ExitCode)
    assert "3 not found" in EPILOG
    errors = (CertificateNotFound("x"), Disabled("x"), Unavailable("x"), SetupError("x"), LeaseLost("x"))
    assert [exit_code_of(error).value for error in errors] == [3, 4, 6, 1, 1]


def test_names_complete(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the vault, without regard to case; without one there is nothing, and no error."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(terminal.folder))
    assert complete_certificates("w") == []
    for name, value in terminal.environment().items():
        monkeypatch.setenv(name, value)
    for name in ("Web", "worker", "mail"):
        terminal("certificate", "create", name, "--dns", "web.example", "--curve", "P-256")
    terminal("issuer", "set", "wca", "--provider", "Scripted")
    assert complete_certificates("w") == ["Web", "worker"]
    assert complete_issuers("") == ["wca"]


def test_a_terminal_shows_the_progress_in_place(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing of it stays in the way of the result."""
    for name, value in terminal.environment().items():
        monkeypatch.setenv(name, value)
    terminal("issuer", "set", "ca", "--provider", "Scripted")
    words = ("certificate", "create", "web", "--issuer", "ca", "--dns", "web.example", "--no-wait", "--json")
    operation = terminal(*words).json
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    with working(terminal.world), open_vault(None) as vault:
        assert wait_for(vault, "web", operation["request_id"], 30)["status"] == "completed"


def test_the_main_help_tells_the_exit_codes(terminal: Terminal) -> None:
    """And completion can be installed."""
    said = terminal.bare("--help")
    assert "Exit codes: 0 done" in said.out
    assert "--install-completion" in said.out


@pytest.mark.parametrize("width", [40, 80, 160])
def test_sentences_stand_beside_or_below(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    """Below where there is no room; no line is wider than the terminal, and no word is lost."""
    screen = Screen()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    why = "It is renewed when the time has come, and not a day before that. " * 3
    show_notes(("NAME", "NEXT", "WHY"), [("[red]web[/red]", "renewal", why), ("b", "nothing", None)])
    text = re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue())
    assert max(map(len, text.splitlines())) <= width
    assert " ".join(why.split()) in " ".join(text.split())
    assert ("WHY" in text.splitlines()[0]) == (width == 160)
    assert "[red]web[/red]" in text


@pytest.mark.parametrize("width", [60, 80, 200])
def test_ids_and_times_stay_whole_however_narrow_it_is(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    """Where a table has no room its cells flow, and one long name does not push the others out."""
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    request_id, time, name = "7bab49c56f5d43d787955acba06166a1", "2026-11-22T17:20:48.006096Z", "x" * 127
    for show in (show_table, show_notes):
        screen = Screen()
        monkeypatch.setattr(sys, "stdout", screen)
        show(("NAME", "TIME", "REQUEST ID", "WHY"), [(name, time, request_id, "It waits."), ("web", "-", "-", "Well.")])
        lines = re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue()).splitlines()
        assert max(map(len, lines)) <= width
        assert any(request_id in line for line in lines)
        assert any(time in line for line in lines)
        assert name in "".join(lines).replace(" ", "")
        assert any(line.strip().startswith("web") and "-" in line for line in lines)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"LC_ALL": "C", "LANG": "en_US.UTF-8"}, "ascii"),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, "ascii"),
        ({"LC_CTYPE": "POSIX"}, "ascii"),
        ({"LC_ALL": "C.UTF-8", "LANG": "C"}, "utf-8"),
        ({"LC_CTYPE": "C.UTF-8"}, "utf-8"),
        ({"LANG": "de_DE.UTF-8"}, "utf-8"),
        ({}, "utf-8"),
    ],
)
def test_a_terminal_that_knows_ascii_alone_gets_no_more(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: str
) -> None:
    """A pipe gets UTF-8 in any case: what is in it is not for the eye alone."""
    for is_terminal in (True, False):
        stream = TextTerminal(io.BytesIO(), encoding="utf-8")
        stream.is_terminal = is_terminal
        monkeypatch.setattr(sys, "stdout", stream)
        keep_to_ascii(environment)
        assert stream.encoding == (expected if is_terminal else "utf-8")
        show_table(("NAME",), [("Zürich",)])  # whatever it is, it can be printed


def test_without_colours_nothing_but_plain_signs_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR and a dumb terminal are heard."""
    for name, value in (("NO_COLOR", "1"), ("TERM", "dumb")):
        with monkeypatch.context() as patched:
            screen = Screen()
            patched.setattr(sys, "stdout", screen)
            patched.setenv("TERM", "xterm-256color")
            patched.setenv(name, value)
            show_table(("NAME",), [("web",)])
            assert "\x1b[3" not in screen.getvalue()
            assert "web" in screen.getvalue()
