"""[audit]: the log of every request, and of what the service does by itself."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from certworker.settings.section import Section


class AuditOutput(StrEnum):
    """Where the log's lines go."""

    FILES = "files"
    STDOUT = "stdout"
    SYSLOG = "syslog"


def _some(value: tuple[AuditOutput, ...]) -> tuple[AuditOutput, ...]:
    if not value:
        raise ValueError("at least one output is needed: files, stdout or syslog")
    return tuple(output for output in AuditOutput if output in value)


class AuditSettings(Section):
    """[audit]: the log of every request, and of what the service does by itself."""

    outputs: Annotated[tuple[AuditOutput, ...], AfterValidator(_some)] = Field(
        (AuditOutput.FILES,), description="files, stdout, syslog; beside files the others get copies, which may be lost"
    )
    folder: Path = Field(Path("audit"), description="folder (mode 0700) of the log's files")
    sync: Literal["group", "each"] = Field(
        "group", description="when a record is on disk: group soon after the answer, for many at once; each before the answer"
    )
    group_milliseconds: int = Field(10, ge=1, le=1000, description="milliseconds after which a group is brought to disk")
    unsynced_records: int = Field(
        1000, ge=1, le=100_000, description="records of one process that may wait for the disk: what a power cut may cost"
    )
    rotate_bytes: int = Field(64 << 20, ge=4096, le=1 << 40, description="bytes after which the next file is begun")
    rotate_hours: int = Field(24, ge=1, le=8784, description="hours after which the next file is begun")
    keep_days: int = Field(365, ge=0, le=36525, description="days after which a finished file is deleted; 0 keeps all")
    head_seconds: int = Field(
        5, ge=1, le=60, description="seconds between two signed heads, which tell how far a process's chain has come"
    )
    syslog: str = Field("/dev/log", description="unix socket of syslog; or udp://ADDRESS:PORT, tcp://ADDRESS:PORT of loopback")
