"""What the checks look at: the settings, the environment, the time, and what the database says."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote

from certworker.clock import Clock, utc_now
from certworker.doctor.records import Records
from certworker.network.egress import EgressRules
from certworker.settings import Settings

PROBE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Subject:
    """A deployment as it can be seen from here.

    `records` are none where the database cannot be read; `why_no_records` says then since what. Each look at another machine
    takes `seconds` at the most.
    """

    config: Path | None
    settings: Settings
    records: Records | None = None
    why_no_records: str = ""
    runs: bool = False
    """Whether the service answers at the operators' port of this machine."""
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    clock: Clock = utc_now
    seconds: float = PROBE_SECONDS

    @property
    def rules(self) -> EgressRules:
        """The egress rules of the deployment."""
        return EgressRules(self.settings.network.allow_private)

    @property
    def is_dev_home(self) -> bool:
        """Whether the settings are those of a home of `certworker dev`."""
        try:
            return self.config is not None and (self.config.parent / "ca_sim.toml").exists()
        except OSError:
            return False

    @property
    def start(self) -> str:
        """The command that starts the service."""
        if self.config and self.is_dev_home:
            return f"certworker dev --home {quote(str(self.config.parent))}"
        return f"certworker run{self.of_config}"

    @property
    def of_config(self) -> str:
        """The option that names the settings to another command."""
        return f" -c {quote(str(self.config))}" if self.config else ""
