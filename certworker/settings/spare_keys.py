"""[spare_keys]: keys that are made ahead of need."""

from typing import Annotated

from pydantic import AfterValidator, Field

from certworker.settings.section import Section


def _sizes(value: tuple[int, ...]) -> tuple[int, ...]:
    for size in value:
        if size not in (2048, 3072, 4096):
            raise ValueError(f"{size} is not 2048, 3072 or 4096")
    return value


class SpareKeySettings(Section):
    """[spare_keys]: RSA keys that are made ahead of need, sealed like all others."""

    count: int = Field(4, ge=0, le=1000, description="keys that are kept ready of each size; 0 makes none ahead")
    sizes: Annotated[tuple[int, ...], AfterValidator(_sizes)] = Field(
        (2048,), description="sizes in bits of which keys are kept ready: 2048, 3072, 4096"
    )
