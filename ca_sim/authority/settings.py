"""Settings of the authority's own keys and certificates, and of what tells of revocations."""

from ca_sim.setting import Section


class AuthoritySettings(Section):
    """[authority]."""
