"""Keys on the wire."""

from typing import Any

from certworker.api.wire import View, full_attributes_wire, tags_wire
from certworker.crypto.keys import public_jwk
from certworker.vault.keys import KeyItem
from certworker.vault.objects import KeyVersion

KEYS = "keys"


def key_wire(view: View, key: KeyVersion) -> dict[str, Any]:
    """Show a key's public half as a JWK (RFC 7517)."""
    jwk = {"kid": view.id(KEYS, key.name, key.version), **public_jwk(key.public_key), "key_ops": list(key.key_ops)}
    return {"key": jwk, **_key_properties(view, key)}


def key_item_wire(view: View, item: KeyItem) -> dict[str, Any]:
    """Show an entry of a list of keys."""
    return {"kid": view.id(KEYS, item.head.name), **_key_properties(view, item.version)}


def key_version_wire(view: View, key: KeyVersion) -> dict[str, Any]:
    """Show an entry of a list of versions."""
    return {"kid": view.id(KEYS, key.name, key.version), **_key_properties(view, key)}


def _key_properties(view: View, key: KeyVersion) -> dict[str, Any]:
    return {
        "attributes": full_attributes_wire(key.attributes, view.vault),
        **_managed(managed=key.managed),
        **tags_wire(key.tags),
    }


def _managed(*, managed: bool) -> dict[str, Any]:
    return {"managed": True} if managed else {}
