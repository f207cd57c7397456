"""Completion in a real bash: the script that the command installs, and the names that it finds."""

import os
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
    world = terminal.world
    for name in ("web-1", "web-2", "mail"):
        world.house.certificates.create(SERVICE, world.vault, name, policy_for("web.example", "Self"), tags={})
    commands, options, names = complete(environment, "certificate re", "status --", "certificate show we")
    assert {"renew", "restore"} <= commands
    assert {"--watch", "--json"} <= options
    assert names == {"web-1", "web-2"}
