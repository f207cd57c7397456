"""Starts a hook with no signal blocked, as the worker has them: `python -I hook_start.py PROGRAM ARGUMENT...`."""

import os
import signal
import sys

if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606  # without a shell, which is what is wanted
