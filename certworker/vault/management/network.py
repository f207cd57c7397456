"""Network rules as they are set: addresses, ranges and subnets, checked before a vault has them."""

import ipaddress
import re
from collections.abc import Iterable
from typing import Final

from certworker.errors import InvalidResource
from certworker.vault.vaults import NetworkRules

MOST_ADDRESSES: Final = 1000
MOST_SUBNETS: Final = 200
_SUBNET: Final = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Network/virtualNetworks/[^/]+/subnets/[^/]+",
    re.IGNORECASE,
)
_FIELD: Final = "networkAcls"


def check_network(rules: NetworkRules) -> NetworkRules:
    """Give network rules with every address written as a range, and nothing twice. Raises InvalidResource."""
    addresses, subnets = _distinct(map(_range, rules.addresses)), _distinct(map(_subnet, rules.subnets))
    _check_count(len(addresses), MOST_ADDRESSES, "ipRules")
    _check_count(len(subnets), MOST_SUBNETS, "virtualNetworkRules")
    return NetworkRules(rules.allow_by_default, rules.bypass_trusted, addresses, subnets)


def _range(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        message = (
            f"{_FIELD}.ipRules has '{text[:60]}', which is no IP address and no CIDR range. Right are '203.0.113.7' and "
            "'203.0.113.0/24', with no bit set behind the prefix."
        )
        raise InvalidResource("BadRequest", message, f"{_FIELD}.ipRules") from None


def _subnet(text: str) -> str:
    if not _SUBNET.fullmatch(text) or not text.isprintable():
        message = (
            f"{_FIELD}.virtualNetworkRules has an id that is none of a subnet: '{text[:120]}'. Right is '/subscriptions/"
            "SUBSCRIPTION/resourceGroups/GROUP/providers/Microsoft.Network/virtualNetworks/NETWORK/subnets/SUBNET'."
        )
        raise InvalidResource("BadRequest", message, f"{_FIELD}.virtualNetworkRules")
    return text


def _check_count(count: int, most: int, name: str) -> None:
    if count > most:
        raise InvalidResource(
            "BadRequest", f"{_FIELD}.{name} has {count} rules, and a vault at most {most}.", f"{_FIELD}.{name}"
        )


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    found: dict[str, str] = {}
    for text in texts:
        found.setdefault(text.lower(), text)
    return tuple(found.values())
