"""The wiring of the identity provider: whose tokens are taken, and what tokens are for."""

from collections.abc import Mapping
from datetime import timedelta

from certworker.bootstrap.ground import Ground
from certworker.network.authority_keys import DiscoveredKeys
from certworker.network.egress import EgressRules
from certworker.settings import Settings
from certworker.vault.directory import Directory
from certworker.vault.sign_in.foreign import ForeignTokens, Trusted
from certworker.vault.sign_in.scopes import ResourceKind
from certworker.vault.sign_in.services import SignIn, sign_in_services

_ISSUER = "issuer"
_TIMEOUT_SECONDS = 5.0


def foreign_tokens(ground: Ground) -> ForeignTokens:
    """Wire what proves the tokens of others, whose keys are asked for under the egress rules."""
    rules, clock = EgressRules(ground.settings.network.allow_private), ground.clock
    trusted = tuple(
        Trusted(
            name,
            found,
            DiscoveredKeys(
                rules,
                found.ca_bundle,
                found.timeout_seconds,
                clock,
                _ISSUER,
                timedelta(days=found.keys_days),
                ground.measures,
            ),
        )
        for name, found in ground.settings.identity.issuers.items()
    )
    own = DiscoveredKeys(rules, None, _TIMEOUT_SECONDS, clock, _ISSUER, measures=ground.measures)
    return ForeignTokens(trusted, own, clock)


def signing_in(ground: Ground, directory: Directory, foreign: ForeignTokens) -> SignIn:
    """Wire signing in."""
    settings = ground.settings
    return sign_in_services(ground.store, directory, foreign, settings.identity, _resources(settings), ground.clock)


def _resources(settings: Settings) -> Mapping[ResourceKind, tuple[str, ...]]:
    """Name what tokens are for: the deployment's own planes, and what clients of Azure call the same.

    Clients put `/.default` behind what ends in a slash, and so some ask for two.
    """
    azure = ("https://management.azure.com", "https://management.core.windows.net")
    names = {
        ResourceKind.VAULTS: (settings.resource,),
        ResourceKind.MANAGEMENT: (settings.management_url, *azure),
        ResourceKind.GRAPH: (settings.graph_url, "https://graph.microsoft.com"),
    }
    return {kind: tuple(f"{name}{slashes}" for name in found for slashes in ("", "/", "//")) for kind, found in names.items()}
