"""Data actions: what roles call that which access policies call by a noun and a word."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

NOUNS: Final = ("keys", "secrets", "certificates")
"""What is in a vault."""
_OF_VAULTS: Final = "Microsoft.KeyVault/vaults"
_PLAIN: Final = ("create", "import", "update", "backup", "restore", "recover", "purge")
_OF_KEYS: Final = ("encrypt", "decrypt", "sign", "verify", "release", "rotate")


def _table() -> dict[tuple[str, str], str]:
    table = {(noun, word): f"{noun}/{word}/action" for noun in ("keys", "certificates") for word in _PLAIN}
    table |= {("secrets", word): f"secrets/{word}/action" for word in ("update", "backup", "restore", "recover", "purge")}
    table |= {("keys", word): f"keys/{word}/action" for word in _OF_KEYS}
    table |= {(noun, "delete"): f"{noun}/delete" for noun in ("keys", "secrets", "certificates")}
    table |= {(noun, word): f"{noun}/read" for noun in ("keys", "certificates") for word in ("get", "list")}
    return table | {
        ("keys", "wrapkey"): "keys/wrap/action",
        ("keys", "unwrapkey"): "keys/unwrap/action",
        ("keys", "getrotationpolicy"): "keyrotationpolicies/read",
        ("keys", "setrotationpolicy"): "keyrotationpolicies/write",
        ("keys", "rng"): "keys/rng/action",
        ("secrets", "get"): "secrets/getSecret/action",
        ("secrets", "list"): "secrets/readMetadata/action",
        ("secrets", "set"): "secrets/setSecret/action",
        ("certificates", "managecontacts"): "certificatecontacts/write",
        ("certificates", "getissuers"): "certificatecas/read",
        ("certificates", "listissuers"): "certificatecas/read",
        ("certificates", "setissuers"): "certificatecas/write",
        ("certificates", "deleteissuers"): "certificatecas/delete",
        ("certificates", "manageissuers"): "certificatecas/write",
    }


DATA_ACTIONS: Final[Mapping[tuple[str, str], str]] = MappingProxyType(
    {names: f"{_OF_VAULTS}/{action}" for names, action in _table().items()}
)
"""(noun, permission) -> data action."""
