"""What settings are made of: a frozen section, and a field with default, unit and a line of help."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

DAY = 86_400

Seconds = Annotated[int, Field(strict=True, ge=1)]
Delay = Annotated[int, Field(strict=True, ge=0)]
Port = Annotated[int, Field(strict=True, ge=0, le=65535)]
Switch = Annotated[bool, Field(strict=True)]


class Section(BaseModel):
    """A table of the settings file."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def setting(default: Any, *, unit: str, help: str, secret: bool = False) -> Any:  # noqa: A002, ANN401 - pydantic's own shape
    """Describe one setting; what is given for a secret one is in no message."""
    extra: dict[str, Any] = {"unit": unit, "secret": secret}
    return Field(default=default, description=help, json_schema_extra=extra, validate_default=True)
