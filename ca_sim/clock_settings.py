"""Settings of the virtual clock."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from ca_sim.clock import EARLIEST, FASTEST, LATEST
from ca_sim.setting import Section, setting


def _text(value: object) -> object:
    """Take a time that TOML knows as one, written without quotes."""
    return value.isoformat() if isinstance(value, datetime) else value


def _time(text: str) -> str:
    if not text:
        return text
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise ValueError(f"{text!r} is not a time with a zone")
    if not EARLIEST <= at <= LATEST:
        raise ValueError(f"{text!r} is not between {EARLIEST.isoformat()} and {LATEST.isoformat()}")
    return text


class ClockSettings(Section):
    """[clock]."""

    start: Annotated[str, BeforeValidator(_text), AfterValidator(_time)] = setting(
        "", unit="time with a zone, such as 2026-01-01T00:00:00Z", help="Time at the first start. Empty: the real time."
    )
    speed: Annotated[float, Field(ge=0, le=FASTEST)] = setting(
        1.0, unit="times as fast as real time", help="How fast time goes on; 0 stands still until it is moved by management."
    )

    @property
    def starts_at(self) -> datetime | None:
        """Give the time of the first start, none for the real time."""
        return datetime.fromisoformat(self.start) if self.start else None
