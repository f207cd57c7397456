"""The lines of the log: JSON for programs, text for people. One record is one line, whatever is in it.

There is a line for each request, so this is on the hot road: what is the same in many lines is made once, and texts are
quoted by the function in C that `json.dumps` itself uses for them.
"""

import errno
import logging
import os
import time
from collections.abc import Iterator, Mapping
from json.encoder import encode_basestring_ascii as quote
from math import isfinite
from pathlib import PurePath
from types import TracebackType
from typing import Final

from certworker.correlation import current_correlation
from certworker.errors import CertworkerError

LONGEST_MESSAGE: Final = 4096
LONGEST_FIELD: Final = 1024
MOST_FRAMES: Final = 12
MOST_CAUSES: Final = 4
_CUT: Final = "…"


class _Seconds:
    """Writes UTC times: a second is written out once."""

    def __init__(self) -> None:
        self._last = (0, "")

    def text(self, record: logging.LogRecord) -> str:
        second, text = self._last
        if second != (now := int(record.created)):
            second = now
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._last = (second, text)
        return text


class JsonLines(logging.Formatter):
    """A record as an object: time, level, role, pid, logger, message, its ids and fields, and what was raised.

    Nothing but ASCII is printed, and no control character: a text cannot begin a line or move a terminal.
    """

    def __init__(self, role: str) -> None:
        super().__init__()
        self.role = role
        self._seconds = _Seconds()
        self._process = f'"role":{quote(role)},"pid":{os.getpid()}'
        self._sources: dict[tuple[int, str], str] = {}

    def format(self, record: logging.LogRecord) -> str:
        """Make the line."""
        source = self._sources.get((record.levelno, record.name)) or self._source(record)
        text = (
            f'{{"time":"{self._seconds.text(record)}.{int(record.msecs):03d}Z",{source},'
            f'"message":{quote(_cut(_message(record), LONGEST_MESSAGE))}'
        )
        correlation_id, operation_id, _ = current_correlation()
        if correlation_id:
            text += f',"correlation_id":{quote(correlation_id)}'
        if operation_id:
            text += f',"operation_id":{quote(operation_id)}'
        fields: Mapping[str, object] | None = record.__dict__.get("fields")
        if fields:
            for name, value in fields.items():
                text += f',"{name}":{_value(value)}'
        if raised := _raised(record):
            kinds, frames = " < ".join(map(_kind, _chain(raised))), ",".join(map(quote, _frames(raised)))
            text += f',"exception":{quote(_cut(kinds, LONGEST_FIELD))},"traceback":[{frames}]'
        return f"{text}}}"

    def _source(self, record: logging.LogRecord) -> str:
        found = f'"level":"{record.levelname.lower()}",{self._process},"logger":{quote(record.name)}'
        self._sources[record.levelno, record.name] = found
        return found


class TextLines(logging.Formatter):
    """A record as a line that a person reads: its UTC time, its severity, the role of the process, and what it says.

    What a terminal would obey, or take for the end of the line, is written as an escape.
    """

    def __init__(self, role: str) -> None:
        super().__init__()
        self.role = role
        self._seconds = _Seconds()

    def format(self, record: logging.LogRecord) -> str:
        """Make the line."""
        said = _cut(_message(record), LONGEST_MESSAGE)
        correlation_id, operation_id, _ = current_correlation()
        # the line of a request ends with its id; anywhere else it is chance, or what a client has chosen
        if correlation_id and not said.endswith(f" {correlation_id}"):
            said = f"{said} correlation_id={correlation_id}"
        if operation_id:
            said = f"{said} operation_id={operation_id}"
        if raised := _raised(record):
            said = f"{said} ({' < '.join(_kind(error) for error in _chain(raised))}; {', '.join(_frames(raised))})"
        said = _cut(said, 2 * LONGEST_MESSAGE)
        if not said.isprintable():
            said = "".join(map(_escaped, said))
        return f"{self._seconds.text(record)}Z {record.levelname:<7} {self.role}: {said}"


def _message(record: logging.LogRecord) -> str:
    message = record.getMessage()
    # asyncio writes out the objects that its news are about in the lines that follow, exceptions among them
    return message.partition("\n")[0] if record.name == "asyncio" else message


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[:longest] + _CUT


def _value(value: object) -> str:
    kind = type(value)
    if kind is int:
        return str(value)
    if isinstance(value, float):
        return str(value) if isfinite(value) else "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else quote(_cut(str(value), LONGEST_FIELD))


def _escaped(sign: str) -> str:
    return sign if sign.isprintable() else sign.encode("unicode_escape").decode()


def _raised(record: logging.LogRecord) -> BaseException | None:
    return record.exc_info[1] if record.exc_info else None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """List an exception, and what it came of."""
    found: BaseException | None = error
    for _ in range(MOST_CAUSES):
        if found is None:
            return
        yield found
        found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)


def _kind(error: BaseException) -> str:
    """Tell what an exception is. Only our own texts are known to hold no values: of others, the kind alone is told."""
    name = type(error).__name__
    if isinstance(error, CertworkerError):
        return f"{name}: {error}"
    if isinstance(error, OSError) and isinstance(error.errno, int) and error.errno in errno.errorcode:
        return f"{name}: {errno.errorcode[error.errno]}"
    return name


def _frames(error: BaseException) -> list[str]:
    """List where it was raised, the innermost place first: file, line and function, and nothing of what they held."""
    places = []
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        path = PurePath(code.co_filename)
        places.append(f"{'/'.join(path.parts[-3:])}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return places[: -MOST_FRAMES - 1 : -1]
