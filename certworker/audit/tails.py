"""How far the files of a chain have come, by their last whole line alone: quick, and no proof (`verifying.py` gives that)."""

import re
from collections.abc import Sequence
from typing import Final

from certworker.audit.lines import DIGITS, TAIL
from certworker.audit.scanning import LogFile

_WINDOW: Final = 1 << 20
_SEQUENCE: Final = re.compile(rb'"sequence":([1-9][0-9]{0,17}),"hash":"$')


def last_sequence(files: Sequence[LogFile]) -> int:
    """Tell the number of the last record that stands in a chain's files, which are in their order; 0 where none does.

    Raises OSError.
    """
    return next((sequence for file in reversed(files) if (sequence := _last_of(file))), 0)


def _last_of(file: LogFile) -> int:
    with file.path.open("rb") as lines:
        size = lines.seek(0, 2)
        lines.seek(max(0, size - _WINDOW))
        whole = lines.read().rpartition(b"\n")[0]
    last = whole.rpartition(b"\n")[2] + b"\n"
    found = _SEQUENCE.search(last[:-TAIL]) if len(last) > TAIL + DIGITS else None
    return int(found[1]) if found else 0
