"""Logging to standard error: one line for a record. Never a secret, a key or a token."""

import logging
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TextIO

from certworker.cli.log_lines import JsonLines, TextLines
from certworker.settings import Log

OURS: Final = "certworker"
_log = logging.getLogger(__name__)


def set_up_logging(log: Log, role: str, file: Path | None = None) -> None:
    """Print what is severe enough by the settings `log`, with the role of the process; to `file` where one is named.

    Libraries are heard from `warning` on: at `debug` they tell of headers and bodies. What nobody catches is a line as well.
    """
    handler = logging.FileHandler(file) if file else logging.StreamHandler()
    handler.setFormatter(_lines(log, handler.stream, role))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    _set_level(log.level)
    # what no line of ours tells need not be found out for each (the library's own advice for speed)
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # noqa: SLF001
    # a round that takes longer than a tick is no news: it warns at every tick of it
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    # nor is it one that somebody on the net does not speak HTTP
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    logging.captureWarnings(capture=True)
    sys.excepthook = _tell
    threading.excepthook = lambda raised: _tell(raised.exc_type, raised.exc_value, raised.exc_traceback)
    sys.unraisablehook = lambda raised: _tell(raised.exc_type, raised.exc_value, raised.exc_traceback)


def follow_settings(log: Log) -> None:
    """Go on by other settings."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and isinstance(handler.formatter, JsonLines | TextLines):
            handler.setFormatter(_lines(log, handler.stream, handler.formatter.role))
    _set_level(log.level)


def _lines(log: Log, stream: TextIO | None, role: str) -> JsonLines | TextLines:
    as_text = log.format == "text" or (log.format == "auto" and stream is not None and stream.isatty())
    return TextLines(role) if as_text else JsonLines(role)


def _set_level(level: str) -> None:
    logging.getLogger(OURS).setLevel(level.upper())
    logging.getLogger().setLevel(max(logging.getLevelName(level.upper()), logging.WARNING))


def _tell(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> Any:  # noqa: ANN401
    if issubclass(kind, KeyboardInterrupt | SystemExit):
        return
    _log.critical("An exception was not caught.", exc_info=(kind, error or kind(), trace))
