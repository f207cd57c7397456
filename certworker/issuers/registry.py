"""The providers by name: those of the house, and those that others have installed."""

import logging
import sys
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType

from certworker.vault.issuance import Provider, Providers

GROUP = "certworker.providers"
"""An entry point of this group names a factory: called with nothing, it gives a Provider."""

log = logging.getLogger(__name__)


def load_providers(built_in: Mapping[str, Provider]) -> Providers:
    """Gather the providers, by lower-case name. A plug-in that does not load is logged and left out."""
    providers = {name.lower(): provider for name, provider in built_in.items()}
    for entry in _plug_ins(tuple(sys.path)):
        name = entry.name.lower()
        if name in providers:
            log.error("provider plug-in %s is left out: there is one of that name already", entry.name)
        elif provider := _load(entry):
            providers[name] = provider
    return MappingProxyType(providers)


@lru_cache(maxsize=8)
def _plug_ins(_path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """Find what is installed there; once in a process, since it reads a file of each distribution."""
    return tuple(entry_points(group=GROUP))


def _load(entry: EntryPoint) -> Provider | None:
    try:
        provider: Provider = entry.load()()
    except Exception:
        log.exception("provider plug-in %s (%s) is left out: it does not load", entry.name, entry.value)
        return None
    if not callable(getattr(provider, "step", None)):
        log.error("provider plug-in %s (%s) is left out: what it gives has no step", entry.name, entry.value)
        return None
    return provider
