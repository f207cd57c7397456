"""The machine: Python, OpenSSL, and the limits that the system sets."""

import resource
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from certworker.doctor.finding import Finding, Reporter
from certworker.doctor.subject import Subject

_HERE: Final = Reporter("machine")
OLDEST_PYTHON: Final = (3, 11)
FEW_FILES: Final = 1024
_CORE_PATTERN: Final = Path("/proc/sys/kernel/core_pattern")


def look_at_machine(subject: Subject) -> Iterator[Finding]:
    """Look at versions and limits."""
    shown = f"Python {sys.version.split()[0]}, {ssl.OPENSSL_VERSION}."
    if sys.version_info[:2] < OLDEST_PYTHON:
        yield _HERE.wrong(shown, "Use Python 3.11 or newer.")
    elif not ssl.HAS_TLSv1_3:
        yield _HERE.warning(f"{shown} It has no TLS 1.3.", "Use a Python with a newer OpenSSL.")
    else:
        yield _HERE.fine(shown)
    yield _open_files(subject)
    yield _core_dumps()


def _open_files(subject: Subject) -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < FEW_FILES:
        to_do = f"Set LimitNOFILE={FEW_FILES * 4} in the service's unit, or run: ulimit -n {FEW_FILES * 4}"
        processes = subject.settings.server.processes
        return _HERE.warning(f"A process may open {soft} files (at the most {hard}), for {processes} API processes.", to_do)
    return _HERE.fine(f"A process may open {'any number of' if soft == resource.RLIM_INFINITY else soft} files.")


def _core_dumps() -> Finding:
    """Tell of core dumps. Each of our processes forbids its own, and a program of the kernel's could still be handed one."""
    soft, _ = resource.getrlimit(resource.RLIMIT_CORE)
    if soft == 0:
        return _HERE.fine("Core dumps are off: every process of certworker forbids its own.")
    try:
        pattern = _CORE_PATTERN.read_text().strip()
    except OSError:
        pattern = "a file"
    return _HERE.warning(f"Core dumps are on, to {pattern}: keys would be in them.", "Set LimitCORE=0 in the service's unit.")
