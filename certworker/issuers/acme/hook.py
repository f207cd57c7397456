"""TXT records by a program of the operator's own: `PROGRAM ... present|cleanup NAME VALUE`, without a shell."""

import os
from collections.abc import Mapping, Sequence

from certworker.issuers.acme.problems import clean
from certworker.issuers.acme.solvers import Unsolved
from certworker.network.program import NotRun, Program

PREFIX = "CERTWORKER_HOOK_"


class Hook:
    """Runs the program. It has `timeout_seconds`, after which it is killed with all that it started.

    Exit code 0 means that it is done. The environment has the same three as CERTWORKER_HOOK_ACTION, _NAME and _VALUE.
    """

    def __init__(self, command: Sequence[str], timeout_seconds: float, environment: Mapping[str, str] = os.environ) -> None:
        self._program = Program(command, timeout_seconds, environment)

    def add(self, name: str, value: str) -> None:
        """Have a value added. Raises Unsolved."""
        self._run("present", name, value)

    def remove(self, name: str, value: str) -> None:
        """Have a value removed. Raises Unsolved."""
        self._run("cleanup", name, value)

    def _run(self, action: str, name: str, value: str) -> None:
        told = {PREFIX + "ACTION": action, PREFIX + "NAME": name, PREFIX + "VALUE": value}
        try:
            ended = self._program.run((action, name, value), told)
        except NotRun as error:
            raise Unsolved(f"The hook {error} ({action} {name}).") from None
        if ended.code:
            said = clean(ended.said, [value])
            text = f"The hook {self._program.name} failed with {ended.how} ({action} {name})"
            raise Unsolved(f"{text}{': ' if said else '.'}{said}")
