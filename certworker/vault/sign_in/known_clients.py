"""Clients that every directory knows, without an application of theirs in it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

AZURE_CLI: Final = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
AZURE_POWERSHELL: Final = "1950a258-227b-4e31-a9cf-717495945fc2"
KNOWN_CLIENTS: Final[Mapping[str, str]] = MappingProxyType(
    {AZURE_CLI: "Microsoft Azure CLI", AZURE_POWERSHELL: "Microsoft Azure PowerShell"}
)
"""Public clients: `az` and the credentials of azure-identity, and Azure PowerShell."""
