"""The settings file as a sample: every setting with its default, its unit and its help."""

from pathlib import Path
from typing import get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from certworker.settings import Settings

_HEAD = """\
# certworker's settings: every one with its default. Relative paths are relative to this file.
# An environment variable goes before the file: CERTWORKER_SERVER__PORT=9443 is `port` in [server].
"""


def sample_settings() -> str:
    """Write the sample; `certworker settings` prints it, and config/certworker.toml is it."""
    lines = [_HEAD, *_entries(Settings)]
    for name, field in Settings.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            lines += [f"\n[{name}]  # {(section.__doc__ or '').partition(': ')[2].rstrip('.')}", *_entries(section)]
    for name, field in Settings.model_fields.items():
        if field.default_factory is dict:
            section = get_args(field.annotation)[1]
            told = (section.__doc__ or "").partition(": ")[2]
            lines += [f"\n# {told[:1].upper()}{told[1:]}", f"# [{name}.NAME]", *_entries(section)]
    return "\n".join(lines) + "\n"


def _entries(section: type[BaseModel]) -> list[str]:
    entries = []
    for name, field in section.model_fields.items():
        if field.description and field.default_factory is not dict:
            entries += [f"# {field.description}", f"# {name} = {_show(field)}"]
    return entries


def _show(field: FieldInfo) -> str:
    value = field.get_default()
    if value is None:
        return '""'
    if isinstance(value, tuple):
        return "[" + ", ".join(str(item) if isinstance(item, int) else f'"{item}"' for item in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str | Path) else str(value)
