"""Notices to a program of the operator's own: a message as JSON on its standard input, without a shell."""

import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from certworker.network.program import NotRun, Program
from certworker.vault.notification.explanation import explain
from certworker.vault.notification.facts import one_line
from certworker.vault.notification.message import Delivery, Message

PREFIX: Final = "CERTWORKER_NOTICE_"
LATER: Final = 75
"""EX_TEMPFAIL of sysexits.h: it cannot be done now, and may be later. Nothing is wrong with the program."""
LONGEST_SAID: Final = 300


class CommandHook:
    """The channel `hook`. The program has `timeout_seconds`, after which it is killed with all that it started.

    Exit code 0 means that it is done. The environment has CERTWORKER_NOTICE_ID, _TOPIC and _SEVERITY.
    """

    def __init__(
        self,
        command: Sequence[str],
        timeout_seconds: float,
        vault_suffix: str,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._program = Program(command, timeout_seconds, environment)
        self._vault_suffix = vault_suffix

    def deliver(self, message: Message, at: datetime) -> Delivery:  # noqa: ARG002 - what is told does not depend on it
        """Run the program on a message."""
        told = {
            PREFIX + "ID": message.id,
            PREFIX + "TOPIC": message.topic.value,
            PREFIX + "SEVERITY": message.severity.value,
        }
        content = json.dumps(document_of(message, self._vault_suffix), ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        try:
            ended = self._program.run((), told, content)
        except NotRun as error:
            return Delivery(done=False, message=f"The hook {error}.")
        except OSError as error:
            return Delivery(done=False, message=f"The hook {self._program.name} cannot be run: {error.strerror}.")
        if ended.code == 0:
            return Delivery(done=True)
        how = f"puts it off (exit code {LATER})" if ended.code == LATER else f"failed with {ended.how}"
        said = one_line(ended.said, LONGEST_SAID)
        return Delivery(done=False, message=f"The hook {self._program.name} {how}{': ' if said else '.'}{said}")


def document_of(message: Message, vault_suffix: str) -> dict[str, Any]:
    """Make the document that a program reads: what is known, and what is to be done about it."""
    explanation = explain(message, vault_suffix)
    return {
        "id": message.id,
        "topic": message.topic.value,
        "severity": message.severity.value,
        "time": message.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "vault": message.vault,
        "kind": message.kind.value,
        "name": message.name,
        "version": message.version,
        "title": explanation.title,
        "why": explanation.why,
        "steps": [{"text": step.text, "command": step.command or None} for step in explanation.steps],
        "facts": dict(message.facts),
        "parts": [document_of(part, vault_suffix) for part in message.parts],
    }
