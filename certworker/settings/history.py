"""[history]: how long is kept what lies behind."""

from pydantic import Field

from certworker.settings.section import Section


class HistorySettings(Section):
    """[history]: how long the database remembers what has happened."""

    keep_days: int = Field(
        400, ge=0, le=3650, description="days for which events, and operations that have ended, are kept; 0 keeps all"
    )
