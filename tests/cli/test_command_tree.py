"""What holds for every command there is, found by walking the tree of them."""

import json
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any, Final

import pytest
import typer
from typer.testing import CliRunner

from certworker.cli.main import app
from tests.cli.terminal import Terminal

WITHOUT_JSON: Final = MappingProxyType(
    {
        "dev": "it serves until it is stopped",
        "run": "it serves until it is stopped",
        "settings": "it prints a settings file",
        "ca-bundle": "it prints PEM",
        "az-setup": "it prints lines for a shell",
        "certificate backup": "it writes a file",
        "key backup": "it writes a file",
        "key public": "it prints PEM, or a JWK",
        "secret backup": "it writes a file",
    }
)


def commands() -> Iterator[tuple[str, Any]]:
    """Walk the tree: the words of each command, and the command."""
    pending: list[tuple[tuple[str, ...], Any]] = [((), typer.main.get_command(app))]
    while pending:
        words, command = pending.pop()
        if inner := getattr(command, "commands", None):
            pending += [((*words, name), found) for name, found in inner.items()]
        else:
            yield " ".join(words), command


def groups() -> Iterator[str]:
    """Name what has commands below it."""
    for words, _ in commands():
        yield words.rpartition(" ")[0]


def test_every_command_prints_json() -> None:
    """But for those that have a reason not to, and no other reasons are kept."""
    without = {words for words, command in commands() if not any("--json" in option.opts for option in command.params)}
    assert without == set(WITHOUT_JSON)


@pytest.mark.parametrize("environment", [{}, {"FORCE_COLOR": "", "TERM": "xterm-256color"}])
def test_no_help_sends_an_escape_sequence_into_a_pipe(environment: dict[str, str]) -> None:
    """Every page of help is plain text there."""
    for words in sorted({words for words, _ in commands()} | set(groups())):
        said = CliRunner().invoke(app, [*words.split(), "--help"], env=environment)
        assert said.exit_code == 0, words
        assert "\x1b" not in said.output, words
        assert "Usage:" in said.output, words


def test_commands_that_only_did_something_tell_it_as_one_document(terminal: Terminal) -> None:
    """Standard output holds nothing else, and nothing is said beside it."""
    terminal("identity", "user", "create", "alice@certworker.local", stdin="Correct-horse-battery-1\n")
    for words, told in (
        ("identity user disable alice@certworker.local", {"user": "alice@certworker.local", "enabled": False}),
        ("identity user enable alice@certworker.local", {"user": "alice@certworker.local", "enabled": True}),
        ("identity administrator add alice@certworker.local", {"who": "alice@certworker.local", "administrator": True}),
        ("identity administrator remove alice@certworker.local", {"who": "alice@certworker.local", "administrator": False}),
        ("identity user delete alice@certworker.local --yes", {"user": "alice@certworker.local", "deleted": True}),
        ("logout", {"removed": False}),
    ):
        said = terminal(*words.split(), "--json")
        assert json.loads(said.out).items() >= told.items()
        assert not said.err


def test_an_error_is_told_on_standard_error_alone(terminal: Terminal) -> None:
    """With --json too: standard output is empty, and the exit code tells what it was."""
    said = terminal.try_("certificate", "show", "nobody", "--json")
    assert (said.code, said.out) == (3, "")
    assert said.err.startswith("certworker: ")
    assert "\x1b" not in said.err
