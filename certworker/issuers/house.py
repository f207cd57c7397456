"""The house's own providers, each with what the settings say of its issuers."""

from collections.abc import Callable

from certworker.issuers.acme import AcmeIssuerSettings, AcmeProvider, ChallengeSettings, DnsSettings
from certworker.issuers.digicert import PRODUCT, PUBLIC_URL, DigicertIssuerSettings, DigicertProvider
from certworker.issuers.globalsign import ATLAS_URL, AtlasConnect, GlobalsignIssuerSettings, GlobalsignProvider
from certworker.network.egress import EgressRules
from certworker.network.http import Connect
from certworker.settings import IssuerSettings, Settings
from certworker.vault.client_certificates import ClientCertificate
from certworker.vault.issuance import AccountBook, ChallengeBoard, Provider

Present = Callable[[str, str], ClientCertificate]
"""Finds the client certificate at a place, VAULT/NAME, that a setting names."""


def house_providers(
    settings: Settings,
    accounts: AccountBook,
    challenges: ChallengeBoard,
    present: Present,
    connect: Connect | None,
) -> dict[str, Provider]:
    """Make the providers that ask CAs, by name. `connect` takes the place of what they build their HTTP clients with."""
    rules = EgressRules(settings.network.allow_private)
    return {
        "acme": AcmeProvider(accounts, challenges, rules, _acme_settings(settings), connect),
        "digicert": DigicertProvider(rules, _digicert_settings(settings), connect),
        "globalsign": GlobalsignProvider(rules, _globalsign_settings(settings), present, connect and _presenting(connect)),
    }


def _presenting(connect: Connect) -> AtlasConnect:
    """Build clients as `connect` does, which presents what it likes."""
    return lambda rules, ca_bundle, timeout_seconds, _: connect(rules, ca_bundle, timeout_seconds)


def _globalsign_settings(settings: Settings) -> Callable[[str], GlobalsignIssuerSettings]:
    def settings_of(issuer: str) -> GlobalsignIssuerSettings:
        found = settings.issuer(issuer)
        return GlobalsignIssuerSettings(
            url=found.url or ATLAS_URL,
            ca_bundle=str(found.ca_bundle) if found.ca_bundle else None,
            client_certificate=found.client_certificate,
            timeout_seconds=found.timeout_seconds,
        )

    return settings_of


def _digicert_settings(settings: Settings) -> Callable[[str], DigicertIssuerSettings]:
    def settings_of(issuer: str) -> DigicertIssuerSettings:
        found = settings.issuer(issuer)
        named = [entry.partition("=") for entry in found.products]
        return DigicertIssuerSettings(
            url=found.url or PUBLIC_URL,
            ca_bundle=str(found.ca_bundle) if found.ca_bundle else None,
            timeout_seconds=found.timeout_seconds,
            product=found.product or PRODUCT,
            products={name.strip(): product.strip() for name, _, product in named},
            skip_approval=found.skip_approval,
        )

    return settings_of


def _acme_settings(settings: Settings) -> Callable[[str], AcmeIssuerSettings]:
    def settings_of(issuer: str) -> AcmeIssuerSettings:
        found = settings.issuer(issuer)
        bundle = str(found.ca_bundle) if found.ca_bundle else None
        return AcmeIssuerSettings(bundle, _challenge(found), found.contacts, found.timeout_seconds, found.preferred_chain)

    return settings_of


def _challenge(issuer: IssuerSettings) -> ChallengeSettings:
    dns = DnsSettings(
        server=issuer.dns_server,
        zone=issuer.dns_zone,
        ttl_seconds=issuer.dns_ttl_seconds,
        key_name=issuer.tsig_key or "",
        key_algorithm=issuer.tsig_algorithm,
        key_file=issuer.tsig_secret_file,
        hook=issuer.dns_hook,
        hook_seconds=issuer.dns_hook_seconds,
        servers=issuer.dns_servers,
        patience_seconds=issuer.dns_wait_seconds,
    )
    return ChallengeSettings(issuer.challenge, issuer.web_root, dns)
