"""The lines of the log: JSON for programs, text for people. One record is one line, whatever is in it."""

import json
import logging
import os
import time
import traceback
from typing import Final

ROLE: Final = "ca-sim"


class JsonLines(logging.Formatter):
    """A record as an object: its time in UTC, level, role, pid, logger, message, and what was raised."""

    def format(self, record: logging.LogRecord) -> str:
        """Make the line."""
        line = {
            "time": f"{_second(record)}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "role": ROLE,
            "pid": os.getpid(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info and record.exc_info[1]:
            line["exception"] = "".join(traceback.format_exception(record.exc_info[1]))
        return json.dumps(line, separators=(",", ":"))


class TextLines(logging.Formatter):
    """A record as a line that a person reads. What a terminal would obey is written as an escape."""

    def format(self, record: logging.LogRecord) -> str:
        """Make the line."""
        said = record.getMessage()
        if not said.isprintable():
            said = "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in said)
        line = f"{_second(record)}Z {record.levelname:<7} {ROLE}: {said}"
        if record.exc_info and record.exc_info[1]:
            line += "\n" + "".join(traceback.format_exception(record.exc_info[1])).rstrip()
        return line


def _second(record: logging.LogRecord) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
