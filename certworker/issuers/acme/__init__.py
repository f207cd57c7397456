"""ACME (RFC 8555): the provider that gets certificates from a public CA, or from any that speaks it."""

from certworker.issuers.acme.provider import AcmeIssuerSettings, AcmeProvider
from certworker.issuers.acme.solver_choice import ChallengeSettings, DnsSettings

__all__ = ["AcmeIssuerSettings", "AcmeProvider", "ChallengeSettings", "DnsSettings"]
