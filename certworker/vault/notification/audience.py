"""The audience: who hears of what. Contacts hear of certificates by mail; further addresses are in the settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from certworker.vault.notification.message import Channel, Topic
from certworker.vault.objects import ObjectKind
from certworker.vault.store import Reader
from certworker.vault.vaults import SYSTEM_VAULT, Vault

MAIL: Final = "mail"
"""The channel whose addresses are the contacts of the vault."""
WEBHOOK: Final = "webhook"
"""The channel whose addresses are the names of [webhooks.NAME] in the settings."""
HOOK: Final = "hook"
"""The channel with one address, of the same name."""
_NOT_BY_MAIL: Final = frozenset({Topic.NEW_VERSION})
Address = tuple[str, str]
"""A channel's name, and an address in its own sense."""
Place = tuple[str, str]
"""A channel's name, and that of one of its webhooks; empty for other channels, whose addresses are nobody's business."""


def place_of(channel: str, address: str) -> Place:
    """Tell by which names an address is counted."""
    return channel, address if channel == WEBHOOK else ""


@dataclass(frozen=True, slots=True)
class Subscription:
    """An address that the settings name: of which channel, for which topics and vaults (names); none are all.

    Of the service's own vault only those hear that name it. A renewal is told as a new version, unless its topic is named.
    """

    channel: str
    address: str
    topics: frozenset[Topic] = frozenset()
    vaults: frozenset[str] = frozenset()

    def takes(self, vault: Vault, topic: Topic) -> bool:
        """Whether it is to hear of this."""
        if not self.vaults and vault.name == SYSTEM_VAULT:
            return False
        if topic is Topic.RENEWED and not self.topics:
            return False
        named = not self.vaults or vault.name.casefold() in {name.casefold() for name in self.vaults}
        return named and (not self.topics or topic in self.topics or topic is Topic.TEST)


@dataclass(frozen=True, slots=True)
class Audience:
    """The channels that there are, by name, and who listens on them."""

    channels: Mapping[str, Channel]
    subscriptions: tuple[Subscription, ...] = ()

    @property
    def places(self) -> tuple[Place, ...]:
        """List what is set up, as it is counted."""
        webhooks = {place_of(one.channel, one.address) for one in self.subscriptions if one.channel == WEBHOOK}
        return tuple(sorted({(channel, "") for channel in self.channels if channel != WEBHOOK} | webhooks))

    def addresses(self, reader: Reader, vault: Vault, kind: ObjectKind, topic: Topic) -> tuple[Address, ...]:
        """List who hears of a topic; a channel that is not set up has nobody."""
        contacts: tuple[Address, ...] = ()
        if MAIL in self.channels and kind is ObjectKind.CERTIFICATE and topic not in _NOT_BY_MAIL:
            contacts = tuple((MAIL, contact.email) for contact in reader.contacts(vault.id))
        listening = (one for one in self.subscriptions if one.channel in self.channels and one.takes(vault, topic))
        return (*contacts, *((one.channel, one.address) for one in listening))
