"""What those who are told by settings, and not as a vault's contacts, have in common: of what they want to hear."""

from pydantic import Field

from certworker.settings.section import Section


class Audience(Section):
    """Somebody who is told of some things, or of everything."""

    topics: tuple[str, ...] = Field(
        (), description="topics that are told, such as renewal_failed or revoked; none: all of them"
    )
    vaults: tuple[str, ...] = Field((), description="names of vaults that are told of; none: all of them")

    def wants(self, vault: str, topic: str) -> bool:
        """Say whether something is to be told. What is about no vault, and a test, everybody is told."""
        in_vault = not (self.vaults and vault) or vault.casefold() in map(str.casefold, self.vaults)
        return in_vault and (not self.topics or topic in (*self.topics, "test"))
