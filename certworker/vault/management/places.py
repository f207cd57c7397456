"""Where resources are: subscription, resource group and name out of a resource id, and what is said where nothing is there."""

from dataclasses import dataclass
from typing import Final

from certworker.errors import InvalidResource, ResourceNotFound
from certworker.vault.objects import fold_name
from certworker.vault.rights.scopes import PROVIDER, group_scope, subscription_scope
from certworker.vault.store import Reader
from certworker.vault.vaults import SYSTEM_VAULT, ResourceGroup, Vault

MOST_TAGS: Final = 50
_LONGEST_TAG_NAME: Final = 512
_LONGEST_TAG_VALUE: Final = 256


@dataclass(frozen=True, slots=True)
class VaultPlace:
    """Where a vault is, or is to be, as it was written in a path."""

    subscription_id: str
    resource_group: str
    name: str

    @property
    def scope(self) -> str:
        """The resource id."""
        return f"{group_scope(self.subscription_id, self.resource_group)}/providers/{PROVIDER}/vaults/{self.name}"

    def is_of(self, vault: Vault) -> bool:
        """Tell whether a vault is there. The service's own is nowhere."""
        same = vault.subscription_id == subscription_of(self.subscription_id)
        return same and fold_name(vault.resource_group) == fold_name(self.resource_group) and vault.name != SYSTEM_VAULT

    def not_found(self) -> ResourceNotFound:
        """Make the error that says that there is no such vault."""
        return ResourceNotFound(
            f"The Resource '{PROVIDER}/vaults/{self.name}' under resource group '{self.resource_group}' was not found. For "
            "more details please go to https://aka.ms/ARMResourceNotFoundFix"
        )


class Locations:
    """The locations that the deployment knows. Their names are compared without regard to case and blanks."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names

    def check(self, name: str | None) -> str:
        """Give a location as the settings spell it. Raises InvalidResource."""
        if not name:
            raise InvalidResource("LocationRequired", "The location property is required for this definition.", "location")
        found = next((known for known in self.names if fold_location(known) == fold_location(name)), None)
        if found is None:
            raise InvalidResource(
                "LocationNotAvailableForResourceType",
                f"The location '{name[:40]}' is not one of this deployment. There are: {', '.join(self.names)}.",
                "location",
            )
        return found


def fold_location(name: str) -> str:
    """Give a location in the form in which locations are compared."""
    return name.replace(" ", "").lower()


def find_vault(reader: Reader, place: VaultPlace) -> Vault:
    """Find the vault at a place. Raises ResourceNotFound."""
    found = reader.vault_by_name(place.name)
    if found is None or not place.is_of(found):
        raise place.not_found()
    return found


def require_group(reader: Reader, subscription_id: str, name: str) -> ResourceGroup:
    """Find a resource group. Raises ResourceNotFound."""
    found = reader.resource_group(subscription_id, name)
    if found is None:
        raise ResourceNotFound(f"Resource group '{name[:90]}' could not be found.", "ResourceGroupNotFound")
    return found


def subscription_of(text: str) -> str:
    """Give a subscription's id in the spelling in which it is stored."""
    return text.lower()


def scope_of_subscription(subscription_id: str) -> str:
    """Name a subscription as it was written."""
    return subscription_scope(subscription_of(subscription_id))


def check_resource_tags(tags: dict[str, str]) -> dict[str, str]:
    """Give back the tags of a resource if they keep the limits. Raises InvalidResource."""
    if len(tags) > MOST_TAGS:
        raise InvalidResource("InvalidTagCount", f"A resource has at most {MOST_TAGS} tags, and these are {len(tags)}.", "tags")
    folded: set[str] = set()
    for name, value in tags.items():
        if not 0 < len(name) <= _LONGEST_TAG_NAME or any(sign in name for sign in "<>%&\\?/"):
            message = f"A tag's name has 1 to {_LONGEST_TAG_NAME} characters, and none of < > % & \\ ? /: {name[:40]!r}."
            raise InvalidResource("InvalidTagName", message, "tags")
        if len(value) > _LONGEST_TAG_VALUE:
            message = f"A tag's value has at most {_LONGEST_TAG_VALUE} characters: that of {name[:40]!r} has {len(value)}."
            raise InvalidResource("InvalidTagValue", message, "tags")
        if name.lower() in folded:
            raise InvalidResource(
                "DuplicateTags", f"The tag {name[:40]!r} was sent twice; case does not tell them apart.", "tags"
            )
        folded.add(name.lower())
    return tags
