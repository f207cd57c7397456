"""What those who are told by settings, and not as a vault's contacts, have in common: of what they want to hear."""

from pydantic import Field

from certworker.settings.section import Section


class Listener(Section):
    """Somebody who is told of some things, or of everything."""

    topics: tuple[str, ...] = Field((), description="topics that are told, such as renewal_failed or revoked; none: all")
    vaults: tuple[str, ...] = Field((), description="names of vaults that are told of; none: all but the service's own")
