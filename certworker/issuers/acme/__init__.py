"""ACME (RFC 8555): the provider that gets certificates from a public CA, or from any that speaks it."""

from certworker.issuers.acme.provider import AcmeIssuerSettings, AcmeProvider

__all__ = ["AcmeIssuerSettings", "AcmeProvider"]
