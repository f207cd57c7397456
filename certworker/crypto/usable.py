"""A key that can be used, wherever it lies: the operations of Key Vault, in the algorithms of JWA (RFC 7518)."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Encrypted:
    """What encryption gives. `iv` and `tag` are there where the algorithm has them."""

    ciphertext: bytes
    iv: bytes | None = None
    tag: bytes | None = None


class UsableKey(Protocol):
    """A loaded key. Each method raises BadParameter where the algorithm is not one of this key's, or its input cannot be."""

    def encrypt(self, algorithm: str, plaintext: bytes, iv: bytes | None = None, aad: bytes | None = None) -> Encrypted:
        """Encrypt, or wrap a key where `algorithm` is one of those. GCM makes its own `iv`; CBC is given one."""

    def decrypt(
        self, algorithm: str, ciphertext: bytes, iv: bytes | None = None, aad: bytes | None = None, tag: bytes | None = None
    ) -> bytes:
        """Decrypt, or unwrap. Raises BadParameter, with the same words whatever about the ciphertext is wrong."""

    def sign(self, algorithm: str, digest: bytes) -> bytes:
        """Sign a digest of the length that `algorithm` has; ECDSA's signature is r and s side by side (RFC 7518 3.4)."""

    def verify(self, algorithm: str, digest: bytes, signature: bytes) -> bool:
        """Tell whether a signature is right. A signature of the wrong length is only wrong."""
