"""The port to a hardware token: keys that are made in it, used in it, and never leave it."""

from dataclasses import dataclass
from typing import Final, Protocol

from certworker.crypto.keys import KeyKind
from certworker.crypto.usable import UsableKey

IN_HSM: Final = "-HSM"
"""How Key Vault's word for the type of a key ends, where the key lies in a token."""


@dataclass(frozen=True, slots=True)
class HsmKey:
    """A key in the token. `public_key` is a DER SubjectPublicKeyInfo, empty for `oct`."""

    id: str
    kind: KeyKind
    public_key: bytes


class Hsm(Protocol):
    """A token. Every method raises Unavailable where it does not answer, or all of its sessions are taken."""

    def generate(self, key_id: str, kind: KeyKind) -> HsmKey:
        """Make a key in the token, sensitive and not extractable. Raises BadParameter where the token has no such keys."""

    def take(self, key_id: str, kind: KeyKind, private_key: bytes) -> HsmKey:
        """Put a key that was imported into the token: a DER PKCS#8, or the octets of an `oct` key. Raises BadParameter."""

    def use(self, key_id: str, kind: KeyKind, public_key: bytes) -> UsableKey:
        """Give the use of a key. What is public about it is done outside. Raises SealBroken where the token has no such key."""

    def destroy(self, key_id: str) -> None:
        """Destroy a key, if it is there."""
