"""A key that can be used, wherever it lies: the operations of Key Vault, in the algorithms of JWA (RFC 7518)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from certworker.errors import BadParameter

_AES_SIZES: Final = (128, 192, 256)
RSA_ENCRYPTION: Final = frozenset({"RSA1_5", "RSA-OAEP", "RSA-OAEP-256"})
"""They encrypt, and they wrap keys."""
AES_ENCRYPTION: Final = frozenset(f"A{size}{mode}" for size in _AES_SIZES for mode in ("GCM", "CBC", "CBCPAD"))
KEY_WRAP: Final = frozenset({"CKM_AES_KEY_WRAP", *(f"A{size}KW" for size in _AES_SIZES)})
"""RFC 3394. CKM_AES_KEY_WRAP is the word that PKCS#11 has for it, with an AES key of any size."""
PADDED_KEY_WRAP: Final = frozenset({"CKM_AES_KEY_WRAP_PAD"})
"""RFC 5649."""
RSA_SIGNATURES: Final = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "RSNULL"})
"""RSNULL signs what it is given in the padding of PKCS#1 v1.5, without the name of a digest (TLS before 1.2)."""
HMACS: Final = frozenset({"HS256", "HS384", "HS512"})


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
        """Sign a digest of the length that `algorithm` has; ECDSA's signature is r and s side by side (RFC 7518 3.4).

        An HMAC is made of whatever is given, of any length.
        """

    def verify(self, algorithm: str, digest: bytes, signature: bytes) -> bool:
        """Tell whether a signature is right. A signature of the wrong length is only wrong."""


def unfit(algorithm: str, key: str, algorithms: Iterable[str]) -> BadParameter:
    """Make the error for an algorithm that is not one of a key's; `key` says what it is, `algorithms` what would be right."""
    right = ", ".join(sorted(algorithms)) or "none"
    message = f"Key and algorithm are incompatible. The algorithm is '{algorithm[:40]}', and {key} has for this: {right}."
    return BadParameter(message, "alg")


def wrong_length(field: str, given: bytes, rule: str) -> BadParameter:
    """Make the error for what is too long or too short, in Key Vault's words; `rule` says what would be right."""
    return BadParameter(f"Invalid length of '{field}': {len(given)} bytes. {rule}, encoded with base64url.", field)


def check_unused(algorithm: str, **unused: bytes | None) -> None:
    """Make sure that nothing was given that an algorithm has no use for: whoever gave it counts on it. Raises BadParameter."""
    for name, given in unused.items():
        if given:
            raise BadParameter(f"Property '{name}' is not for this operation with {algorithm}: leave it out.", name)


def check_size(algorithm: str, name: str, given: bytes | None, size: int) -> bytes:
    """Give back what an algorithm needs, if it has so many bytes. Raises BadParameter."""
    if given is None:
        raise BadParameter(f"Property '{name}' is required: {algorithm} takes {size} bytes, encoded with base64url.", name)
    if len(given) != size:
        raise wrong_length(name, given, f"{algorithm} requires {size} bytes")
    return given
