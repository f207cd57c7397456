"""Completion in real shells: the script that the command shows for each, and the names and files that it finds."""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from certworker.vault.access import SERVICE
from tests.cli.terminal import Terminal
from tests.support.deployment import policy_for

BASH = shutil.which("bash") or ""
ASK = """
source <(certworker --show-completion bash)
function=$(complete -p certworker | sed 's/.*-F \\([^ ]*\\).*/\\1/')
for line in "$@"; do
    read -ra COMP_WORDS <<< "certworker $line"
    COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
    "$function" certworker
    echo "${COMPREPLY[@]}"
done
"""
PATIENCE_SECONDS = 60
ASK_FISH = """
certworker --show-completion | source
for line in $argv
    complete -C "certworker $line" | string replace -r '\\t.*' '' | string join ' '
end
true
"""
"""A replacement that replaces nothing has a status of its own."""
ZSHRC = """
autoload -U compinit && compinit -u -D
source <(certworker --show-completion)
tell() { print -r -- "<${BUFFER}>"; BUFFER= }
zle -N tell
bindkey '^T' tell
zle-line-init() { zle-line-init() { }; print READY }
zle -N zle-line-init
"""
"""Ctrl-T tells the line as it is then, and empties it; the first line begins with a word that says so."""


@pytest.fixture
def environment(terminal: Terminal, tmp_path: Path) -> Mapping[str, str]:
    """Give an environment in which the command is found, and the vault of the tests known."""
    found = {**os.environ, **terminal.environment(), "HOME": str(tmp_path), "TERM": "xterm-256color"}
    return found | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "SHELL": BASH}


def complete(environment: Mapping[str, str], *lines: str) -> list[set[str]]:
    """Press the tabulator at the end of each line, the last word of which is not whole."""
    asked = subprocess.run(
        [BASH, "-c", ASK, "bash", *lines], env=dict(environment), capture_output=True, text=True, check=True, timeout=60
    )
    assert "\x1b" not in asked.stdout
    return [set(line.split()) for line in asked.stdout.splitlines()]


@pytest.mark.system("bash")
def test_commands_options_and_names_complete(terminal: Terminal, environment: Mapping[str, str]) -> None:
    """Subcommands, options, and the names of what is in the vault."""
    plant(terminal)
    commands, options, names = complete(environment, "certificate re", "status --", "certificate show we")
    assert {"renew", "restore"} <= commands
    assert {"--watch", "--json"} <= options
    assert names == {"web-1", "web-2"}


@pytest.mark.long
@pytest.mark.system("fish")
def test_fish_completes(terminal: Terminal, environment: Mapping[str, str], tmp_path: Path) -> None:
    """Subcommands, options, names, and files where a file is meant."""
    plant(terminal)
    lines = ("certificate re", "status --", "certificate show we", f"run --config {tmp_path}/mi")
    (tmp_path / "mine.toml").touch()
    asked = subprocess.run(
        [shutil.which("fish") or "", "--no-config", "-c", ASK_FISH, *lines],
        env=dict(environment),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert not asked.stderr
    commands, options, names, files = (set(line.split()) for line in asked.stdout.splitlines())
    assert {"renew", "restore"} <= commands
    assert {"--watch", "--json"} <= options
    assert names == {"web-1", "web-2"}
    assert f"{tmp_path}/mine.toml" in files


@pytest.mark.long
@pytest.mark.system("zsh")
def test_zsh_completes(terminal: Terminal, environment: Mapping[str, str], tmp_path: Path) -> None:
    """Likewise: what is the only one is put into the line, and of several the common part; these are listed."""
    plant(terminal)
    (tmp_path / "mine.toml").touch()
    (tmp_path / ".zshrc").write_text(ZSHRC)
    lines = ("certificate re", "certificate show ma", "certificate show we", f"run --config {tmp_path}/mi")
    said = press_tab({**environment, "ZDOTDIR": str(tmp_path), "TERM": "dumb", "PS1": ""}, *lines)
    assert {"renew", "restore"} <= set(re.findall(r"^(\S+) +-- ", said, re.MULTILINE))
    assert re.findall("<certworker ([^>]*)>", said) == [
        "certificate re",
        "certificate show mail ",
        "certificate show web-",
        f"run --config {tmp_path}/mine.toml ",
    ]


def plant(terminal: Terminal) -> None:
    """Have a few certificates made."""
    for name in ("web-1", "web-2", "mail"):
        terminal.world.house.certificates.create(
            SERVICE, terminal.world.vault, name, policy_for("web.example", "Self"), tags={}
        )


def press_tab(environment: Mapping[str, str], *lines: str) -> str:
    """Type each line into a zsh on a terminal, press the tabulator, have the line told, and leave; give all that it showed."""
    keys = "".join(f"certworker {line}\t\x14" for line in lines) + "\x04"
    ours, its = pty.openpty()
    with subprocess.Popen(
        [shutil.which("zsh") or "", "-d", "-i"], env=environment, stdin=its, stdout=its, stderr=its, start_new_session=True
    ) as shell:
        os.close(its)
        said, typed = b"", False
        try:
            while select.select([ours], [], [], PATIENCE_SECONDS)[0]:
                said += os.read(ours, 65536)  # a terminal whose last program has gone is an error
                if not typed and b"READY" in said:
                    typed = True
                    os.write(ours, keys.encode())
        except OSError:
            pass
        finally:
            os.close(ours)
            shell.kill()
    return said.decode().replace("\r", "")
