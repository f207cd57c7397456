"""From where a vault may be called: its network rules, for the data plane alone.

Asked after authentication, before anything is looked at in the vault. Loopback is an address like any other.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Final

from certworker.errors import ForbiddenByFirewall
from certworker.vault.rights.caller import Caller
from certworker.vault.rights.scopes import fold_scope
from certworker.vault.vaults import Vault

Range = tuple[int, int, int]
"""The version of the addresses, the first one and the last one."""

_MOST_REMEMBERED: Final = 1024


class Firewall:
    """Knows the ranges of subnets, by their resource ids, and the client ids of the trusted services.

    `authority` is the URL of our own identity provider: a foreign one cannot say who is trusted.
    """

    def __init__(self, subnets: Mapping[str, Sequence[str]], trusted: Sequence[str], authority: str) -> None:
        self._subnets = {fold_scope(subnet): _ranges(tuple(networks)) for subnet, networks in subnets.items()}
        self._trusted = frozenset(map(str.lower, trusted))
        self._issuers = f"{authority}/"
        self._ranges = lru_cache(_MOST_REMEMBERED)(_ranges)

    def require(self, vault: Vault, caller: Caller, address: str) -> None:
        """Refuse a caller whose address the vault does not let in; an empty one is not known. Raises ForbiddenByFirewall."""
        if vault.public_access and vault.network.allow_by_default:
            return
        if vault.network.bypass_trusted and self._is_trusted(caller):
            return
        if not vault.public_access:
            raise ForbiddenByFirewall(
                "Public network access is disabled and request is not from a trusted service nor via an approved private "
                f"link.\r\nCaller: {_told(caller)}\r\nVault: {vault.name};location={vault.location}\r\n"
            )
        if not self._is_named(vault, address):
            raise ForbiddenByFirewall(
                "Client address is not authorized and caller is not a trusted service.\r\n"
                f"Client address: {address or 'unknown'}\r\nCaller: {_told(caller)}\r\n"
                f"Vault: {vault.name};location={vault.location}\r\n"
            )

    def _is_named(self, vault: Vault, address: str) -> bool:
        if not address:
            return False
        known = ip_address(address)
        version, number = known.version, int(known)
        ranges = [self._ranges(vault.network.addresses)]
        # a subnet that the settings give no ranges to lets nobody in
        ranges += [self._subnets.get(fold_scope(subnet), ()) for subnet in vault.network.subnets]
        return any(version == of and first <= number <= last for some in ranges for of, first, last in some)

    def _is_trusted(self, caller: Caller) -> bool:
        # an application for itself: anybody can log in by way of one that is public
        is_ours = caller.issuer.startswith(self._issuers)
        return is_ours and caller.client_id.lower() in self._trusted and not caller.is_user


def _ranges(networks: tuple[str, ...]) -> tuple[Range, ...]:
    parsed = (ip_network(network, strict=False) for network in networks)
    return tuple((network.version, int(network[0]), int(network[-1])) for network in parsed)


def _told(caller: Caller) -> str:
    return f"appid={caller.client_id};oid={caller.object_id};iss={caller.issuer}"
