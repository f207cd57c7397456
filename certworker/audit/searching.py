"""Searching the log's files: the newest records first, by whoever may read them."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from heapq import heappush, heapreplace
from pathlib import Path
from typing import Final

from certworker.audit.scanning import log_files, whole_lines
from certworker.vault.audit.search import Position, Search, Shown, position_of

_TIME: Final = b'"time":"'
_LONGEST_TIME: Final = 40
_HEAD: Final = 200

Visible = Callable[[Shown], bool]


def search_files(folder: Path, search: Search, visible: Visible = lambda _: True) -> tuple[Shown, ...]:
    """Find the newest records that fit, at most as many as the search wants; the newest comes first. Raises OSError."""
    kept: list[tuple[Position, Shown]] = []
    places: set[Position] = set()
    for line in _lines(folder, search):
        time = _time_of(line)
        # what is older than all that is kept needs no look
        if not search.covers(time) or (len(kept) == search.limit and time < kept[0][0][0]):
            continue
        record = _record_of(line)
        if record is None or not search.fits(record) or not visible(record):
            continue
        _keep(kept, places, position_of(record), record, search.limit)
    return tuple(record for _, record in sorted(kept, key=lambda found: found[0], reverse=True))


def _keep(kept: list[tuple[Position, Shown]], places: set[Position], place: Position, record: Shown, limit: int) -> None:
    """Keep a record among the newest, once. Positions differ, so that records are never compared."""
    if place in places:
        return
    if len(kept) < limit:
        heappush(kept, (place, record))
    elif place > kept[0][0]:
        places.discard(heapreplace(kept, (place, record))[0])
    else:
        return
    places.add(place)


def _lines(folder: Path, search: Search) -> Iterator[bytes]:
    """Give the lines of all files, those of the newest files first. What was written before `since` is left out."""
    if not folder.is_dir():
        return
    files = [(file.path.stat().st_mtime, file) for chain in log_files(folder).values() for file in chain]
    for written, file in sorted(files, reverse=True):
        if search.since and written < _seconds(search.since):
            return
        yield from whole_lines(file)


def _time_of(line: bytes) -> str:
    begin = line.find(_TIME, 0, _HEAD) + len(_TIME)
    return line[begin : line.find(b'"', begin, begin + _LONGEST_TIME)].decode("ascii", "replace")


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()


def _record_of(line: bytes) -> Shown | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None
