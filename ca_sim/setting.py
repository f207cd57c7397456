"""What settings are made of: a frozen section, and a field with default, unit and a line of help."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

DAY = 86_400

LONGEST = 100 * 366 * DAY
"""Seconds of a century: what lasts longer leads out of the calendar."""

Seconds = Annotated[int, Field(strict=True, ge=1, le=LONGEST)]
Delay = Annotated[int, Field(strict=True, ge=0, le=LONGEST)]
_URL = re.compile(r"https?://[!-~]+")


def _url(text: str) -> str:
    if text and (not _URL.fullmatch(text) or set(text) & set('<>"')):  # it goes into a Link header
        raise ValueError(f"{text!r} is not a URL of http or https in ASCII")
    return text


Url = Annotated[str, AfterValidator(_url)]
Port = Annotated[int, Field(strict=True, ge=0, le=65535)]
Switch = Annotated[bool, Field(strict=True)]


class Section(BaseModel):
    """A table of the settings file."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def setting(default: Any, *, unit: str, help: str, secret: bool = False) -> Any:  # noqa: A002, ANN401 - pydantic's own shape
    """Describe one setting; what is given for a secret one is in no message."""
    extra: dict[str, Any] = {"unit": unit, "secret": secret}
    return Field(default=default, description=help, json_schema_extra=extra, validate_default=True)
