"""What settings are made of: a frozen section, and a field with default, unit and a line of help."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

DAY = 86_400

Seconds = Annotated[int, Field(strict=True, ge=1)]
Delay = Annotated[int, Field(strict=True, ge=0)]
Port = Annotated[int, Field(strict=True, ge=0, le=65535)]


class Section(BaseModel):
    """A table of the settings file."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def setting(default: Any, *, unit: str, help: str) -> Any:  # noqa: A002, ANN401 - pydantic's own shape
    """Describe one setting."""
    return Field(default=default, description=help, json_schema_extra={"unit": unit}, validate_default=True)
