"""Access policies: what a vault grants to whom, by Key Vault's words. They hold for the whole vault."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from certworker.vault.rights.caller import Caller

ALL: Final = "all"
PURGE: Final = "purge"
MOST_POLICIES: Final = 1024

_DELETED: Final = ("recover", "backup", "restore", PURGE)
WORDS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "keys": frozenset(
            {"get", "list", "update", "create", "import", "delete", *_DELETED}
            | {"decrypt", "encrypt", "unwrapkey", "wrapkey", "verify", "sign", "release", "rotate"}
            | {"getrotationpolicy", "setrotationpolicy"}
        ),
        "secrets": frozenset({"get", "list", "set", "delete", *_DELETED}),
        "certificates": frozenset(
            {"get", "list", "update", "create", "import", "delete", *_DELETED}
            | {"managecontacts", "manageissuers", "getissuers", "listissuers", "setissuers", "deleteissuers"}
        ),
        "storage": frozenset(
            {"get", "list", "update", "set", "delete", *_DELETED}
            | {"regeneratekey", "getsas", "listsas", "setsas", "deletesas"}
        ),
    }
)
"""The permissions that there are, by noun, in lower case."""

_ISSUER_WORDS: Final = frozenset({"getissuers", "listissuers", "setissuers", "deleteissuers"})
_PLACED_UNDER: Final = MappingProxyType(dict.fromkeys(_ISSUER_WORDS, "manageissuers"))


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """What one principal may do. `permissions` is noun -> words as they were sent.

    With an `application_id` it holds only while the principal, a user, acts through that application: the compound identity.
    """

    tenant_id: str
    object_id: str
    permissions: Mapping[str, tuple[str, ...]]
    application_id: str | None = None

    @property
    def identity(self) -> tuple[str, str]:
        """Whom it is for. A vault has one access policy for each."""
        return self.object_id, self.application_id or ""

    def holds_for(self, caller: Caller, principals: frozenset[str]) -> bool:
        """Tell whether it is for a caller, who goes by the object ids of `principals`: their own and their groups'."""
        if self.object_id not in principals:
            return False
        return self.application_id is None or (caller.is_user and self.application_id == caller.client_id)

    def grants(self, noun: str, permission: str) -> bool:
        """Tell whether a permission (a word of `WORDS`) is granted. `all` is every word but purge, which is said by name."""
        words = {word.lower() for word in self.permissions.get(noun, ())}
        if permission in words or _PLACED_UNDER.get(permission) in words:
            return True
        return ALL in words and permission != PURGE
