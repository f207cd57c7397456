"""Logging: plain lines on standard error. Never a secret, a key or a token."""

import logging
import time
from pathlib import Path


class Lines(logging.Formatter):
    """One line for a record: its UTC time, its severity, the role of the process, and what it says.

    There is a line for each request, so this is on the hot road: a second is written out once.
    """

    def __init__(self, role: str) -> None:
        super().__init__(f"%(asctime)sZ %(levelname)-7s {role}: %(message)s")
        self._second = (0, "")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802  # logging's
        """Write the time of a record to the second."""
        second, text = self._second
        if second != int(record.created):
            second = int(record.created)
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._second = (second, text)
        return text


def set_up_logging(level: str, role: str, file: Path | None = None) -> None:
    """Print `level` and above, each line with its UTC time and the role of the process; to `file` where one is named."""
    handler = logging.FileHandler(file) if file else logging.StreamHandler()
    handler.setFormatter(Lines(role))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # what no line of ours tells need not be found out for each (the library's own advice for speed)
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # noqa: SLF001
    # a round that takes longer than a tick is no news: it warns at every tick of it
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    for chatty in ("httpx", "httpcore", "urllib3", "acme", "uvicorn", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
