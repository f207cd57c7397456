"""Waiting for an operation to come to its end, with a word on each step."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain, repeat
from time import monotonic, sleep
from typing import TYPE_CHECKING
from urllib.parse import quote

from certworker.cli.options import Wire
from certworker.cli.output import plain, tell
from certworker.cli.progress import is_animated, working
from certworker.errors import CertworkerError, Unavailable

if TYPE_CHECKING:
    from certworker.cli.client import VaultClient

IN_PROGRESS, COMPLETED = "inProgress", "completed"
_ALWAYS_SAID = "Pending certificate created."
_PAUSES = (0.1, 0.2, 0.5, 1.0)


def history_path(name: str) -> str:
    """Say where the history of a certificate's latest operation is."""
    return f"/certworker/v1/certificates/{quote(name, safe='')}/operations/latest"


def wait_for(vault: "VaultClient", name: str, operation_id: str, limit_seconds: float) -> Wire:
    """Wait until an operation has come to its end, and give its history.

    Raises CertworkerError with the operation's own error where it failed or was cancelled, and Unavailable where the time was
    too short; it goes on all the same.
    """
    deadline = monotonic() + limit_seconds
    with _progress(name) as say:
        for pause in chain(_PAUSES, repeat(_PAUSES[-1])):
            history: Wire = vault.call("GET", history_path(name))
            if history["request_id"] != operation_id:
                raise CertworkerError(f"The operation {operation_id} is no longer the latest of {name}: another has begun.")
            if history["status"] != IN_PROGRESS:
                return _ended(name, history)
            say(_step_of(history))
            if monotonic() + pause > deadline:
                raise Unavailable(f"{name} is not ready after {limit_seconds:g} seconds; it goes on. {_step_of(history)}")
            sleep(pause)
    raise AssertionError("the pauses never end")


def _ended(name: str, history: Wire) -> Wire:
    if history["status"] == COMPLETED:
        return history
    error = history.get("error") or {}
    said = f"{error.get('code')}: {error.get('message')}" if error else "somebody cancelled it."
    raise CertworkerError(f"{name} was not issued ({history['status']}): {plain(said)}")


def _step_of(history: Wire) -> str:
    journal, details = history["journal"], history.get("status_details") or ""
    last = journal[-1]["step"] if journal else history["status"]
    # what every operation says tells nothing
    return plain(last if details.startswith(_ALWAYS_SAID) or not details else f"{last}: {details}")


@contextmanager
def _progress(name: str) -> Iterator[Callable[[str], None]]:
    """Show what is said in place on a terminal; elsewhere a line for each new step."""
    if is_animated(sys.stderr):
        with working(name, delay_seconds=0) as step:
            yield lambda text: step.say(f"{name}  {text}")
        return
    said: list[str] = []

    def say(text: str) -> None:
        if text not in said:
            said.append(text)
            tell(f"{name}: {text}")

    yield say
