"""Logging: plain lines on standard error. Never a secret, a key or a token."""

import logging
import time
from pathlib import Path


def set_up_logging(level: str, role: str, file: Path | None = None) -> None:
    """Print `level` and above, each line with its UTC time and the role of the process; to `file` where one is named."""
    formatter = logging.Formatter(f"%(asctime)sZ %(levelname)-7s {role}: %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler = logging.FileHandler(file) if file else logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # a round that takes longer than a tick is no news: it warns at every tick of it
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    for chatty in ("httpx", "httpcore", "urllib3", "acme", "uvicorn", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
