"""Core dumps are off: what lies in the memory of a process that falls, keys among it, is not written to a disk."""

import ctypes
import resource

_PR_SET_DUMPABLE = 4


def forbid_core_dumps() -> None:
    """Forbid core dumps of this process, and other processes of its user to look into its memory (prctl(2), getrlimit(2)).

    The limit is handed on to every program that this one starts; the other is not, so each of ours says it for itself.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    system = ctypes.CDLL(None, use_errno=True)
    if hasattr(system, "prctl"):
        system.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
