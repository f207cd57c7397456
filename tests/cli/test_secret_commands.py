"""Secrets from the command line: a value comes by standard input or a file, and is shown to who says so."""

import json
import stat
import sys
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from certworker.cli.secret import _give
from certworker.errors import BadParameter
from tests.cli.terminal import Terminal

VALUE = "correct horse battery staple"
ODD = "\ufeffzwei\r\nZeilen\t😀\n\n"


class Screen(StringIO):
    """Standard output that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def set_(terminal: Terminal, name: str = "db", *words: str, stdin: str | bytes = VALUE) -> str:
    """Set a secret; give its version."""
    said = terminal("secret", "set", name, *words, stdin=stdin)
    return said.out.rpartition("version ")[2].rstrip(".\n")


def value_of(terminal: Terminal, name: str = "db", *words: str) -> bytes:
    """Read a value out of a pipe."""
    return terminal("secret", "show", name, "--value", *words).raw


@pytest.mark.parametrize(
    ("stdin", "value"),
    [
        (VALUE, VALUE),
        (f"{VALUE}\n", VALUE),
        (f"{VALUE}\r\n", VALUE),
        (f"{VALUE}\n\n", f"{VALUE}\n"),
        (f"{VALUE}\r", f"{VALUE}\r"),
        (ODD, ODD[:-1]),
    ],
)
def test_a_value_comes_by_standard_input(terminal: Terminal, stdin: str, value: str) -> None:
    """Of which one last line end does not belong to it; it goes out as it is."""
    set_(terminal, stdin=stdin.encode())
    assert value_of(terminal) == value.encode()


def test_an_empty_value_is_stored_on_purpose_alone(terminal: Terminal, tmp_path: Path) -> None:
    """Nearly always something failed before the pipe; nothing is stored then, and what is there stays."""
    set_(terminal)
    file = tmp_path / "empty"
    file.write_bytes(b"")
    for words, stdin in (((), b""), ((), b"\n"), ((), b"\r\n"), (("-f", "-"), b""), (("-f", str(file)), b"unread")):
        said = terminal.try_("secret", "set", "db", *words, stdin=stdin)
        assert said.code == 1
        assert "empty" in said.err
        assert "--empty" in said.err
        assert value_of(terminal) == VALUE.encode()
    set_(terminal, "db", "--empty", stdin=b"unread")
    assert value_of(terminal) == b""
    set_(terminal, "db", "-f", "-", stdin=b"\n")
    assert value_of(terminal) == b"\n"
    assert terminal.try_("secret", "set", "db", "--empty", "-f", str(file)).code == 2


@pytest.mark.parametrize(
    "words",
    [
        ("key", "import", "k", "--file"),
        ("certificate", "import", "c"),
        ("csr", "merge", "by-hand"),
        ("secret", "restore"),
        ("certificate", "restore"),
        ("key", "restore"),
    ],
)
def test_an_empty_input_is_told_as_that(terminal: Terminal, tmp_path: Path, words: tuple[str, ...]) -> None:
    """And not as a file of a wrong form; the service is not asked."""
    file = tmp_path / "empty"
    file.write_bytes(b"\n")
    said = terminal.bare(*words, "-", stdin=b"")
    assert said.code == 1
    assert "Standard input is empty: whatever was to write it gave nothing." in said.err
    assert f"{file} is empty." in terminal.bare(*words, str(file)).err


def test_a_value_comes_by_a_file(terminal: Terminal, tmp_path: Path) -> None:
    """As it is; and so by standard input, where that is called a file."""
    file = tmp_path / "value"
    file.write_bytes(ODD.encode())
    set_(terminal, "db", "--file", str(file))
    assert value_of(terminal) == ODD.encode()
    set_(terminal, "db", "-f", "-", stdin=b"x\n")
    assert value_of(terminal) == b"x\n"


def test_what_cannot_be_a_value(terminal: Terminal, tmp_path: Path) -> None:
    """A file that is not there, bytes that are no text, more than there may be, an argument; nothing is set."""
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for words, stdin, code in (
        (("--file", str(tmp_path / "missing")), "", 2),
        (("--file", str(tmp_path / "binary")), "", 2),
        ((), b"\xff", 2),
        ((), "x" * 25_601, 1),
        ((VALUE,), "", 2),
        (("--value", VALUE), "", 2),
    ):
        said = terminal.try_("secret", "set", "db", *words, stdin=stdin)
        assert said.code == code, words
        assert "xxx" not in said.err
    assert terminal("secret", "list").table() == []


def test_what_is_no_text_or_leads_elsewhere_is_refused(terminal: Terminal) -> None:
    """An argument of other bytes, and names that a path is shortened by: in words, and without the value."""
    set_(terminal)
    for words, code in (
        (("set", "db", "--content-type", "\udcff"), 1),
        (("set", "db", "--tag", "a=\udcff"), 1),
        (("set", "d\udcff"), 2),
        (("show", "."), 2),
        (("show", "db", "--version", ".."), 2),
        (("delete", ".."), 2),
    ):
        said = terminal.try_("secret", *words, stdin=VALUE)
        assert said.code == code, words
        assert VALUE not in said.err
    assert len(terminal("secret", "versions", "db").table()) == 1


def test_it_is_shown_without_its_value(terminal: Terminal, tmp_path: Path) -> None:
    """Neither a person nor a program gets the value that did not ask for it, and a file is its owner's."""
    options = ("--content-type", "text/plain", "--tag", "team=a", "--tag", "empty=", "--not-before", "2026-01-01")
    version = set_(terminal, "db", *options, "--expires", "2027-01-31T12:00:00Z")
    told = terminal("secret", "show", "db").out
    for word in ("text/plain", "team=a, empty=", "valid from", "2026-01-01T00:00:00Z", "2027-01-31T12:00:00Z", version):
        assert word in told
    shown = terminal("secret", "show", "db", "--json")
    assert shown.json["tags"] == {"team": "a", "empty": ""}
    assert VALUE not in told + shown.out + terminal("secret", "set", "x", "--json", stdin=VALUE).out
    out = tmp_path / "out"
    assert terminal("secret", "show", "db", "-o", str(out)).out == ""
    assert out.read_text() == VALUE
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_a_terminal_gets_what_it_can_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a line end; what could move its cursor is refused, and nothing of it is shown."""
    screen = Screen()
    monkeypatch.setattr(sys, "stdout", screen)
    _give("zwei\tZeilen\n😀", None)
    with pytest.raises(BadParameter, match="name a file with -o"):
        _give("hush\x1b[2J", None)
    assert screen.getvalue() == "zwei\tZeilen\n😀\n"


def test_versions_and_lists(terminal: Terminal) -> None:
    """Each version can be shown; a list is a table, or JSON whole."""
    versions = []
    for value in ("one", "two"):
        versions.append(set_(terminal, stdin=value))
        terminal.world.clock.advance(timedelta(seconds=1))
    set_(terminal, "other", "--disabled", "--content-type", "text")
    assert value_of(terminal, "db", "--version", versions[0]) == b"one"
    assert [row[0] for row in terminal("secret", "versions", "db").table()] == versions
    assert [row[:2] for row in terminal("secret", "list").table()] == [["db", "yes"], ["other", "no"]]
    assert len(terminal("secret", "list", "--json").json["value"]) == 2
    said = terminal.try_("secret", "show", "other", "--value")
    assert (said.code, "not allowed on a disabled secret" in said.err) == (4, True)
    assert terminal.try_("secret", "show", "nobody").code == 3


def test_an_update(terminal: Terminal) -> None:
    """What is named changes; times and tags are read with care; nothing to change is a wrong command line."""
    version = set_(terminal, "db", "--tag", "a=b")
    set_(terminal)
    update = ("secret", "update", "db", "--json")
    changed: Any = terminal(*update, "--version", version, "--disable", "--expires", "2027-01-01").json
    assert changed["id"].endswith(version)
    assert (changed["attributes"]["enabled"], changed["attributes"]["exp"]) == (False, 1_798_761_600)
    assert changed["tags"] == {"a": "b"}
    assert terminal(*update, "--tag", "x=y=z", "--content-type", "c").json["tags"] == {"x": "y=z"}
    assert "tags" not in terminal(*update, "--no-tags", "--enable").json
    for words in ((), ("--tag", "x"), ("--tag", "=x"), ("--expires", "tomorrow"), ("--tag", "a=b", "--no-tags")):
        assert terminal.try_(*update, *words).code == 2, words


def test_deleted_recovered_purged(terminal: Terminal) -> None:
    """In the words of the commands for certificates; purge protection is told in the service's."""
    set_(terminal)
    assert "until 2026-04-01T00:00:00Z it can be recovered" in terminal("secret", "delete", "db").out
    assert terminal.try_("secret", "show", "db").code == 3
    assert terminal("secret", "list", "--deleted").table() == [["db", "yes", "-", "-", "2026-04-01T00:00:00Z"]]
    assert terminal.try_("secret", "set", "db", stdin="x").code == 5
    assert terminal("secret", "recover", "db").out == "db is back.\n"
    assert value_of(terminal) == VALUE.encode()
    terminal("secret", "delete", "db")
    assert terminal("secret", "purge", "db").out == "db is gone.\n"
    assert terminal.try_("secret", "purge", "db").code == 3
    set_(terminal)
    terminal("secret", "delete", "db", "--json")
    with terminal.world.house.store.writing() as writer:
        writer.replace_vault(replace(terminal.world.vault, purge_protection=True))
    said = terminal.try_("secret", "purge", "db")
    assert (said.code, "purge protection is enabled" in said.err) == (4, True)


def test_a_backup_is_a_file(terminal: Terminal, tmp_path: Path) -> None:
    """For its owner only, of which nothing can be read; it brings back what was purged."""
    version, file = set_(terminal), tmp_path / "db.backup"
    terminal("secret", "backup", "db", "-o", str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert VALUE not in file.read_text()
    assert terminal.try_("secret", "restore", str(file)).code == 5
    for word in ("delete", "purge"):
        terminal("secret", word, "db")
    assert terminal("secret", "restore", "-", stdin=file.read_bytes()).out == f"db is back, at version {version}.\n"
    assert value_of(terminal) == VALUE.encode()
    assert terminal.try_("secret", "backup", "nobody", "-o", str(file)).code == 3
    assert terminal.try_("secret", "restore", "-", stdin="junk").code == 1
    assert json.loads(terminal("secret", "show", "db", "--json").out)["id"].endswith(version)
