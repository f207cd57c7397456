"""What the commands end with: one table, error -> exit code."""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType

from certworker import errors


class ExitCode(IntEnum):
    """How a command went."""

    OK = 0
    ERROR = 1
    USAGE = 2
    NOT_FOUND = 3
    REFUSED = 4
    CONFLICT = 5
    UNAVAILABLE = 6
    WRONG_SIGNATURE = 7


MEANINGS: Mapping[ExitCode, str] = MappingProxyType(
    {
        ExitCode.OK: "done",
        ExitCode.ERROR: "an error",
        ExitCode.USAGE: "a wrong command line",
        ExitCode.NOT_FOUND: "not found",
        ExitCode.REFUSED: "refused (not logged in, or no permission)",
        ExitCode.CONFLICT: "something is in the way",
        ExitCode.UNAVAILABLE: "the service cannot be reached, or not now",
        ExitCode.WRONG_SIGNATURE: "a signature is wrong",
    }
)
TABLE: Mapping[type[errors.CertworkerError], ExitCode] = MappingProxyType(
    {
        errors.NotFound: ExitCode.NOT_FOUND,
        errors.Unauthenticated: ExitCode.REFUSED,
        errors.Forbidden: ExitCode.REFUSED,
        errors.Conflict: ExitCode.CONFLICT,
        errors.Unavailable: ExitCode.UNAVAILABLE,
    }
)
"""An error that is not here takes the code of its nearest ancestor; without one it is plainly an error."""

EPILOG = "Exit codes: " + "; ".join(f"{code.value} {meaning}" for code, meaning in MEANINGS.items()) + "."


def exit_code_of(error: errors.CertworkerError) -> ExitCode:
    """Find the exit code of an error by its nearest ancestor."""
    found = (TABLE[ancestor] for ancestor in type(error).__mro__ if ancestor in TABLE)
    return next(found, ExitCode.ERROR)
