"""How much CAs let themselves be asked: what the settings say, or else what is known of public CAs."""

from datetime import timedelta
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from certworker.settings import Settings
from certworker.settings.rates import Rate, read_rate
from certworker.vault.resilience.budgets import Limits, LimitsOf
from certworker.vault.vaults import Issuer

_WEEK: Final = timedelta(days=7)
_HOURS: Final = timedelta(hours=3)
LETS_ENCRYPT: Final = Limits(Rate(300, _HOURS), Rate(50, _WEEK), Rate(5, _WEEK))
LETS_ENCRYPT_STAGING: Final = Limits(Rate(1500, _HOURS), Rate(30_000, _WEEK), Rate(30_000, _WEEK))

KNOWN: Final = MappingProxyType(
    {
        "acme-v02.api.letsencrypt.org": LETS_ENCRYPT,
        "acme-staging-v02.api.letsencrypt.org": LETS_ENCRYPT_STAGING,
    }
)
"""Limits by the host of an ACME directory."""


def limits_by(settings: Settings) -> LimitsOf:
    """Make what tells the limits of an issuer: each as it is set, or else as it is known."""

    def limits_of(issuer: Issuer) -> Limits:
        found, known = settings.issuer(issuer.name), known_limits(issuer)
        return Limits(
            orders=read_rate(found.orders) or known.orders,
            certificates_per_domain=read_rate(found.certificates_per_domain) or known.certificates_per_domain,
            certificates_per_set=read_rate(found.certificates_per_set) or known.certificates_per_set,
        )

    return limits_of


def known_limits(issuer: Issuer) -> Limits:
    """Tell what is known of an issuer's CA; no limits where nothing is."""
    if issuer.provider.casefold() != "acme":
        return Limits()
    try:
        return KNOWN.get(urlsplit(issuer.account_id).hostname or "", Limits())
    except ValueError:  # not a URL at all
        return Limits()
