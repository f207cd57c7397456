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
            lines += _mappings(name, section)
    for name, field in Settings.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            lines += _tables(section, f"{name}.")
    return "\n".join(lines + _tables(Settings)) + "\n"


def _mappings(name: str, section: type[BaseModel]) -> list[str]:
    """Show the mappings inside of a section, whose names are of the reader's own."""
    inner = {key: field for key, field in section.model_fields.items() if field.default_factory is dict and not _table(field)}
    return [line for key, field in inner.items() for line in (f"# {field.description}", f"# [{name}.{key}]")]


def _tables(section: type[BaseModel], prefix: str = "") -> list[str]:
    """Show the tables that have names of the reader's own."""
    lines = []
    for name, field in section.model_fields.items():
        if table := _table(field):
            told = (table.__doc__ or "").partition(": ")[2]
            lines += [f"\n# {told[:1].upper()}{told[1:]}", f"# [{prefix}{name}.NAME]", *_entries(table)]
    return lines


def _table(field: FieldInfo) -> type[BaseModel] | None:
    """Give the section that a table of a name of its own is; none for what is no such table."""
    found = get_args(field.annotation)[1] if field.default_factory is dict else None
    return found if isinstance(found, type) and issubclass(found, BaseModel) else None


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
