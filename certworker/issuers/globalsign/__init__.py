"""Certificates from GlobalSign Atlas, whose REST API is spoken to over mutual TLS."""

from certworker.issuers.globalsign.provider import AtlasConnect, GlobalsignProvider
from certworker.issuers.globalsign.settings import ATLAS_URL, GlobalsignIssuerSettings

__all__ = ["ATLAS_URL", "AtlasConnect", "GlobalsignIssuerSettings", "GlobalsignProvider"]
