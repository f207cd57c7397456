"""[notices]: when somebody is told, and how."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field

from certworker.settings.section import Section

_THRESHOLD = re.compile(r"([1-9][0-9]{0,2})([dh%])")


def _thresholds(value: tuple[str, ...]) -> tuple[str, ...]:
    for text in value:
        match = _THRESHOLD.fullmatch(text)
        if match is None or (match[2] == "%" and int(match[1]) > 99):  # noqa: PLR2004
            raise ValueError(f"{text[:20]!r} is no threshold: write 30d, 12h, or 10% for a part of the lifetime")
    return value


class Notices(Section):
    """[notices]: when contacts, webhooks and the hook are told, and how often it is tried."""

    thresholds: Annotated[tuple[str, ...], AfterValidator(_thresholds)] = Field(
        ("30d", "7d", "1d", "10%"),
        description="left of a certificate's lifetime when its end is told: days, hours or a part; over half of it counts not",
    )
    before_renewal_hours: int = Field(24, ge=0, le=720, description="hours before a renewal that it is told; 0 never")
    digest_from: int = Field(5, ge=1, le=1000, description="more mails than this for one address become one digest")
    digest_minutes: int = Field(5, ge=0, le=1440, description="minutes that a mail waits for others, unless it is critical")
    keep_days: int = Field(400, ge=1, le=3650, description="days for which the ledger remembers what was told")

    @property
    def hold(self) -> timedelta:
        """How long a mail waits for others."""
        return timedelta(minutes=self.digest_minutes)
