"""Starts a program with no signal blocked, as the worker has them: `python -I program_start.py PROGRAM ARGUMENT...`."""

import os
import signal
import sys

NOT_A_PROGRAM = 126
"""The exit code that shells give for what cannot be run."""


def main(command: list[str]) -> None:
    """Become the program."""
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    try:
        os.execvp(command[0], command)  # noqa: S606  # without a shell, which is what is wanted
    except OSError as error:
        sys.stderr.write(f"it cannot be run: {error.strerror}\n")
    raise SystemExit(NOT_A_PROGRAM)


if __name__ == "__main__":
    main(sys.argv[1:])
