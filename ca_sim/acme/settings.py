"""Settings of the ACME server."""

from ca_sim.setting import Delay, Section, setting


class AcmeSettings(Section):
    """[acme]."""

    issue_seconds: Delay = setting(0, unit="seconds", help="How long an order is processing before its certificate is there.")
