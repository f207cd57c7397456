"""Who holds a lease: a process, named so that a later one on the same machine can tell whether it is gone.

A lease that outlives its holder only costs time; but a certificate of minutes has none to lose.
"""

import os
from pathlib import Path


def own_name() -> str:
    """Name this process: the boot of its machine, its namespace of process ids, its process id."""
    return f"{_boot()}:{_namespace()}:{os.getpid()}"


def is_gone(owner: str) -> bool:
    """Tell whether a process is surely gone; of one of another machine, boot or namespace nothing is sure."""
    boot, _, rest = owner.partition(":")
    namespace, _, pid = rest.rpartition(":")
    if boot != _boot() or namespace != _namespace() or not pid.isdigit() or not boot or not namespace:
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _boot() -> str:
    return _read(Path("/proc/sys/kernel/random/boot_id"))


def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
