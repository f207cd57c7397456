"""Notices to a program: what it reads, how long it may take, and what its exit code comes to."""

import json
import os
import time
from pathlib import Path

import pytest

from certworker.network.command_hook import CommandHook
from certworker.vault.notification.message import Delivery, Topic
from tests.issuers.test_hook import is_over, script
from tests.support.messages import AT, SUFFIX, a_message


def test_it_reads_the_message_and_little_else(tmp_path: Path) -> None:
    """JSON on its standard input; id, topic and severity in its environment, and no password of ours."""
    told = tmp_path / "told"
    program = script(tmp_path, f'cat >{told}.json; printf "%s\\n" "$@" >{told}; env >>{told}')
    environment = {"PATH": os.environ["PATH"], "CERTWORKER_DATABASE_URL": "postgresql://u:hunter2@h/n"}
    hook = CommandHook((program, "--to", "$HOME; a b"), 10, SUFFIX, environment)
    assert hook.deliver(a_message(Topic.RENEWAL_FAILED, facts={"error": 'no €\n"; rm -rf /'}), AT) == Delivery(done=True)
    lines = told.read_text().splitlines()
    assert lines[:2] == ["--to", "$HOME; a b"]
    wanted = {"ID=4f2c9e", "TOPIC=renewal_failed", "SEVERITY=warning"}
    assert {f"CERTWORKER_NOTICE_{entry}" for entry in wanted} <= set(lines)
    assert "hunter2" not in told.read_text()
    document = json.loads((tmp_path / "told.json").read_text())
    assert document["title"] == "The renewal of www-shop failed"
    assert document["facts"] == {"error": 'no €\n"; rm -rf /'}
    assert document["steps"][0]["command"].startswith("certworker plan www-shop --vault-url https://contoso.")
    assert (document["time"], document["kind"], document["parts"]) == ("2026-11-22T07:00:00Z", "certificate", [])


def test_a_large_message_waits_for_nobody(tmp_path: Path) -> None:
    """A program that does not read it is not waited for, and one that does reads all of it."""
    message = a_message(Topic.DIGEST, parts=(a_message(),) * 500)
    counting = script(tmp_path, f"wc -c >{tmp_path}/count")
    assert CommandHook((counting,), 10, SUFFIX).deliver(message, AT).done
    assert int((tmp_path / "count").read_text()) > 200_000
    assert CommandHook((script(tmp_path, "exit 0"),), 10, SUFFIX).deliver(message, AT).done


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("echo the pager is off; exit 75", "puts it off (exit code 75): the pager is off"),
        ("echo no >&2; exit 1", "failed with exit code 1: no"),
        ("exit 2", "failed with exit code 2."),
        ("kill -9 $$", "failed with signal 9."),
        ("printf '\\xff\\033[2J'; exit 6", "failed with exit code 6: "),
        ("head -c 3000000 /dev/zero | tr '\\0' x; exit 5", "failed with exit code 5: xxx"),
    ],
)
def test_what_is_not_zero_is_tried_again(tmp_path: Path, body: str, words: str) -> None:
    """With the beginning of what it said, in one line that reads as it is."""
    delivery = CommandHook((script(tmp_path, body),), 10, SUFFIX).deliver(a_message(), AT)
    assert (delivery.done, delivery.final) == (False, False)
    assert words in delivery.message
    assert delivery.message.isprintable()
    assert len(delivery.message) < 600


def test_one_that_hangs_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    """After its time neither it nor its children live on."""
    child, begun = tmp_path / "child", time.monotonic()
    program = script(tmp_path, f"sleep 60 & echo $! >{child}; wait")
    delivery = CommandHook((program,), 0.4, SUFFIX).deliver(a_message(), AT)
    assert delivery == Delivery(done=False, message=f"The hook {program} did not end within 0.4 s.")
    stopped = Path(f"/proc/{child.read_text().strip()}/stat")
    while time.monotonic() - begun < 5 and not is_over(stopped):
        time.sleep(0.01)
    assert is_over(stopped)


def test_one_that_cannot_be_run_is_named(tmp_path: Path) -> None:
    """It is tried again: somebody may put it there."""
    delivery = CommandHook((str(tmp_path / "missing"),), 10, SUFFIX).deliver(a_message(), AT)
    assert not delivery.final
    assert delivery.message == f"The hook {tmp_path}/missing cannot be run: there is no such program, or it is not executable."
