"""Settings of the validation of challenges."""

from ca_sim.setting import Section


class ValidationSettings(Section):
    """[validation]."""
